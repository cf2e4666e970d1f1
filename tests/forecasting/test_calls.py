"""Calls at a screen: listed by scope, named once, with what they were based on (R29, S13)."""

from collections.abc import Iterator
from typing import Any

import pytest

from forecasting import calls, locking
from forecasting.calls import CallSaid, Place
from tests.crm.desk import Desk, opened
from tests.forecasting.review import ENTITY, LOCK_AT, at, begun, call, locks, statuses, until
from tests.office import Office


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    """Screens of the company as it is, without periods."""
    with opened(office) as made:
        yield made


def post(desk: Desk, as_: str, **body: Any) -> Any:
    return desk.post(as_, "/api/forecast/calls", json={"commit_minor": 100, **body})


def listed(desk: Desk, as_: str, query: str = "") -> dict[str, Any]:
    answer = desk.get(as_, f"/api/forecast/calls{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_who_says_no_more_than_a_number_calls_his_own_for_the_next_lock(office: Office, desk: Desk) -> None:
    begun(office)
    answer = post(desk, "ana", likely_minor=200, note="two are sure", key="c")
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    told = answer.json()
    assert (told["node"], told["period_key"], told["due_on"]) == ("user:ana", "q1", "2026-01-05")
    assert (told["currency"], told["status"], told["called_at"]) == ("EUR", "submitted", office.clock.now_ms())
    again = post(desk, "ana", likely_minor=200, note="two are sure", key="c")
    assert (again.status_code, again.json()) == (200, told)
    other = post(desk, "ana", likely_minor=300, key="c")
    assert (other.status_code, other.json()["code"]) == (422, "key_taken")
    assert post(desk, "bob", likely_minor=200, note="two are sure", key="c").json()["code"] == "key_taken"
    assert len(office.rows(ENTITY)) == 1


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("ana", {"node": "user:bob"}, "not_permitted"),
    ("ana", {"node": "team:north"}, "not_permitted"),
    ("mia", {"node": "team:south"}, "not_permitted"),
    ("fay", {}, "not_permitted"),
    ("ana", {"node": "territory:t-north"}, "request_invalid"),
    ("ana", {"node": "company"}, "request_invalid"),
    ("ana", {"period_key": "q9"}, "period_unknown"),
    ("ana", {"period_key": "\x00"}, "period_unknown"),
    ("ana", {"due_on": "2026-01-07"}, "forecast_due_invalid"),
    ("ana", {"due_on": "soon"}, "field_invalid"),
    ("ana", {"currency": "XQX"}, "currency_unknown"),
    ("ana", {"commit_minor": 10**16}, "field_invalid"),
    ("ana", {"commit_minor": 1.5}, "request_invalid"),
    ("ana", {"author_key": "bob"}, "request_invalid"),
    ("ana", {"note": "\x00"}, "field_invalid"),
    ("ana", {"key": "a b"}, "key_invalid"),
]


def test_what_is_wrong_with_a_call_has_a_code(office: Office, desk: Desk) -> None:
    begun(office)
    for as_, body, code in WRONG:
        assert post(desk, as_, **body).json()["code"] == code, (as_, body)
    assert office.rows(ENTITY) == []


def test_a_call_says_what_the_roll_up_was_when_it_was_made(office: Office, desk: Desk) -> None:
    begun(office)
    office.put(("deals", "deal-a", {"close_on": "2026-02-01", "category": "commit"}))
    ana = post(desk, "ana").json()
    north = post(desk, "mia", node="team:north").json()
    for told in (ana, north):
        node = desk.get("mia", f"/api/forecast/nodes/{told['node']}?period=q1").json()["nodes"][0]
        assert told["based_on"] == {view: amounts["rolled_up"] for view, amounts in node["views"].items()}
    assert ana["based_on"]["commit"] == 500_000
    office.put(("deals", "deal-a", {"category": "omitted"}))
    assert office.row(ENTITY, ana["key"])["based_on"] == ana["based_on"]
    assert post(desk, "ana").json()["based_on"]["commit"] == 0


def test_everybody_sees_the_calls_of_his_scope_and_what_he_may_still_name(office: Office, desk: Desk) -> None:
    begun(office)
    for user in ("ana", "cleo"):
        assert call(office.phone(user), f"c-{user}").outcome == "applied"
    assert call(office.phone("mia"), "c-north", team_key="north").outcome == "applied"
    found = {user: listed(desk, user) for user in ("ana", "bob", "mia", "dirk", "fay")}
    seen = {user: sorted(item["key"] for item in told["items"]) for user, told in found.items()}
    everything = ["c-ana", "c-cleo", "c-north"]
    assert seen == {"ana": ["c-ana"], "bob": [], "mia": ["c-ana", "c-north"], "dirk": everything, "fay": everything}
    assert found["ana"]["lock"] == {"due_on": "2026-01-05", "due_at": LOCK_AT}
    yours = {user: {one["node"]: one["call_key"] for one in told["yours"]} for user, told in found.items()}
    assert yours["ana"] == {"user:ana": "c-ana"}
    assert yours["mia"] == {"user:mia": None, "team:north": "c-north"}
    assert yours["dirk"] == {"user:dirk": None, "team:all-sales": None}
    assert yours["fay"] == {}


