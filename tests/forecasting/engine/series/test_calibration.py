import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.series.calibration import LEVELS, USUAL, Learned, Past, learn, reach, widths


def pasts(seed: int, series: int, size: float = 1.0, growth: float = 0.3, origins: int = 3) -> list[Past]:
    """Scores of normal errors, of series that differ by how wrong they are."""
    rng = np.random.default_rng(seed)
    own = np.exp(rng.normal(0, 0.5, series))
    steps = np.arange(1, 13) ** growth
    return [Past(np.abs(rng.normal(0, size * scale, (origins, 12))) * steps) for scale in own]


def test_without_a_past_ranges_are_the_usual() -> None:
    assert learn([]) is USUAL
    assert learn([Past(np.full((2, 4), np.nan))]) is USUAL
    assert widths(Past(np.zeros((0, 3))), USUAL) == pytest.approx(0.58 * np.array([1, 2, 3]) ** 0.13)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_of_other_series_of_the_same_sort_a_level_holds_its_share(level: float) -> None:
    learned = learn(pasts(1, 400))
    fresh = pasts(2, 400, origins=4)
    inside = [past.scores[0] <= reach(learned.curve, level) * widths(Past(past.scores[1:]), learned) for past in fresh]
    assert np.mean(inside) == pytest.approx(level, abs=0.03)


def test_growth_and_size_are_found_again() -> None:
    learned = learn(pasts(3, 500, size=4.0, growth=0.5))
    assert learned.growth == pytest.approx(0.5, abs=0.05)
    assert learned.size == pytest.approx(4 * np.sqrt(2 / np.pi) * np.exp(0.125), rel=0.15)


def test_a_few_series_move_the_usual_only_a_little() -> None:
    one = learn(pasts(4, 1, size=50.0))
    assert USUAL.size < one.size < 2 * USUAL.size
    assert one.series == 1


def test_a_series_more_wrong_than_others_has_wider_ranges() -> None:
    learned = learn(pasts(5, 100))
    calm, wild = Past(np.full((3, 12), 0.1)), Past(np.full((3, 12), 9.0))
    assert (widths(wild, learned) > 2 * widths(calm, learned)).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.lists(st.floats(0, 1, exclude_max=True), max_size=8))
@settings(max_examples=30)
def test_reach_grows_with_the_level_and_widths_with_the_step(seed: int, series: int, levels: list[float]) -> None:
    learned = learn(pasts(seed, series))
    found = reach(learned.curve, np.sort(levels))
    assert (np.diff(found) >= 0).all()
    assert np.isfinite(found).all()
    for past in pasts(seed + 1, 2):
        assert (np.diff(widths(past, learned)) >= 0).all()


def test_beyond_the_last_level_it_goes_on_growing() -> None:
    top = reach(USUAL.curve, LEVELS[-1])
    assert top < reach(USUAL.curve, 0.999) < reach(USUAL.curve, 0.9999) < 3 * top


def test_series_that_were_never_wrong_leave_the_usual() -> None:
    learned = learn([Past(np.zeros((3, 4)))] * 5)
    assert (learned.size, learned.curve.tolist()) == (USUAL.size, USUAL.curve.tolist())
    assert isinstance(learned, Learned)
