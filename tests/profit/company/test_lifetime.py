"""Lifetime value by the margin multiple: worked by hand, against the sum it stands for, and where there is none."""

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from sfa.profit.company.lifetime import AT_RISK_MIN, Retention, lifetime

PEOPLE = st.integers(AT_RISK_MIN, 1_000)


def test_a_margin_of_100_at_80_percent_retention_and_12_percent_is_worth_250() -> None:
    """The book's own multiple: 0.8 / (1 + 0.12 - 0.8) = 2.5."""
    found = lifetime(200_00, 2, Retention(100, 80), 1_200)
    assert (found.value_minor, found.code, found.margin_minor) == (250_00, None, 100_00)
    assert (found.retention_bp, found.discount_bp) == (8_000, 1_200)


@given(
    profit=st.integers(-(10**9), 10**9), at_risk=PEOPLE, kept=st.integers(0, 1_000), discount=st.integers(500, 5_000)
)
def test_it_is_the_sum_over_all_years_to_come(profit: int, at_risk: int, kept: int, discount: int) -> None:
    assume(kept <= at_risk)
    found = lifetime(profit, 1, Retention(at_risk, kept), discount)
    each = Fraction(kept, at_risk) / (1 + Fraction(discount, 10_000))
    years = float(each) ** 1_000
    expected = float(profit * each / (1 - each)) * (1 - years)
    assert found.value_minor is not None
    assert abs(found.value_minor - expected) <= 1 + abs(expected) * 1e-6


@given(profit=st.integers(1, 10**9), at_risk=PEOPLE, kept=st.integers(1, 999), discount=st.integers(1, 5_000))
def test_it_grows_with_retention_and_shrinks_with_what_money_costs(
    profit: int, at_risk: int, kept: int, discount: int
) -> None:
    assume(kept < at_risk)

    def value(kept: int, discount: int) -> int:
        found = lifetime(profit, 1, Retention(at_risk, kept), discount).value_minor
        assert found is not None
        return found

    assert value(kept + 1, discount) >= value(kept, discount) >= value(kept, discount + 1)


def test_a_history_that_is_too_small_says_so_instead_of_a_number() -> None:
    enough = Retention(AT_RISK_MIN, 10)
    cases = {
        "history_too_small": [
            lifetime(100, 0, enough, 800),
            lifetime(100, 1, Retention(AT_RISK_MIN - 1, 10), 800),
            lifetime(100, 1, enough, 800, bought=False),
        ],
        "capital_rate_missing": [lifetime(100, 1, enough, None)],
        "profit_missing": [lifetime(None, 1, enough, 800)],
        "never_ends": [lifetime(100, 1, Retention(50, 50), 0)],
    }
    for code, found in cases.items():
        assert [(one.value_minor, one.code) for one in found] == [(None, code)] * len(found)
