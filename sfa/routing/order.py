"""A day in its best order: what can be placed, the solver's order, the order given; the better of the two. Pure but for
the solver.

Promises, of which none leans on the solver's word: the route is feasible, by `sfa.routing.timetable`. Where the order
given serves everybody in time, the route does so too and takes no longer from leaving to coming home. The same input
gives the same route. What is left out is named, with the reason.
"""

from collections.abc import Callable, Sequence

from sfa.core.errors import Refused
from sfa.routing import solver, travel
from sfa.routing.stops import STOPS_MAX, Hours, LeftOut, Matrix, Route, Stop
from sfa.routing.timetable import Problem, Timetable, calls_of, problem, timetable

DAY_MS_MAX = 24 * 3600 * 1000
Solver = Callable[[Problem, Sequence[int]], list[int]]
TEXTS = {
    "no_coordinates": "nobody knows where it is: the customer has no coordinates",
    "outside_hours": "there and back with the visit is longer than the working hours",
    "windows": "it cannot be reached at the time at which it may begin",
    "no_room": "it fits alone, but not beside the others",
}


def route(stops: Sequence[Stop], hours: Hours, matrix: Matrix | None = None, solve: Solver = solver.solved) -> Route:
    """The stops in the order given are the proposal to beat."""
    check(stops, hours)
    placed = [s for s in stops if matrix is not None or (s.latitude is not None and s.longitude is not None)]
    size = len(placed) + (hours.start is not None) + (hours.end is not None)
    ways = travel.given(matrix, size) if matrix is not None else travel.estimated(travel.places_of(placed, hours))
    day = problem(placed, hours, ways)
    given = list(range(len(placed)))
    best = timetable(day, given)
    found = ordered(day, solve)
    by_input = best is not None and measure(day, best) >= measure(day, found)
    chosen = best if best is not None and by_input else found
    lost = [LeftOut(s.key, "no_coordinates", TEXTS["no_coordinates"]) for s in stops if s not in placed]
    return _told(day, chosen, hours, lost, "given" if by_input else "optimised")


def check(stops: Sequence[Stop], hours: Hours) -> None:
    """`route_too_large`, or `request_invalid`, of what no type can say."""
    if len(stops) > STOPS_MAX:
        raise Refused("route_too_large", f"{len(stops)} stops, at most {STOPS_MAX}", limit=STOPS_MAX)
    if len({stop.key for stop in stops}) < len(stops):
        raise Refused("request_invalid", "each stop has a key of its own")
    if not 0 <= hours.to_at - hours.from_at <= DAY_MS_MAX:
        raise Refused("request_invalid", "the hours end after they begin, at most 24 hours later")
    for stop in stops:
        if any(window.to_at < window.from_at for window in stop.windows):
            raise Refused("request_invalid", f"a window of {stop.key} ends before it begins")


def ordered(day: Problem, solve: Solver) -> Timetable:
    """The solver's order with what still fits in; nothing but insertions where the solver's order does not hold."""
    possible = [stop for stop in range(len(day.stops)) if timetable(day, [stop]) is not None]
    order = solve(day, possible) if possible else []
    known = len(set(order)) == len(order) and set(order) <= set(possible)
    if not known or timetable(day, order) is None:
        order = []
    waiting = sorted(set(possible) - set(order), key=lambda stop: (-day.stops[stop].priority, stop))
    for stop in waiting:
        order = _with(day, order, stop)
    found = timetable(day, order)
    assert found is not None, "an order is only ever made longer where it holds"
    return found


def _with(day: Problem, order: list[int], stop: int) -> list[int]:
    """The stop put in where it costs least time; the order as it is where it fits nowhere."""
    tried = [[*order[:at], stop, *order[at:]] for at in range(len(order) + 1)]
    fits = [(found.total, at) for at, new in enumerate(tried) if (found := timetable(day, new)) is not None]
    return tried[min(fits)[1]] if fits else order


def measure(day: Problem, found: Timetable) -> tuple[int, int, int, int, int]:
    """What makes a route better: more priority, then more stops, less time in all, less driving, fewer metres."""
    kept = [stop for stop, *_ in found.calls]
    return sum(day.stops[s].priority for s in kept), len(kept), -found.total, -found.drive, -found.metres


def _why_not(day: Problem, stop: int) -> str:
    if timetable(day, [stop]) is not None:
        return "no_room"
    there, home = day.way(None, stop)[0], day.way(stop, None)[0]
    return "outside_hours" if there + day.service[stop] + home > day.length else "windows"


def _told(day: Problem, found: Timetable, hours: Hours, lost: list[LeftOut], order: str) -> Route:
    calls = calls_of(day, found, hours.from_at)
    served = {call.key for call in calls}
    for number, stop in enumerate(day.stops):
        if stop.key not in served:
            reason = _why_not(day, number)
            lost.append(LeftOut(stop.key, reason, TEXTS[reason]))
    service = sum(day.service[stop] for stop, *_ in found.calls)
    return Route(
        stops=calls,
        left_out=lost,
        depart_at=hours.from_at + 1000 * found.departs if calls else None,
        return_at=hours.from_at + 1000 * found.returns if calls else None,
        minutes=-(-found.total // 60),
        metres=found.metres,
        drive_minutes=-(-found.drive // 60),
        wait_minutes=-(-found.waits // 60),
        service_minutes=service // 60,
        order=order,
    )
