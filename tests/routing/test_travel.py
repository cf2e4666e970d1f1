"""Distances on the sphere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.routing.travel import ROAD_FACTOR, SPEED_KMH, Point, estimated, great_circle_m

points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(points, points)
def test_a_distance_is_the_same_both_ways_and_at_most_half_way_round(a: Point, b: Point) -> None:
    there = great_circle_m(a, b)
    assert 0 <= there <= 20_015_115
    assert there == pytest.approx(great_circle_m(b, a), abs=1e-3)


@given(points, points, points)
def test_no_way_round_is_shorter(a: Point, b: Point, c: Point) -> None:
    assert great_circle_m(a, c) <= great_circle_m(a, b) + great_circle_m(b, c) + 1


def test_known_distances() -> None:
    assert great_circle_m((0, 0), (0, 1)) == pytest.approx(111_195, abs=1)
    assert great_circle_m((40.4168, -3.7038), (41.3874, 2.1686)) == pytest.approx(
        504_600, rel=0.01
    )  # Madrid, Barcelona


def test_an_hour_takes_as_far_as_the_speed_says() -> None:
    degrees = SPEED_KMH * 1000 / ROAD_FACTOR / 111_195.08
    travel = estimated([(0, 0), (0, degrees)])
    assert travel.seconds[0][1] == pytest.approx(3600, abs=2)
    assert travel.metres[0][1] == pytest.approx(SPEED_KMH * 1000, abs=2)
