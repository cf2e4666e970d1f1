"""Cadence by tier: on track, due, overdue, never visited, on the exact day of the organisation (R15, R32)."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.days import day_bounds_ms, local_day, plus_days
from sfa.visits.cadence import due, due_on, instants_of, rule_of

ZONE = "Europe/Madrid"


def rule(every: int = 14, unit: str = "day", lead: int = 0, **values: Any) -> dict[str, Any]:
    dated = {"tier": "A", "valid_from": "2025-01-01", "valid_to": None}
    return {**dated, "every": every, "unit": unit, "lead_days": lead, **values}


some_rules = st.builds(rule, st.integers(1, 60), st.sampled_from(("day", "working_day", "week")), st.integers(0, 10))
days = st.dates(date(2024, 1, 1), date(2028, 1, 1)).map(date.isoformat)


def test_a_customer_turns_from_on_track_to_due_to_overdue_on_the_exact_day() -> None:
    """R15: visited on the 5th, every 14 days, two days ahead: due from the 17th, overdue from the 20th."""
    last = day_bounds_ms("2026-01-05", ZONE)[0] + 9 * 3600 * 1000
    found = {day: due(last, rule(lead=2), f"2026-01-{day}", ZONE) for day in (16, 17, 19, 20)}
    assert [found[day].status for day in (16, 17, 19, 20)] == ["on_track", "due", "due", "overdue"]
    assert found[19].due_on == "2026-01-19"
    assert [found[day].days_over for day in (17, 19, 20)] == [-2, 0, 1]


def test_the_day_of_a_visit_is_that_of_the_organisation() -> None:
    """R32: at 23:30 UTC on the 5th it is the 6th in Madrid, and the due day is a day later."""
    late = day_bounds_ms("2026-01-05", "UTC")[1] - 1_800_000
    assert due(late, rule(), "2026-01-20", ZONE).due_on == "2026-01-20"
    assert due(late, rule(), "2026-01-20", "UTC").due_on == "2026-01-19"


def test_who_was_never_visited_says_so() -> None:
    """R15."""
    assert due(None, rule(), "2026-01-20", ZONE).status == "never_visited"


@pytest.mark.parametrize(
    ("last", "every", "wanted"),
    [
        ("2026-01-05", 5, "2026-01-12"),  # Monday to Monday
        ("2026-01-09", 1, "2026-01-12"),  # Friday to Monday
        ("2026-01-10", 1, "2026-01-12"),  # a Saturday counts as its Friday
        ("2026-01-11", 1, "2026-01-12"),
        ("2026-01-07", 3, "2026-01-12"),
    ],
)
def test_working_days_pass_over_weekends(last: str, every: int, wanted: str) -> None:
    assert due_on(last, rule(every, "working_day")) == wanted


@given(days, st.integers(1, 300))
def test_working_days_are_counted_one_by_one(last: str, every: int) -> None:
    day, left = date.fromisoformat(last), every
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    assert due_on(last, rule(every, "working_day")) == day.isoformat()


@given(some_rules, days, days, st.sampled_from(("UTC", ZONE, "America/Sao_Paulo")), st.integers(0, 86_399_999))
def test_the_instants_of_a_status_are_those_of_its_days(
    made: dict[str, Any], last_on: str, as_of: str, zone: str, into: int
) -> None:
    """What a database is asked is what the rule says (R15, R32)."""
    start, end = day_bounds_ms(last_on, zone)
    last = min(start + into, end - 1)
    if local_day(last, zone) > as_of:
        return
    status = due(last, made, as_of, zone).status
    for name in ("overdue", "due", "on_track"):
        low, high = instants_of(name, made, as_of, zone)
        inside = (low is None or low <= last) and (high is None or last < high)
        assert inside == (name == status), name


@given(some_rules, days, st.integers(0, 400))
def test_a_later_visit_is_never_due_earlier(made: dict[str, Any], last: str, later: int) -> None:
    assert due_on(last, made) <= due_on(plus_days(last, later), made)
    assert due_on(last, made) > last


def test_the_rule_of_the_day_counts() -> None:
    rules = {
        "old": rule(10, valid_to="2026-02-01"),
        "new": rule(20, valid_from="2026-02-01"),
        "b": rule(5, tier="B"),
    }
    assert rule_of(rules, "A", "2026-01-31") is rules["old"]
    assert rule_of(rules, "A", "2026-02-01") is rules["new"]
    assert rule_of(rules, "C", "2026-02-01") is None
    assert rule_of(rules, None, "2026-02-01") is None
