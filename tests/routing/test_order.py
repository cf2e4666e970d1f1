"""The promises of a route, held against a judge that knows nothing of how it was found."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.routing.order import route
from sfa.routing.stops import STOPS_MAX, Hours, Matrix, Place, Stop, Window
from sfa.routing.timetable import Problem, problem, timetable
from sfa.routing.travel import given as given_travel
from tests.routing.days import HOUR_MS, T0, Day, days, faults, length_in_given_order

BAY = Place(43.26, -2.93)


def nobody(_day: Problem, _among: Sequence[int]) -> list[int]:
    return []


@given(days())
def test_a_route_is_feasible_and_names_every_stop_once(day: Day) -> None:
    assert faults(day, route(*day)) == []


@given(days())
def test_a_route_is_never_worse_than_the_order_given(day: Day) -> None:
    """Where the order given serves everybody, so does the route, and no longer."""
    length = length_in_given_order(day)
    found = route(*day)
    if length is not None:
        assert found.left_out == []
        assert found.minutes <= -(-length // 60_000)


@settings(max_examples=30)
@given(days())
def test_the_same_day_gives_the_same_route(day: Day) -> None:
    assert route(*day) == route(*day)


@given(days(), st.randoms())
def test_a_solver_that_lies_does_no_harm(day: Day, chance: object) -> None:
    """Whatever it answers, the route holds and is not worse than the order given."""

    def liar(asked: Problem, among: Sequence[int]) -> list[int]:
        return [chance.randrange(-1, len(asked.stops) + 2) for _ in among]  # type: ignore[attr-defined]

    for solve in (liar, nobody, lambda _day, among: list(reversed(among))):
        found = route(*day, solve=solve)
        assert faults(day, found) == []
        length = length_in_given_order(day)
        assert length is None or (found.left_out == [] and found.minutes <= -(-length // 60_000))


@settings(max_examples=60)
@given(days(most=4))
def test_what_is_left_out_alone_says_so(day: Day) -> None:
    """`no_room` fits alone, the other reasons do not."""
    stops, hours, matrix = day
    size = len(stops) + (hours.start is not None) + (hours.end is not None)
    asked = problem(stops, hours, given_travel(matrix, size))
    for left in route(*day).left_out:
        alone = timetable(asked, [[stop.key for stop in stops].index(left.key)])
        assert (left.reason == "no_room") == (alone is not None)


@settings(max_examples=60)
@given(days(most=4))
def test_a_small_day_that_some_order_serves_whole_is_served_whole(day: Day) -> None:
    stops, hours, matrix = day
    size = len(stops) + (hours.start is not None) + (hours.end is not None)
    asked = problem(stops, hours, given_travel(matrix, size))
    if any(timetable(asked, order) is not None for order in permutations(range(len(stops)))):
        assert route(*day).left_out == []


def test_five_stops_on_a_line_are_not_visited_to_and_fro() -> None:
    stops = [Stop(key=f"s{i}", latitude=43.0, longitude=-3 + i / 10, service_minutes=10) for i in (0, 4, 1, 3, 2)]
    found = route(stops, Hours(T0, T0 + 10 * HOUR_MS))
    assert [call.key for call in found.stops] in (["s0", "s1", "s2", "s3", "s4"], ["s4", "s3", "s2", "s1", "s0"])
    assert found.order == "optimised"


def test_who_has_no_coordinates_is_named_and_the_others_are_visited() -> None:
    stops = [Stop(key="known", latitude=43.3, longitude=-2.9), Stop(key="unknown")]
    found = route(stops, Hours(T0, T0 + HOUR_MS * 8, BAY, BAY))
    assert [call.key for call in found.stops] == ["known"]
    assert [(left.key, left.reason) for left in found.left_out] == [("unknown", "no_coordinates")]


def test_priority_decides_who_is_left_out() -> None:
    stops = [Stop(key=key, service_minutes=60, priority=p) for key, p in (("low", 1), ("high", 9))]
    found = route(stops, Hours(T0, T0 + HOUR_MS), Matrix([[0, 0], [0, 0]]))
    assert [call.key for call in found.stops] == ["high"]
    assert [(left.key, left.reason) for left in found.left_out] == [("low", "no_room")]


def test_nobody_leaves_home_to_wait_in_the_car() -> None:
    """The departure is as late as it can be without coming home later."""
    stop = Stop(key="s", service_minutes=30, windows=[Window(T0 + 4 * HOUR_MS, T0 + 5 * HOUR_MS)])
    found = route([stop], Hours(T0, T0 + 8 * HOUR_MS, BAY, BAY), Matrix([[0, 600, 0], [0, 0, 600], [0, 0, 0]]))
    assert (found.depart_at, found.wait_minutes) == (T0 + 4 * HOUR_MS - 600_000, 0)
    assert found.minutes == 50


def test_the_limit_on_stops_is_served_within_a_second_or_two() -> None:
    stops = [
        Stop(key=f"s{i}", latitude=43 + (i * 37 % 40) / 100, longitude=-3 + (i * 11 % 40) / 100, service_minutes=10)
        for i in range(40)
    ]
    found = route(stops, Hours(T0, T0 + 24 * HOUR_MS, BAY, BAY))
    assert len(found.stops) == STOPS_MAX


@pytest.mark.parametrize(
    ("stops", "hours", "code"),
    [
        ([Stop(key=f"s{i}") for i in range(STOPS_MAX + 1)], Hours(T0, T0 + 1), "route_too_large"),
        ([Stop(key="a"), Stop(key="a")], Hours(T0, T0 + 1), "request_invalid"),
        ([Stop(key="a", windows=[Window(2, 1)])], Hours(T0, T0 + 1), "request_invalid"),
        ([], Hours(T0, T0 - 1), "request_invalid"),
        ([], Hours(T0, T0 + 25 * HOUR_MS), "request_invalid"),
        ([], Hours(T0, T0 + 1, Place()), "request_invalid"),
    ],
)
def test_a_day_that_is_none_is_refused(stops: list[Stop], hours: Hours, code: str) -> None:
    with pytest.raises(Refused) as refused:
        route(stops, hours)
    assert refused.value.code == code


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        route([Stop(key="a")], Hours(T0, T0 + 1, BAY), Matrix([[0]]))
    assert refused.value.code == "request_invalid"
