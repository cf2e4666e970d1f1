"""R8: a yearly target is spread without losing a minor unit."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.core.periods import FiscalCalendars, PeriodKind
from sfa.quotas.spread import Method, Plan, Span, Spread, spread, working_days

MONTHS = [Span(p.name, p.start_on, p.end_on) for p in FiscalCalendars().periods(2026, PeriodKind.MONTH)]
QUARTERS = [Span(p.name, p.start_on, p.end_on) for p in FiscalCalendars().periods(2026, PeriodKind.QUARTER)]
targets = st.integers(-(10**15), 10**15)
days_of_2026 = st.dates(date(2026, 1, 1), date(2026, 12, 31)).map(date.isoformat)
ramps = st.lists(st.integers(0, 10_000), max_size=12)


@st.composite
def weights(draw: st.DrawFn, count: int = 12) -> list[int]:
    """Twelve weights that total 10,000."""
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=count - 1, max_size=count - 1)))
    return [end - start for start, end in zip([0, *cuts], [*cuts, 10_000], strict=True)]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    method = draw(st.sampled_from(Method))
    bounds = draw(st.none() | st.lists(days_of_2026, min_size=2, max_size=2, unique=True))
    from_on, to_on = sorted(bounds) if bounds is not None else (None, None)
    chosen = draw(weights()) if method is Method.SEASONAL else []
    return Plan(method, chosen, (), from_on, to_on)


def spread_or_nothing(target: int, plan: Plan) -> Spread | None:
    """None where the window holds no working day of a part that has a weight, which is refused."""
    if plan.from_on is not None and plan.to_on is not None:
        weights = plan.weights_bp if plan.method is Method.SEASONAL else [1] * len(MONTHS)
        met = [
            working_days(max(month.start_on, plan.from_on), min(month.end_on, plan.to_on)) * weight
            for month, weight in zip(MONTHS, weights, strict=True)
        ]
        if not any(met):
            with pytest.raises(Refused, match="weights_invalid"):
                spread(target, MONTHS, plan)
            return None
    return spread(target, MONTHS, plan)


@given(targets, plans())
def test_the_parts_sum_to_the_whole(target: int, plan: Plan) -> None:
    """R8: of any sign, method and window."""
    found = spread_or_nothing(target, plan)
    if found is not None:
        assert sum(found.parts.values()) == found.whole == found.target == target


@given(targets, plans(), ramps)
def test_a_ramp_tells_its_own_whole_and_the_parts_sum_to_that(target: int, plan: Plan, ramp: list[int]) -> None:
    """R8."""
    if spread_or_nothing(target, plan) is None:
        return
    ramped = spread(target, MONTHS, Plan(plan.method, plan.weights_bp, ramp, plan.from_on, plan.to_on))
    assert sum(ramped.parts.values()) == ramped.whole
    assert abs(ramped.whole) <= abs(target)
    assert ramped.target == target
    if all(step == 10_000 for step in ramp):
        assert ramped.whole == target


@given(targets)
def test_equal_parts_differ_by_one_unit_at_most(target: int) -> None:
    """R8."""
    parts = spread(target, MONTHS, Plan()).parts.values()
    assert max(parts) - min(parts) <= 1


@given(targets, weights())
def test_each_part_is_within_one_unit_of_its_exact_share(target: int, chosen: list[int]) -> None:
    """R8."""
    found = spread(target, MONTHS, Plan(Method.SEASONAL, chosen))
    for weight, part in zip(chosen, found.parts.values(), strict=True):
        assert abs(part - Fraction(target * weight, 10_000)) < 1


@given(targets, st.permutations(MONTHS))
def test_ties_do_not_depend_on_the_order_in_which_parts_are_named(target: int, shuffled: list[Span]) -> None:
    """R8: deterministic."""
    assert spread(target, shuffled, Plan()).parts == spread(target, MONTHS, Plan()).parts


@given(targets, plans())
def test_a_negative_target_is_spread_like_the_positive_one(target: int, plan: Plan) -> None:
    found, other = spread_or_nothing(target, plan), spread_or_nothing(-target, plan)
    assert (found is None) == (other is None)
    if found is not None and other is not None:
        assert {key: -part for key, part in found.parts.items()} == other.parts


def test_the_worked_example_of_a_hundred_in_three() -> None:
    """100.00 in three equal shares: 33.34, 33.33, 33.33."""
    assert list(spread(10_000, MONTHS[:3], Plan()).parts.values()) == [3_334, 3_333, 3_333]


@pytest.mark.parametrize("missing", [1, -1, 10_000])
def test_weights_that_do_not_total_a_hundred_are_refused_with_what_is_missing(missing: int) -> None:
    """R8: 99.99 % is not 100 %."""
    chosen = [2_500, 2_500, 2_500, 2_500 - missing]
    with pytest.raises(Refused) as refused:
        spread(100_000, QUARTERS, Plan(Method.SEASONAL, chosen))
    assert refused.value.code == "weights_invalid"
    if missing < 10_000:
        assert refused.value.details == {"total_bp": 10_000 - missing, "missing_bp": missing}


def test_a_weight_is_asked_for_each_part() -> None:
    with pytest.raises(Refused) as refused:
        spread(100_000, QUARTERS, Plan(Method.SEASONAL, [5_000, 5_000]))
    assert refused.value.details == {"weights": 2, "parts": 4}


def test_a_part_period_counts_its_working_days() -> None:
    """R8: who begins on Monday 16 February has ten of its twenty working days, and January not at all."""
    found = spread(30_000, MONTHS[:3], Plan(Method.WORKING_DAYS, from_on="2026-02-16"))
    assert found.parts == {"FY2026.P02": 9_375, "FY2026.P03": 20_625}  # 10 and 22 days
    equal = spread(30_000, MONTHS[:3], Plan(from_on="2026-02-16"))
    assert equal.parts == {"FY2026.P02": 10_000, "FY2026.P03": 20_000}  # half a month and a whole one


def test_a_window_on_a_weekend_has_nothing_to_spread() -> None:
    with pytest.raises(Refused) as refused:
        spread(30_000, MONTHS, Plan(from_on="2026-01-03", to_on="2026-01-05"))
    assert refused.value.code == "weights_invalid"


def test_a_new_hire_is_ramped_up_and_the_whole_is_told() -> None:
    """R8: 0 %, 50 % and 100 % of 400.00 a quarter: 600.00 less, said and not spread elsewhere."""
    found = spread(160_000, QUARTERS, Plan(ramp_bp=[0, 5_000]))
    assert list(found.parts.values()) == [0, 20_000, 40_000, 40_000]
    assert (found.whole, found.target) == (100_000, 160_000)


@pytest.mark.parametrize("ramp", [[10_001], [-1], [5_000] * 5])
def test_a_ramp_lies_between_nothing_and_everything(ramp: list[int]) -> None:
    with pytest.raises(Refused) as refused:
        spread(160_000, QUARTERS, Plan(ramp_bp=ramp))
    assert refused.value.code == "weights_invalid"


@given(days_of_2026, st.integers(-10, 400))
def test_working_days_are_those_from_monday_to_friday(start: str, count: int) -> None:
    first = date.fromisoformat(start)
    end = first + timedelta(days=count)
    every = (first + timedelta(days=place) for place in range(max(0, count)))
    assert working_days(start, end.isoformat()) == sum(day.isoweekday() < 6 for day in every)
