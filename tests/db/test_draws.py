"""Draws of ended periods do not depend on what is written down afterwards (R41): for any history of a plan."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given

from sfa.core.days import plus_days, start_of_ms
from sfa.core.periods import FiscalCalendars
from sfa.core.replay import Step
from sfa.db.draws import Draws, Told
from sfa.db.earnings import Periods

UTC = "UTC"
PERIODS = Periods((), FiscalCalendars(), UTC)
PLAN = {"gone": False, "draw_minor": None, "draw_recoverable": True, "period": "month", "valid_to": None}
DAYS = st.integers(0, 700).map(lambda n: plus_days("2025-01-01", n))
ENDS = st.none() | DAYS
UNTIL = "2027-06-01"
Said = dict[str, Any]


def told(first: Said, said: list[tuple[str, Said | None]]) -> Told:
    """A row of changes on days, in their order; None deletes it."""
    row, steps = dict(first), list[Step]()
    for rev, (day, values) in enumerate(sorted(said, key=lambda each: each[0]), 1):
        at = start_of_ms(day, UTC)
        changes = {field: [row.get(field) if rev > 1 else None, new] for field, new in (values or {}).items()}
        steps.append(Step(rev, "delete" if values is None else "update", changes, at, at))
        row = {**row, **(values or {}), "gone": values is None}
    return Told(row, steps)


def until(said: list[tuple[str, Said | None]], day: str) -> list[tuple[str, Said | None]]:
    return [each for each in said if each[0] < day]


def changes(values: st.SearchStrategy[Said]) -> st.SearchStrategy[list[tuple[str, Said | None]]]:
    later = st.lists(st.tuples(DAYS, st.none() | values), max_size=4)
    return st.tuples(st.tuples(DAYS, values), later).map(_made_first)


def _made_first(said: Any) -> list[tuple[str, Said | None]]:
    made, later = said
    return [made, *(each for each in later if each[0] > made[0])]


PLANS = changes(
    st.fixed_dictionaries({"valid_from": DAYS, "valid_to": ENDS, "draw_minor": st.none() | st.integers(0, 9)})
)
HELD = changes(st.fixed_dictionaries({"valid_from": DAYS, "valid_to": ENDS}))


def drawn(plan: list[Any], held: list[Any]) -> dict[str, tuple[int, str]]:
    if not plan or not held:
        return {}
    draws = Draws(PERIODS, {"plan": told(PLAN, plan)}, {("ana", "plan"): [told({"gone": False}, held)]})
    return {span.end_on: (due.amount_minor, due.from_on) for span, due in draws.spans("ana", "plan", UNTIL)}


@given(PLANS, HELD, DAYS)
@example(
    [("2025-01-01", {"valid_from": "2025-01-01", "valid_to": None, "draw_minor": 6})],
    [("2025-01-01", {"valid_from": "2025-01-01", "valid_to": None}), ("2025-04-20", None)],
    "2025-04-10",
)
def test_whatever_is_said_from_a_day_on_changes_no_period_that_had_ended(plan: Any, held: Any, day: str) -> None:
    """R41."""

    def ended(found: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
        return {end_on: due for end_on, due in found.items() if end_on <= day}

    assert ended(drawn(plan, held)) == ended(drawn(until(plan, day), until(held, day)))


@given(PLANS, HELD)
def test_no_period_that_ended_before_plan_and_assignment_were_written_has_a_draw(plan: Any, held: Any) -> None:
    written = max(plan[0][0], held[0][0])
    assert all(end_on > written for end_on in drawn(plan, held))


@given(PLANS, HELD)
def test_the_walk_over_periods_misses_none_that_has_a_draw(plan: Any, held: Any) -> None:
    draws = Draws(PERIODS, {"plan": told(PLAN, plan)}, {("ana", "plan"): [told({"gone": False}, held)]})
    found, day = {}, "2024-01-01"
    while day <= UNTIL:
        span = PERIODS.on(day, "month")
        assert span is not None
        due = draws.of("ana", "plan", span)
        if due is not None:
            found[span.end_on] = (due.amount_minor, due.from_on)
        day = span.end_on
    assert drawn(plan, held) == found
