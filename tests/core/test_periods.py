"""R31: fiscal years, quarters and months without gap or overlap, also when the calendar changes."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.days import local_day
from sfa.core.errors import Refused
from sfa.core.ids import check_key
from sfa.core.periods import (
    CalendarKind,
    FiscalCalendar,
    FiscalCalendars,
    NamedBy,
    Period,
    PeriodKind,
    YearEnd,
    bounds_ms,
)

YEAR, QUARTER, MONTH = PeriodKind.YEAR, PeriodKind.QUARTER, PeriodKind.MONTH
RETAIL = FiscalCalendar(
    CalendarKind.WEEKS_454, start_month=2, named_by=NamedBy.START, year_end=YearEnd.NEAREST, end_weekday=6
)

calendars = st.builds(
    FiscalCalendar,
    kind=st.sampled_from(CalendarKind),
    start_month=st.integers(1, 12),
    named_by=st.sampled_from(NamedBy),
    year_end=st.sampled_from(YearEnd),
    end_weekday=st.integers(1, 7),
)
kinds = st.sampled_from(PeriodKind)
days = st.dates(date(1950, 1, 1), date(2150, 12, 31)).map(date.isoformat)


def spans(periods: tuple[Period, ...]) -> list[tuple[str, str]]:
    return [(period.start_on, period.end_on) for period in periods]


def weeks(period: Period) -> float:
    return (date.fromisoformat(period.end_on) - date.fromisoformat(period.start_on)) / timedelta(weeks=1)


@st.composite
def changed_calendars(draw: st.DrawFn) -> FiscalCalendars:
    """Up to three calendars, one after the other, named apart."""
    chosen = [draw(calendars)]
    for since in sorted(draw(st.sets(st.sampled_from(range(1990, 2040, 5)), max_size=2))):
        new = draw(calendars)
        chosen.append(
            FiscalCalendar(new.kind, new.start_month, new.named_by, new.year_end, new.end_weekday, since_year=since)
        )
    try:
        return FiscalCalendars(chosen)
    except Refused as refused:
        if refused.code != "calendar_invalid":
            raise
        return FiscalCalendars(chosen[:1])


def test_calendar_quarters_are_the_default() -> None:
    """R31"""
    usual = FiscalCalendars()
    assert spans(usual.periods(2026, QUARTER)) == [
        ("2026-01-01", "2026-04-01"),
        ("2026-04-01", "2026-07-01"),
        ("2026-07-01", "2026-10-01"),
        ("2026-10-01", "2027-01-01"),
    ]
    leap_february = usual.period_of("2028-02-29")
    assert leap_february == Period(MONTH, "FY2028.P02", 2028, 2, "2028-02-01", "2028-03-01")


def test_a_year_may_start_in_any_month_and_be_named_by_its_start_or_its_end() -> None:
    """R31"""
    by_end = FiscalCalendars([FiscalCalendar(start_month=4)])
    by_start = FiscalCalendars([FiscalCalendar(start_month=4, named_by=NamedBy.START)])
    assert by_end.period_of("2026-03-31", YEAR).name == "FY2026"
    assert by_end.period_of("2026-04-01", QUARTER).name == "FY2027.Q1"
    assert by_start.period_of("2026-03-31", MONTH).name == "FY2025.P12"
    assert by_start.year(2026) == Period(YEAR, "FY2026", 2026, 1, "2026-04-01", "2027-04-01")


def test_the_retail_calendar_of_2023_had_53_weeks() -> None:
    """R31: 4-5-4, Saturday nearest to the end of January; 2023 ran from 29 January to 3 February 2024."""
    retail = FiscalCalendars([RETAIL])
    assert spans((retail.year(2023), retail.year(2024))) == [
        ("2023-01-29", "2024-02-04"),
        ("2024-02-04", "2025-02-02"),
    ]
    assert [weeks(month) for month in retail.periods(2024)] == [4, 5, 4] * 4
    assert [weeks(month) for month in retail.periods(2023)] == [4, 5, 4] * 3 + [4, 5, 5]


def test_a_year_that_ends_on_the_last_saturday_of_september() -> None:
    """R31: 25 September 2022 to 30 September 2023 were 53 weeks, the next year 52."""
    calendar = FiscalCalendars([FiscalCalendar(CalendarKind.WEEKS_445, start_month=10)])
    assert spans((calendar.year(2023), calendar.year(2024))) == [
        ("2022-09-25", "2023-10-01"),
        ("2023-10-01", "2024-09-29"),
    ]
    assert [weeks(quarter) for quarter in calendar.periods(2023, QUARTER)] == [13, 13, 13, 14]


def test_thirteen_periods_make_quarters_of_three_three_three_and_four() -> None:
    """R31"""
    calendar = FiscalCalendars([FiscalCalendar(CalendarKind.PERIODS_13)])
    assert [weeks(period) for period in calendar.periods(2026)] == [4] * 13
    assert [weeks(quarter) for quarter in calendar.periods(2026, QUARTER)] == [12, 12, 12, 16]


def test_each_pattern_of_weeks_gives_the_months_of_its_name() -> None:
    """R31"""
    found = {
        kind: [weeks(month) for month in FiscalCalendars([FiscalCalendar(kind)]).periods(2026)[:3]]
        for kind in (CalendarKind.WEEKS_445, CalendarKind.WEEKS_454, CalendarKind.WEEKS_544)
    }
    assert found == {"4-4-5": [4, 4, 5], "4-5-4": [4, 5, 4], "5-4-4": [5, 4, 4]}


@given(calendars, st.integers(1951, 2149))
def test_a_week_year_has_52_or_53_weeks_and_ends_on_its_weekday_near_the_month_end(
    calendar: FiscalCalendar, year: int
) -> None:
    """R31: the documented rule, "last" or "nearest"."""
    period = FiscalCalendars([calendar]).year(year)
    last = date.fromisoformat(period.end_on) - timedelta(days=1)
    if calendar.kind is CalendarKind.MONTHS:
        assert (last + timedelta(days=1)).day == 1
        return
    assert weeks(period) in (52, 53)
    assert last.isoweekday() == calendar.end_weekday
    month_end = (last + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    if calendar.year_end is YearEnd.NEAREST:
        assert abs(last - month_end) <= timedelta(days=3)
        assert month_end.month % 12 + 1 == calendar.start_month
    else:
        assert last.month % 12 + 1 == calendar.start_month
        assert (last + timedelta(weeks=1)).month != last.month


@given(changed_calendars(), days, kinds)
def test_each_day_lies_in_exactly_one_period_of_each_kind(company: FiscalCalendars, day: str, kind: PeriodKind) -> None:
    """R31"""
    period = company.period_of(day, kind)
    assert period.start_on <= day < period.end_on
    before = (date.fromisoformat(period.start_on) - timedelta(days=1)).isoformat()
    assert company.period_of(before, kind).end_on == period.start_on
    assert company.period_of(period.end_on, kind).start_on == period.end_on


@given(changed_calendars(), days)
def test_months_fill_quarters_and_quarters_fill_the_year(company: FiscalCalendars, day: str) -> None:
    """R31"""
    year = company.period_of(day, YEAR)
    quarters, months = company.periods(year.year, QUARTER), company.periods(year.year, MONTH)
    for parts in (quarters, months):
        assert (parts[0].start_on, parts[-1].end_on) == (year.start_on, year.end_on)
        assert all(one.end_on == two.start_on for one, two in pairwise(parts))
    assert {quarter.end_on for quarter in quarters} <= {month.end_on for month in months}


@given(changed_calendars(), days, kinds)
def test_a_name_is_a_key_and_leads_back_to_its_only_period(
    company: FiscalCalendars, day: str, kind: PeriodKind
) -> None:
    """R31"""
    period = company.period_of(day, kind)
    assert company.named(check_key(period.name)) == period
    following = company.period_of(period.end_on, kind)
    assert following.name > period.name


@given(
    calendars,
    st.integers(0, 4_100_000_000_000),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Asia/Beirut"]),
    kinds,
)
def test_no_instant_lies_in_two_periods_or_in_none(
    calendar: FiscalCalendar, instant: int, zone: str, kind: PeriodKind
) -> None:
    """R31, R32: across daylight saving time too."""
    company = FiscalCalendars([calendar])
    period = company.period_of(local_day(instant, zone), kind)
    start, end = bounds_ms(period, zone)
    assert start <= instant < end
    assert company.period_of(local_day(start - 1, zone), kind).name < period.name
    assert company.period_of(local_day(end, zone), kind).name > period.name


def test_a_visit_near_midnight_counts_in_the_period_of_the_organisation() -> None:
    """R1, R32: 31 March 23:30 in New York is already April in UTC."""
    company = FiscalCalendars()
    instant = bounds_ms(company.named("FY2026.Q2"), "America/New_York")[0] - 30 * 60_000
    assert company.period_of(local_day(instant, "America/New_York"), QUARTER).name == "FY2026.Q1"
    assert company.period_of(local_day(instant, "UTC"), QUARTER).name == "FY2026.Q2"


def test_a_changed_calendar_starts_with_a_new_year_and_keeps_the_old_names() -> None:
    """R31: calendar years until March 2026, then years from April on; 2026 was cut short."""
    old = FiscalCalendars()
    new = FiscalCalendars([FiscalCalendar(), FiscalCalendar(start_month=4, since_year=2027)])
    assert new.periods(2025) == old.periods(2025)
    assert spans((new.year(2026), new.year(2027))) == [
        ("2026-01-01", "2026-04-01"),
        ("2026-04-01", "2027-04-01"),
    ]
    assert new.periods(2026, QUARTER) == old.periods(2026, QUARTER)[:1]
    assert new.period_of("2026-04-01").name == "FY2027.P01"


def test_a_changed_calendar_whose_names_would_clash_is_refused() -> None:
    """R31: FY2026 cannot be both January to March and April to March."""
    with pytest.raises(Refused) as refused:
        FiscalCalendars([FiscalCalendar(), FiscalCalendar(start_month=4, named_by=NamedBy.START, since_year=2026)])
    assert refused.value.code == "calendar_invalid"


@pytest.mark.parametrize(
    "chosen",
    [
        [],
        [FiscalCalendar(start_month=0)],
        [FiscalCalendar(start_month=13)],
        [FiscalCalendar(end_weekday=0)],
        [FiscalCalendar(end_weekday=8)],
        [FiscalCalendar(since_year=2026)],
        [FiscalCalendar(), FiscalCalendar(start_month=2)],
        [FiscalCalendar(), FiscalCalendar(since_year=9999)],
        [FiscalCalendar(), FiscalCalendar(since_year=2030), FiscalCalendar(since_year=2030)],
        [FiscalCalendar(), FiscalCalendar(since_year=2030), FiscalCalendar(since_year=2028)],
        [FiscalCalendar(), FiscalCalendar(since_year=2030), FiscalCalendar(RETAIL.kind, since_year=2030)],
    ],
)
def test_a_calendar_that_means_nothing_is_refused(chosen: list[FiscalCalendar]) -> None:
    with pytest.raises(Refused) as refused:
        FiscalCalendars(chosen)
    assert refused.value.code == "calendar_invalid"


@pytest.mark.parametrize(
    "name", ["", "FY", "FY2026.Q5", "FY2026.P00", "FY2026.P1", "2026", "FY2026.X1", "FY9999", "FY20２6"]
)
def test_a_name_of_no_period_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        FiscalCalendars().named(name)
    assert refused.value.code == "period_unknown"


def test_a_day_outside_the_named_years_is_refused() -> None:
    for day in ("1899-12-31", "2201-01-01", "0001-01-01", "9999-12-31"):
        with pytest.raises(Refused) as refused:
            FiscalCalendars().period_of(day)
        assert refused.value.code == "period_unknown"


def test_the_periods_of_a_span_are_those_that_share_a_day_with_it() -> None:
    company = FiscalCalendars()
    names = [period.name for period in company.between("2025-12-31", "2026-02-01")]
    assert names == ["FY2025.P12", "FY2026.P01"]
    assert list(company.between("2026-01-01", "2026-01-01")) == []