def test_calls_come_by_pages_with_the_latest_lock_first(office: Office, desk: Desk) -> None:
    begun(office)
    phone = office.phone("ana")
    for n, day in enumerate(("2026-01-05", "2026-01-12", "2026-01-19")):
        until(office, f"{day} 08:00")
        for more in range(2):
            office.clock.advance(1)
            assert call(phone, f"c{n}{more}").outcome == "applied"
        until(office, f"{day} 09:00")
        office.database.write(locking.run, office.clock.now_ms())
    keys, after = [], ""
    while True:
        page = listed(desk, "ana", f"?limit=4{after}")
        keys += [item["key"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert keys == ["c21", "c20", "c11", "c10", "c01", "c00"]
    assert [item["key"] for item in listed(desk, "ana", "?status=locked")["items"]] == ["c21", "c11", "c01"]
    assert [item["key"] for item in listed(desk, "mia", "?due_on=2026-01-12&node=user:ana")["items"]] == ["c11", "c10"]
    assert listed(desk, "ana", "?period=q2")["items"] == []
    for query, code in {
        "?limit=0": "request_invalid",
        "?status=lost": "request_invalid",
        "?node=ana": "request_invalid",
        "?due_on=x": "field_invalid",
        "?period=q9": "period_unknown",
        "?after=x": "request_invalid",
    }.items():
        assert desk.get("ana", f"/api/forecast/calls{query}").json()["code"] == code, query


def test_after_the_last_lock_of_a_period_nothing_is_owed_and_a_call_is_late(office: Office, desk: Desk) -> None:
    begun(office)
    until(office, "2026-03-30 09:00")
    assert (listed(desk, "ana")["lock"], listed(desk, "ana")["yours"]) == (None, [])
    assert post(desk, "ana").json()["status"] == "late"
    until(office, "2026-04-01 12:00")
    desk.forget_tokens()
    assert listed(desk, "ana")["period_key"] == "q2"
    assert post(desk, "ana", period_key="q1").json()["code"] == "forecast_period_invalid"


def test_a_lock_that_has_been_is_not_told_again_where_the_minute_moved_later_that_day(
    office: Office, desk: Desk
) -> None:
    begun(office, late="refuse")
    until(office, "2026-01-05 09:01")
    office.database.write(locking.run, office.clock.now_ms())
    office.put(("forecast_policies", "p", {"lock_minute": 900}))
    until(office, "2026-01-05 09:30")
    coming = {"due_on": "2026-01-12", "due_at": at("2026-01-12 14:00")}
    assert listed(desk, "ana")["lock"] == coming
    made = post(desk, "ana")
    assert (made.status_code, made.json()["due_on"], made.json()["status"]) == (201, "2026-01-12", "submitted")
    assert listed(desk, "ana")["yours"] == [{"node": "user:ana", "call_key": made.json()["key"]}]
    until(office, "2026-01-05 14:01")
    office.database.write(locking.run, office.clock.now_ms())
    assert locks(office) == {("q1", "2026-01-05", LOCK_AT)}
    assert statuses(office) == {made.json()["key"]: "submitted"}


def test_without_a_running_period_nobody_can_call(office: Office, desk: Desk) -> None:
    assert post(desk, "ana").json()["code"] == "period_unknown"
    assert desk.get("ana", "/api/forecast/calls").json()["code"] == "period_unknown"


def test_a_call_keeps_what_it_was_based_on_and_is_the_same_when_that_moves(office: Office) -> None:
    begun(office)
    place, said = Place("q1", "user:ana", "EUR"), CallSaid(commit_minor=5)
    now = office.clock.now_ms()
    made = office.database.write(calls.make, now, "ana", "c", said, place, {"commit": 7})
    again = office.database.write(calls.make, now, "ana", "c", said, place, {"commit": 8})
    assert (made.is_new, again.is_new, again.call) == (True, False, made.call)
    assert office.row(ENTITY, "c")["based_on"] == {"commit": 7}
    assert (made.call.called_at, statuses(office)) == (at("2026-01-05 08:00"), {"c": "submitted"})
