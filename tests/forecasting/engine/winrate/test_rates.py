"""Rates of two ends learnt together: right on the whole, and a lean only where the ends differ."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.values import Floats, Ints
from forecasting.engine.winrate.rates import Block, Ends, fit_ends, log_rates

LEVELS = 6
Data = tuple[list[Block], tuple[Floats, Floats], Floats]


def drawn(seed: int, pace: Floats, lean: Floats, rows: int = 6000) -> Data:
    """Rows of a feature and of an age, with events of rates 0.05 and 0.03 times what pace and lean say."""
    rng = np.random.default_rng(seed)
    level: Ints = rng.integers(0, LEVELS, rows)
    age: Ints = rng.integers(0, LEVELS, rows)
    days = rng.uniform(1, 10, rows)
    events = [
        rng.poisson(rate * days * np.exp(pace[level] + sign * lean[level])).astype(np.float64)
        for rate, sign in ((0.05, 1.0), (0.03, -1.0))
    ]
    return [Block("is:one", "ridge", level, LEVELS), Block("age", "walk", age, LEVELS)], (events[0], events[1]), days


def effects(ends: Ends) -> tuple[Floats, Floats]:
    pace, lean = ends.pace.of("is:one"), ends.lean.of("is:one")
    assert pace is not None
    assert lean is not None
    return pace - pace.mean(), lean - lean.mean()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.8), st.floats(0.0, 0.8))
def test_as_many_of_each_end_are_expected_as_were_seen(seed: int, pace: float, lean: float) -> None:
    rng = np.random.default_rng(seed)
    blocks, events, days = drawn(seed, rng.normal(0, pace, LEVELS), rng.normal(0, lean, LEVELS), rows=800)
    ends = fit_ends(blocks, ("is:one", "age"), events, days)
    for of, seen in ((ends.first, events[0]), (ends.other, events[1])):
        expected = float((days * np.exp(log_rates(of, blocks, len(days)))).sum())
        assert abs(expected - seen.sum()) < 0.01 * seen.sum() + 0.5


def test_what_only_hastens_ends_lends_nothing_to_how_they_end() -> None:
    pace = np.linspace(-1.0, 1.0, LEVELS)
    blocks, events, days = drawn(1, pace, np.zeros(LEVELS))
    found_pace, found_lean = effects(fit_ends(blocks, ("is:one", "age"), events, days))
    assert np.abs(found_pace - pace).max() < 0.15
    assert np.abs(found_lean).max() < 0.1


def test_what_tells_the_ends_apart_is_found_beside_a_pace_that_hides_it() -> None:
    lean = np.linspace(-0.6, 0.6, LEVELS)
    blocks, events, days = drawn(2, -lean, lean)  # the first end keeps its rate, only the other one changes
    found_pace, found_lean = effects(fit_ends(blocks, ("is:one",), events, days))
    assert np.abs(found_lean - lean).max() < 0.15
    assert np.abs(found_pace + lean).max() < 0.15


def test_a_block_that_tells_nothing_apart_has_the_same_effect_on_both_ends() -> None:
    blocks, events, days = drawn(3, np.linspace(-0.5, 0.5, LEVELS), np.linspace(-0.5, 0.5, LEVELS), rows=800)
    ends = fit_ends(blocks, (), events, days)
    assert ends.lean.names == ()
    for one, other in zip(ends.first.effects, ends.other.effects, strict=True):
        assert (one == other).all()


def test_beginning_near_the_answer_leads_to_the_same_answer() -> None:
    blocks, events, days = drawn(4, np.linspace(-0.4, 0.4, LEVELS), np.linspace(0.3, -0.3, LEVELS))
    ends = fit_ends(blocks, ("is:one", "age"), events, days)
    again = fit_ends(blocks, ("is:one", "age"), events, days, ends)
    for one, other in zip(ends.first.effects, again.first.effects, strict=True):
        assert np.allclose(one, other, atol=0.02)
