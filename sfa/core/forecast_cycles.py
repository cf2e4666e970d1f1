"""When calls of a forecast are locked, and what becomes of one that comes late (R29): pure, on server and device alike.

Once a week, on the policy's weekday at its minute of the company's local day, what people called for a period is
locked. A period has the locks of the days before its end; a call for it is for one of them. Made before its lock it is
on time, whenever it arrives until the lock after it: who was without signal loses nothing, and who comes a week later
changes no figure that people have worked with since. Instants are the server's corrected ones (S28).
Does not do: who may call for whom (`sfa.crm.calling`), the locking itself (`forecasting.locking`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from sfa.core.days import day_bounds_ms, local_day, plus_days, to_date, zone_of
from sfa.core.errors import Refused

WEEK_DAYS = 7
WEEKS_MAX = 4  # as far as a lock is looked for: a zone may have skipped a day, never the same one of two weeks
SUBMITTED, REPLACED, LOCKED, LATE = "submitted", "replaced", "locked", "late"
NONE_BEEN: Mapping[str, int] = {}
COUNTS = (SUBMITTED, LOCKED)  # of a node and a lock one call counts: the one that was made last


class Cycle(Struct, frozen=True):
    """The policy that counts, in the company's zone. Without one the company is asked by the defaults, and nobody is
    reminded."""

    zone: str
    period_kind: str = "quarter"
    lock_weekday: int = 1
    lock_minute: int = 600
    remind_minutes: int = 0
    late: str = "record"


class Lock(Struct, frozen=True, order=True):
    """A lock: the local day that names it, and its instant."""

    due_on: str
    due_at: int


class Due(Struct, frozen=True):
    """Which lock a call is for, and its `status` as it arrives: submitted, locked (on time, and the lock has been), or
    late, by the policy recorded or refused."""

    lock: Lock
    status: str


def cycle_of(policies: Mapping[str, Mapping[str, Any]], zone: str) -> Cycle:
    """By the policy with the smallest key."""
    if not policies:
        return Cycle(zone)
    row = policies[min(policies)]
    return Cycle(zone, *(row[name] for name in Cycle.__struct_fields__[1:]))


def names_one(row: Mapping[str, Any]) -> bool:
    """Whether a call is of one person or of one team, and not of both."""
    return (row["user_key"] is None) != (row["team_key"] is None)


def lock_at(cycle: Cycle, day: str) -> int | None:
    """The instant at which the clocks show the policy's minute on a local day, the first of two; an hour that the zone
    skips is the first one after it. None for a day that the zone skipped."""
    start, end = day_bounds_ms(day, cycle.zone)
    if start == end:
        return None
    midnight = datetime.combine(to_date(day), datetime.min.time(), zone_of(cycle.zone))
    shown = midnight + timedelta(minutes=cycle.lock_minute)  # on the face of the clock
    at = int(shown.astimezone(UTC).timestamp()) * 1000
    return min(max(at, start), end - 1)


def is_lock_day(cycle: Cycle, day: str) -> bool:
    return to_date(day).isoweekday() == cycle.lock_weekday and lock_at(cycle, day) is not None


def next_lock(cycle: Cycle, after: int, been: Mapping[str, int] = NONE_BEEN) -> Lock:
    """The first lock later than an instant; a call at the very instant of one is for the next. `been` are the instants
    of locks that have been, by their day: a policy whose minute moved later that day has no second lock on it."""
    day = local_day(after, cycle.zone)
    ahead = (cycle.lock_weekday - to_date(day).isoweekday()) % WEEK_DAYS
    for week in range(WEEKS_MAX):
        on = plus_days(day, ahead + week * WEEK_DAYS)
        at = been[on] if on in been else lock_at(cycle, on)
        if at is not None and at > after:
            return Lock(on, at)
    raise AssertionError("a zone skips a day once")


def last_lock(cycle: Cycle, until: int) -> Lock:
    """The last lock that has been at an instant, the instant of the lock included."""
    day = local_day(until, cycle.zone)
    back = (to_date(day).isoweekday() - cycle.lock_weekday) % WEEK_DAYS
    for week in range(WEEKS_MAX):
        on = plus_days(day, -back - week * WEEK_DAYS)
        at = lock_at(cycle, on)
        if at is not None and at <= until:
            return Lock(on, at)
    raise AssertionError("a zone skips a day once")


def last_lock_before(cycle: Cycle, end_on: str) -> Lock:
    """The last lock of a period that ends before a day."""
    return last_lock(cycle, day_bounds_ms(end_on, cycle.zone)[0] - 1)


def due(
    cycle: Cycle,
    period: Mapping[str, Any],
    said_on: str | None,
    made_at: int,
    arrived_at: int,
    been: Mapping[str, int],
    *,
    closed: bool = False,
) -> Due:
    """Which lock a call is for that was made and arrived at two instants, `said_on` by who made it, else the next one.

    `been` are the locks of the period that have been, by their day: a policy that changed since does not change when
    earlier calls were due. After the last lock of a period every call is late; of a closed one too. Refuses
    `forecast_period_invalid`, `forecast_due_invalid` and, where the policy says so, `forecast_locked`.
    """
    if period["kind"] != cycle.period_kind:
        raise Refused("forecast_period_invalid", f"calls are for a {cycle.period_kind}, not for a {period['kind']}")
    if local_day(made_at, cycle.zone) >= period["end_on"]:
        raise Refused("forecast_period_invalid", f"{period['name']} was over", end_on=period["end_on"])
    lock = _lock(cycle, period, said_on, made_at, been)
    status = SUBMITTED if arrived_at < lock.due_at else LOCKED
    if closed or made_at >= lock.due_at or arrived_at >= next_lock(cycle, lock.due_at, been).due_at:
        status = LATE
    if status == LATE and cycle.late == "refuse":
        raise Refused("forecast_locked", due_on=lock.due_on, due_at=lock.due_at)
    return Due(lock, status)


def _lock(cycle: Cycle, period: Mapping[str, Any], said_on: str | None, made_at: int, been: Mapping[str, int]) -> Lock:
    if said_on is None:
        coming = next_lock(cycle, made_at, been)
        found = coming if coming.due_on < period["end_on"] else last_lock_before(cycle, period["end_on"])
        return Lock(found.due_on, been.get(found.due_on, found.due_at))
    if said_on in been:
        return Lock(said_on, been[said_on])
    is_before = said_on < period["end_on"]  # asked first: the last day that there is has no end
    at = lock_at(cycle, said_on) if is_before and is_lock_day(cycle, said_on) else None
    if at is None:
        text = f"{said_on} is no day on which calls for {period['name']} are locked"
        raise Refused("forecast_due_invalid", text, due_on=next_lock(cycle, made_at, been).due_on)
    return Lock(said_on, at)
