"""Reminders: on which days, at which hour, to whom; and what ends them (R47)."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proposals.delivery import reminders
from proposals.delivery.reminders import begins_ms, days_of, due_on
from sfa.app import jobs
from sfa.core.days import local_day, plus_days
from tests.office import Office
from tests.proposals.delivery.post import CARL, mailed, outbox_rows, people, sent
from tests.proposals.selling import order

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
DAYS = st.dates(min_value=datetime(2000, 1, 1, tzinfo=UTC).date(), max_value=datetime(2100, 1, 1, tzinfo=UTC).date())
ZONES = st.sampled_from(
    ["UTC", "Europe/Madrid", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "America/Bogota"]
)


def at(office: Office, day: str, hour: int = 9, minute: int = 0) -> None:
    """Set the clock to a time of the company's day."""
    year, month, date = map(int, day.split("-"))
    when = datetime(year, month, date, hour, minute, tzinfo=ZoneInfo("Europe/Madrid"))
    office.clock.advance(int(when.timestamp() * 1000) - office.clock.now_ms())


def reminded(office: Office) -> int:
    return office.database.write(reminders.run, office.clock.now_ms())


# -- pure -------------------------------------------------------------------------------------------------------------


@given(DAYS, st.integers(-5, 400), st.lists(st.integers(1, 365), max_size=5), st.none() | st.integers(1, 60))
def test_days_lie_after_sending_and_not_after_the_last_day(
    sent_on: Any, valid: int, after: list[int], before: Any
) -> None:
    """R47: in order, each once, and each is one that the template named."""
    first = sent_on.isoformat()
    last = plus_days(first, valid)
    days = days_of(first, last, after, before)
    assert days == sorted(set(days))
    assert all(first < day <= last for day in days)
    named = {plus_days(first, count) for count in after} | ({plus_days(last, -before)} if before else set())
    assert set(days) == {day for day in named if first < day <= last}


@given(DAYS, st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True), st.integers(0, 60))
def test_each_day_has_a_place_of_its_own_and_none_is_caught_up_late(first: Any, counts: list[int], since: int) -> None:
    start = first.isoformat()
    days = sorted(plus_days(start, count) for count in counts)
    today = plus_days(start, since)
    due = due_on(days, today)
    if due is None:
        assert not any(plus_days(today, -1) <= day <= today for day in days)
    else:
        assert days[due.ordinal - 1] == due.day
        assert plus_days(today, -1) <= due.day <= today
        assert not any(due.day < day <= today for day in days)


@given(DAYS, ZONES)
def test_nine_is_nine_by_the_zones_clocks(day: Any, zone: str) -> None:
    """R47: also on days with 23 or 25 hours."""
    when = begins_ms(day.isoformat(), zone)
    wall = datetime.fromtimestamp(when / 1000, ZoneInfo(zone))
    if local_day(when, zone) == day.isoformat():  # a day that a zone skipped has no nine
        assert (wall.date(), wall.hour, wall.minute) == (day, 9, 0)


# -- the job ----------------------------------------------------------------------------------------------------------


def test_who_does_not_answer_is_reminded_after_three_and_ten_days_and_before_the_last(office: Office) -> None:
    """The offer of 5 January is valid for 30 days: until 4 February."""
    sent(office)
    mailed(office)
    found = []
    for day in (plus_days("2026-01-05", count) for count in range(1, 35)):
        at(office, day, 8, 59)
        assert reminded(office) == 0
        at(office, day)
        if reminded(office):
            found.append(day)
            assert reminded(office) == 0
            ((to, message),) = mailed(office).taken
            assert to == CARL
            assert message["Subject"].startswith("Reminder: ")
            assert message["Auto-Submitted"] == "auto-generated"
            assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found == ["2026-01-08", "2026-01-15", "2026-02-02"]


def test_the_templates_days_count(office: Office) -> None:
    sent(office)
    mailed(office)
    office.put(("proposal_templates", "house", {"remind_after_days": [1], "remind_before_days": None}))
    at(office, "2026-01-06")
    assert reminded(office) == 1
    for day in ("2026-01-08", "2026-01-15", "2026-02-02"):
        at(office, day)
        assert reminded(office) == 0


def test_only_the_signer_whose_turn_it_is_is_reminded(office: Office) -> None:
    sent(
        office,
        ("r-2", {"name": "Two", "email": "two@buyer.example", "position": 2}),
        ("r-1", {"name": "One", "email": "one@buyer.example", "position": 1}),
        ("r-0", {"name": "Zero", "email": "zero@buyer.example", "role": "reader"}),
    )
    mailed(office)
    at(office, "2026-01-08")
    assert reminded(office) == 1
    assert [to for to, _ in mailed(office).taken] == ["one@buyer.example"]


@pytest.mark.parametrize(
    "ended", ["withdrawn", "revised", "lost", "declined", "bounced", "opted out", "consent", "never mailed"]
)
def test_what_ends_reminders(office: Office, ended: str) -> None:
    ana = sent(office)
    if ended != "never mailed":
        mailed(office)
    key = people(office)[CARL]["key"]
    match ended:
        case "withdrawn" | "revised":
            order(ana, {"withdrawn": "withdraw", "revised": "revise"}[ended])
        case "lost":
            office.put_server_row("deals", "deal-a", {"closed_at": office.clock.now_ms()})
        case "declined" | "bounced":
            office.put_server_row("proposal_recipients", key, {"state": ended})
        case "opted out":
            office.put_server_row("proposal_recipients", key, {"opted_out_at": 1})
        case "consent":
            office.put(("consents", "c", {"contact_key": "carl", "purpose": "proposals", "granted": False}))
    at(office, "2026-01-08")
    assert reminded(office) == 0


def test_what_was_asked_for_in_the_morning_is_judged_again_when_it_leaves(office: Office) -> None:
    sent(office)
    mailed(office)
    at(office, "2026-01-08")
    assert reminded(office) == 1
    office.put_server_row("proposal_recipients", people(office)[CARL]["key"], {"state": "declined"})
    assert mailed(office).taken == []
    assert outbox_rows(office)[-1]["code"] == "proposal_answered"


def test_a_server_that_was_away_for_a_day_catches_up_and_for_a_week_does_not(office: Office) -> None:
    sent(office)
    mailed(office)
    at(office, "2026-01-09")
    assert reminded(office) == 1
    at(office, "2026-01-17")
    assert reminded(office) == 0


def test_the_job_is_in_the_table(office: Office) -> None:
    sent(office)
    mailed(office)
    at(office, "2026-01-08")
    assert office.database.write(jobs.JOBS["remind_buyers"].work, office.clock.now_ms()) == "1 reminded"
