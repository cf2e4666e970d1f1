"""Calls of a forecast as they are made: whose, for which lock, on time or late, online and offline alike (R29, R53)."""

from typing import Any

import pytest

from forecasting import locking
from sfa.core.forecast_cycles import LATE, LOCKED, REPLACED, SUBMITTED
from tests.crm.desk import Desk
from tests.forecasting.review import DAY_MS, ENTITY, LOCK_AT, at, begun, call, locks, refusals, said, statuses, until
from tests.office import Office


def lock(office: Office) -> locking.Locked:
    return office.database.write(locking.run, office.clock.now_ms())


def test_a_call_says_when_and_for_which_lock_it_was_made(office: Office) -> None:
    begun(office)
    made = office.clock.now_ms() - 60_000
    assert call(office.phone("ana"), "c", 70_000, "2026-01-05 07:59", likely_minor=90_000).outcome == "applied"
    row = office.row(ENTITY, "c")
    assert (row["author_key"], row["user_key"], row["team_key"]) == ("ana", "ana", None)
    assert (row["due_on"], row["called_at"], row["status"]) == ("2026-01-05", made, SUBMITTED)
    assert (row["commit_minor"], row["likely_minor"], row["best_case_minor"]) == (70_000, 90_000, None)
    assert row["buckets"] == ["book:ana"]


def test_a_screen_and_a_phone_call_by_the_same_rules(office: Office, desk: Desk) -> None:
    begun(office)
    body = {"key": "s", "row": said(user_key="ana")}
    answer = desk.post("ana", "/api/forecast_calls", json=body)
    assert (answer.status_code, answer.json()["row"]["due_on"]) == (201, "2026-01-05")
    assert desk.post("ana", "/api/forecast_calls", json=body).status_code == 200  # sent again, it is there
    office.clock.advance(1)
    assert call(office.phone("ana"), "p").outcome == "applied"
    assert statuses(office) == {"s": REPLACED, "p": SUBMITTED}
    wrong = desk.post("ana", "/api/forecast_calls", json={"row": said(user_key="bob")})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "not_permitted")


@pytest.mark.parametrize(
    ("user", "values", "code"),
    [
        ("ana", {"user_key": "bob"}, "not_permitted"),
        ("ana", {"team_key": "north"}, "not_permitted"),  # only a member
        ("mia", {"user_key": "ana"}, "not_permitted"),  # the number of a rep is his own
        ("mia", {"team_key": "all-sales"}, "not_permitted"),  # the team above hers
        ("dirk", {"team_key": "north"}, "not_permitted"),  # below his, managed by somebody else
        ("mia", {"user_key": "ana", "author_key": "ana"}, "not_permitted"),
        ("ana", {"author_key": "bob", "user_key": "ana"}, "field_not_permitted"),
        ("fay", {"user_key": "fay"}, "not_permitted"),  # finance sells nothing
        ("ana", {}, "forecast_node_invalid"),
        ("mia", {"user_key": "mia", "team_key": "north"}, "forecast_node_invalid"),
        ("ana", {"user_key": "ana", "period_key": "nowhere"}, "reference_unknown"),
        ("ana", {"user_key": "ana", "due_on": "2026-01-06"}, "forecast_due_invalid"),
        ("ana", {"user_key": "ana", "currency": "XQX"}, "currency_unknown"),
        ("ana", {"user_key": "ana", "status": "locked"}, "field_read_only"),
        ("ana", {"user_key": "ana", "called_at": 1}, "field_read_only"),
    ],
)
def test_who_may_not_call_is_told_so_and_what_he_said_is_kept(
    office: Office, user: str, values: dict[str, Any], code: str
) -> None:
    begun(office)
    receipt = office.phone(user).do("create", ENTITY, "c", base=0, set=said(**values))
    assert (receipt.outcome, receipt.code) == ("refused", code)
    assert office.rows(ENTITY) == []
    assert refusals(office) == [(user, "c", code)]


def test_a_manager_calls_for_the_team_that_he_manages_and_its_members_do_not_see_it(office: Office) -> None:
    begun(office)
    assert call(office.phone("mia"), "n", team_key="north").outcome == "applied"
    assert call(office.phone("dirk"), "a", team_key="all-sales").outcome == "applied"
    for user, sees in {"ana": set(), "mia": {"n"}, "dirk": {"n", "a"}, "fay": {"n", "a"}}.items():
        phone = office.phone(user)
        phone.catch_up()
        assert phone.keys(ENTITY) == sees


