from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings

from forecasting.engine.ageing import learn_ageing, stages_now, ways
from forecasting.engine.newcomers import Arrivals, NoArrivals, conversion, expect, learn_arrivals
from forecasting.engine.period import calendar_of
from forecasting.engine.truth.company import company, quarters
from forecasting.engine.truth.growth import Grown, grow
from forecasting.engine.values import NEVER, Changes, Deals, Ints, as_known
from tests.forecasting.engine.strategies import LAST, deals

DAY = date(2025, 3, 31).toordinal()
EDGES = np.array([DAY, DAY + 30, DAY + 60, DAY + 91])


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(company(21, arrivals=6.0, shock_spread=0.0))


@pytest.fixture(scope="module")
def starts(grown: Grown) -> Ints:
    of = grown.company
    return calendar_of(quarters(of.fiscal_month, of.opened_on, of.until), grown.deals, DAY + 400)


@pytest.fixture(scope="module")
def learnt(grown: Grown, starts: Ints) -> Arrivals:
    found = learn_arrivals(grown.deals, DAY, starts)
    assert isinstance(found, Arrivals)
    return found


def test_newcomers_are_as_many_and_bring_as_much_as_then_came(grown: Grown, learnt: Arrivals) -> None:
    of = grown.deals
    coming = expect(learnt, EDGES)
    then = of.won & (of.opened_on > DAY) & (of.ended_on <= DAY + 91) & (of.ended_on != NEVER)
    assert coming.rate.sum() == pytest.approx(then.sum(), rel=0.25)
    assert coming.rate.sum() * coming.amounts.mean() == pytest.approx(of.amount[then].sum(), rel=0.35)
    assert (np.diff(coming.rate.sum(axis=0)) > 0).all()  # who comes must first be won


def test_plain_chances_are_right_on_the_whole_and_better_in_later_stages(grown: Grown, starts: Ints) -> None:
    of = grown.deals
    known = as_known(of, DAY)
    ageing = learn_ageing(known, starts)
    assert ageing is not None
    rows = np.flatnonzero(known.is_open)
    stage = stages_now(known)[rows]
    found = ways(ageing, known.opened_on[rows], stage, None, EDGES)
    place = {key: n for n, key in enumerate(of.keys)}
    at = np.array([place[known.keys[n]] for n in rows])
    won = of.won[at] & (of.ended_on[at] <= DAY + 91)
    said = found.win.sum(axis=1)
    assert abs(won.sum() - said.sum()) < 4 * np.sqrt((said * (1 - said)).sum())
    young = DAY - known.opened_on[rows] < 100
    by_stage = [said[young & (stage == n)].mean() for n in range(4)]
    assert by_stage == sorted(by_stage)
    assert ((found.win + found.lose).sum(axis=1) <= 1).all()


def test_nothing_of_later_days_is_learnt(grown: Grown, starts: Ints, learnt: Arrivals) -> None:
    known = learn_arrivals(as_known(grown.deals, DAY), DAY, starts)
    assert isinstance(known, Arrivals)
    assert expect(known, EDGES).rate.tobytes() == expect(learnt, EDGES).rate.tobytes()


def test_groups_share_the_newcomers_and_who_left_brings_none(learnt: Arrivals) -> None:
    whole = expect(learnt, EDGES).rate.sum()
    some = expect(learnt, EDGES, ["rep-00", "rep-03", "nobody"])
    assert some.rate.sum() == pytest.approx(whole)
    assert not some.rate[2].any()
    strangers = expect(learnt, EDGES, ["x", "y"])
    assert strangers.rate[0] == pytest.approx(strangers.rate[1])


def test_deals_that_are_won_on_their_first_day_count() -> None:
    opened = np.arange(LAST - 300, LAST, dtype=np.int64)
    count = len(opened)
    blank = np.zeros(0, dtype=np.int64)
    found = Deals(
        until=LAST,
        keys=tuple(f"{n}" for n in range(count)),
        opened_on=opened,
        ended_on=opened,
        won=np.ones(count, dtype=np.bool_),
        amount=np.full(count, 100.0),
        features={},
        stages=("only",),
        changes=Changes(blank, blank, blank, np.zeros(0)),
    )
    learnt = learn_arrivals(found, LAST)
    assert isinstance(learnt, Arrivals)
    ways_of = conversion(learnt, np.array([LAST, LAST + 10, LAST + 20]))
    assert ways_of.sum(axis=1) == pytest.approx(np.ones(20))
    assert expect(learnt, np.array([LAST, LAST + 20]), ["a"]).rate.sum() == pytest.approx(20, rel=0.05)


@settings(max_examples=30)
@given(deals())
def test_any_history_gives_figures_or_a_reason(found: Deals) -> None:
    learnt = learn_arrivals(found, LAST)
    ended = found.ended_on != NEVER
    if isinstance(learnt, NoArrivals):
        assert learnt.code == ("nothing_won" if ended.any() else "no_history")
        return
    coming = expect(learnt, np.array([LAST, LAST + 30, LAST + 90]))
    assert np.isfinite(coming.rate).all()
    assert (coming.rate >= 0).all()
    assert coming.amounts.min() > 0
    assert 0 <= coming.variance <= 0.25


def test_dates_in_the_wrong_order_are_no_catastrophe(grown: Grown, starts: Ints) -> None:
    of = grown.deals
    ended = of.ended_on.copy()
    ended[5:25] = np.where(ended[5:25] != NEVER, of.opened_on[5:25] - 7, NEVER)
    columns = {name: getattr(of, name) for name in of.__struct_fields__} | {"ended_on": ended}
    learnt = learn_arrivals(Deals(**columns), DAY, starts)
    assert isinstance(learnt, Arrivals)
    assert np.isfinite(expect(learnt, EDGES).rate).all()


def test_steps_that_do_not_begin_on_the_day_are_refused(learnt: Arrivals) -> None:
    with pytest.raises(ValueError, match="edges"):
        expect(learnt, EDGES + 1)
