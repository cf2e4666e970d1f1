"""Civil days and the organisation's zone: which day an instant belongs to, and when a day begins and ends
(R32).

Promises: for a zone, the days are half-open intervals of instants that follow each other without gap or
overlap, and `local_day` names the interval. A day begins at the first instant at which the zone's clocks show
it; once begun, it is not left, although clocks turned back just after midnight show the old date again for an
hour. A day that a zone skipped (Samoa, 30 December 2011) has no instant. Days are texts "YYYY-MM-DD": their
order is the order of time.
Does not do: fiscal periods (`periods`), working days.
"""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sfa.core.errors import Refused

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
ENDLESS = 1 << 62  # later than every instant, as its negative is earlier


def check_day(text: str) -> str:
    """The day itself, or `field_invalid`: exactly "YYYY-MM-DD" and a real day."""
    to_date(text)
    return text


def to_date(day: str) -> date:
    try:
        if _DAY.fullmatch(day):
            return date.fromisoformat(day)
    except ValueError:
        pass  # a day that no month has: refused like any other text
    raise Refused("field_invalid", f"{day[:20]!r} is not a day like 2026-01-31", day=day[:20])


def plus_days(day: str, count: int) -> str:
    """The day `count` days later (earlier when negative); `period_unknown` beyond the years 1 to 9999."""
    try:
        return (to_date(day) + timedelta(days=count)).isoformat()
    except OverflowError:
        raise Refused("period_unknown", f"{count} days from {day} is no day of the calendar", day=day) from None


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone, or `calendar_invalid`."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, outside the database, or a folder of it
        raise Refused("calendar_invalid", f"{name[:60]!r} is not a time zone", zone=name[:60]) from None


def local_day(instant_ms: int, zone: str) -> str:
    """The zone's day of an instant (milliseconds since the epoch): convert before any period test (R32)."""
    tz = zone_of(zone)
    try:
        wall = (_EPOCH + instant_ms * _MS).astimezone(tz)
    except OverflowError:
        raise Refused("period_unknown", "The instant lies outside the calendar", at=instant_ms) from None
    day = wall.date()
    # Only where the clocks show a time for the second time can the next day have begun already.
    if wall.fold and _begin_ms(day + timedelta(days=1), tz) <= instant_ms:
        day += timedelta(days=1)
    return day.isoformat()


def day_start_ms(day: str, zone: str) -> int:
    """The first instant of a day in a zone."""
    return _begin_ms(to_date(day), zone_of(zone))


def start_of_ms(day: str, zone: str) -> int:
    """The first instant of any day that a field may hold: of the first day of the calendar, whose bounds a zone in the
    east cannot say, the beginning of time (-`ENDLESS`)."""
    try:
        return day_start_ms(day, zone)
    except Refused as refused:
        if refused.code != "period_unknown":
            raise
        return -ENDLESS


def day_bounds_ms(day: str, zone: str) -> tuple[int, int]:
    """The instants [start, end) of a day; 23, 24 or 25 hours apart as a rule, none where the zone skipped the
    day."""
    return day_start_ms(day, zone), day_start_ms(plus_days(day, 1), zone)


def _begin_ms(day: date, tz: ZoneInfo) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=tz)  # of two midnights, fold 0 is the first
    try:
        begin = _seconds(midnight.astimezone(UTC))
        if _wall_at(begin, tz).replace(tzinfo=None) != midnight.replace(tzinfo=None):
            begin = _first_second_of(day, begin, tz)
    except OverflowError:
        raise Refused("period_unknown", f"{day} has no bounds in that zone", day=day.isoformat()) from None
    return begin * 1000


def _first_second_of(day: date, shown: int, tz: ZoneInfo) -> int:
    """Midnight was skipped: look for the jump, which lies less than a day before `shown`, to the second."""
    early, late = shown - 86_400, shown
    while late - early > 1:
        middle = (early + late) // 2
        if _wall_at(middle, tz).date() >= day:
            late = middle
        else:
            early = middle
    return late


def _wall_at(seconds: int, tz: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(seconds=seconds)).astimezone(tz)


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)
