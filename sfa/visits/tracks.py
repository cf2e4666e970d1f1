"""Minutes and metres of a visit for the cost to serve (R40): pure, whole numbers, nothing made up.

A track of positions is measured between neighbours only. Where the device heard nothing for longer than `GAP_MS`, or
was sure of nothing, there is a gap: it adds no metres, however near the ends lie, and is told beside the distance.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from sfa.core.geofence import great_circle_m

MINUTE_MS = 60_000
GAP_MS = 5 * MINUTE_MS
ACCURACY_MAX_M = 200.0
SOURCES = ("gps", "odometer", "estimate")


class Point(Struct, frozen=True):
    at: int
    latitude: float
    longitude: float
    accuracy_m: float | None = None


class Way(Struct, frozen=True):
    """What a track proves. `distance_m` None: no two neighbours prove anything."""

    distance_m: int | None
    gaps: list[dict[str, int]]


def visit_minutes(visit: Mapping[str, Any]) -> int | None:
    """Whole minutes between check-in and check-out, begun ones not counted; None while one of them is missing."""
    start, end = visit["checked_in_at"], visit["checked_out_at"]
    return None if start is None or end is None else int(max(0, end - start) // MINUTE_MS)


def measured(points: Iterable[Point]) -> Way:
    """The way of a track, in the order of time. Two positions of one instant are one: the surer, then the smaller."""
    sure: dict[int, Point] = {}
    for point in sorted(points, key=lambda p: (p.at, p.accuracy_m or 0.0, p.latitude, p.longitude)):
        if point.accuracy_m is None or point.accuracy_m <= ACCURACY_MAX_M:
            sure.setdefault(point.at, point)
    track = list(sure.values())
    metres, proven = 0, False
    gaps: list[dict[str, int]] = []
    for before, after in pairwise(track):
        if after.at - before.at > GAP_MS:
            gaps.append({"from_at": before.at, "to_at": after.at})
            continue
        metres += great_circle_m(before.latitude, before.longitude, after.latitude, after.longitude)
        proven = True
    return Way(metres if proven else None, gaps)


def driven(start_m: int, end_m: int) -> int | None:
    """By the odometer; None where it was read backwards."""
    return end_m - start_m if end_m >= start_m else None


def distances(legs: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """Metres by source: kinds of proof are never added to each other. None: a leg of it proves nothing, or not all."""
    found: dict[str, int | None] = {}
    for leg in legs:
        source, metres = leg["source"], leg["distance_m"]
        sum_so_far = found.get(source, 0)
        found[source] = None if metres is None or sum_so_far is None else sum_so_far + metres
    return found
