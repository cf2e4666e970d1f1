"""R31, R32: an organisation's days as intervals of instants, across clock changes and stranger jumps."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfa.core.credits import day_of
from sfa.core.days import ENDLESS, check_day, day_bounds_ms, day_start_ms, local_day, plus_days, start_of_ms
from sfa.core.errors import Refused

HOUR = 3_600_000
# Zones that jump at midnight, just after it, by half an hour, by a day, or not at all.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Asia/Beirut",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/Toronto",
]
zones = st.sampled_from(ZONES)
instants = st.integers(-86_400_000 * 365, 4_100_000_000_000)


def at(text: str) -> int:
    """Milliseconds of a UTC time such as "2026-03-29 01:00"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def test_an_instant_belongs_to_the_local_day_not_to_the_day_of_utc() -> None:
    """R32"""
    new_year = at("2026-01-01 00:30")
    days = [local_day(new_year, zone) for zone in ("UTC", "America/New_York", "Asia/Tokyo")]
    assert days == ["2026-01-01", "2025-12-31", "2026-01-01"]
    assert local_day(at("2026-06-30 22:00") - 1, "Europe/Berlin") == "2026-06-30"
    assert local_day(at("2026-06-30 22:00"), "Europe/Berlin") == "2026-07-01"


def test_days_of_a_clock_change_have_23_and_25_hours() -> None:
    """R31"""
    hours = [
        (end - start) / HOUR
        for start, end in (day_bounds_ms(day, "Europe/Berlin") for day in ("2026-03-29", "2026-10-25", "2026-05-01"))
    ]
    assert hours == [23, 25, 24]


def test_a_day_without_midnight_begins_with_its_first_instant() -> None:
    """R31: in Sao Paulo, 4 November 2018 began at one o'clock."""
    assert day_bounds_ms("2018-11-04", "America/Sao_Paulo") == (
        at("2018-11-04 03:00"),
        at("2018-11-05 02:00"),
    )


def test_a_day_once_begun_is_not_left_when_clocks_go_back_at_one_minute_past_midnight() -> None:
    """R31: in St John's, on 7 November 2010 at 00:01, clocks went back to 23:01 of the 6th."""
    begun = at("2010-11-07 02:30")
    assert day_start_ms("2010-11-07", "America/St_Johns") == begun
    assert local_day(begun - 1, "America/St_Johns") == "2010-11-06"
    assert {local_day(begun + minute * 60_000, "America/St_Johns") for minute in range(120)} == {"2010-11-07"}


def test_a_jump_across_midnight_begins_the_day_at_the_jump() -> None:
    """R31: in Toronto, on 30 March 1919 at 23:30, clocks jumped to 00:30 of the 31st."""
    jump = at("1919-03-31 04:30")
    assert day_start_ms("1919-03-31", "America/Toronto") == jump
    assert local_day(jump - 1, "America/Toronto") == "1919-03-30"
    assert local_day(jump, "America/Toronto") == "1919-03-31"


def test_a_day_that_a_zone_skipped_has_no_instant() -> None:
    """R31: Samoa had no 30 December 2011."""
    start, end = day_bounds_ms("2011-12-30", "Pacific/Apia")
    assert start == end == day_start_ms("2011-12-31", "Pacific/Apia")
    assert local_day(start - 1, "Pacific/Apia") == "2011-12-29"
    assert local_day(start, "Pacific/Apia") == "2011-12-31"


@given(instants, zones)
@example(at("2010-11-07 03:10"), "America/St_Johns")
@example(at("2011-12-30 10:00"), "Pacific/Apia")
def test_no_instant_lies_in_two_days_or_in_none(instant: int, zone: str) -> None:
    """R31, R32"""
    day = local_day(instant, zone)
    start, end = day_bounds_ms(day, zone)
    assert start <= instant < end
    assert local_day(start, zone) == local_day(end - 1, zone) == day
    assert day_bounds_ms(plus_days(day, -1), zone)[1] == start


@given(st.dates(date(1970, 1, 2), date(2099, 12, 30)).map(date.isoformat), zones)
def test_days_follow_each_other_and_never_run_backwards(day: str, zone: str) -> None:
    """R31"""
    start, end = day_bounds_ms(day, zone)
    assert start <= end == day_start_ms(plus_days(day, 1), zone)
    assert 0 <= end - start <= 26 * HOUR
    assert local_day(start - 1, zone) < day


@pytest.mark.parametrize(
    "bad",
    ["", "2026-1-1", "2026-02-30", "20260101", "2026-W01-1", "2026-01-01 ", "2026-01-01\n", "２０２６-01-01"],
)
def test_what_is_no_civil_day_is_refused(bad: str) -> None:
    with pytest.raises(Refused) as refused:
        check_day(bad)
    assert refused.value.code == "field_invalid"


@pytest.mark.parametrize("bad", ["", "Mars/Phobos", "../../etc/passwd", "America", "/etc/passwd", "UTC\0"])
def test_what_is_no_zone_is_refused(bad: str) -> None:
    with pytest.raises(Refused) as refused:
        local_day(0, bad)
    assert refused.value.code == "calendar_invalid"


def test_instants_and_days_at_the_end_of_the_calendar_are_refused_not_fatal() -> None:
    for use in (
        lambda: local_day(10**18, "UTC"),
        lambda: day_bounds_ms("9999-12-31", "UTC"),
        lambda: day_start_ms("0001-01-01", "Asia/Tokyo"),
        lambda: plus_days("0001-01-01", -1),
    ):
        with pytest.raises(Refused) as refused:
            use()
        assert refused.value.code == "period_unknown"


@given(st.dates(), zones)
def test_every_day_of_the_calendar_begins_in_the_order_of_days(day: date, zone: str) -> None:
    begins = start_of_ms(day.isoformat(), zone)
    assert start_of_ms("0001-01-01", zone) <= begins <= start_of_ms("9999-12-31", zone)
    if date(1, 1, 3) < day < date(9999, 12, 29):
        assert begins == day_start_ms(day.isoformat(), zone)


def test_a_day_without_bounds_begins_with_time() -> None:
    assert start_of_ms("0001-01-01", "Asia/Kathmandu") == -ENDLESS
    with pytest.raises(Refused):
        start_of_ms("2026-01-01", "No/Where")


@given(zones, st.sampled_from(["0001-01-01", "0001-01-02", "0001-12-31", "1970-01-01", "2026-03-29"]))
def test_the_day_that_begins_at_an_instant_is_the_day_of_that_instant(zone: str, day: str) -> None:
    """Of the first day of the calendar too, whose beginning a zone in the east cannot say."""
    assert day_of(start_of_ms(day, zone), zone) == day
