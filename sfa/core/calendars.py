"""The company's fiscal calendars as rows, and the periods that they make: pure (R31).

Promises: the rows of `fiscal_calendars`, in any order, are one `FiscalCalendars` or are refused (`calendar_invalid`);
a year's periods have the keys and names "FY2026", "FY2026.Q1", "FY2026.P01" for ever. A company without a row goes by
calendar years. Does not do: writing periods (`sfa.quotas.calendar`); what a change may not touch (`sfa.crm.beside`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from sfa.core.errors import Refused
from sfa.core.periods import FiscalCalendar, FiscalCalendars, Period, PeriodKind

QUARTERS = 4
GENERATED = re.compile(r"FY([0-9]{4})(?:\.Q[1-4]|\.P[0-9]{2})?\Z")


def calendars_of(rows: Iterable[Mapping[str, Any]]) -> FiscalCalendars:
    """The calendars in the order of time. Two first ones, or two that begin with one year, do not fit."""
    found = [msgspec.convert({f: row[f] for f in FiscalCalendar.__struct_fields__}, FiscalCalendar) for row in rows]
    found.sort(key=lambda calendar: calendar.since_year or 0)
    since = [calendar.since_year for calendar in found]
    if len(set(since)) < len(since):
        text = "one calendar alone reaches back without limit, and one begins with each year"
        raise Refused("calendar_invalid", text)
    return FiscalCalendars(found) if found else FiscalCalendars()


def years_from(calendars: FiscalCalendars, day: str, count: int) -> Iterator[Period]:
    """The fiscal year in which a day lies, and those after it."""
    for _ in range(count):
        year = calendars.period_of(day, PeriodKind.YEAR)
        yield year
        day = year.end_on


def rows_of(calendars: FiscalCalendars, year: int) -> dict[str, dict[str, Any]]:
    """key -> row of every period of a fiscal year, a parent before its children."""
    found: dict[str, dict[str, Any]] = {}
    for kind in (PeriodKind.YEAR, PeriodKind.QUARTER, PeriodKind.MONTH):
        for period in calendars.periods(year, kind):
            days = {"start_on": period.start_on, "end_on": period.end_on}
            found[period.name] = {"name": period.name, "kind": kind.value, **days, "parent_key": _parent(period)}
    return found


def _parent(period: Period) -> str | None:
    match period.kind:
        case PeriodKind.YEAR:
            return None
        case PeriodKind.QUARTER:
            return f"FY{period.year}"
        case PeriodKind.MONTH:  # the last quarter of thirteen periods holds four
            return f"FY{period.year}.Q{min(QUARTERS, (period.number + 2) // 3)}"


def year_of(key: str) -> int | None:
    """The fiscal year that a generated key names; None for a period that people named."""
    found = GENERATED.match(key)
    return int(found[1]) if found is not None else None


def days_of(calendars: FiscalCalendars, key: str) -> tuple[str, str] | None:
    """The days that the calendars give a generated key; None where they have no such period."""
    if year_of(key) is None:
        return None
    try:
        period = calendars.named(key)
    except Refused:
        return None
    return period.start_on, period.end_on
