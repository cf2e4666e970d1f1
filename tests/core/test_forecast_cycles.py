"""When calls are locked, and what a call is that comes before, after or late (R29)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfa.core.days import day_bounds_ms, local_day, plus_days, to_date
from sfa.core.errors import Refused
from sfa.core.forecast_cycles import (
    LATE,
    LOCKED,
    SUBMITTED,
    Cycle,
    Lock,
    cycle_of,
    due,
    is_lock_day,
    last_lock,
    last_lock_before,
    lock_at,
    names_one,
    next_lock,
)

ZONES = (
    "UTC",
    "Europe/Madrid",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
)
MADRID = Cycle("Europe/Madrid")
Q1 = {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}
INSTANTS = st.integers(1_262_304_000_000, 1_893_456_000_000)  # 2010 to 2030
CYCLES = st.builds(
    Cycle, st.sampled_from(ZONES), st.just("quarter"), st.integers(1, 7), st.integers(0, 1439), late=st.just("record")
)


def at(text: str) -> int:
    """Milliseconds of "2026-01-05 09:00", UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@given(CYCLES, INSTANTS)
def test_between_two_locks_is_no_third_and_each_is_on_its_day(cycle: Cycle, instant: int) -> None:
    before, after = last_lock(cycle, instant), next_lock(cycle, instant)
    assert before.due_at <= instant < after.due_at
    assert next_lock(cycle, before.due_at) == after
    assert last_lock(cycle, after.due_at - 1) == before
    for lock in (before, after):
        assert local_day(lock.due_at, cycle.zone) == lock.due_on
        assert to_date(lock.due_on).isoweekday() == cycle.lock_weekday
        assert is_lock_day(cycle, lock.due_on)
        assert lock_at(cycle, lock.due_on) == lock.due_at


@given(CYCLES, INSTANTS)
def test_a_lock_is_when_the_clocks_show_its_minute(cycle: Cycle, instant: int) -> None:
    """But where the zone skips that minute; then it is later, on the same day."""
    lock = next_lock(cycle, instant)
    start, end = day_bounds_ms(lock.due_on, cycle.zone)
    minutes = (lock.due_at - start) // 60_000
    assert start <= lock.due_at < end
    if end - start == 86_400_000:  # clocks were not turned on that day
        assert minutes == cycle.lock_minute
    assert abs(minutes - cycle.lock_minute) <= 60


def test_the_clocks_decide_when_they_are_turned() -> None:
    """Sunday 29 March 2026: 10:00 in Madrid is 08:00 UTC, an hour earlier than the Sunday before."""
    sunday = Cycle("Europe/Madrid", lock_weekday=7)
    assert lock_at(sunday, "2026-03-22") == at("2026-03-22 09:00")
    assert lock_at(sunday, "2026-03-29") == at("2026-03-29 08:00")
    skipped = Cycle("Europe/Madrid", lock_weekday=7, lock_minute=150)
    assert lock_at(skipped, "2026-03-29") == at("2026-03-29 01:30")  # 02:30 is not shown: it is 03:30
    twice = Cycle("Europe/Madrid", lock_weekday=7, lock_minute=150)
    assert lock_at(twice, "2026-10-25") == at("2026-10-25 00:30")  # the first of two


def test_a_day_that_the_zone_skipped_has_no_lock() -> None:
    """Samoa had no Friday 30 December 2011: its lock is a week later."""
    fridays = Cycle("Pacific/Apia", lock_weekday=5)
    assert lock_at(fridays, "2011-12-30") is None
    assert not is_lock_day(fridays, "2011-12-30")
    assert next_lock(fridays, at("2011-12-27 00:00")).due_on == "2012-01-06"
    assert last_lock(fridays, at("2012-01-05 00:00")).due_on == "2011-12-23"


def test_the_policy_with_the_smallest_key_counts_and_without_one_nobody_is_reminded() -> None:
    row = {"period_kind": "month", "lock_weekday": 5, "lock_minute": 0, "remind_minutes": 60, "late": "refuse"}
    assert cycle_of({"b": {**row, "late": "record"}, "a": row}, "UTC") == Cycle("UTC", "month", 5, 0, 60, "refuse")
    assert cycle_of({}, "UTC").remind_minutes == 0


def test_a_call_is_of_one_person_or_one_team() -> None:
    assert names_one({"user_key": "ana", "team_key": None})
    assert names_one({"user_key": None, "team_key": "north"})
    assert not names_one({"user_key": "ana", "team_key": "north"})
    assert not names_one({"user_key": None, "team_key": None})


LOCK = Lock("2026-01-12", at("2026-01-12 09:00"))


@pytest.mark.parametrize(
    ("made", "arrived", "status"),
    [
        ("2026-01-12 08:59", "2026-01-12 08:59", SUBMITTED),
        ("2026-01-12 08:59", "2026-01-12 09:00", LOCKED),  # without signal over the lock
        ("2026-01-12 08:59", "2026-01-19 08:59", LOCKED),
        ("2026-01-12 08:59", "2026-01-19 09:00", LATE),  # the next lock has been
        ("2026-01-12 09:00", "2026-01-12 09:00", LATE),  # the very instant of the lock
        ("2026-01-15 09:00", "2026-01-15 09:00", LATE),
    ],
)
def test_a_call_counts_by_when_it_was_made_and_not_by_when_it_came_r29(made: str, arrived: str, status: str) -> None:
    found = due(MADRID, Q1, "2026-01-12", at(made), at(arrived), {})
    assert (found.lock, found.status) == (LOCK, status)
    refusing = Cycle("Europe/Madrid", late="refuse")
    if status != LATE:
        assert due(refusing, Q1, "2026-01-12", at(made), at(arrived), {}) == found
        return
    with pytest.raises(Refused) as refused:
        due(refusing, Q1, "2026-01-12", at(made), at(arrived), {})
    assert (refused.value.code, refused.value.details["due_on"]) == ("forecast_locked", "2026-01-12")


