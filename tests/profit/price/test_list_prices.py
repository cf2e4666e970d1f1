"""What the lines of a deal are sold for beside its amount: rounding is no discount (R44)."""

from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sfa.core.money import BP_WHOLE, Rounding, rounded
from sfa.profit.price.limits import approval
from sfa.profit.price.list_prices import in_deal

LIMITS = {"rep": 1_000, "manager": 2_000}
UNIT = 100_00


@pytest.mark.parametrize("amount", [599, 600])
def test_a_cent_of_rounding_asks_nobody(amount: int) -> None:
    """R53: two lines of 299.7 are 599.4 together, and 600 one by one."""
    scaled = UNIT * (BP_WHOLE - 1_000)
    part = in_deal(amount, [("0.0333", scaled)] * 2)
    assert part == 1
    assert approval("l", scaled * part, UNIT, LIMITS, "rep").role is None


def test_a_cent_more_than_rounding_is_a_discount_of_every_line() -> None:
    scaled = UNIT * (BP_WHOLE - 1_000)
    part = in_deal(598, [("0.0333", scaled)] * 2)
    assert part == Fraction(598) / Fraction("599.4")
    assert approval("l", scaled * part, UNIT, LIMITS, "rep").role == "manager"


LINES = st.lists(
    st.tuples(
        st.decimals("0.0001", "9999", places=4).map(lambda q: f"{q:f}"),
        st.integers(1, UNIT * BP_WHOLE),
    ),
    min_size=1,
    max_size=8,
)


@given(LINES)
def test_the_sum_of_the_lines_changes_no_price_however_it_is_rounded(lines: list[tuple[str, int]]) -> None:
    each: list[Any] = [Fraction(quantity) * scaled / BP_WHOLE for quantity, scaled in lines]
    assert in_deal(rounded(sum(each), Rounding.HALF_UP), lines) == 1
    assert in_deal(sum(rounded(one, Rounding.HALF_UP) for one in each), lines) == 1


@given(LINES, st.integers(0, 10**12))
def test_no_amount_makes_a_line_dearer(lines: list[tuple[str, int]], amount: int) -> None:
    assert 0 <= in_deal(amount, lines) <= 1
