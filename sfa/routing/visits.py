"""A rep's planned visits of one local day as stops: pure, the same on the server and on a device.

A visit that is planned at the first instant of its day has no time of its own and may be made at any hour; another one
begins within `flexible_minutes` before or after its time. The better the customer's tier, the later it is left out.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from sfa.core.days import day_bounds_ms, to_date, zone_of
from sfa.core.errors import Refused
from sfa.routing.stops import Hours, Place, Stop, Window

FROM = "08:00"
TO = "18:00"
FLEXIBLE_MINUTES = 120
SERVICE_MINUTES = 30
PRIORITY = {"A": 40, "B": 30, "C": 20, "D": 10}
MINUTE_MS = 60_000


class Asked(Struct, frozen=True):
    """A day and how it is spent; clock times are those of the organisation's zone, places are `latitude,longitude`."""

    on: str
    from_: str = FROM
    to: str = TO
    start: str | None = None
    end: str | None = None
    flexible_minutes: int = FLEXIBLE_MINUTES
    service_minutes: int = SERVICE_MINUTES


def hours_of(asked: Asked, zone: str) -> Hours:
    if not (0 <= asked.flexible_minutes <= 1440 and 0 <= asked.service_minutes <= 1440):
        raise Refused("request_invalid", "minutes are 0 to 1440")
    return Hours(
        clock_time(asked.on, asked.from_, zone),
        clock_time(asked.on, asked.to, zone),
        place_of(asked.start),
        place_of(asked.end),
    )


def clock_time(day: str, text: str, zone: str) -> int:
    """The instant of "HH:MM" (or "24:00") on a day in a zone; a time that clocks skip is the moment after."""
    try:
        hour, minute = (int(part) for part in text.split(":") if len(part) == 2 and part.isascii() and part.isdigit())
        if (hour, minute) == (24, 0):
            return day_bounds_ms(day, zone)[1]
        wall = datetime.combine(to_date(day), datetime.min.time()) + timedelta(hours=hour, minutes=minute)
        if hour > 23 or minute > 59:
            raise ValueError
    except ValueError:
        raise Refused("request_invalid", f"{text[:20]!r} is not a time as 08:30") from None
    at = wall.replace(tzinfo=zone_of(zone))
    return round(at.timestamp() * 1000)


def place_of(text: str | None) -> Place | None:
    if text is None:
        return None
    try:
        latitude, longitude = (float(part) for part in text.split(","))
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise ValueError
    except ValueError:
        raise Refused("request_invalid", f"{text[:60]!r} is not `latitude,longitude` in degrees") from None
    return Place(latitude, longitude)


def stops_of(
    visits: Iterable[tuple[str, Mapping[str, Any]]],
    accounts: Mapping[str, Mapping[str, Any]],
    asked: Asked,
    zone: str,
) -> list[Stop]:
    """The planned ones of that day, in the order of their times. `accounts` has those of the visits that are known."""
    start, end = day_bounds_ms(asked.on, zone)
    mine = [(row["planned_at"], key, row) for key, row in visits if _is_open(row) and start <= row["planned_at"] < end]
    return [
        _stop(key, row, accounts.get(row["account_key"], {}), asked, start) for _, key, row in sorted(mine, key=_at)
    ]


def _at(item: tuple[int, str, Mapping[str, Any]]) -> tuple[int, str]:
    return item[0], item[1]


def _is_open(row: Mapping[str, Any]) -> bool:
    return row["status"] == "planned" and row["planned_at"] is not None


def _stop(key: str, visit: Mapping[str, Any], account: Mapping[str, Any], asked: Asked, day_start: int) -> Stop:
    at, room = visit["planned_at"], asked.flexible_minutes * MINUTE_MS
    minutes = visit["planned_minutes"]
    return Stop(
        key=key,
        latitude=account.get("latitude"),
        longitude=account.get("longitude"),
        service_minutes=asked.service_minutes if minutes is None else minutes,
        windows=[] if at == day_start else [Window(max(0, at - room), at + room)],
        priority=PRIORITY.get(account.get("tier") or "", 0),
    )
