"""How far and how long it is from place to place where nobody gives a matrix: pure.

The great circle (a sphere of the Earth's mean radius), times `ROAD_FACTOR` because roads wind, at `SPEED_KMH` with all
its traffic lights. That is a plan, not a navigation: within a few minutes for the distances of a rep's day.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from sfa.core.errors import Refused
from sfa.routing.stops import Hours, Matrix, Stop

EARTH_RADIUS_M = 6_371_008.8
ROAD_FACTOR = 1.3
SPEED_KMH = 50

Point = tuple[float, float]


class Travel(Struct, frozen=True):
    """Seconds and metres between places 0, 1, 2, …: `start` if there is one, the stops, `end` if there is one."""

    seconds: Sequence[Sequence[int]]
    metres: Sequence[Sequence[int]]


def great_circle_m(a: Point, b: Point) -> float:
    """Metres between two points of latitude and longitude in degrees (haversine)."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, half)))


def estimated(points: Sequence[Point]) -> Travel:
    metres = [[round(great_circle_m(a, b) * ROAD_FACTOR) for b in points] for a in points]
    return Travel([[math.ceil(m * 3.6 / SPEED_KMH) for m in row] for row in metres], metres)


def given(matrix: Matrix, size: int) -> Travel:
    """A caller's matrix; unknown metres are 0. `request_invalid` where it is not square of that size."""
    for name, table in (("seconds", matrix.seconds), ("metres", matrix.metres)):
        if table is not None and (len(table) != size or any(len(row) != size for row in table)):
            raise Refused("request_invalid", f"matrix.{name} has {size} rows of {size}: start, stops, end")
    return Travel(matrix.seconds, matrix.metres or [[0] * size for _ in range(size)])


def places_of(stops: Sequence[Stop], hours: Hours) -> list[Point]:
    """The points of a day whose stops all have coordinates; `request_invalid` where start or end has none."""
    for name, place in (("start", hours.start), ("end", hours.end)):
        if place is not None and (place.latitude is None or place.longitude is None):
            raise Refused("request_invalid", f"`{name}` needs latitude and longitude")
    every = [hours.start, *stops, hours.end]
    return [(p.latitude or 0.0, p.longitude or 0.0) for p in every if p is not None]
