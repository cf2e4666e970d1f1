"""The money of one deal (R16, R17, R35, R36): properties, and the worked examples of the rules."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.credits import Cost, Line, cost_of
from sfa.core.money import Rounding
from sfa.deals.figures import PER, exact, priced, profit, shares, total

COST = {
    "key": "c",
    "product_key": "p",
    "amount_minor": 50,
    "currency": "EUR",
    "valid_from": "2026-01-01",
    "valid_to": None,
}
OPEN = {"stage_key": "s"}
lines = st.lists(
    st.builds(
        lambda q, d, price, discount: {
            "product_key": "p",
            "quantity": f"{q}.{d:03}" if d else str(q),
            "unit_price_minor": price,
            "discount_bp": discount,
        },
        st.integers(0, 1_000),
        st.integers(0, 999),
        st.integers(-(10**7), 10**7),
        st.integers(0, 10_000),
    ),
    max_size=8,
)
cuts = st.lists(st.integers(0, 10_000), max_size=5)


def line(quantity: str, price: int, discount: int = 0, product: str = "p") -> dict[str, Any]:
    return {"product_key": product, "quantity": quantity, "unit_price_minor": price, "discount_bp": discount}


@given(st.integers(-(10**12), 10**12), cuts)
def test_shares_sum_to_the_amount_to_the_cent(amount: int, found: list[int]) -> None:
    """R16, R17: whatever the shares, and again after every change of the amount."""
    ends = sorted(found)
    parts = [high - low for low, high in zip([0, *ends], [*ends, 10_000], strict=True)]
    splits = [{"user_key": f"u{n}", "share_bp": part} for n, part in enumerate(parts)]
    for now in (amount, amount + 1):
        own, beside = shares({"amount_minor": now, "splits": splits, "overlays": [], "owner_key": "u0", **OPEN})
        assert sum(share.amount_minor or 0 for share in own) == now
        assert [share.share_bp for share in own] == parts
        assert beside == []


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10_000), max_size=4))
def test_overlays_are_beside_the_amount_and_change_no_share(amount: int, found: list[int]) -> None:
    """R16."""
    overlays = [{"user_key": f"o{n}", "share_bp": share} for n, share in enumerate(found)]
    own, beside = shares({"amount_minor": amount, "splits": [], "overlays": overlays, "owner_key": "ana", **OPEN})
    assert [(s.user_key, s.share_bp, s.amount_minor) for s in own] == [("ana", 10_000, amount)]
    for share in beside:
        assert share.amount_minor is not None
        assert abs(share.amount_minor - Fraction(amount * share.share_bp, 10_000)) <= Fraction(1, 2)


def test_the_worked_examples_of_shares() -> None:
    """R16: 100.00 in three shares; revenue 10,000 at half each is 5,000 twice."""
    thirds = [{"user_key": u, "share_bp": s} for u, s in (("a", 3_334), ("b", 3_333), ("c", 3_333))]
    own, _ = shares({"amount_minor": 10_000, "splits": thirds, "overlays": [], "owner_key": "a", **OPEN})
    assert [share.amount_minor for share in own] == [3_334, 3_333, 3_333]
    halves = [{"user_key": u, "share_bp": 5_000} for u in "ab"]
    own, _ = shares({"amount_minor": 1_000_000, "splits": halves, "overlays": [], "owner_key": "a", **OPEN})
    assert [share.amount_minor for share in own] == [500_000, 500_000]
    nothing, _ = shares({"amount_minor": None, "splits": halves, "overlays": [], "owner_key": "a", **OPEN})
    assert [share.amount_minor for share in nothing] == [None, None]


@given(lines, st.sampled_from(Rounding))
def test_a_document_is_within_half_a_unit_of_what_is_exact_and_its_lines_within_one_each(
    found: list[dict[str, Any]], rounding: Rounding
) -> None:
    """R33, R35: whole minor units, rounded once, by line or by document."""
    whole = sum(map(exact, found), start=Fraction(0))
    assert abs(total(found, "document", rounding) - whole) <= Fraction(1, 2)
    assert abs(total(found, "line", rounding) - whole) <= Fraction(len(found), 2)
    assert total(found, "line", rounding) == sum(total([one], "document", rounding) for one in found)


@given(lines, st.none() | st.integers(-(10**9), 10**9), st.sampled_from(PER))
def test_the_difference_to_the_amount_is_shown_and_never_hidden(
    found: list[dict[str, Any]], amount: int | None, per: str
) -> None:
    """R35."""
    told = priced(found, amount, per)
    if amount is None or not found:
        assert told.difference_minor is None
    else:
        assert told.total_minor + (told.difference_minor or 0) == amount


def test_the_method_decides_about_halves() -> None:
    """R35: three lines of 0.5 cents."""
    three = [line("0.5", 1)] * 3
    assert [total(three, per, how) for per in PER for how in Rounding] == [3, 0, 2, 2]
    assert total([line("3", 4_500, 0), line("1", 0)]) == 13_500
    assert total([line("1", 10_000, 1_000)]) == 9_000


@given(lines, st.integers(0, 10**6))
def test_profit_is_price_less_cost_and_both_ratios_are_guarded(found: list[dict[str, Any]], cost: int) -> None:
    """R36, R37: margin over price, markup over cost."""
    price = total(found)
    told = profit(found, price, "EUR", [{**COST, "amount_minor": cost}], "2026-02-01")
    if not found:
        assert (told.cost_minor, told.margin_bp, told.markup_bp) == (None, None, None)
        return
    assert told.cost_minor is not None
    assert told.profit_minor == price - told.cost_minor
    assert (told.margin_bp is None) == (price == 0)
    assert (told.markup_bp is None) == (told.cost_minor == 0)


def test_margin_and_markup_are_two_figures() -> None:
    """R36: pocket 80, goods 50: margin 30 is 37.5 % of the price and 60 % of the cost."""
    told = profit([line("1", 8_000)], 8_000, "EUR", [{**COST, "amount_minor": 5_000}], "2026-02-01")
    assert (told.profit_minor, told.margin_bp, told.markup_bp) == (3_000, 3_750, 6_000)


@pytest.mark.parametrize(
    ("cost", "why"),
    [
        ({"valid_from": "2026-03-01"}, "no_cost"),
        ({"valid_to": "2026-02-01"}, "no_cost"),
        ({"currency": "USD"}, "currency"),
    ],
)
def test_a_cost_that_is_not_known_is_never_zero(cost: dict[str, Any], why: str) -> None:
    """R34, R36."""
    told = profit([line("1", 100), line("1", 100)], 200, "EUR", [{**COST, **cost}], "2026-02-01")
    assert (told.cost_minor, told.margin_bp, told.markup_bp) == (None, None, None)
    assert [(m.product_key, m.why) for m in told.missing] == [("p", why)]


@given(st.lists(st.integers(1, 28), min_size=1, max_size=5, unique=True), st.integers(1, 28))
def test_the_cost_of_a_day_is_the_one_that_began_last(starts: list[int], day: int) -> None:
    """R39: costs are dated."""
    costs = [{**COST, "valid_from": f"2026-01-{n:02}", "amount_minor": n} for n in starts]
    told = profit([line("1", 100)], 100, "EUR", costs, f"2026-01-{day:02}")
    assert told.cost_minor == max((n for n in starts if n <= day), default=None)


@given(lines, st.integers(0, 10**6))
def test_the_profit_of_a_deal_is_what_the_measure_margin_takes_of_it(found: list[dict[str, Any]], cost: int) -> None:
    """R36, R10: one rounding over all lines, so that the deal and the quota that counts it agree."""
    told = profit(found, total(found), "EUR", [{**COST, "amount_minor": cost}], "2026-02-01")
    held = {"p": [Cost("c", "p", cost, "EUR", "2026-01-01", None)]}
    taken = cost_of([Line(one["product_key"], one["quantity"]) for one in found], held, "2026-02-01")
    assert told.cost_minor == (taken[0] if taken is not None else None)


def test_four_halves_of_a_cent_are_two_cents() -> None:
    told = profit([line("0.5", 100)] * 4, 200, "EUR", [{**COST, "amount_minor": 1}], "2026-02-01")
    assert (told.cost_minor, told.profit_minor) == (2, 198)


def test_of_two_costs_that_begin_on_one_day_the_order_of_rows_decides_nothing() -> None:
    two = [{**COST, "key": "a", "amount_minor": 30}, {**COST, "key": "b", "amount_minor": 10}]
    for costs in (two, two[::-1]):
        assert profit([line("1", 100)], 100, "EUR", costs, "2026-02-01").cost_minor == 10
