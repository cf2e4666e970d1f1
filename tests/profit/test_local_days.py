"""Days that are looked up are the days of the calendar (R32)."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.credits import DATED_MAX, DATED_MIN, day_of
from sfa.core.days import plus_days, start_of_ms
from sfa.profit.local_days import DAY_MS, LocalDays

ZONES = ("UTC", "Europe/Madrid", "Pacific/Apia", "America/Sao_Paulo", "Asia/Kolkata", "Atlantic/Azores")
INSTANTS = st.one_of(
    st.integers(0, 4_000_000_000_000),
    st.integers(DATED_MIN - DAY_MS, DATED_MAX + DAY_MS),
    st.integers(1_325_116_800_000, 1_325_376_000_000),  # the day that Samoa skipped
)


@given(st.sampled_from(ZONES), st.lists(INSTANTS, min_size=1, max_size=20))
def test_r32_days_that_are_kept_are_those_of_the_calendar(zone: str, instants: list[int]) -> None:
    days = LocalDays(zone)
    assert [days.of(at) for at in [*instants, *instants]] == [day_of(at, zone) for at in [*instants, *instants]]


@given(st.sampled_from(ZONES), st.dates(min_value=date(1990, 1, 1)).map(str))
def test_r32_a_day_begins_and_ends_where_the_calendar_says(zone: str, day: str) -> None:
    days = LocalDays(zone)
    assert (days.start(day), days.start(day)) == (start_of_ms(day, zone), start_of_ms(day, zone))
    if day < "9990":
        assert days.end(day) == start_of_ms(plus_days(day, 1), zone)
