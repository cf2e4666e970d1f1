import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from forecasting.engine import scores
from forecasting.engine.scores import ALL_ZERO, CONSTANT, NO_HISTORY, TOO_SHORT, Score

numbers = st.floats(-1e9, 1e9)
columns = hnp.arrays(np.float64, st.integers(0, 30), elements=st.one_of(numbers, st.just(math.nan), st.just(math.inf)))


def test_the_worked_example_of_two_calls() -> None:
    said, came = [900, 600], [1000, 500]
    assert scores.wape(said, came).value == pytest.approx(200 / 1500)
    assert scores.bias(said, came).value == 0


def test_too_much_said_is_a_bias_above_zero_of_refunds_too() -> None:
    assert scores.bias([110], [100]).value == pytest.approx(0.1)
    assert scores.bias([-90], [-100]).value == pytest.approx(0.1)


def test_mase_divides_by_the_seasonal_naive_error_of_the_history() -> None:
    history = [1.0, 5.0, 2.0, 7.0]  # a season of 2: off by 1 and by 2
    assert scores.scale(history, 2).value == 1.5
    assert scores.mase([3, 3], [6, 6], history, 2).value == pytest.approx(2.0)


def test_smape_of_zeros_is_no_error() -> None:
    assert scores.smape([0.0, 3.0], [0.0, 1.0]).value == pytest.approx(0.5)


def test_owa_is_one_for_naive2_itself_and_a_half_for_what_is_twice_as_good() -> None:
    assert scores.owa([0.1, 0.3], [1, 2], [0.1, 0.3], [1, 2]).value == pytest.approx(1)
    assert scores.owa([0.1, 0.1], [1, 0.5], [0.1, 0.3], [1, 2]).value == pytest.approx(0.5)
    assert scores.owa([0.1, math.nan], [1, 1], [0.1, 1], [1, 1]) == Score(1.0, 1, 1)


def test_pinball_of_the_median_is_half_the_absolute_error() -> None:
    assert scores.pinball([1.0, 5.0], [2.0, 2.0], 0.5).value == pytest.approx(1.0)
    assert scores.pinball([[0.0, 4.0]], [3.0], [0.1, 0.9]).value == pytest.approx((0.1 * 3 + 0.1 * 1) / 2)


def test_a_range_covers_its_ends_and_may_be_open() -> None:
    found = scores.coverage([0, 0, -math.inf, math.nan], [1, 1, 5, 1], [1, 1.1, -9, 0])
    assert found == Score(2 / 3, 3, 1)


def test_a_sure_and_wrong_chance_is_bad_but_not_infinitely() -> None:
    assert scores.log_loss([0.0], [1.0]).value == pytest.approx(-math.log(scores.LEAST_CHANCE))
    assert scores.log_loss([0.5, 0.5], [True, False]).value == pytest.approx(math.log(2))


def test_equal_chances_are_never_parted_between_bins() -> None:
    chances = [0.3] * 7 + [0.9] * 3
    happened = [1] * 2 + [0] * 5 + [1] * 3
    found = scores.calibration(chances, happened)
    assert found.counts.tolist() == [7, 3]
    assert found.said.tolist() == pytest.approx([0.3, 0.9])
    assert scores.calibration_error(chances, happened).value == pytest.approx((0.7 * (0.3 - 2 / 7)) + 0.3 * 0.1)


def test_the_order_of_pairs_changes_no_calibration() -> None:
    rng = np.random.default_rng(5)
    chances = rng.choice([0.1, 0.2, 0.4, 0.8], 500)
    happened = rng.random(500) < chances
    turned = rng.permutation(500)
    one = scores.calibration_error(chances, happened).value
    other = scores.calibration_error(chances[turned], happened[turned]).value
    assert one is not None
    assert one == pytest.approx(other)
    assert one < 0.06


@pytest.mark.parametrize("measure", [scores.wape, scores.bias, scores.smape, scores.log_loss, scores.calibration_error])
def test_without_a_pair_there_is_no_score_and_its_code_says_so(measure) -> None:  # type: ignore[no-untyped-def]
    assert measure([], []) == Score(None, 0, 0, NO_HISTORY)
    assert measure([math.nan], [1.0]) == Score(None, 0, 1, NO_HISTORY)


def test_nothing_to_divide_by_is_said() -> None:
    assert scores.wape([1, 2], [0, 0]) == Score(None, 2, 0, ALL_ZERO)
    assert scores.bias([1, 2], [5, -5]) == Score(None, 2, 0, ALL_ZERO)
    assert scores.mase([1], [1], [4, 4, 4], 1) == Score(None, 1, 0, CONSTANT)
    assert scores.mase([1], [1], [4, 5, 6], 4) == Score(None, 1, 0, TOO_SHORT)
    assert scores.mase([], [], [4, 5, 6], 1).code == NO_HISTORY
    assert scores.owa([0], [0], [0], [0]).code == ALL_ZERO
    assert scores.pinball([], [], [0.1, 0.9]).code == NO_HISTORY
    assert scores.coverage([], [], []).code == NO_HISTORY


def test_columns_of_different_lengths_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError):
        scores.wape([1], [1, 2])
    with pytest.raises(ValueError):
        scores.pinball([1, 2], [1], 0.5)
    with pytest.raises(ValueError):
        scores.coverage([1], [1], [1, 2])
    with pytest.raises(ValueError):
        scores.scale([1, 2], 0)


@given(columns, st.integers(0, 2**32 - 1), st.integers(1, 13))
def test_every_measure_is_a_finite_number_or_a_reason(said: np.ndarray, seed: int, season: int) -> None:
    rng = np.random.default_rng(seed)
    came = rng.choice([0.0, -3.0, 5.0, 1e6, math.nan], len(said))
    chances = rng.random(len(said)) * rng.integers(0, 2, len(said))
    happened = rng.random(len(said)) < 0.5
    found = [
        scores.wape(said, came),
        scores.bias(said, came),
        scores.smape(said, came),
        scores.mase(said, came, said, season),
        scores.pinball(said, came, 0.1),
        scores.coverage(said, said, came),
        scores.log_loss(chances, happened),
        scores.calibration_error(chances, happened),
        scores.owa(said, said, came, came),
    ]
    for score in found:
        assert (score.value is None) == (score.code is not None)
        assert score.value is None or math.isfinite(score.value)
        assert score.count + score.left_out == len(said)
        assert score.few == (score.count < scores.FEW)
