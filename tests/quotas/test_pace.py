"""Pace by working days (R12): expected, projected and needed, and every case in which they cannot be said."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.quotas.measures import QuotaRow
from sfa.quotas.pace import Pace, pace
from tests.quotas.ledger import ZONE, at


def of(
    value: int | None, day: str, target: int = 6_400, start_on: str = "2026-01-01", end_on: str = "2026-04-01"
) -> Pace:
    span: dict[str, Any] = {"start_on": start_on, "end_on": end_on}
    row = QuotaRow(
        key="q", period_key="p", period_name="p", start_at=0, end_at=0, measure="revenue", target=target, **span
    )
    return pace(row, value, at(day), ZONE)


def test_r12_a_quarter_of_sixty_four_working_days_after_sixteen_of_them() -> None:
    found = of(1_800, "2026-01-23")
    assert (found.working_days, found.days_over, found.days_left) == (64, 16, 48)
    assert (found.expected, found.projected, found.needed, found.word) == (1_600, 7_200, 96, "ahead")
    assert of(1_600, "2026-01-23").word == "on_pace"
    assert of(1_599, "2026-01-23").word == "behind"


def test_before_the_period_nothing_is_expected_and_nothing_can_be_projected() -> None:
    found = of(0, "2025-12-30")
    assert (found.days_over, found.expected, found.projected, found.needed, found.word) == (0, 0, None, 100, "on_pace")


def test_after_the_period_all_is_expected_and_no_day_is_left() -> None:
    found = of(6_000, "2026-04-01")
    assert (found.expected, found.projected, found.needed, found.days_left) == (6_400, 6_000, None, 0)
    assert of(6_000, "2027-01-01").days_over == 64


def test_what_is_reached_needs_nothing_more_and_less_than_nothing_is_projected_as_such() -> None:
    assert of(9_999, "2026-01-23").needed == 0
    assert of(-100, "2026-01-23").projected == -400


def test_r7_without_a_target_above_zero_a_working_day_or_a_figure_there_is_no_pace() -> None:
    weekend = of(5, "2026-01-03", start_on="2026-01-03", end_on="2026-01-05")
    for found in (of(5, "2026-01-23", target=0), of(5, "2026-01-23", target=-9), of(None, "2026-01-23"), weekend):
        assert (found.expected, found.projected, found.needed, found.word) == (None, None, None, None)
        assert found.code == "not_computable"


@given(value=st.integers(-(10**9), 10**9), target=st.integers(1, 10**9), offset=st.integers(-5, 100))
def test_what_is_needed_each_day_reaches_the_target_and_a_unit_less_would_not(
    value: int, target: int, offset: int
) -> None:
    found = of(value, (date(2026, 1, 1) + timedelta(days=offset)).isoformat(), target)
    assert found.days_over + found.days_left == found.working_days
    if found.needed is not None:
        assert value + found.needed * found.days_left >= target or found.needed == 0
        assert found.needed == 0 or value + (found.needed - 1) * found.days_left < target
