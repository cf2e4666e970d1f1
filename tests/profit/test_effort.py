"""Effort that names no deal, shared among the customer's open deals of the day (R33, R40)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.effort import OpenDays, open_days, open_on, part_of, shared
from tests.builders import DAY_MS, NOW

MADRID = "Europe/Madrid"


def test_a_deal_is_open_from_the_day_it_was_opened_to_the_day_it_was_closed_and_again_after_a_reopening() -> None:
    """R21, R32, R40: both days are included."""
    closing = {"closed_at": NOW + 2 * DAY_MS, "reopened_at": NOW + 5 * DAY_MS}
    row: dict[str, Any] = {
        "opened_on": "2026-01-04",
        "created_at": NOW,
        "closed_at": NOW + 6 * DAY_MS,
        "closings": [closing],
    }
    spans = open_days("d", row, MADRID)
    days = [f"2026-01-{day:02}" for day in range(3, 14)]
    assert [day for day in days if open_on(spans, day)] == [
        *("2026-01-04", "2026-01-05", "2026-01-06", "2026-01-07"),
        *("2026-01-10", "2026-01-11"),
    ]


def test_a_deal_that_does_not_say_when_it_was_opened_was_so_when_it_was_written() -> None:
    """R32: on the organisation's local day."""
    late = NOW + 15 * 3_600_000 + 30 * 60_000  # 23:30 UTC is the next day in Madrid
    row: dict[str, Any] = {"opened_on": None, "created_at": late, "closed_at": None, "closings": []}
    assert open_days("d", row, MADRID) == [OpenDays("d", "2026-01-06", None)]


@given(st.integers(-(10**12), 10**12), st.lists(st.text("abc", min_size=1), min_size=1, max_size=9, unique=True))
def test_equal_parts_sum_to_the_whole_and_differ_by_one_at_most(amount: int, keys: list[str]) -> None:
    """R33, R37."""
    deals = sorted(keys)
    parts = shared(amount, deals)
    assert sum(parts.values()) == amount
    assert max(parts.values()) - min(parts.values()) <= 1
    assert list(parts) == deals
    assert [part_of(amount, place, len(deals)) for place in range(len(deals))] == [*parts.values()]


def test_where_no_deal_was_open_nothing_is_shared() -> None:
    assert shared(100, open_on([OpenDays("d", "2026-01-02", None)], "2026-01-01")) == {}
