"""A check-in is judged by where it was, and by the policy of its day (R13)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.geofence import Fence, Place, fence_of, great_circle_m, judge

latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)
ACME = Place(43.263, -2.935)


def policy(radius: int = 200, visit_type: str | None = None, **values: Any) -> dict[str, Any]:
    row = {"accuracy_max_m": 100, "geofence": "soft", "requires_checklist": False, "auto_submit": False}
    return {**row, "radius_m": radius, "visit_type": visit_type, "valid_from": "2025-01-01", "valid_to": None, **values}


@pytest.mark.parametrize(
    ("place", "verdict"),
    [
        (Place(43.2635, -2.935), "in_range"),
        (Place(43.2635, -2.935, 99.0), "in_range"),
        (Place(43.27, -2.935, 10.0), "out_of_range"),
        (Place(43.27, -2.935, 101.0), "unverifiable"),
        (Place(None, None), "unverifiable"),
    ],
)
def test_a_check_in_is_in_range_out_of_range_or_unverifiable(place: Place, verdict: str) -> None:
    """R13: no coordinates, and an accuracy that proves nothing, are no failure."""
    assert judge(place, ACME, Fence()).verdict == verdict


def test_a_customer_without_a_place_makes_a_check_in_unverifiable() -> None:
    """R13."""
    assert judge(Place(1.0, 1.0), Place(None, None), Fence()).verdict == "unverifiable"


def test_a_fence_that_is_off_judges_nothing_and_still_measures() -> None:
    """R13."""
    found = judge(Place(43.27, -2.935), ACME, Fence(geofence="off"))
    assert found.verdict is None
    assert found.distance_m == 778


@given(latitudes, longitudes, latitudes, longitudes)
def test_the_way_is_the_same_there_and_back_and_never_longer_than_half_the_earth(
    lat: float, lon: float, other_lat: float, other_lon: float
) -> None:
    there = great_circle_m(lat, lon, other_lat, other_lon)
    assert there == great_circle_m(other_lat, other_lon, lat, lon)
    assert 0 <= there <= 20_015_116
    assert great_circle_m(lat, lon, lat, lon) == 0


def test_a_degree_of_latitude_is_111_kilometres() -> None:
    assert great_circle_m(0, 0, 1, 0) == 111_195
    assert great_circle_m(52.5, 13.4, 48.86, 2.35) == pytest.approx(878_000, abs=2_000)  # Berlin to Paris


@given(latitudes, longitudes, st.integers(10, 100_000))
def test_in_range_means_no_farther_than_the_radius(lat: float, lon: float, radius: int) -> None:
    found = judge(Place(lat, lon), ACME, Fence(radius_m=radius))
    assert found.distance_m is not None
    assert found.verdict == ("in_range" if found.distance_m <= radius else "out_of_range")


def test_the_policy_of_the_day_and_of_the_type_counts() -> None:
    rows = {
        "all": policy(100),
        "new": policy(150, valid_from="2026-01-10"),
        "audit": policy(50, "audit"),
        "gone": policy(10, valid_to="2026-01-01"),
    }
    assert fence_of(rows, None, "2026-01-09").radius_m == 100
    assert fence_of(rows, None, "2026-01-10").radius_m == 150
    assert fence_of(rows, "audit", "2026-01-10").radius_m == 50
    assert fence_of(rows, "other", "2026-01-10").radius_m == 150
    assert fence_of({}, None, "2026-01-10") == Fence()
