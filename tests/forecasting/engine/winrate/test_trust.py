"""Odds that are drawn towards the share won so far, and how far the past lets them stand from it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine.values import Floats
from forecasting.engine.winrate.learning import Rows
from forecasting.engine.winrate.panel import LOST, WON, Panel
from forecasting.engine.winrate.trust import MONTH, drawn, odds_of, trusted

FIRST = 737_000


class Trial(NamedTuple):
    past: Rows
    later: Rows


def rows(won: Sequence[bool], day: Sequence[int]) -> Rows:
    """Deals that ended on their days, each a row of its own."""
    count = len(won)
    zero = np.zeros(count, dtype=np.int64)
    names = set(Panel.__struct_fields__) - {"deal", "day", "days", "happened"}
    panel = Panel(
        deal=np.arange(count),
        day=np.array(day, dtype=np.int64),
        days=np.ones(count),
        happened=np.where(np.array(won, dtype=np.bool_), WON, LOST),
        **dict.fromkeys(names, zero),
    )
    return Rows(panel, {}, np.full(count, np.nan), np.ones(count), 1)


def asked(months: int, each: int, said: Floats, true: Floats, seed: int) -> float:
    """Months of deals whose odds are `true` of a month, and of which `said` was said; before them, as many of each."""
    rng = np.random.default_rng(seed)
    month = np.repeat(np.arange(months), each)
    won = rng.random(len(month)) < 1 / (1 + np.exp(-true[month]))
    trial = Trial(rows([True, False] * 50, [FIRST] * 100), rows(won.tolist(), (FIRST + MONTH * month).tolist()))
    win = 0.02 * np.exp(said[month])
    return trusted([trial], [win], [np.full(len(month), 0.02)])


@given(
    st.floats(-4, 4),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(1e-6, 2), st.floats(1e-6, 2)), min_size=1, max_size=5),
)
def test_how_soon_deals_end_is_left_as_it_was_and_their_odds_stand_between(
    odds: float, trust: float, rates: list[tuple[float, float]]
) -> None:
    win, lose = (np.array(column) for column in zip(*rates, strict=True))
    one, other = drawn(odds, trust, win, lose)
    assert np.allclose(one + other, win + lose)
    learnt, said = np.log(win / lose), np.log(one / other)
    assert (said >= np.minimum(learnt, odds) - 1e-6).all()
    assert (said <= np.maximum(learnt, odds) + 1e-6).all()


def test_the_whole_way_changes_nothing_and_none_of_it_says_the_share_so_far() -> None:
    win, lose = np.array([0.01, 0.05]), np.array([0.03, 0.01])
    assert np.allclose(drawn(0.4, 1.0, win, lose), (win, lose))
    one, other = drawn(odds_of(60, 40), 0.0, win, lose)
    assert np.allclose(one / (one + other), 0.6, atol=0.01)


def test_a_calendar_that_held_for_many_months_is_trusted_nearly_the_whole_way_and_of_few_months_less() -> None:
    true = np.tile([-0.8, 0.0, 0.8], 20)
    many = [asked(60, 200, true, true, seed) for seed in range(8)]
    few = [asked(4, 40, true[:4], true[:4], seed) for seed in range(8)]
    assert min(many) >= 0.85
    assert np.mean(few) < np.mean(many) - 0.1


@pytest.mark.parametrize("seed", range(3))
def test_a_calendar_that_later_months_do_not_bear_out_is_not_trusted(seed: int) -> None:
    said = np.tile([-0.8, 0.0, 0.8], 8)
    assert asked(24, 100, said, np.zeros(24), seed) <= 0.2
    assert asked(24, 100, said, -said, seed) == 0.0


def test_a_calendar_that_says_too_much_is_trusted_about_as_far_as_it_is_right() -> None:
    said = np.tile([-1.0, 0.0, 1.0], 20)
    assert asked(60, 400, said, 0.5 * said, seed=2) == pytest.approx(0.5, abs=0.12)


def test_without_a_deal_that_ended_later_nothing_is_trusted() -> None:
    assert trusted([], [], []) == 0.0
    quiet = Trial(rows([True], [FIRST]), rows([], []))
    assert trusted([quiet], [np.zeros(0)], [np.zeros(0)]) == 0.0


def test_the_odds_of_nothing_are_even_and_of_wins_alone_are_high() -> None:
    assert odds_of(0, 0) == 0.0
    assert odds_of(80, 0) > 4
