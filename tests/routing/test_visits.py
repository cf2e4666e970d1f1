"""Visits of a local day as stops."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.days import day_bounds_ms, local_day
from sfa.core.errors import Refused
from sfa.routing.visits import MINUTE_MS, Asked, clock_time, place_of, stops_of

MADRID = "Europe/Madrid"


def visit(at: int | None, **more: Any) -> dict[str, Any]:
    return {"account_key": "acme", "planned_at": at, "planned_minutes": None, "status": "planned", **more}


@given(st.integers(1_700_000_000_000, 1_900_000_000_000), st.integers(0, 600))
def test_a_visit_is_a_stop_of_its_local_day_only(at: int, room: int) -> None:
    day = local_day(at, MADRID)
    start, end = day_bounds_ms(day, MADRID)
    (stop,) = stops_of([("v", visit(at))], {}, Asked(day, flexible_minutes=room), MADRID)
    assert [(w.from_at, w.to_at) for w in stop.windows] == (
        [] if at == start else [(at - room * MINUTE_MS, at + room * MINUTE_MS)]
    )
    assert stops_of([("v", visit(at))], {}, Asked(local_day(end, MADRID)), MADRID) == []


def test_what_is_done_or_cancelled_or_has_no_day_is_no_stop() -> None:
    at = clock_time("2026-01-05", "10:00", MADRID)
    rows = [visit(at, status=status) for status in ("checked_in", "completed", "cancelled", "no_show")]
    assert stops_of([("v", row) for row in [*rows, visit(None)]], {}, Asked("2026-01-05"), MADRID) == []


def test_the_customer_says_where_and_how_important() -> None:
    at = clock_time("2026-01-05", "10:00", MADRID)
    accounts = {"acme": {"latitude": 43.2, "longitude": -2.9, "tier": "A"}}
    (stop,) = stops_of([("v", visit(at, planned_minutes=45))], accounts, Asked("2026-01-05"), MADRID)
    assert (stop.latitude, stop.longitude, stop.priority, stop.service_minutes) == (43.2, -2.9, 40, 45)


def test_clock_times_are_those_of_the_zone_and_the_day() -> None:
    assert clock_time("2026-01-05", "09:30", MADRID) == 1_767_600_000_000 + 30 * MINUTE_MS
    assert clock_time("2026-01-05", "24:00", MADRID) == day_bounds_ms("2026-01-05", MADRID)[1]
    summer = clock_time("2026-03-29", "08:00", MADRID) - day_bounds_ms("2026-03-29", MADRID)[0]
    assert summer == 7 * 60 * MINUTE_MS  # an hour was skipped that night


@pytest.mark.parametrize("text", ["", "8:00", "25:00", "08:60", "08:00:00", "ab:cd", "24:01", "²²:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        clock_time("2026-01-05", text, MADRID)
    assert refused.value.code == "request_invalid"


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "91,0", "0,181", "nan,0", "inf,0", "a,b"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        place_of(text)
    assert refused.value.code == "request_invalid"
