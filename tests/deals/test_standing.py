"""Slipped and stalled, on the exact day and millisecond (R22, R24, R32)."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sfa.deals.standing import category, standing
from tests.builders import DAY_MS, NOW
from tests.core.test_rules import blank

TODAY = "2026-01-05"
STAGE = blank("stages", name="Lead", stalled_days=10, category="best_case")
instants = st.integers(NOW - 60 * DAY_MS, NOW)


@given(st.integers(-40, 40), st.booleans())
def test_a_deal_slips_on_the_day_after_its_close_date_while_it_is_open(days: int, closed: bool) -> None:
    """R22."""
    close_on = (date.fromisoformat(TODAY) - timedelta(days=days)).isoformat()
    row = blank("deals", close_on=close_on, created_at=NOW, closed_at=NOW if closed else None)
    found = standing(row, STAGE, TODAY, NOW, None)
    assert ("slipped" in found.flags) == (days > 0 and not closed)
    assert found.slipped_days == (days if days > 0 and not closed else None)


@given(instants, st.none() | instants, st.none() | instants)
def test_a_deal_stalls_when_nothing_happened_for_longer_than_its_stage_allows(
    created: int, since: int | None, last: int | None
) -> None:
    """R22: what happened last is entering the stage, a visit or a call."""
    row = blank("deals", created_at=created, stage_since=since)
    found = standing(row, STAGE, TODAY, NOW, last)
    entered = created if since is None else since
    active = max(entered, last if last is not None else 0)
    assert (found.since, found.active_at) == (entered, active)
    assert ("stalled" in found.flags) == (NOW - active > 10 * DAY_MS)
    assert standing({**row, "closed_at": NOW}, STAGE, TODAY, NOW, last).flags == []
    assert standing(row, {**STAGE, "stalled_days": None}, TODAY, NOW, last).flags == []


def test_a_judgement_wins_over_the_stage_until_it_is_cleared_or_the_deal_closed() -> None:
    """R24."""
    row = blank("deals", category="commit")
    assert category(row, STAGE) == ("commit", True)
    assert category({**row, "category": None}, STAGE) == ("best_case", False)
    assert category({**row, "closed_at": NOW}, {**STAGE, "category": "closed"}) == ("closed", False)
    assert category({**row, "category": None}, None) == (None, False)