def test_who_says_no_day_calls_for_the_next_lock_and_after_the_last_one_is_late() -> None:
    monday = at("2026-01-12 09:00")
    assert due(MADRID, Q1, None, monday - 1, monday - 1, {}).lock == LOCK
    assert due(MADRID, Q1, None, monday, monday, {}).lock.due_on == "2026-01-19"
    after = at("2026-03-31 12:00")  # the quarter ends tonight, and its last Monday was yesterday
    found = due(MADRID, Q1, None, after, after, {})
    assert (found.lock.due_on, found.status) == ("2026-03-30", LATE)
    assert last_lock_before(MADRID, "2026-04-01").due_on == "2026-03-30"


def test_a_coming_period_is_called_for_the_next_lock_and_one_that_is_over_is_not() -> None:
    early, over = at("2025-12-10 12:00"), at("2026-03-31 22:00")
    assert due(MADRID, Q1, None, early, early, {}).lock.due_on == "2025-12-15"
    for wrong, period in ((over, Q1), (early, {**Q1, "kind": "month"})):
        with pytest.raises(Refused) as refused:
            due(MADRID, period, None, wrong, wrong, {})
        assert refused.value.code == "forecast_period_invalid"


@pytest.mark.parametrize("said", ["2026-01-13", "2026-04-06"])
def test_a_day_that_is_no_lock_of_the_period_is_refused_with_the_next_one(said: str) -> None:
    now = at("2026-01-06 12:00")
    with pytest.raises(Refused) as refused:
        due(MADRID, Q1, said, now, now, {})
    assert (refused.value.code, refused.value.details["due_on"]) == ("forecast_due_invalid", "2026-01-12")


def test_the_last_day_that_there_is_is_no_lock_of_a_period_and_refused_like_others() -> None:
    with pytest.raises(Refused) as refused:
        due(Cycle("UTC", lock_weekday=5), Q1, "9999-12-31", at("2026-01-05 08:00"), at("2026-01-05 08:00"), {})
    assert refused.value.code == "forecast_due_invalid"


def test_a_policy_that_changed_does_not_change_when_earlier_calls_were_due() -> None:
    """The lock was on a Tuesday at 12:00 by the policy of then."""
    noted = {"2026-01-13": at("2026-01-13 11:00")}
    made = at("2026-01-13 10:59")
    found = due(MADRID, Q1, "2026-01-13", made, made + 120_000, noted)
    assert (found.lock, found.status) == (Lock("2026-01-13", at("2026-01-13 11:00")), LOCKED)


def test_a_minute_that_moved_later_on_a_lock_day_after_its_lock_makes_no_second_lock_of_it() -> None:
    """Locked at 10:00; since then the policy says 15:00."""
    later, been = Cycle("Europe/Madrid", lock_minute=900, late="refuse"), {"2026-01-12": LOCK.due_at}
    now = at("2026-01-12 09:30")
    coming = Lock("2026-01-19", at("2026-01-19 14:00"))
    assert next_lock(later, now) == Lock("2026-01-12", at("2026-01-12 14:00"))
    assert next_lock(later, now, been) == coming
    found = due(later, Q1, None, now, now, been)
    assert (found.lock, found.status) == (coming, SUBMITTED)
    made, arrived = at("2026-01-12 08:59"), at("2026-01-12 14:00")  # the next lock is next week's
    for said in (None, "2026-01-12"):
        assert due(later, Q1, said, made, arrived, been).status == LOCKED


def test_a_minute_that_moved_earlier_leaves_a_lock_that_was_noted_where_it_was() -> None:
    earlier, been = Cycle("Europe/Madrid", lock_minute=300), {"2026-01-12": LOCK.due_at}
    assert next_lock(earlier, at("2026-01-12 08:59"), been) == LOCK
    assert next_lock(earlier, LOCK.due_at, been).due_on == "2026-01-19"


def test_what_arrives_after_the_period_was_closed_is_late() -> None:
    made = at("2026-01-12 08:00")
    assert due(MADRID, Q1, None, made, made + 1, {}, closed=True).status == LATE


@given(CYCLES, INSTANTS, st.integers(0, 30 * 86_400_000))
def test_what_is_on_time_and_unlocked_becomes_locked_and_then_late_as_it_comes_later_r29(
    cycle: Cycle, made: int, later: int
) -> None:
    day = local_day(made, cycle.zone)
    period: dict[str, Any] = {"name": "P", "kind": "quarter", "start_on": day, "end_on": plus_days(day, 92)}
    assume(next_lock(cycle, made).due_on < period["end_on"])
    found = due(cycle, period, None, made, made + later, {})
    first, second = next_lock(cycle, made), next_lock(cycle, next_lock(cycle, made).due_at)
    assert found.lock == first
    expected = SUBMITTED if made + later < first.due_at else LOCKED if made + later < second.due_at else LATE
    assert found.status == expected
