"""What is won while the event that credits it has not happened is told as a hole and not lost (R17, R34)."""

import pytest

from tests.crm.desk import Desk
from tests.forecasting.telling import nodes, rollup
from tests.quotas.books import until, win


@pytest.fixture
def invoiced(desk: Desk) -> Desk:
    desk.office.put(("credit_rules", "r", {"event": "invoiced", "valid_from": "2025-01-01"}))
    return desk


def test_a_won_deal_that_is_not_invoiced_is_a_hole_of_the_period_in_which_it_was_won_r17(invoiced: Desk) -> None:
    desk = invoiced
    win(desk.office.phone("ana"), "won", 70_000)
    found = rollup(desk)
    assert [(hole["code"], hole["key"], hole["user_key"]) for hole in found["missing"]] == [
        ("credit_awaited", "won", "ana")
    ]
    told = nodes(found)["user:ana"]
    assert (told["missing"], told["why"]) == ({"credit_awaited": 1}, ["credit_awaited"])
    assert (told["buckets"]["closed"]["amount_minor"], told["views"]["commit"]["rolled_up"]) == (0, 500_000)
    assert rollup(desk, period="q2")["missing"] == []
    listed = desk.get("ana", "/api/forecast/deals?period=q1&bucket=awaited").json()["items"]
    assert [(item["deal_key"], item["amount_minor"], item["code"]) for item in listed] == [
        ("won", 70_000, "credit_awaited")
    ]
    every = desk.get("ana", "/api/forecast/deals?period=q1").json()["items"]
    assert [item["deal_key"] for item in every] == ["deal-a"]  # what sums to the node


@pytest.mark.parametrize("by", ["owner", "team", "territory", "product"])
def test_when_it_is_invoiced_it_is_money_of_that_day_and_no_hole_r17(invoiced: Desk, by: str) -> None:
    desk = invoiced
    win(desk.office.phone("ana"), "won", 70_000)
    assert rollup(desk, by=by)["missing_count"] == 1
    until(desk.office, "2026-04-02 08:00")
    desk.forget_tokens()
    base = desk.office.rev("deals", "won")
    done = desk.office.phone("root").do("deal.invoice", "deals", "won", base=base)
    assert done.outcome == "applied", done
    assert rollup(desk, by=by)["missing_count"] == 0
    assert rollup(desk, by=by, period="q2")["nodes"][0]["buckets"]["closed"]["amount_minor"] == 70_000


def test_what_was_reopened_and_is_won_again_awaits_its_second_credit_r21(desk: Desk) -> None:
    """The first end was credited and taken back; only then the rule began."""
    phone = desk.office.phone("ana")
    win(phone, "won", 70_000)
    assert phone.do("deal.reopen", "deals", "won", base=2, set={"stage_key": "lead"}).outcome == "applied"
    desk.office.put(("credit_rules", "r", {"event": "signed", "valid_from": "2026-01-01"}))
    assert [hole["code"] for hole in rollup(desk)["missing"]] == ["close_on_missing"]  # open again
    base = desk.office.rev("deals", "won")
    assert phone.do("deal.win", "deals", "won", base=base).outcome == "applied"
    assert [hole["code"] for hole in rollup(desk)["missing"]] == ["credit_awaited"]


def test_lost_deals_and_those_that_are_credited_await_nothing_r17(desk: Desk) -> None:
    win(desk.office.phone("ana"), "won", 70_000)
    desk.office.put(("credit_rules", "r", {"event": "invoiced", "valid_from": "2026-02-01"}))
    assert rollup(desk)["missing"] == []