def test_of_two_calls_the_one_made_last_counts_whichever_arrives_first(office: Office) -> None:
    begun(office)
    first, second = office.phone("ana"), office.phone("ana", "tablet")
    assert call(second, "later", made="2026-01-05 07:50").outcome == "applied"
    assert call(first, "earlier", made="2026-01-05 07:40").outcome == "applied"
    assert statuses(office) == {"earlier": REPLACED, "later": SUBMITTED}
    assert call(first, "latest", made="2026-01-05 07:55").outcome == "applied"
    assert statuses(office) == {"earlier": REPLACED, "later": REPLACED, "latest": SUBMITTED}
    other = call(office.phone("ana"), "other", period_key="q2")  # of another period, beside it
    assert (other.outcome, statuses(office)["latest"]) == ("applied", SUBMITTED)


def test_two_managers_of_a_team_call_for_one_node(office: Office) -> None:
    begun(office)
    dirk = {"team_key": "north", "user_key": "dirk", "role": "manager", "valid_from": "2025-01-01"}
    office.put(("team_members", "m-d", dirk))
    assert call(office.phone("mia"), "m", team_key="north").outcome == "applied"
    office.clock.advance(1)
    assert call(office.phone("dirk"), "d", team_key="north").outcome == "applied"
    assert statuses(office) == {"m": REPLACED, "d": SUBMITTED}


def test_calls_of_one_push_replace_each_other_in_order(office: Office) -> None:
    begun(office)
    phone = office.phone("ana")
    made = [phone.mutation("create", ENTITY, key, base=0, set=said(user_key="ana")) for key in ("a", "b", "c")]
    for minute, mutation in enumerate(made):
        mutation["at"] = at("2026-01-05 07:30") + minute
    assert [r.outcome for r in phone.push(*made).receipts] == ["applied"] * 3
    assert statuses(office) == {"a": REPLACED, "b": REPLACED, "c": SUBMITTED}


# -- around the lock -------------------------------------------------------------------------------------------------


def test_a_call_without_signal_before_the_lock_counts_when_it_arrives_after_it(office: Office) -> None:
    """R29, R1: what counts is when it was made."""
    begun(office)
    assert call(office.phone("ana"), "first", 1).outcome == "applied"
    until(office, "2026-01-05 09:01")
    assert lock(office) == locking.Locked(1, 1)
    assert statuses(office) == {"first": LOCKED}
    until(office, "2026-01-05 18:00")
    assert call(office.phone("ana"), "basement", 2, "2026-01-05 08:59", due_on="2026-01-05").outcome == "applied"
    assert statuses(office) == {"first": REPLACED, "basement": LOCKED}
    assert call(office.phone("ana"), "older", 3, "2026-01-05 07:00", due_on="2026-01-05").outcome == "applied"
    assert statuses(office) == {"first": REPLACED, "basement": LOCKED, "older": REPLACED}
    assert lock(office) == locking.Locked(0, 0)


def test_a_call_that_arrives_after_the_next_lock_changes_nothing_that_people_worked_with(office: Office) -> None:
    begun(office)
    assert call(office.phone("ana"), "first").outcome == "applied"
    until(office, "2026-01-12 09:00")
    lock(office)
    assert call(office.phone("ana"), "week", made="2026-01-05 08:59", due_on="2026-01-05").outcome == "applied"
    assert statuses(office) == {"first": LOCKED, "week": LATE}


def test_a_call_after_the_lock_is_late_and_beside_what_was_locked_r29(office: Office) -> None:
    begun(office)
    assert call(office.phone("ana"), "first").outcome == "applied"
    until(office, "2026-01-05 09:00")
    lock(office)
    assert call(office.phone("ana"), "late", due_on="2026-01-05").outcome == "applied"
    assert call(office.phone("ana"), "next").outcome == "applied"
    assert statuses(office) == {"first": LOCKED, "late": LATE, "next": SUBMITTED}
    assert office.row(ENTITY, "next")["due_on"] == "2026-01-12"


