"""The fiscal calendar (R31): years, quarters and months (or periods of whole weeks) as half-open spans of
local days.

Promises: on the days that a calendar covers, each day lies in exactly one year, one quarter and one month,
and so does each instant, daylight saving time included (`bounds_ms` rests on `days`). Names are unique, fit a
key and stay: "FY2026", "FY2026.Q1", "FY2026.P01" (P: the month of the fiscal year, or the period of a week
calendar).

Months: a year of twelve calendar months from any month on; quarters of three.
Weeks: a year of 52 or 53 whole weeks that ends on a chosen weekday, either the last one in the month before
`start_month` ("last") or the one nearest to the end of that month ("nearest", up to three days into the
next). Quarters of 4-4-5, 4-5-4 or 5-4-4 weeks; or 13 periods of four weeks, in quarters of 3, 3, 3 and 4
periods. A 53rd week lengthens the last period.

A change of calendar begins with a new fiscal year of the new calendar. The old one keeps all its names; its
running year is cut short where the new one begins, and the new names must be later (choose `named_by` so that
they are).
Does not do: closing of periods, quota spreading, working days.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise

import msgspec

from sfa.core.days import day_bounds_ms, day_start_ms, local_day, to_date
from sfa.core.errors import Refused

__all__ = [
    "CalendarKind",
    "FiscalCalendar",
    "FiscalCalendars",
    "NamedBy",
    "Period",
    "PeriodKind",
    "YearEnd",
    "bounds_ms",
    "day_bounds_ms",
    "local_day",
]

YEAR_MIN, YEAR_MAX = 1900, 2200  # fiscal years that can be named


class CalendarKind(StrEnum):
    MONTHS = "months"
    WEEKS_445 = "4-4-5"
    WEEKS_454 = "4-5-4"
    WEEKS_544 = "5-4-4"
    PERIODS_13 = "13-periods"


class YearEnd(StrEnum):
    LAST = "last"
    NEAREST = "nearest"


class NamedBy(StrEnum):
    """Which calendar year names a fiscal year that spans two (by its nominal months, not by its odd days)."""

    START = "start"
    END = "end"


class PeriodKind(StrEnum):
    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"


class FiscalCalendar(msgspec.Struct, frozen=True):
    """One way to cut years. `since_year` is the first fiscal year under it; null only for a company's first
    calendar, which reaches back without limit. `year_end` and `end_weekday` (1 Monday .. 7 Sunday) matter to
    week calendars."""

    kind: CalendarKind = CalendarKind.MONTHS
    start_month: int = 1
    named_by: NamedBy = NamedBy.END
    year_end: YearEnd = YearEnd.LAST
    end_weekday: int = 6
    since_year: int | None = None


class Period(msgspec.Struct, frozen=True):
    """Days [start_on, end_on). `year` names the fiscal year, `number` counts from 1 within it (a year has
    1)."""

    kind: PeriodKind
    name: str
    year: int
    number: int
    start_on: str
    end_on: str


class FiscalCalendars:
    """A company's calendars in the order of time; most have one. `calendar_invalid` if they do not fit
    together."""

    def __init__(self, calendars: Sequence[FiscalCalendar] = (FiscalCalendar(),)) -> None:
        _check_calendars(calendars)
        self._calendars = tuple(calendars)
        later = [calendar.since_year or 0 for calendar in calendars[1:]]
        self._since_years = [YEAR_MIN, *later]
        self._known: dict[tuple[int, PeriodKind], tuple[Period, ...]] = {}
        self._starts = [
            date.min,
            *(_year_start(c, year) for c, year in zip(calendars[1:], later, strict=True)),
        ]
        for index, year in enumerate(later):
            self._check_change(index, year)

    def period_of(self, day: str, kind: PeriodKind = PeriodKind.MONTH) -> Period:
        """The period of that kind in which a local day lies; `period_unknown` outside the years 1900 to
        2200."""
        moment = to_date(day)
        calendar = self._calendars[bisect_right(self._starts, moment) - 1]
        year = _year_at(calendar, moment)
        if not YEAR_MIN <= year <= YEAR_MAX:
            raise Refused("period_unknown", f"{day} lies outside the fiscal calendar", day=day)
        return next(p for p in self.periods(year, kind) if p.start_on <= day < p.end_on)

    def periods(self, year: int, kind: PeriodKind = PeriodKind.MONTH) -> tuple[Period, ...]:
        """The periods of one kind in a fiscal year, in order; `period_unknown` for a year that does not
        exist."""
        if (year, kind) not in self._known:
            self._known[year, kind] = self._reckon(year, kind)
        return self._known[year, kind]

    def year(self, year: int) -> Period:
        return self.periods(year, PeriodKind.YEAR)[0]

    def named(self, name: str) -> Period:
        """The period of a name such as "FY2026.Q1"; `period_unknown` if there is none."""
        label, _, part = name.removeprefix("FY").partition(".")
        kind = {"": PeriodKind.YEAR, "Q": PeriodKind.QUARTER, "P": PeriodKind.MONTH}.get(part[:1])
        if kind and len(label) == 4 and label.isascii() and label.isdigit():
            for period in self.periods(int(label), kind):
                if period.name == name:
                    return period
        raise _no_period(name)

    def between(self, from_on: str, to_on: str, kind: PeriodKind = PeriodKind.MONTH) -> Iterator[Period]:
        """The periods that share a day with [from_on, to_on), in order and uncut."""
        day = from_on
        while day < to_on:
            period = self.period_of(day, kind)
            yield period
            day = period.end_on

    def _reckon(self, year: int, kind: PeriodKind) -> tuple[Period, ...]:
        index = bisect_right(self._since_years, year) - 1
        if index < 0 or year > YEAR_MAX:
            raise _no_period(f"FY{year}")
        end = self._starts[index + 1] if index + 1 < len(self._starts) else date.max
        spans = _spans(self._calendars[index], year, kind)
        found = tuple(
            _period(kind, year, number, start, min(stop, end))
            for number, (start, stop) in enumerate(spans, start=1)
            if start < end
        )
        if not found:
            raise _no_period(f"FY{year}")
        return found

    def _check_change(self, index: int, since_year: int) -> None:
        start = self._starts[index + 1]
        if start <= self._starts[index]:
            raise _invalid("A changed calendar must begin after the one before it")
        if _year_at(self._calendars[index], start - timedelta(days=1)) >= since_year:
            raise _invalid(f"FY{since_year} is still a year of the old calendar: name new years otherwise")


def bounds_ms(period: Period, zone: str) -> tuple[int, int]:
    """The instants [start, end) of a period in a zone, milliseconds since the epoch."""
    return day_start_ms(period.start_on, zone), day_start_ms(period.end_on, zone)


def _period(kind: PeriodKind, year: int, number: int, start: date, end: date) -> Period:
    parts = {PeriodKind.YEAR: "", PeriodKind.QUARTER: f".Q{number}", PeriodKind.MONTH: f".P{number:02}"}
    return Period(kind, f"FY{year}{parts[kind]}", year, number, start.isoformat(), end.isoformat())


def _spans(calendar: FiscalCalendar, year: int, kind: PeriodKind) -> list[tuple[date, date]]:
    """The uncut spans of one kind in a fiscal year."""
    starts = _month_starts(calendar, year)
    if kind is PeriodKind.YEAR:
        starts = [starts[0], starts[-1]]
    elif kind is PeriodKind.QUARTER:
        starts = [*starts[0:12:3], starts[-1]]  # of 13 periods, the last quarter holds four
    return list(pairwise(starts))


def _month_starts(calendar: FiscalCalendar, year: int) -> list[date]:
    """The first days of the year's months (or periods), and the day after the last one."""
    if calendar.kind is CalendarKind.MONTHS:
        first = _nominal_start(calendar, year)
        return [_first_of_month(first.year, first.month + count) for count in range(13)]
    start = _year_start(calendar, year)
    if calendar.kind is CalendarKind.PERIODS_13:
        weeks = [4] * 13
    else:
        weeks = [int(count) for count in calendar.kind.split("-")] * 4
    starts = [start + timedelta(weeks=count) for count in accumulate(weeks, initial=0)]
    return [*starts[:-1], _year_start(calendar, year + 1)]


