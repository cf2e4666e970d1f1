"""The order of a day by VROOM, an engine for vehicle routing in C++ (the wheel `pyvroom`).

It gets whole seconds and gives back an order and nothing else: `sfa.routing.timetable` judges it. One thread and no
clock inside, so the same day gives the same order. VROOM keeps the interpreter's lock while it thinks: a tenth of a
second for `STOPS_MAX` stops, which is why there is a limit. It is imported when first used: it brings pandas along.
"""

from collections.abc import Sequence
from datetime import timedelta

from sfa.routing.timetable import Problem

EXPLORATION = 5  # the most thorough of VROOM's levels
TIME_MAX = timedelta(seconds=2)  # far beyond what STOPS_MAX stops take: a bound, not a budget


def solved(day: Problem, among: Sequence[int]) -> list[int]:
    """An order of some of these stops: those of most priority, then as many as fit, then the least driving."""
    import numpy
    import vroom

    places: list[int | None] = [None, *among, None]
    last = len(places) - 1
    seconds = [[_way(day, places, i, j, last) for j in range(len(places))] for i in range(len(places))]
    asked = vroom.Input()
    asked.set_durations_matrix("car", numpy.array(seconds, dtype="uint32"))
    asked.add_vehicle(vroom.Vehicle(0, start=0, end=last, time_window=vroom.TimeWindow(0, day.length)))
    for place, stop in enumerate(among, start=1):
        windows = [vroom.TimeWindow(start, end) for start, end in day.openings[stop] or ()]
        asked.add_job(
            vroom.Job(
                place,
                location=place,
                default_service=day.service[stop],
                priority=day.stops[stop].priority,
                time_windows=windows,
            )
        )
    steps = asked.solve(EXPLORATION, nb_threads=1, timeout=TIME_MAX).routes
    return [among[int(place) - 1] for place in steps["id"][steps["type"] == "job"]]


def _way(day: Problem, places: Sequence[int | None], here: int, there: int, last: int) -> int:
    if here in (there, last) or there == 0:
        return 0
    return day.way(places[here], places[there])[0]