def test_where_the_policy_refuses_a_late_call_it_is_kept_as_refused_r29(office: Office, desk: Desk) -> None:
    begun(office, late="refuse")
    until(office, "2026-01-05 09:00")
    assert lock(office) == locking.Locked(1, 0)
    receipt = call(office.phone("ana"), "late", due_on="2026-01-05")
    assert (receipt.outcome, receipt.code) == ("refused", "forecast_locked")
    assert refusals(office) == [("ana", "late", "forecast_locked")]
    answer = desk.post("ana", "/api/forecast_calls", json={"row": said(user_key="ana", due_on="2026-01-05")})
    assert (answer.status_code, answer.json()["code"]) == (409, "forecast_locked")
    assert call(office.phone("ana"), "in time", made="2026-01-05 08:59", due_on="2026-01-05").code == "key_invalid"
    assert call(office.phone("ana"), "intime", made="2026-01-05 08:59", due_on="2026-01-05").outcome == "applied"
    assert statuses(office) == {"intime": LOCKED}


@pytest.mark.parametrize("off_ms", [-40 * DAY_MS, -3 * 3_600_000, 3 * 3_600_000, 40 * DAY_MS])
def test_a_wrong_device_clock_decides_neither_the_lock_nor_what_is_late(office: Office, off_ms: int) -> None:
    """S28: both clocks at the push tell how wrong it is."""
    begun(office)
    until(office, "2026-01-05 09:30")
    phone = office.phone("ana")
    before = phone.mutation("create", ENTITY, "before", base=0, set=said(user_key="ana", due_on="2026-01-05"))
    after = phone.mutation("create", ENTITY, "after", base=0, set=said(user_key="ana", due_on="2026-01-05"))
    before["at"], after["at"] = LOCK_AT - 1 + off_ms, LOCK_AT + off_ms
    receipts = phone.push(before, after, now=office.clock.now_ms() + off_ms).receipts
    assert [receipt.outcome for receipt in receipts] == ["applied", "applied"]
    assert statuses(office) == {"before": SUBMITTED, "after": LATE}
    assert lock(office).calls == 1  # it arrived before the lock was noted, which now takes it along
    assert statuses(office) == {"before": LOCKED, "after": LATE}
    assert office.row(ENTITY, "before")["called_at"] == LOCK_AT - 1


def test_a_clock_that_says_it_is_1970_makes_a_late_call_and_changes_nothing(office: Office) -> None:
    begun(office)
    assert call(office.phone("ana"), "first").outcome == "applied"
    phone = office.phone("ana")
    odd = phone.mutation("create", ENTITY, "odd", base=0, set=said(user_key="ana"))
    (receipt,) = phone.push({**odd, "at": 0}).receipts
    assert (receipt.outcome, statuses(office)) == ("applied", {"first": SUBMITTED, "odd": LATE})


def test_what_was_made_in_a_period_that_was_closed_since_is_late(office: Office) -> None:
    """Two quarters of one policy; the first was closed while the phone had no signal."""
    begun(office)
    office.put(("quotas", "q", {"user_key": "ana", "period_key": "q1", "measure": "total_contacts", "target": 1}))
    until(office, "2026-03-31 21:00")
    assert call(office.phone("ana"), "ontime", made="2026-03-30 07:59", due_on="2026-03-30").outcome == "applied"
    until(office, "2026-04-01 06:00")
    assert office.phone("fay").do("period.close", "fiscal_periods", "q1", set={}).outcome == "applied"
    assert call(office.phone("ana"), "closed", made="2026-03-30 08:00", due_on="2026-03-30").outcome == "applied"
    assert statuses(office) == {"ontime": SUBMITTED, "closed": LATE}
    lock(office)
    assert statuses(office) == {"ontime": LOCKED, "closed": LATE}
    assert call(office.phone("ana"), "over").outcome == "refused"
    assert refusals(office) == [("ana", "over", "forecast_period_invalid")]


def test_a_call_in_the_same_push_as_the_closing_of_its_period_is_late(office: Office) -> None:
    begun(office)
    office.put(("quotas", "q", {"user_key": "ana", "period_key": "q1", "measure": "total_contacts", "target": 1}))
    until(office, "2026-04-01 06:00")
    dirk = office.phone("dirk")
    closing = dirk.mutation("period.close", "fiscal_periods", "q1", set={})
    named = dirk.mutation("create", ENTITY, "c", base=0, set=said(user_key="dirk", due_on="2026-03-30"))
    receipts = dirk.push(closing, {**named, "at": at("2026-03-30 07:00")}).receipts
    assert [receipt.outcome for receipt in receipts] == ["applied", "applied"]
    assert statuses(office) == {"c": LATE}


# -- people and phones ------------------------------------------------------------------------------------------------


