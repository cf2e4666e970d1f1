"""Credits of a deal's row: shares to the cent, overlays outside totals, reversals, the event and once only."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.credits import (
    MICRO,
    Cost,
    Credit,
    Line,
    cost_of,
    cost_on,
    credits_of,
    event_on,
    quantities_of,
)

WON, ZONE = frozenset({"won"}), "Europe/Madrid"
CLOSED = 1_767_600_000_000  # Monday 2026-01-05 08:00 UTC
DAY = 24 * 3600 * 1000


def deal(**values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"stage_key": "won", "owner_key": "ana", "amount_minor": 10_000_00, "currency": "EUR"}
    row |= {"closed_at": CLOSED, "signed_at": None, "invoiced_at": None, "splits": [], "overlays": [], "closings": []}
    return row | values


def rule(event: str, valid_from: str = "2020-01-01", valid_to: str | None = None) -> dict[str, Any]:
    return {"event": event, "valid_from": valid_from, "valid_to": valid_to}


def shares(*parts: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"user_key": user, "share_bp": bp} for user, bp in parts]


def counted(found: list[Credit], *, overlay: bool = False) -> int:
    return sum((-1 if c.reversal else 1) * (c.amount_minor or 0) for c in found if c.overlay is overlay)


PEOPLE = ("ana", "bob", "cleo", "dora", "emil")


@st.composite
def split_among(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Splits that total 100 % with the owner included, or none."""
    others = draw(st.lists(st.sampled_from(PEOPLE[1:]), unique=True, max_size=4))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(others), max_size=len(others))))
    bounds = [0, *cuts, 10_000]
    parts = [high - low for low, high in pairwise(bounds)]
    return shares(*zip(["ana", *others], parts, strict=True)) if others else []


MONEY = st.integers(-(10**15), 10**15)


@given(amount=MONEY, splits=split_among(), overlay=st.integers(0, 10_000))
def test_r16_shares_sum_to_the_cent_and_overlay_enters_no_total(
    amount: int, splits: list[dict[str, Any]], overlay: int
) -> None:
    found = credits_of(deal(amount_minor=amount, splits=splits, overlays=shares(("zoe", overlay))), WON, {}, ZONE)
    assert counted(found) == amount
    assert [c.user_key for c in found if c.overlay] == ["zoe"]
    for credit in found:
        exact = amount * credit.share_bp / 10_000
        assert credit.amount_minor is not None
        assert abs(credit.amount_minor - exact) <= 1 + abs(exact) * 1e-12


@given(before=MONEY, after=MONEY, splits=split_among())
def test_r17_changing_the_amount_after_a_split_allocates_it_anew(
    before: int, after: int, splits: list[dict[str, Any]]
) -> None:
    assert counted(credits_of(deal(amount_minor=before, splits=splits), WON, {}, ZONE)) == before
    assert counted(credits_of(deal(amount_minor=after, splits=splits), WON, {}, ZONE)) == after


@given(amount=MONEY, splits=split_among(), later=st.integers(1, 400))
def test_r21_a_reversed_end_nets_to_zero_at_the_reopening_and_counts_again_when_closed_again(
    amount: int, splits: list[dict[str, Any]], later: int
) -> None:
    first = deal(amount_minor=amount, splits=splits)
    ended = {field: first[field] for field in first if field != "closings"} | {"reopened_at": CLOSED + DAY}
    open_again = deal(stage_key="offer", closed_at=None, closings=[ended])
    found = credits_of(open_again, WON, {}, ZONE)
    assert counted(found) == 0
    for user in {c.user_key for c in found}:
        assert sum((-1 if c.reversal else 1) * (c.amount_minor or 0) for c in found if c.user_key == user) == 0
    assert {c.at for c in found if c.reversal} == {CLOSED + DAY}

    again = credits_of(deal(closings=[ended], closed_at=CLOSED + later * DAY, amount_minor=7), WON, {}, ZONE)
    assert counted(again) == 7
    assert {(c.n, c.at) for c in again if not c.reversal} == {(1, CLOSED), (2, CLOSED + later * DAY)}


def test_r16_ten_thousand_split_in_half_is_not_doubled() -> None:
    found = credits_of(deal(splits=shares(("ana", 5_000), ("bob", 5_000))), WON, {}, ZONE)
    assert {c.user_key: c.amount_minor for c in found} == {"ana": 5_000_00, "bob": 5_000_00}
    lines = [Line("pump", "10")]
    cost = cost_of(lines, {"pump": [Cost("c", "pump", 700_00, "EUR", "2025-01-01", None)]}, "2026-01-05")
    assert cost == (7_000_00, "EUR")
    assert sum(c.amount_minor or 0 for c in found) - cost[0] == 3_000_00


