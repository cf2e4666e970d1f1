"""Whether somebody was there: the distance of a check-in from its customer, judged by the day's policy (R13): pure.

`in_range` and `out_of_range` need a place that proves something; without coordinates on either side, or with an
accuracy worse than the policy takes, a check-in is `unverifiable`, which is no failure.
"""

from collections.abc import Iterable, Mapping
from math import asin, cos, isfinite, radians, sin, sqrt
from typing import Any

from msgspec import Struct

EARTH_M = 6_371_008.8  # the mean radius


class Fence(Struct, frozen=True):
    """How a check-in is judged; where a company has set nothing, by these."""

    radius_m: int = 200
    accuracy_max_m: int = 100
    geofence: str = "soft"
    requires_checklist: bool = False
    auto_submit: bool = False


class Place(Struct, frozen=True):
    """Degrees; `accuracy_m` None where the device did not say."""

    latitude: float | None
    longitude: float | None
    accuracy_m: float | None = None


class Verdict(Struct, frozen=True):
    """`verdict` None where nothing is judged, `distance_m` None where nothing is known."""

    verdict: str | None
    distance_m: int | None


def great_circle_m(from_latitude: float, from_longitude: float, to_latitude: float, to_longitude: float) -> int:
    """The way over the sphere in whole metres (haversine)."""
    one, other = radians(from_latitude), radians(to_latitude)
    half = sin((other - one) / 2) ** 2
    half += cos(one) * cos(other) * sin(radians(to_longitude - from_longitude) / 2) ** 2
    return round(2 * EARTH_M * asin(sqrt(min(1.0, max(0.0, half)))))


def judge(there: Place, customer: Place, fence: Fence) -> Verdict:
    distance = None
    places = (there.latitude, there.longitude, customer.latitude, customer.longitude)
    if all(value is not None and isfinite(value) for value in places):
        distance = great_circle_m(*(float(value) for value in places if value is not None))
    if fence.geofence == "off":
        return Verdict(None, distance)
    if distance is None or (there.accuracy_m is not None and there.accuracy_m > fence.accuracy_max_m):
        return Verdict("unverifiable", distance)
    return Verdict("in_range" if distance <= fence.radius_m else "out_of_range", distance)


def in_force(rows: Mapping[str, Mapping[str, Any]], visit_type: str | None, day: str) -> str | None:
    """The key of the dated row for visits of a type: its own before that of all, the later begun, the smaller key."""

    def holds(row: Mapping[str, Any]) -> bool:
        dated = row["valid_from"] <= day and (row["valid_to"] is None or day < row["valid_to"])
        return dated and row["visit_type"] in (None, visit_type)

    return _best(((key, row) for key, row in rows.items() if holds(row)), visit_type)


def _best(found: Iterable[tuple[str, Mapping[str, Any]]], visit_type: str | None) -> str | None:
    own = [(key, row) for key, row in found]
    if visit_type is not None and any(row["visit_type"] == visit_type for _, row in own):
        own = [(key, row) for key, row in own if row["visit_type"] == visit_type]
    latest = max((row["valid_from"] for _, row in own), default=None)
    return min((key for key, row in own if row["valid_from"] == latest), default=None)


def fence_of(rows: Mapping[str, Mapping[str, Any]], visit_type: str | None, day: str) -> Fence:
    """The policy in force on a local day."""
    key = in_force(rows, visit_type, day)
    return Fence() if key is None else Fence(**{field: rows[key][field] for field in Fence.__struct_fields__})
