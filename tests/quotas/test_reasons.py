"""Why a closed figure differs, in the cases in which the record itself says nothing: customers, amendments, persons."""

from collections.abc import Iterator

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.quotas.books import at, close, quarter, quota, sides, until, visited, whys, win


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        quarter(office)
        office.put(quota("q-new", "new_accounts", team_key="north", target=5))
        office.put(quota("q-met", "unique_contacts", team_key="north", target=5))
        office.put(quota("q-all", "total_contacts", team_key="north", target=5))
        yield made


def test_a_deal_that_arrives_late_makes_a_new_customer_late(desk: Desk) -> None:
    office, ana = desk.office, desk.office.phone("ana")
    until(office, "2026-03-20 10:00")
    about = {"name": "x", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}
    made = ana.mutation("create", "deals", "x", set={**about, "amount_minor": 5, "currency": "EUR"})
    said = [{**m, "at": office.clock.now_ms()} for m in (made, ana.mutation("deal.win", "deals", "x", base=1))]
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    ana.push(*said)
    assert whys(desk, "q-new") == [("added", "late", "acme", 1)]


def test_a_late_deal_that_was_won_before_displaces_who_was_credited_with_a_new_customer(desk: Desk) -> None:
    office, bob = desk.office, desk.office.phone("bob")
    about = {"name": "x", "owner_key": "bob", "account_key": "acme", "stage_key": "lead"}
    made = bob.mutation("create", "deals", "x", set={**about, "amount_minor": 5, "currency": "EUR"})
    said = [{**m, "at": office.clock.now_ms()} for m in (made, bob.mutation("deal.win", "deals", "x", base=1))]
    until(office, "2026-03-20 10:00")
    win(office.phone("ana"), "won-a", 500)
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    bob.push(*said)
    assert sides(desk, "q-new") == (1, 1, 0)
    assert whys(desk, "q-new") == [("removed", "repeated", "acme", -1), ("added", "late", "acme", 1)]


def test_a_deal_that_is_reopened_in_the_next_period_makes_no_new_customer_any_more(desk: Desk) -> None:
    office, ana = desk.office, desk.office.phone("ana")
    win(ana, "won-a", 500)
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    until(office, "2026-05-01 08:00")
    desk.forget_tokens()
    ana.do("deal.reopen", "deals", "won-a", base=office.rev("deals", "won-a"), set={"stage_key": "lead"})
    assert whys(desk, "q-new") == [("removed", "reopened", "acme", -1)]
    assert whys(desk, "q-team") == []


def test_a_visit_that_is_amended_into_the_period_is_dated_otherwise(desk: Desk) -> None:
    office, ana = desk.office, desk.office.phone("ana")
    until(office, "2026-04-01 08:00")
    visited(ana, "v-1", office.clock.now_ms())
    assert close(office).outcome == "applied"
    ana.do("visit.submit", "visits", "v-1", base=office.rev("visits", "v-1"))
    said = {"values": {"checked_in_at": at("2026-03-31 10:00")}, "reason": "the clock was wrong"}
    ana.do("visit.amend", "visits", "v-1", base=office.rev("visits", "v-1"), set=said)
    for key in ("q-all", "q-met", "q-visits"):
        assert whys(desk, key) == [("added", "dated_otherwise", "v-1", 1)]


def test_a_person_who_was_met_before_by_a_late_visit_is_told_as_repeated(desk: Desk) -> None:
    office, ana = desk.office, desk.office.phone("ana")
    until(office, "2026-02-20 10:00")
    visited(ana, "v-2", office.clock.now_ms())
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    visited(ana, "v-1", at("2026-02-10 10:00"))
    assert whys(desk, "q-met") == [("added", "late", "v-1", 1), ("removed", "repeated", "v-2", -1)]
    office.delete("visits", "v-1")
    assert whys(desk, "q-met") == []


def test_a_person_whose_first_visit_is_deleted_is_met_by_the_next_one(desk: Desk) -> None:
    office, ana = desk.office, desk.office.phone("ana")
    for key, day in (("v-1", "2026-02-10 10:00"), ("v-2", "2026-02-20 10:00")):
        until(office, day)
        visited(ana, key, office.clock.now_ms())
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    office.delete("visits", "v-1")
    assert whys(desk, "q-met") == [("removed", "deleted", "v-1", -1), ("added", "repeated", "v-2", 1)]
