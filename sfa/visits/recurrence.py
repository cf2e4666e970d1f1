"""The days of a plan and the visits on them: pure, and the same on server and device.

A plan repeats local days by an RFC 5545 rule; each visit begins at the plan's wall-clock time of its zone, so summer
time moves the instant and not the clock. A time that the zone skipped is read with the offset before the jump (02:30
becomes what the clocks then call 03:30), a time that comes twice is the first of the two: as RFC 5545 says it
(3.3.5). A day gives at most one visit, whose key is made of the plan's key and the day: whoever expands a plan makes
the same row. Days are those of the plan's zone.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Any

from dateutil.rrule import rrulestr

from sfa.core.days import plus_days, to_date, zone_of
from sfa.core.ids import KEY_CHARACTERS_MAX
from sfa.core.recurrence import check_rule, parts_of

HORIZON_DAYS = 56  # how far ahead plans become visits
WINDOW_DAYS_MAX = 800
_TAKEN_OVER = ("account_key", "owner_key", "contact_key", "visit_type", "purpose")
Plan = Mapping[str, Any]


def occurrence_key(plan_key: str, day: str) -> str:
    """The key of a plan's visit on a day: `<plan>.<day>`, or digits of it where that would be too long."""
    key = f"{plan_key}.{day}"
    return key if len(key) <= KEY_CHARACTERS_MAX else f"plan.{sha256(key.encode()).hexdigest()[:40]}"


def starts_at(day: str, start_time: str, zone: str) -> int:
    """The instant of a wall-clock time "HH:MM" on a day of a zone."""
    wall = datetime.combine(to_date(day), time.fromisoformat(start_time), tzinfo=zone_of(zone))
    moment = wall.astimezone(UTC)  # fold 0: the first of two, the old offset inside a jump
    return int(moment.timestamp()) * 1000


def days_of(plan: Plan, from_on: str, until_on: str) -> list[str]:
    """The days of the plan in [from_on, until_on), at most `WINDOW_DAYS_MAX` of them, without its exceptions."""
    first = max(from_on, plan["valid_from"])
    last = until_on if plan["valid_to"] is None else min(until_on, plan["valid_to"])
    last = min(last, plus_days(first, WINDOW_DAYS_MAX))
    if first >= last:
        return []
    exceptions = set(plan["exceptions"] or ())
    return [day for day in _repeated(plan, first, last) if day not in exceptions]


def _repeated(plan: Plan, first: str, last: str) -> Iterator[str]:
    if plan["rrule"] is None:
        if first == plan["valid_from"]:
            yield first
        return
    check_rule(plan["rrule"])
    start = datetime.combine(to_date(plan["valid_from"]), time())
    until = datetime.combine(to_date(last), time())
    after = datetime.combine(to_date(first), time())
    for found in rrulestr(_by_days(plan), dtstart=start):
        if found >= until:
            return
        if found >= after:
            yield found.date().isoformat()


def _by_days(plan: Plan) -> str:
    """The rule as it repeats days: UNTIL, which may be an instant or a local time, becomes the last day within it."""
    parts = parts_of(plan["rrule"])
    text = parts.get("UNTIL")
    if text is None or "T" not in text:
        return str(plan["rrule"])
    moment = datetime.strptime(f"{text.removesuffix('Z')}+0000", "%Y%m%dT%H%M%S%z")
    last = moment.date()
    if text.endswith("Z"):
        last = moment.astimezone(zone_of(plan["zone"])).date()
        late = starts_at(last.isoformat(), plan["start_time"], plan["zone"]) > _ms(moment)
    else:
        late = time.fromisoformat(plan["start_time"]) > moment.time()
    if late:
        last = date.fromordinal(last.toordinal() - 1)
    parts["UNTIL"] = last.strftime("%Y%m%d")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def visits_of(plan_key: str, plan: Plan, from_on: str, until_on: str) -> dict[str, dict[str, Any]]:
    """key -> the values of the visit, of every day of the plan in [from_on, until_on)."""
    return {occurrence_key(plan_key, day): visit_on(plan_key, plan, day) for day in days_of(plan, from_on, until_on)}


def visit_on(plan_key: str, plan: Plan, day: str) -> dict[str, Any]:
    """What the visit of a plan's day begins as."""
    return {
        **{field: plan[field] for field in _TAKEN_OVER},
        "planned_at": starts_at(day, plan["start_time"], plan["zone"]),
        "planned_minutes": plan["minutes"],
        "plan_key": plan_key,
        "planned_on": day,
        "participants": list(plan["participants"] or ()),
    }