def test_r16_a_hundred_in_three_shares_gives_the_odd_cent_to_the_first() -> None:
    thirds = shares(("ana", 3_334), ("bob", 3_333), ("cleo", 3_333))
    found = credits_of(deal(amount_minor=100_00, splits=thirds), WON, {}, ZONE)
    assert [c.amount_minor for c in found] == [33_34, 33_33, 33_33]


def test_r9_the_rule_of_the_won_day_says_at_which_event_a_deal_is_credited_and_it_is_credited_once() -> None:
    rules = {"a": rule("invoiced", "2026-01-01", "2026-02-01"), "b": rule("signed", "2026-02-01")}
    events = {"signed_at": CLOSED + DAY, "invoiced_at": CLOSED + 40 * DAY}
    assert [(c.event, c.at) for c in credits_of(deal(**events), WON, rules, ZONE)] == [("invoiced", CLOSED + 40 * DAY)]
    assert credits_of(deal(signed_at=CLOSED), WON, rules, ZONE) == []  # not invoiced yet
    february = deal(**events) | {"closed_at": CLOSED + 30 * DAY}
    assert [(c.event, c.at) for c in credits_of(february, WON, rules, ZONE)] == [("signed", CLOSED + DAY)]
    assert [(c.event, c.at) for c in credits_of(deal(**events), WON, {}, ZONE)] == [("won", CLOSED)]


def test_r32_the_won_day_is_the_local_one() -> None:
    new_year = 1_767_221_999_999  # 2025-12-31 23:59:59.999 in Madrid
    rules = {"a": rule("signed", "2026-01-01")}
    assert credits_of(deal(closed_at=new_year), WON, rules, ZONE)[0].event == "won"
    assert credits_of(deal(closed_at=new_year + 1), WON, rules, ZONE) == []


def test_of_two_rules_of_one_day_the_one_that_began_last_counts() -> None:
    rules = {"a": rule("signed", "2026-01-01"), "b": rule("invoiced", "2025-01-01")}
    assert event_on(rules, "2026-01-05") == "signed"
    assert event_on(rules, "2025-12-31") == "invoiced"
    assert event_on(rules, "2024-12-31") == "won"


def test_a_lost_deal_and_one_that_is_open_credit_nobody() -> None:
    assert credits_of(deal(stage_key="lost"), WON, {}, ZONE) == []
    assert credits_of(deal(stage_key="lead", closed_at=None), WON, {}, ZONE) == []


def test_a_deal_without_an_amount_is_credited_without_one() -> None:
    (credit,) = credits_of(deal(amount_minor=None, currency=None), WON, {}, ZONE)
    assert (credit.amount_minor, credit.share_bp, credit.owner) == (None, 10_000, True)


def test_what_is_no_share_credits_nobody_and_the_last_instant_has_a_day() -> None:
    odd: list[Any] = [{"user_key": "bob"}, "bob", {"user_key": "bob", "share_bp": 99_999}]
    (credit,) = credits_of(deal(overlays=odd, closed_at=253_402_300_799_999), WON, {"a": rule("won")}, "Asia/Tokyo")
    assert credit.user_key == "ana"


# -- cost and quantity ------------------------------------------------------------------------------------------------

COSTS = {
    "pump": [
        Cost("a", "pump", 333, "EUR", "2025-01-01", None),
        Cost("b", "pump", 400, "EUR", "2026-02-01", None),
    ],
    "hose": [Cost("c", "hose", 100, "USD", "2025-01-01", "2026-01-01")],
}


def test_a_cost_is_the_dated_one_of_the_day_and_rounded_once() -> None:
    assert cost_of([Line("pump", "0.5"), Line("pump", "0.5")], COSTS, "2026-01-31") == (333, "EUR")
    assert cost_of([Line("pump", "0.5")], COSTS, "2026-02-01") == (200, "EUR")
    assert cost_on(COSTS["hose"], "2026-01-01") is None


def test_a_missing_cost_two_currencies_or_no_line_leave_the_cost_unknown() -> None:
    assert cost_of([], COSTS, "2025-06-01") is None
    assert cost_of([Line("pump", "1"), Line("hose", "1")], COSTS, "2025-06-01") is None
    assert cost_of([Line("hose", "1")], COSTS, "2026-06-01") is None
    assert cost_of([Line("pump", "999999999999")] * 9, {"pump": [Cost("a", "pump", 10**15, "EUR", "2020-01-01", None)]},
                   "2026-01-01") is None  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(["pump", "hose"]), st.integers(0, 10**9), st.integers(0, 999_999)), max_size=9)
)
def test_quantities_are_summed_exactly_by_product(lines: list[tuple[str, int, int]]) -> None:
    found = quantities_of([Line(product, f"{whole}.{part:06}") for product, whole, part in lines])
    for product in {line[0] for line in lines}:
        assert found[product] == sum(whole * MICRO + part for name, whole, part in lines if name == product)
