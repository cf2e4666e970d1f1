"""Who is to be visited again, and on which day exactly (R15): pure, and the same on server and device.

A rule says for a tier how often; the due day is counted from the local day of the last visit in the organisation's
zone (R32). Before it (less `lead_days`) a customer is on track, then due up to and on that day, overdue from the next
day on; without any visit, never visited. Of two rules of a tier in force the later begun counts, then the smaller key.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from sfa.core.days import day_start_ms, local_day, plus_days, to_date

STATUSES = ("never_visited", "overdue", "due", "on_track")
WEEKDAYS_WORKED = 5  # Monday to Friday
SEARCH_DAYS_MAX = 10_000


class Due(Struct, frozen=True):
    """`due_on` None while there was no visit; `days_over` counts from the due day, negative before it."""

    status: str
    due_on: str | None = None
    last_on: str | None = None
    days_over: int | None = None


def rule_of(rules: Mapping[str, Mapping[str, Any]], tier: str | None, day: str) -> Mapping[str, Any] | None:
    """The rule of a tier on a day; None where nothing is asked of it."""
    held = [
        (row["valid_from"], key)
        for key, row in rules.items()
        if row["tier"] == tier and row["valid_from"] <= day and (row["valid_to"] is None or day < row["valid_to"])
    ]
    latest = max((valid_from for valid_from, _ in held), default=None)
    return rules[min(key for valid_from, key in held if valid_from == latest)] if held else None


def due_on(last_on: str, rule: Mapping[str, Any]) -> str:
    """The day by which the next visit is due."""
    match rule["unit"]:
        case "week":
            return plus_days(last_on, 7 * rule["every"])
        case "working_day":
            return _plus_working_days(to_date(last_on), rule["every"]).isoformat()
        case _:
            return plus_days(last_on, rule["every"])


def _plus_working_days(day: date, count: int) -> date:
    """The count-th working day after a day: a visit on a Saturday counts from the Friday before."""
    day -= timedelta(days=max(0, day.weekday() - (WEEKDAYS_WORKED - 1)))
    weeks, rest = divmod(count, WEEKDAYS_WORKED)
    over = day.weekday() + rest >= WEEKDAYS_WORKED
    return day + timedelta(days=7 * weeks + rest + (2 if over else 0))


def due(last_at: int | None, rule: Mapping[str, Any], as_of: str, zone: str) -> Due:
    """How a customer stands at the end of the local day `as_of`, last visited at an instant."""
    if last_at is None:
        return Due("never_visited")
    last_on = local_day(last_at, zone)
    day = due_on(last_on, rule)
    over = (to_date(as_of) - to_date(day)).days
    status = "overdue" if over > 0 else "due" if over >= -rule["lead_days"] else "on_track"
    return Due(status, day, last_on, over)


def last_day_that_is(status: str, rule: Mapping[str, Any], as_of: str) -> str:
    """The latest day of a last visit with which a customer is `overdue` (or `due`, or worse) on `as_of`: what turns a
    question about due days into one about instants, which a database can answer from an index."""
    lead = rule["lead_days"] if status == "due" else -1
    limit = plus_days(as_of, lead)  # due by this day
    low, high = 0, SEARCH_DAYS_MAX
    while low < high:  # due_on never falls when the last visit is later
        middle = (low + high) // 2
        if due_on(plus_days(as_of, -middle), rule) <= limit:
            high = middle
        else:
            low = middle + 1
    return plus_days(as_of, -low)


def instants_of(status: str, rule: Mapping[str, Any], as_of: str, zone: str) -> tuple[int | None, int | None]:
    """[from, until) of the last visit's instant for a status other than never visited; None is no bound."""
    overdue_until = day_start_ms(plus_days(last_day_that_is("overdue", rule, as_of), 1), zone)
    due_until = day_start_ms(plus_days(last_day_that_is("due", rule, as_of), 1), zone)
    match status:
        case "overdue":
            return None, overdue_until
        case "due":
            return overdue_until, due_until
        case _:
            return due_until, None
