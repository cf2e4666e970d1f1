"""Closing a period (R2): who may, when, once, again within the window, and what stays of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select

from sfa.db.credits import rebuild
from sfa.db.tables import closed_contributions, closed_figures, credited
from tests.builders import DAY_MS
from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.quotas.books import ENDS_AT, Q1, at, close, kept, quarter, sides, told, until, visited, whys, win


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


@pytest.fixture
def book(office: Office) -> Office:
    """A quarter in which Ana won 5,000.00 and made two visits, and Bob won 700.00."""
    quarter(office)
    win(office.phone("ana"), "won-a", 500_000)
    visited(office.phone("ana"), "v-1", office.clock.now_ms())
    until(office, "2026-02-10 10:00")
    win(office.phone("bob"), "won-b", 70_000)
    visited(office.phone("ana"), "v-2", office.clock.now_ms())
    return office


def code(receipt: Any) -> str:
    return str(receipt.code or receipt.outcome)


def test_r2_a_closing_keeps_every_figure_with_the_contributions_that_it_is_the_sum_of(book: Office) -> None:
    until(book, "2026-04-01 08:00")
    assert close(book, reason="as reported").outcome == "applied"
    figures = {row["quota_key"]: row for row in book.all(select(closed_figures))}
    assert {key: row["value"] for key, row in figures.items()} == {
        "q-ana": 500_000,
        "q-bob": 70_000,
        "q-team": 570_000,
        "q-visits": 2,
    }
    parts = book.all(select(closed_contributions))
    for key, row in figures.items():
        assert row["value"] == sum(part["value"] for part in parts if part["quota_key"] == key), "R10"
    assert (figures["q-ana"]["target"], figures["q-ana"]["version"]) == (1_000_000, 0)


def test_r2_every_phone_is_told_when_the_period_was_closed_and_by_whom(book: Office) -> None:
    until(book, "2026-04-01 08:00")
    close(book, grace_days=3)
    for user in ("ana", "cleo", "root"):
        phone = book.phone(user)
        phone.catch_up()
        row = phone.sees()["period_closings", "q1.1"]
        assert (row["period_key"], row["number"], row["closed_by"]) == ("q1", 1, "fay")
        assert (row["closed_at"], row["again_key"]) == (at("2026-04-01 08:00"), "fay")
        assert row["grace_until"] == at("2026-04-04 22:00"), "the end of the third day after it, in Madrid"


def test_r32_a_period_is_closed_after_its_last_local_day_and_not_before(book: Office) -> None:
    book.clock.advance(ENDS_AT - 1 - book.clock.now_ms())
    refused = close(book)
    assert (code(refused), refused.details) == ("period_not_over", {"ends_at": ENDS_AT})
    assert kept(book) == (0, 0)
    book.clock.advance(1)
    assert code(close(book)) == "applied"


def test_r32_a_command_given_before_the_end_closes_nothing_when_it_arrives_after_it(book: Office) -> None:
    """He saw a period that still ran."""
    until(book, "2026-04-02 08:00")
    fay = book.phone("fay")
    early = {**fay.mutation("period.close", "fiscal_periods", "q1"), "at": ENDS_AT - DAY_MS}
    (receipt,) = fay.push(early).receipts
    assert code(receipt) == "period_not_over"


@pytest.mark.parametrize("user", ["ana", "mia"])
def test_a_rep_and_a_manager_may_not_close(book: Office, user: str) -> None:
    until(book, "2026-04-01 08:00")
    assert code(close(book, user)) == "not_permitted"


@pytest.mark.parametrize("user", ["fay", "dirk", "root"])
def test_finance_a_director_and_an_administrator_may(book: Office, user: str) -> None:
    until(book, "2026-04-01 08:00")
    assert code(close(book, user)) == "applied"
    assert kept(book)[0] == 4, "every figure of the period, whatever this person sees"


def test_a_screen_closes_by_the_same_command(desk: Desk) -> None:
    book = desk.office
    quarter(book)
    until(book, "2026-04-01 08:00")
    path = "/api/fiscal_periods/q1/close"
    assert desk.post("ana", path, json={}).json()["code"] == "not_permitted"
    headers = {"Idempotency-Key": "once", "Authorization": f"Bearer {desk.token('fay')}"}
    answers = [desk.client.post(path, json={"reason": "board"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], "the second is the first one's answer"
    again = desk.post("fay", path, json={})
    assert (again.status_code, again.json()["code"], again.json()["number"]) == (409, "period_closed", 1)
    assert desk.post("fay", path, json={"grace_days": 61}).json()["code"] == "command_invalid"
    assert len(book.rows("period_closings")) == 1


def test_r2_inside_the_window_the_named_person_closes_again_and_both_are_kept(desk: Desk) -> None:
    book = desk.office
    quarter(book)
    win(book.phone("ana"), "won-a", 500_000)
    until(book, "2026-04-01 08:00")
    close(book, "fay", grace_days=2, again_key="dirk")
    visited(book.phone("ana"), "v-late", at("2026-03-31 10:00"))
    assert sides(desk, "q-visits") == (0, 1, 1)
    until(book, "2026-04-03 21:00")
    desk.forget_tokens()
    assert code(close(book, "fay", number=2)) == "period_closed", "somebody else is named"
    assert code(close(book, "dirk", number=1)) == "period_closed"
    assert code(close(book, "dirk", number=3)) == "command_invalid"
    assert code(close(book, "dirk", number=2, grace_days=2)) == "command_invalid", "the window is not lengthened"
    assert code(close(book, "dirk", number=2)) == "applied"
    assert sides(desk, "q-visits") == (1, 1, 0)
    closings = desk.get("fay", "/api/quotas/q-visits/closings").json()["items"]
    assert [(c["number"], c["value"], c["closed_by"]) for c in closings] == [(2, 1, "dirk"), (1, 0, "fay")]
    rows = book.rows("period_closings")
    assert {row["grace_until"] for row in rows} == {at("2026-04-03 22:00")}


def test_r2_after_the_window_nobody_closes_again(book: Office) -> None:
    until(book, "2026-04-01 08:00")
    close(book, grace_days=1)
    until(book, "2026-04-02 22:00")
    refused = close(book, number=2)
    assert code(refused) == "period_closed"
    assert refused.details is not None
    assert (refused.details["again_key"], refused.details["grace_until"]) == ("fay", at("2026-04-02 22:00"))


def test_r2_without_a_window_it_is_closed_for_good(book: Office) -> None:
    until(book, "2026-04-01 08:00")
    close(book)
    assert code(close(book, number=2)) == "period_closed"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"grace_days": 3, "again_key": "ana"}, "reference_unknown"),
        ({"grace_days": 3, "again_key": "nobody"}, "reference_unknown"),
        ({"again_key": "dirk"}, "command_invalid"),
        ({"grace_days": 61}, "command_invalid"),
        ({"grace_days": -1}, "command_invalid"),
        ({"number": 0}, "command_invalid"),
        ({"number": 2}, "command_invalid"),
        ({"when": 1}, "command_invalid"),
    ],
)
def test_arguments_that_say_nothing_sensible_close_nothing(
    book: Office, arguments: dict[str, Any], wanted: str
) -> None:
    until(book, "2026-04-01 08:00")
    assert code(close(book, **arguments)) == wanted
    assert (kept(book), book.rows("period_closings")) == ((0, 0), [])


def test_a_period_that_is_deleted_or_none_is_not_closed(book: Office) -> None:
    until(book, "2026-04-01 08:00")
    book.put(("fiscal_periods", "q0", {**Q1, "start_on": "2025-10-01", "end_on": "2026-01-01"}))
    book.delete("fiscal_periods", "q0")
    assert code(close(book, period="q0")) == "row_unknown"
    assert code(close(book, period="q9")) == "row_unknown"


def test_a_closed_period_keeps_its_days_and_is_not_deleted(book: Office) -> None:
    until(book, "2026-04-01 08:00")
    close(book)
    fay = book.phone("fay")
    assert code(fay.edit("fiscal_periods", "q1", end_on="2026-04-02")) == "period_in_use"
    assert code(fay.do("delete", "fiscal_periods", "q1", base=1)) == "period_in_use"
    assert fay.edit("fiscal_periods", "q1", name="First quarter").outcome == "applied"


def test_what_the_same_push_changed_before_counts(book: Office) -> None:
    """A director wins a deal that was forgotten and closes, offline, in this order."""
    until(book, "2026-04-01 08:00")
    dirk = book.phone("dirk")
    about = {"name": "x", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}
    made = dirk.mutation("create", "deals", "late", set={**about, "amount_minor": 30_000, "currency": "EUR"})
    won = {**dirk.mutation("deal.win", "deals", "late", base=1), "at": ENDS_AT - DAY_MS}
    shut = dirk.mutation("period.close", "fiscal_periods", "q1")
    after = dirk.mutation("update", "deals", "late", base=2, set={"name": "y"})
    answer = dirk.push(made, won, shut, after)
    assert [r.outcome for r in answer.receipts] == ["applied"] * 4
    figures = {row["quota_key"]: row["value"] for row in book.all(select(closed_figures))}
    assert figures["q-ana"] == 530_000
    assert book.row("deals", "late")["name"] == "y"


def test_it_is_no_part_of_a_unit_of_several(book: Office) -> None:
    """S20: all of a unit land or none, and a closing is stored at once."""
    until(book, "2026-04-01 08:00")
    fay = book.phone("fay")
    unit = {"id": "u", "size": 2}
    shut = fay.mutation("period.close", "fiscal_periods", "q1", unit=unit)
    name = fay.mutation("update", "fiscal_periods", "q2", base=1, set={"name": "x"}, unit=unit)
    assert [code(r) for r in fay.push(shut, name).receipts] == ["command_invalid", "unit_failed"]
    assert (kept(book), book.row("fiscal_periods", "q2")["name"]) == ((0, 0), "FY2026.Q2")


def test_r2_a_crash_in_the_middle_leaves_nothing_and_it_is_closed_afterwards(book: Office) -> None:
    until(book, "2026-04-01 08:00")
    fay = book.phone("fay")
    body = fay.body([fay.mutation("period.close", "fiscal_periods", "q1")])

    class Died(Exception):
        pass

    def die(_boundary: str) -> None:
        raise Died

    book.database.probe = die
    with pytest.raises(Died):
        fay.answer(body)
    book.database.probe = None
    assert (kept(book), book.rows("period_closings")) == ((0, 0), [])
    fay.answer(body)
    assert (kept(book)[0], len(book.rows("period_closings"))) == (4, 1)


def test_r2_what_is_refused_leaves_nothing_frozen_though_the_push_goes_on(book: Office) -> None:
    until(book, "2026-03-01 08:00")
    win(book.phone("ana"), "won-usd", 1_000, "USD")
    until(book, "2026-04-01 08:00")
    fay = book.phone("fay")
    shut = fay.mutation("period.close", "fiscal_periods", "q1")
    name = fay.mutation("update", "fiscal_periods", "q2", base=1, set={"name": "x"})
    assert [code(r) for r in fay.push(shut, name).receipts] == ["rate_missing", "applied"]
    assert kept(book) == (0, 0)


def test_r2_a_refused_closing_is_repaired_and_lands_once(book: Office) -> None:
    """S19: the rate was missing, and came."""
    until(book, "2026-03-01 08:00")
    win(book.phone("ana"), "won-usd", 1_000, "USD")
    until(book, "2026-04-01 08:00")
    fay = book.phone("fay")
    close(book)
    (refusal,) = book.rows("refusals")
    rate = {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.25", "valid_from": "2026-01-01"}
    fay.do("create", "rates", "eur-usd", set=rate)
    for _ in range(2):
        assert fay.do("period.close", "fiscal_periods", "q1", repairs=refusal["key"]).outcome in ("applied", "merged")
    assert [row["number"] for row in book.rows("period_closings")] == [1]
    figures = {row["quota_key"]: row["value"] for row in book.all(select(closed_figures))}
    assert figures["q-ana"] == 500_800


def test_r1_a_late_visit_belongs_to_the_day_on_which_it_was_and_restates_the_closed_period(desk: Desk) -> None:
    book = desk.office
    quarter(book)
    until(book, "2026-04-01 08:00")
    close(book)
    until(book, "2026-04-03 12:00")
    visited(book.phone("ana"), "v-tuesday", at("2026-03-31 09:00"))
    assert sides(desk, "q-visits") == (0, 1, 1)
    assert whys(desk, "q-visits") == [("added", "late", "v-tuesday", 1)]
    assert told(desk, "q-visits")["sums"] == [{"why": "late", "count": 1, "delta": 1}]


def test_r1_r32_a_clock_that_is_off_and_summer_time_move_no_visit_into_another_period(desk: Desk) -> None:
    """The phone is three hours fast. In Madrid it is summer time since Sunday: the quarter ended at 22:00 UTC."""
    book = desk.office
    quarter(book)
    until(book, "2026-04-01 08:00")
    close(book)
    fast = 3 * 3_600_000
    head = {"now": book.clock.now_ms() + fast}
    visited(book.phone("ana"), "v-in", at("2026-03-31 21:59") + fast, **head)
    assert sides(desk, "q-visits") == (0, 1, 1)
    visited(book.phone("ana"), "v-out", at("2026-03-31 22:00") + fast, **head)
    assert sides(desk, "q-visits") == (0, 1, 1), "that is the first of April in Madrid"
    assert [row for *_, row, _ in whys(desk, "q-visits")] == ["v-in"]


def test_r2_a_period_with_deals_that_nobody_was_credited_with_yet_is_not_closed(book: Office) -> None:
    """As after an upgrade from a version that kept no credits."""
    until(book, "2026-04-01 08:00")
    book.database.write(lambda c: c.execute(delete(credited)))
    refused = close(book)
    assert (refused.code, refused.details) == ("credits_missing", {"deals": ["won-a", "won-b"], "more": 0})
    book.database.write(rebuild)
    assert close(book).outcome == "applied"


def test_a_period_is_closed_whose_deals_wait_for_the_event_that_credits_them(book: Office) -> None:
    book.put(("credit_rules", "r", {"event": "invoiced", "valid_from": "2026-01-01"}))
    until(book, "2026-04-01 08:00")
    assert close(book).outcome == "applied"