def test_a_rep_who_changes_team_between_call_and_lock_keeps_his_call_and_the_new_manager_sees_it(
    office: Office,
) -> None:
    begun(office)
    south = {"team_key": "south", "user_key": "cleo", "role": "manager", "valid_from": "2025-01-01"}
    office.put(("team_members", "m-south", south), ("users", "cleo", {"role": "manager"}))
    assert call(office.phone("ana"), "c").outcome == "applied"
    office.put(("team_members", "m-ana", {"valid_to": "2026-01-05"}))
    office.put(("team_members", "m-ana2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-01-05"}))
    until(office, "2026-01-05 09:01")
    assert lock(office).calls == 1
    assert statuses(office) == {"c": LOCKED}
    for user, sees in {"ana": {"c"}, "mia": set(), "cleo": {"c"}}.items():
        phone = office.phone(user)
        phone.catch_up()
        assert phone.keys(ENTITY) == sees


def test_who_managed_a_team_when_he_called_is_heard_and_who_does_so_no_longer_calls_no_more(office: Office) -> None:
    begun(office)
    assert call(office.phone("mia"), "hers", team_key="north").outcome == "applied"
    office.put(("team_members", "m-mia", {"valid_to": "2026-01-05"}))
    receipt = call(office.phone("mia"), "after", team_key="north")
    assert (receipt.outcome, receipt.code) == ("refused", "not_permitted")
    until(office, "2026-01-05 09:01")
    lock(office)
    assert statuses(office) == {"hers": LOCKED}


def test_a_call_for_a_team_that_arrives_when_somebody_else_manages_it_is_kept_as_refused(
    office: Office,
) -> None:
    """It would be read by nobody who said it: the new manager calls for the team now."""
    begun(office)
    office.put(("team_members", "m-mia", {"valid_to": "2026-01-06"}))
    until(office, "2026-01-06 06:00")
    assert office.phone("ana").do("create", "tasks", "t", base=0, set={"title": "x"}).outcome == "applied"
    phone = office.phone("mia")
    receipt = call(phone, "monday", made="2026-01-05 08:30", team_key="north", due_on="2026-01-05")
    assert (receipt.outcome, receipt.code) == ("refused", "out_of_scope")
    assert refusals(office) == [("mia", "monday", "out_of_scope")]
    assert statuses(office) == {}


def test_a_clone_of_a_phone_calls_twice_and_the_later_call_counts_and_nothing_is_lost(office: Office) -> None:
    """S18: one registration, two apps. The clone's number was used, so it registers anew and sends again."""
    begun(office)
    phone = office.phone("ana")
    mine = phone.mutation("create", ENTITY, "mine", base=0, set=said(user_key="ana"))
    clones = {**mine, "key": "clones", "at": mine["at"] + 1, "set": said(user_key="ana", commit_minor=7)}
    assert phone.push(mine).receipts[0].outcome == "applied"
    office.clock.advance(2)
    answer = phone.push(clones)
    assert (answer.receipts[0].code, answer.register_anew) == ("mutation_reused", True)
    assert refusals(office) == [("ana", "clones", "mutation_reused")]
    anew = office.phone("ana", "anew")
    again = anew.mutation("create", ENTITY, "clones", base=0, set=clones["set"])
    assert anew.push({**again, "at": clones["at"]}).receipts[0].outcome == "applied"
    assert statuses(office) == {"mine": REPLACED, "clones": SUBMITTED}
    third = office.phone("ana", "third")
    stolen = third.do("create", ENTITY, "mine", base=0, set=said(user_key="ana", commit_minor=9))  # the key is in use
    assert (stolen.outcome, stolen.code) == ("refused", "field_read_only")
    same = third.do("create", ENTITY, "mine", base=0, set=said(user_key="ana"))
    assert same.outcome == "merged"  # said again, it is there
    assert office.row(ENTITY, "mine")["commit_minor"] == 100_000


def test_what_was_called_stays_as_it_was_said(office: Office, desk: Desk) -> None:
    begun(office)
    assert call(office.phone("ana"), "c").outcome == "applied"
    assert office.phone("ana").edit(ENTITY, "c", commit_minor=1).code == "field_read_only"
    assert office.phone("ana").do("delete", ENTITY, "c", base=1).code == "not_permitted"
    for user in ("ana", "mia", "root"):
        changed = desk.ask(user, "PATCH", "/api/forecast_calls/c", json={"row": {"commit_minor": 1}})
        deleted = desk.ask(user, "DELETE", "/api/forecast_calls/c")
        assert (changed.status_code, deleted.status_code) == (422, 403)
    assert office.row(ENTITY, "c")["commit_minor"] == 100_000
    assert locks(office) == set()