def _year_start(calendar: FiscalCalendar, year: int) -> date:
    nominal = _nominal_start(calendar, year)
    if calendar.kind is CalendarKind.MONTHS:
        return nominal
    # The year before ended on the weekday at or before (last), or nearest to, the eve of the nominal start.
    latest = nominal - timedelta(days=1) + timedelta(days=3 if calendar.year_end is YearEnd.NEAREST else 0)
    ended = latest - timedelta(days=(latest.isoweekday() - calendar.end_weekday) % 7)
    return ended + timedelta(days=1)


def _nominal_start(calendar: FiscalCalendar, year: int) -> date:
    spans_two = calendar.start_month > 1 and calendar.named_by is NamedBy.END
    return _first_of_month(year - 1 if spans_two else year, calendar.start_month)


def _first_of_month(year: int, month: int) -> date:
    """Months beyond twelve run on into the next year."""
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _year_at(calendar: FiscalCalendar, day: date) -> int:
    """The name of the fiscal year, uncut, in which a day lies; 0 or 9999 where no such year can be
    reckoned."""
    if not YEAR_MIN - 1 <= day.year <= YEAR_MAX + 1:
        return 0 if day.year < YEAR_MIN else date.max.year
    return max(y for y in range(day.year - 1, day.year + 3) if _year_start(calendar, y) <= day)


def _check_calendars(calendars: Sequence[FiscalCalendar]) -> None:
    if not calendars or calendars[0].since_year is not None:
        raise _invalid("The first calendar reaches back without limit: it has no since_year")
    for calendar in calendars:
        if not 1 <= calendar.start_month <= 12:
            raise _invalid("A fiscal year starts in a month from 1 to 12")
        if not 1 <= calendar.end_weekday <= 7:
            raise _invalid("A week ends on a day from 1 (Monday) to 7 (Sunday)")
    for calendar in calendars[1:]:
        if calendar.since_year is None or not YEAR_MIN < calendar.since_year <= YEAR_MAX:
            raise _invalid("A changed calendar says the fiscal year with which it begins")


def _invalid(text: str) -> Refused:
    return Refused("calendar_invalid", text)


def _no_period(name: str) -> Refused:
    return Refused("period_unknown", f"There is no fiscal period {name[:40]}", name=name[:40])
