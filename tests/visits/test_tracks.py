"""Minutes and metres: whole, proven, and a gap stays a gap (R40)."""

from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.visits.tracks import GAP_MS, Point, distances, driven, measured, visit_minutes

points = st.lists(
    st.builds(
        Point,
        st.integers(0, 10 * GAP_MS),
        st.floats(-80, 80),
        st.floats(-179, 179),
        st.one_of(st.none(), st.floats(0, 400)),
    ),
    max_size=12,
)


def at(minute: int, longitude: float, accuracy: float | None = 10.0) -> Point:
    return Point(minute * 60_000, 43.0, longitude, accuracy)


def test_a_gap_in_the_track_adds_no_metres() -> None:
    """The same way with ten silent minutes in it is shorter by what nobody saw."""
    whole = measured([at(0, 0.00), at(4, 0.01), at(8, 0.02), at(12, 0.03)])
    cut = measured([at(0, 0.00), at(4, 0.01), at(14, 0.02), at(18, 0.03)])
    assert whole.gaps == []
    assert cut.gaps == [{"from_at": 240_000, "to_at": 840_000}]
    assert whole.distance_m is not None
    assert cut.distance_m is not None
    assert abs(cut.distance_m - whole.distance_m * 2 / 3) <= 2


def test_what_the_device_was_not_sure_of_proves_nothing() -> None:
    assert (
        measured([at(0, 0.0), at(3, 0.5, 5_000.0), at(4, 0.001)]).distance_m
        == measured([at(0, 0.0), at(4, 0.001)]).distance_m
    )
    assert measured([at(0, 0.0), at(6, 0.001)]).distance_m is None
    assert measured([]).distance_m is None


@given(points, st.randoms(use_true_random=False))
def test_the_order_in_which_positions_arrive_changes_nothing(track: list[Point], rng: Random) -> None:
    shuffled = track.copy()
    rng.shuffle(shuffled)
    assert measured(shuffled) == measured(track) == measured([*track, *track])


@given(points)
def test_gaps_follow_each_other_and_are_longer_than_a_pause(track: list[Point]) -> None:
    gaps = measured(track).gaps
    assert all(gap["to_at"] - gap["from_at"] > GAP_MS for gap in gaps)
    assert all(one["to_at"] <= other["from_at"] for one, other in pairwise(gaps))


def test_minutes_are_whole_and_need_both_ends() -> None:
    assert visit_minutes({"checked_in_at": 0, "checked_out_at": 119_999}) == 1
    assert visit_minutes({"checked_in_at": 0, "checked_out_at": None}) is None
    assert visit_minutes({"checked_in_at": None, "checked_out_at": None}) is None


def test_kinds_of_proof_are_not_added_to_each_other() -> None:
    legs: list[dict[str, Any]] = [
        {"source": "gps", "distance_m": 1_000},
        {"source": "odometer", "distance_m": 1_200},
        {"source": "gps", "distance_m": 500},
        {"source": "estimate", "distance_m": None},
    ]
    assert distances(legs) == {"gps": 1_500, "odometer": 1_200, "estimate": None}
    assert driven(100, 1_300) == 1_200
    assert driven(1_300, 100) is None
