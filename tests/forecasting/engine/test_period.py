import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from bench.engine.company_ranges import figures, judge
from bench.engine.opportunity_data import read_deals
from bench.engine.opportunity_revenue import HORIZONS, look_from, wape
from forecasting.engine.period import (
    PIPELINE,
    RUN_RATE,
    USUAL,
    VIEWS,
    Look,
    Seen,
    blended,
    calendar_of,
    look,
    pasts,
    prospect,
    revenue,
    shifted,
    weigh,
)
from forecasting.engine.ranging import NoRange, Ranged, period_range
from forecasting.engine.simulate import say, total
from forecasting.engine.truth.company import company, quarters
from forecasting.engine.truth.growth import Grown, grow
from forecasting.engine.truth.oracle import true_chances
from forecasting.engine.values import Changes, Deals, Ints, as_known
from tests.forecasting.engine.strategies import LAST, deals

DATA = os.environ.get("SFA_SAMPLE_DATA")
DAY = date(2025, 3, 31).toordinal()
END = date(2025, 6, 30).toordinal()
EDGES = np.array([DAY, DAY + 45, END])


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(company(31, arrivals=1.5))


@pytest.fixture(scope="module")
def starts(grown: Grown) -> Ints:
    of = grown.company
    return calendar_of(quarters(of.fiscal_month, of.opened_on, of.until), grown.deals, END)


@pytest.fixture(scope="module")
def ranged(grown: Grown, starts: Ints) -> Ranged:
    found = period_range(grown.deals, EDGES, starts, draws=1000, seed=3)
    assert isinstance(found, Ranged)
    return found


def nothing(**columns: object) -> Deals:
    blank = np.zeros(0, dtype=np.int64)
    usual = {
        "until": LAST,
        "keys": (),
        "opened_on": blank,
        "ended_on": blank,
        "won": np.zeros(0, dtype=np.bool_),
        "amount": np.zeros(0),
        "features": {},
        "stages": ("only",),
        "changes": Changes(blank, blank, blank, np.zeros(0)),
    }
    return Deals(**(usual | columns))  # type: ignore[arg-type]


def windows(means: list[list[float]], actual: list[float]) -> Seen:
    looks = tuple(Look(n * 91, n * 91 + 91, np.array(row), 0.0, 0.0, 0.0) for n, row in enumerate(means))
    return Seen(looks, np.array(actual))


def test_the_range_of_a_company_adds_up_over_its_people_and_steps(ranged: Ranged) -> None:
    out = ranged.outcome
    assert out.groups == tuple(f"rep-{n:02}" for n in range(6))
    leaves = sum(total(out, np.array([n])) for n in range(6))
    assert total(out) == pytest.approx(leaves, rel=1e-12)
    assert out.filling[-1] == pytest.approx(total(out), rel=1e-9)
    assert total(out).mean() == pytest.approx(ranged.prospect.mean * _bias(ranged), rel=0.03)


def _bias(ranged: Ranged) -> float:
    return float(ranged.prospect.spread.weight @ ranged.prospect.spread.bias)


def test_the_same_question_has_the_same_bytes(grown: Grown, starts: Ints, ranged: Ranged) -> None:
    again = period_range(grown.deals, EDGES, starts, draws=1000, seed=3)
    assert isinstance(again, Ranged)
    assert again.outcome.open.tobytes() == ranged.outcome.open.tobytes()
    assert again.outcome.new.tobytes() == ranged.outcome.new.tobytes()


def test_a_range_sees_nothing_of_later_days(grown: Grown, starts: Ints, ranged: Ranged) -> None:
    known = period_range(as_known(grown.deals, DAY), EDGES, starts, draws=1000, seed=3)
    assert isinstance(known, Ranged)
    assert known.outcome.open.tobytes() == ranged.outcome.open.tobytes()


def test_past_windows_lie_at_the_same_place_of_earlier_quarters_and_are_over(grown: Grown, starts: Ints) -> None:
    place = np.searchsorted(starts, DAY + 1, side="right") - 1
    seen = pasts(grown.deals, int(starts[place]) - 1, int(starts[place + 1]) - 1, starts, most=4)
    assert [one.day + 1 for one in seen.looks] == starts[place - 4 : place].tolist()
    assert [one.end + 1 for one in seen.looks] == starts[place - 3 : place + 1].tolist()
    for one, came in zip(seen.looks, seen.actual, strict=True):
        assert came == revenue(grown.deals, one.day, one.end)
        then = look(as_known(grown.deals, one.day), one.day, one.end, starts)
        assert np.array_equal(then.means, one.means, equal_nan=True)


def test_a_day_moves_to_its_place_in_an_earlier_quarter() -> None:
    starts = np.array([100, 190, 281, 373, 465])
    assert shifted(starts, 372, 1) == 280  # the eve of a quarter to the eve of the one before
    assert shifted(starts, 464, 1) == 372
    assert shifted(starts, 400, 2) == 217
    assert shifted(starts, 120, 1) == 0


def test_the_view_that_was_right_speaks() -> None:
    came = [100.0, 140.0, 90.0, 120.0, 110.0]
    right = [[came[n] * 1.6, came[n] * 1.02, came[n] * 0.8, np.nan] for n in range(5)]
    weights = weigh(windows(right, came))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[VIEWS.index(RUN_RATE)] > 0.7
    assert weights[3] == 0.0  # never said anything
    assert weigh(windows([], [])).sum() == 0
    assert weigh(windows(right, [0.0] * 5)).sum() == 0


def test_views_as_good_as_each_other_are_weighed_as_they_usually_are() -> None:
    weights = weigh(windows([[110.0, 110, 110, 110]] * 4, [100.0] * 4))
    assert np.argmax(weights) == VIEWS.index(PIPELINE) == np.argmin(USUAL)


