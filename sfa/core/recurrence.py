"""Which recurrence rules a plan may have: a part of RFC 5545 in which every rule happens within some years.

`check_rule` holds the text against it. A rule repeats days; the time of day and the zone are the plan's own, so nothing
below a day is allowed. What could never happen (30 February) or is nobody's visiting rhythm is refused when it is
written, not when it is expanded: `sfa.visits.recurrence` does that, with a calendar library.
"""

import re
from datetime import date, time

from sfa.core.errors import Refused

RULE_CHARACTERS_MAX = 500
COUNT_MAX = 1_000
INTERVAL_MAX = {"DAILY": 365, "WEEKLY": 52, "MONTHLY": 11, "YEARLY": 10}
PARTS = {
    "DAILY": {"BYDAY"},
    "WEEKLY": {"BYDAY"},
    "MONTHLY": {"BYDAY", "BYMONTHDAY", "BYSETPOS"},
    "YEARLY": {"BYMONTH", "BYMONTHDAY", "BYDAY"},
}
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WEEKDAY = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)")
YEAR_MIN, YEAR_MAX = 1970, 9998  # whatever the zone, there is a day before and after
_UNTIL = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?")


def parts_of(rule: str) -> dict[str, str]:
    """`FREQ=WEEKLY;BYDAY=MO` -> {"FREQ": "WEEKLY", "BYDAY": "MO"}; `rrule_invalid` for what is no such list."""
    found: dict[str, str] = {}
    for part in rule.split(";"):
        name, sign, value = part.partition("=")
        if not sign or not value or name in found:
            raise _bad(f"{part[:40]!r} is no part of a rule, or comes twice")
        found[name] = value
    return found


def check_rule(rule: str) -> None:
    """Raises `rrule_invalid` with what is wrong."""
    parts = parts_of(rule)
    freq = parts.pop("FREQ", "")
    if freq not in PARTS:
        raise _bad("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY")
    every = _number("INTERVAL", parts.pop("INTERVAL", "1"), 1, INTERVAL_MAX[freq])
    if "COUNT" in parts and "UNTIL" in parts:
        raise _bad("COUNT and UNTIL exclude each other")
    _number("COUNT", parts.pop("COUNT", "1"), 1, COUNT_MAX)
    _check_until(parts.pop("UNTIL", None))
    if parts.pop("WKST", "MO") not in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"):
        raise _bad("WKST is a weekday")
    unknown = set(parts) - PARTS[freq]
    if unknown:
        raise _bad(f"{sorted(unknown)[0][:40]} does not go with {freq}")
    days = _weekdays(parts["BYDAY"], ordinals=freq == "MONTHLY") if "BYDAY" in parts else []
    if freq == "DAILY" and days and every > 1:
        raise _bad("every so many days, and only on some weekdays, may never happen: say it by the week")
    if freq in ("MONTHLY", "YEARLY"):
        _check_calendar(parts, days)


def _check_calendar(parts: dict[str, str], days: list[tuple[int, str]]) -> None:
    month_days = _numbers("BYMONTHDAY", parts, -31, 31)
    months = _numbers("BYMONTH", parts, 1, 12)
    if month_days and days:
        raise _bad("BYMONTHDAY and BYDAY exclude each other here")
    if "BYSETPOS" in parts:
        if not days or any(ordinal for ordinal, _ in days):
            raise _bad("BYSETPOS picks from plain weekdays")
        _numbers("BYSETPOS", parts, -4, 4)  # every month has four of each weekday
    if month_days and months and not any(abs(d) <= LONGEST[m - 1] for d in month_days for m in months):
        raise _bad("no such month has such a day")


def _weekdays(text: str, *, ordinals: bool) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for item in text.split(","):
        match = _WEEKDAY.fullmatch(item)
        if match is None or (match.group(1) and not ordinals):
            raise _bad(f"BYDAY: {item[:20]!r} is no weekday here")
        found.append((int(match.group(1) or 0), match.group(2)))
    return found


def _numbers(name: str, parts: dict[str, str], least: int, most: int) -> list[int]:
    return [_number(name, item, least, most) for item in parts[name].split(",")] if name in parts else []


def _number(name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,4}", text) or not least <= int(text) <= most or int(text) == 0:
        raise _bad(f"{name} lies between {least} and {most} and is not 0")
    return int(text)


def _check_until(text: str | None) -> None:
    if text is None:
        return
    try:
        if _UNTIL.fullmatch(text):
            day, _, clock = text.removesuffix("Z").partition("T")
            if YEAR_MIN <= date.fromisoformat(day).year <= YEAR_MAX:
                time.fromisoformat(clock or "000000")
                return
    except ValueError:
        pass
    raise _bad(f"UNTIL is a day, or a time, as 20261231 or 20261231T235959Z, of the years {YEAR_MIN} to {YEAR_MAX}")


def _bad(text: str) -> Refused:
    return Refused("rrule_invalid", text, field="rrule")
