"""Plans become visits: the days a calendar library finds, the wall clock across summer time, one key for everybody."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.days import plus_days
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.recurrence import check_rule
from sfa.visits.recurrence import days_of, occurrence_key, starts_at, visits_of

ZONES = ("Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "UTC")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def plan(**values: Any) -> dict[str, Any]:
    start: dict[str, Any] = {
        "owner_key": "ana",
        "account_key": "acme",
        "contact_key": None,
        "visit_type": None,
        "purpose": "rounds",
        "rrule": None,
        "start_time": "09:00",
        "zone": "Europe/Madrid",
        "minutes": 45,
        "valid_from": "2026-03-02",
        "valid_to": None,
        "exceptions": [],
        "participants": [],
    }
    return {**start, **values}


# -- rules that a plan may have, as a person would say them -----------------------------------------------------------

weekdays = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True).map(",".join)
daily = st.builds(lambda n: f"FREQ=DAILY;INTERVAL={n}", st.integers(1, 10))
workdays = weekdays.map(lambda days: f"FREQ=DAILY;BYDAY={days}")
weekly = st.builds(lambda n, days: f"FREQ=WEEKLY;INTERVAL={n};BYDAY={days}", st.integers(1, 6), weekdays)
by_month_day = st.builds(
    lambda n, days: f"FREQ=MONTHLY;INTERVAL={n};BYMONTHDAY={','.join(map(str, days))}",
    st.integers(1, 11),
    st.lists(st.integers(-31, 31).filter(bool), min_size=1, max_size=3, unique=True),
)
by_ordinal = st.builds(
    lambda n, nth, day: f"FREQ=MONTHLY;INTERVAL={n};BYDAY={nth}{day}",
    st.integers(1, 11),
    st.sampled_from((-1, 1, 2, 3, 4, 5)),
    st.sampled_from(WEEKDAYS),
)
last_of_some = st.builds(
    lambda days, place: f"FREQ=MONTHLY;BYDAY={days};BYSETPOS={place}", weekdays, st.sampled_from((-1, 1, 2))
)
yearly = st.builds(lambda m, d: f"FREQ=YEARLY;BYMONTH={m};BYMONTHDAY={d}", st.integers(1, 12), st.integers(1, 28))
rules = st.one_of(daily, workdays, weekly, by_month_day, by_ordinal, last_of_some, yearly)
limited = st.tuples(rules, st.one_of(st.none(), st.integers(1, 30))).map(
    lambda pair: pair[0] if pair[1] is None else f"{pair[0]};COUNT={pair[1]}"
)
times = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))
first_days = st.dates(date(2024, 1, 1), date(2027, 12, 31)).map(date.isoformat)


def by_calendar_library(made: dict[str, Any], first: str, last: str) -> list[int]:
    """The instants that another library finds in the same plan, written as an iCalendar file."""
    event = icalendar.Event()
    wall = datetime.fromisoformat(f"{made['valid_from']}T{made['start_time']}")
    event.add("uid", "plan")
    event.add("dtstart", wall.replace(tzinfo=ZoneInfo(made["zone"])))
    event.add("rrule", icalendar.vRecur.from_ical(made["rrule"]))
    for day in made["exceptions"]:
        skipped = datetime.fromisoformat(f"{day}T{made['start_time']}")
        event.add("exdate", skipped.replace(tzinfo=ZoneInfo(made["zone"])))
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//test//")
    calendar.add_component(event)
    between = (date.fromisoformat(first), date.fromisoformat(last))
    found = [e["DTSTART"].dt for e in recurring_ical_events.of(calendar).between(*between)]
    zone = ZoneInfo(made["zone"])
    local = [(moment, moment.astimezone(zone).date().isoformat()) for moment in found]
    return sorted(round(moment.astimezone(UTC).timestamp() * 1000) for moment, day in local if first <= day < last)


@given(limited, first_days, times, st.sampled_from(ZONES), st.integers(0, 300), st.data())
def test_expansion_equals_that_of_a_calendar_library(
    rule: str, start: str, at: str, zone: str, later: int, data: st.DataObject
) -> None:
    """The plan begins on a day of its rule, as RFC 5545 wants it; what the zone skips is compared by its own tests."""
    begins = next(iter(days_of(plan(rrule=rule, valid_from=start), start, plus_days(start, 800))), None)
    if begins is None:
        return
    made = plan(rrule=rule, valid_from=begins, start_time=at, zone=zone)
    first = plus_days(begins, later)
    last = plus_days(first, 90)
    days = days_of(made, first, last)
    made["exceptions"] = data.draw(st.lists(st.sampled_from(days), max_size=3, unique=True)) if days else []
    mine = {day: starts_at(day, at, zone) for day in days_of(made, first, last)}
    skipped = {ms for day, ms in mine.items() if wall(ms, zone) != f"{day}T{at}"}
    theirs = by_calendar_library(made, first, last)
    assert sorted(set(mine.values()) - skipped) == [ms for ms in theirs if ms not in skipped and not near(ms, skipped)]


def near(ms: int, skipped: set[int]) -> bool:
    return any(abs(ms - other) <= 2 * 3600 * 1000 for other in skipped)


def wall(ms: int, zone: str) -> str:
    return datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


@given(st.integers(1, 5), weekdays, first_days, st.integers(0, 400))
def test_weeks_are_counted_as_a_person_counts_them(every: int, days: str, start: str, later: int) -> None:
    """Day by day and without any library: the weekday is named, and its week is one of every so many."""
    first = plus_days(start, later)
    last = plus_days(first, 60)
    monday = date.fromisoformat(start) - timedelta(days=date.fromisoformat(start).weekday())
    wanted = []
    for count in range(60):
        day = date.fromisoformat(first) + timedelta(days=count)
        weeks = (day - monday).days // 7
        if WEEKDAYS[day.weekday()] in days.split(",") and weeks % every == 0:
            wanted.append(day.isoformat())
    made = plan(rrule=f"FREQ=WEEKLY;INTERVAL={every};BYDAY={days}", valid_from=start)
    assert days_of(made, first, last) == wanted


@given(limited, first_days, st.sampled_from(ZONES), times, st.integers(1, 60))
def test_two_windows_together_are_the_whole(rule: str, start: str, zone: str, at: str, cut: int) -> None:
    """A device and a job that look at other days make the same rows of the days that both look at."""
    made = plan(rrule=rule, valid_from=start, zone=zone, start_time=at)
    middle, last = plus_days(start, cut), plus_days(start, 90)
    whole = visits_of("plan-1", made, start, last)
    assert whole == {**visits_of("plan-1", made, start, middle), **visits_of("plan-1", made, middle, last)}
    assert all(is_key(key) for key in whole)


@given(rules)
def test_every_rule_that_is_taken_happens(rule: str) -> None:
    check_rule(rule)
    made = plan(rrule=rule, valid_from="2025-01-01")
    soon = days_of(made, "2025-01-01", "2027-01-01")
    assert soon or days_of(made, "2027-01-01", "2029-01-01") or "BYDAY=" in rule or "MONTHDAY" in rule


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "WEEKLY",
        "FREQ=HOURLY",
        "FREQ=WEEKLY;BYHOUR=9",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
        "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=5",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=3;UNTIL=20260401",
        "FREQ=DAILY;UNTIL=20260431",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;X-MINE=1",
    ],
)
def test_what_cannot_be_read_or_never_happens_is_refused(rule: str) -> None:
    with pytest.raises(Refused) as refused:
        check_rule(rule)
    assert refused.value.code == "rrule_invalid"


def test_the_wall_clock_stays_across_summer_time() -> None:
    """Madrid turns its clocks on 29 March 2026: nine o'clock is nine o'clock, and an hour earlier in UTC."""
    made = visits_of("p", plan(rrule="FREQ=WEEKLY;BYDAY=MO", valid_from="2026-03-23"), "2026-03-23", "2026-04-06")
    instants = [visit["planned_at"] for visit in made.values()]
    assert instants == [ms("2026-03-23T08:00"), ms("2026-03-30T07:00")]
    assert list(made) == ["p.2026-03-23", "p.2026-03-30"]


def test_a_time_that_the_zone_skips_is_read_with_the_offset_before_the_jump() -> None:
    """02:30 on 29 March 2026 does not exist in Madrid: the clocks show 03:30 then (RFC 5545, 3.3.5)."""
    assert starts_at("2026-03-29", "02:30", "Europe/Madrid") == ms("2026-03-29T01:30")


def test_a_time_that_comes_twice_is_the_first_of_the_two() -> None:
    """02:30 on 25 October 2026 comes twice in Madrid."""
    assert starts_at("2026-10-25", "02:30", "Europe/Madrid") == ms("2026-10-25T00:30")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260331", "2026-03-31"),
        ("20260331T090000", "2026-03-31"),
        ("20260331T085959", "2026-03-30"),
        ("20260331T070000Z", "2026-03-31"),  # nine o'clock in Madrid, in summer
        ("20260331T065959Z", "2026-03-30"),
    ],
)
def test_until_may_be_a_day_a_local_time_or_an_instant(until: str, last: str) -> None:
    made = plan(rrule=f"FREQ=DAILY;UNTIL={until}", valid_from="2026-03-28")
    assert days_of(made, "2026-03-01", "2026-05-01")[-1] == last


def test_a_plan_without_a_rule_is_one_day() -> None:
    assert days_of(plan(), "2026-01-01", "2027-01-01") == ["2026-03-02"]
    assert days_of(plan(), "2026-03-03", "2027-01-01") == []
    assert days_of(plan(exceptions=["2026-03-02"]), "2026-01-01", "2027-01-01") == []


def test_a_plan_ends_before_its_last_day() -> None:
    made = plan(rrule="FREQ=DAILY", valid_to="2026-03-04")
    assert days_of(made, "2026-01-01", "2027-01-01") == ["2026-03-02", "2026-03-03"]


@given(st.text("ab.-_9", min_size=1, max_size=64), first_days, first_days)
def test_a_key_names_plan_and_day_however_long_the_plans_key_is(name: str, one: str, other: str) -> None:
    assert is_key(occurrence_key(name, one))
    assert (occurrence_key(name, one) == occurrence_key(name, other)) == (one == other)
