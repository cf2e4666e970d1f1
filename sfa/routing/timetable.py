"""The clock of a route: given an order, when one arrives, waits, begins and leaves, or that it cannot be done. Pure.

This is the judge: it knows nothing of how an order was found, so a route is feasible because it says so, and not
because a solver does. Seconds are counted from the beginning of the hours; an opening is narrowed to whole seconds, so
what holds in seconds holds in milliseconds.
"""

from collections.abc import Sequence

from msgspec import Struct

from sfa.routing.stops import Call, Hours, Stop
from sfa.routing.travel import Travel

Opening = tuple[int, int]


class Problem(Struct, frozen=True):
    """A day in whole seconds from the beginning of its hours. Places are those of `travel`: a start at 0 if there is
    one, stop `i` at `first + i`, an end last if there is one. No openings: at any time."""

    stops: tuple[Stop, ...]
    service: tuple[int, ...]
    openings: tuple[tuple[Opening, ...] | None, ...]
    travel: Travel
    length: int
    has_start: bool
    has_end: bool

    @property
    def first(self) -> int:
        return int(self.has_start)

    def way(self, before: int | None, after: int | None) -> tuple[int, int]:
        """(seconds, metres) from a stop to another; None is the start or the end, which may be no place at all."""
        if (before is None and not self.has_start) or (after is None and not self.has_end):
            return 0, 0
        here = 0 if before is None else self.first + before
        there = len(self.travel.seconds) - 1 if after is None else self.first + after
        return self.travel.seconds[here][there], self.travel.metres[here][there]


class Timetable(Struct, frozen=True):
    """`calls`: (stop, arrives, begins, leaves) in seconds."""

    departs: int
    calls: tuple[tuple[int, int, int, int], ...]
    returns: int
    metres: int
    drive: int

    @property
    def total(self) -> int:
        return self.returns - self.departs

    @property
    def waits(self) -> int:
        return sum(begins - arrives for _, arrives, begins, _ in self.calls)


def problem(stops: Sequence[Stop], hours: Hours, travel: Travel) -> Problem:
    def opened(stop: Stop) -> tuple[Opening, ...] | None:
        windows = stop.openings()
        if not windows:
            return None
        found = ((-((hours.from_at - w.from_at) // 1000), (w.to_at - hours.from_at) // 1000) for w in windows)
        return _joined([(max(0, start), end) for start, end in found if end >= max(0, start)])

    return Problem(
        tuple(stops),
        tuple(stop.service_minutes * 60 for stop in stops),
        tuple(opened(stop) for stop in stops),
        travel,
        (hours.to_at - hours.from_at) // 1000,
        hours.start is not None,
        hours.end is not None,
    )


def _joined(openings: Sequence[Opening]) -> tuple[Opening, ...]:
    """Those that overlap or follow each other at once are one."""
    joined: list[Opening] = []
    for start, end in sorted(openings):
        if joined and start <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def timetable(day: Problem, order: Sequence[int]) -> Timetable | None:
    """The timetable of an order that is home as early as can be and leaves as late as that allows; None where the order
    misses an opening or the end of the hours. Who visits nobody drives nowhere."""
    if not order:
        return Timetable(0, (), 0, 0, 0)
    early = _followed(day, order, 0)
    if early is None or early.returns > day.length:
        return None
    found = _followed(day, order, _latest_departure(day, order, early.returns))
    assert found is not None, "who leaves later still comes in time"
    assert found.returns == early.returns, "and is home no later"
    return found


def _followed(day: Problem, order: Sequence[int], departs: int) -> Timetable | None:
    """Each visit as soon as it may begin."""
    calls: list[tuple[int, int, int, int]] = []
    now, before, metres, drive = departs, None, 0, 0
    for stop in order:
        seconds, far = day.way(before, stop)
        now, metres, drive = now + seconds, metres + far, drive + seconds
        windows = day.openings[stop]
        begins = now if windows is None else next((max(now, start) for start, end in windows if end >= now), None)
        if begins is None:
            return None
        leaves = begins + day.service[stop]
        calls.append((stop, now, begins, leaves))
        now, before = leaves, stop
    seconds, far = day.way(before, None)
    return Timetable(departs, tuple(calls), now + seconds, metres + far, drive + seconds)


def _latest_departure(day: Problem, order: Sequence[int], returns: int) -> int:
    """Backwards from coming home: each visit as late as it may begin. The order is one that can be followed."""
    after, latest = None, returns
    for stop in reversed(order):
        latest -= day.way(stop, after)[0] + day.service[stop]
        windows = day.openings[stop]
        if windows is not None:
            latest = max(min(latest, end) for start, end in windows if start <= latest)
        after = stop
    return latest - day.way(None, order[0])[0]


def calls_of(day: Problem, found: Timetable, from_at: int) -> list[Call]:
    calls, before = [], None
    for stop, arrives, begins, leaves in found.calls:
        seconds, metres = day.way(before, stop)
        before = stop
        arrive_at, begin_at, leave_at = (from_at + 1000 * second for second in (arrives, begins, leaves))
        wait = -(-(begins - arrives) // 60)
        calls.append(Call(day.stops[stop].key, arrive_at, begin_at, leave_at, wait, seconds, metres))
    return calls