def test_a_view_that_is_silent_leaves_its_weight_to_the_others() -> None:
    means = np.array([np.nan, 10.0, 30.0, np.nan])
    assert blended(np.array([0.5, 0.25, 0.25, 0.0]), means) == 20.0
    assert blended(np.array([1.0, 0.0, 0.0, 0.0]), means) == 20.0
    assert np.isnan(blended(np.ones(4), np.full(4, np.nan)))


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (nothing(), "no_history"),
        (nothing(keys=("a",), opened_on=np.array([LAST - 9]), ended_on=np.array([0]), won=np.array([False]),
                 amount=np.array([5.0])), "no_history"),
        (nothing(keys=("a",), opened_on=np.array([LAST - 9]), ended_on=np.array([LAST - 1]), won=np.array([False]),
                 amount=np.array([5.0])), "nothing_won"),
    ],
)  # fmt: skip
def test_where_nothing_is_known_the_reason_is_said(found: Deals, code: str) -> None:
    none = period_range(found, np.array([LAST, LAST + 30]), draws=10)
    assert isinstance(none, NoRange)
    assert none.code == code


def test_one_won_deal_is_a_history_and_the_range_says_how_little_it_is() -> None:
    one = nothing(
        keys=("a",),
        opened_on=np.array([LAST - 40]),
        ended_on=np.array([LAST - 10]),
        won=np.array([True]),
        amount=np.array([500.0]),
        features={"owner": ("me",)},
    )
    found = period_range(one, np.array([LAST, LAST + 30]), draws=200)
    assert isinstance(found, Ranged)
    assert found.prospect.spread.said == ("few",)
    assert np.isfinite(total(found.outcome)).all()


@settings(max_examples=15)
@given(deals())
def test_any_history_gives_finite_ranges_in_order_or_a_reason(found: Deals) -> None:
    ranged = period_range(found, np.array([LAST, LAST + 20, LAST + 60]), draws=50)
    if isinstance(ranged, NoRange):
        assert ranged.code in ("no_history", "nothing_won")
        return
    said = say(total(ranged.outcome), 1e5)
    assert np.isfinite(total(ranged.outcome)).all()
    assert 0 <= said.p10 <= said.p50 <= said.p90


def test_better_chances_move_the_range_up(grown: Grown, starts: Ints) -> None:
    place = int(np.searchsorted(starts, DAY, side="right"))
    day, end = int(starts[place - 1]) - 1, int(starts[place]) - 1
    known = as_known(grown.deals, day)
    rows = np.flatnonzero(known.is_open)
    last = np.full(len(rows), float(len(known.stages) - 1))
    told = known.changes
    order = np.argsort(np.concatenate([told.deal, rows]), kind="stable")
    moved = Changes(
        np.concatenate([told.deal, rows])[order],
        np.concatenate([told.day, np.full(len(rows), day)])[order],
        np.concatenate([told.kind, np.zeros(len(rows), dtype=np.int64)])[order],
        np.concatenate([told.value, last])[order],
    )
    columns = {name: getattr(known, name) for name in known.__struct_fields__}
    before, after = (look(Deals(**columns | {"changes": c}), day, end, starts) for c in (told, moved))
    assert after.open > 1.3 * before.open


def test_ranges_of_small_companies_hold_about_as_often_as_they_say() -> None:
    seen = figures([judge(seed) for seed in range(12)], "range")
    assert 6 <= round(float(seen["held_%"]) * 12 / 100) <= 11
    assert float(seen["WAPE"]) < 0.4


@pytest.mark.slow
def test_ranges_of_many_small_companies_hold() -> None:
    """Four standard errors about 80 %; the bench takes ten times as many and asks for 78.5 to 81.5 %."""
    seen = figures([judge(seed) for seed in range(500)], "range")
    assert 73 <= float(seen["held_%"]) <= 87


def test_chances_of_single_deals_from_elsewhere_share_out_what_the_views_expect(grown: Grown, ranged: Ranged) -> None:
    of = grown.company
    starts = calendar_of(quarters(of.fiscal_month, of.opened_on, of.until), grown.deals, END)
    told = true_chances(of, grown.deals, EDGES)
    found = period_range(grown.deals, EDGES, starts, chances=told, draws=1000, seed=3)
    assert isinstance(found, Ranged)
    assert found.chances.win.tobytes() == told.win.tobytes() != ranged.chances.win.tobytes()
    assert found.prospect.mean == ranged.prospect.mean
    assert total(found.outcome).mean() == pytest.approx(total(ranged.outcome).mean(), rel=0.04)


@pytest.mark.skipif(not DATA, reason="SFA_SAMPLE_DATA names no folder")
def test_the_next_month_and_quarter_of_the_public_opportunities_are_seen_without_a_hand_switch() -> None:
    found = read_deals(Path(str(DATA)))
    starts = calendar_of(None, found, found.until)
    for horizon, asked in HORIZONS.items():
        days = [date(2017, month, 30).toordinal() for month in (7, 9)]
        origins = [look_from(found, starts, day, horizon) for day in days]
        actual = np.array([one.actual for one in origins])
        assert wape(actual, np.array([one.mean for one in origins])) <= asked
        assert wape(actual, np.array([one.views[0] for one in origins])) > asked  # the pipeline alone does not do it


def test_a_window_with_too_little_past_is_weighed_on_shorter_ones(grown: Grown, starts: Ints) -> None:
    early = grown.company.opened_on + 150
    found = prospect(grown.deals, early, early + 91, starts)
    assert len(found.seen.looks) >= 4
    assert found.spread.periods == len(found.seen.looks)
    assert all(one.end <= early for one in found.seen.looks)
