import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine.series.seasons import drift, is_seasonal, naive2, season_of, seasonal_naive

QUARTERS = np.array([0.8, 1.0, 1.3, 0.9])


def test_the_factors_that_made_a_series_are_found_again() -> None:
    level = np.linspace(100.0, 140.0, 40)
    season = season_of(level * np.tile(QUARTERS, 10), 4)
    assert season is not None
    assert season.factors
    assert season.indices == pytest.approx(QUARTERS, rel=0.02)


def test_a_series_that_crosses_zero_has_amounts_for_a_season() -> None:
    season = season_of(np.linspace(-20.0, 20.0, 40) + np.tile([-5.0, 0.0, 7.0, -2.0], 10), 4)
    assert season is not None
    assert not season.factors
    assert season.indices == pytest.approx([-5.0, 0.0, 7.0, -2.0], abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(9, 60), st.integers(0, 7))
def test_what_is_taken_away_is_given_back(seed: int, count: int, start: int) -> None:
    rng = np.random.default_rng(seed)
    values = 100 + 10 * np.resize(rng.normal(size=4), count) + rng.normal(size=count)
    season = season_of(values, 4)
    if season is not None:
        assert season.given_to(season.taken_from(values), 0) == pytest.approx(values)
        assert np.array_equal(season.given_to(np.ones(8), start), season.given_to(np.ones(8), start + 4))


def test_noise_a_line_a_constant_and_a_short_series_have_no_season() -> None:
    assert not is_seasonal(np.random.default_rng(3).normal(size=60), 4)
    assert not is_seasonal(np.full(40, 7.0), 4)
    assert not is_seasonal(np.tile(QUARTERS, 2), 4)
    assert not is_seasonal(np.tile(QUARTERS, 9), 1)
    assert season_of(np.full(40, 7.0), 4) is None


def test_the_baselines_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert seasonal_naive(values, 4, 6).tolist() == [2.0, 3.0, 4.0, 5.0, 2.0, 3.0]
    assert seasonal_naive(values[:3], 4, 2).tolist() == [3.0, 3.0]
    assert drift(values, 2).tolist() == [6.0, 7.0]
    assert drift(values[:1], 2).tolist() == [1.0, 1.0]
    assert naive2(np.tile(QUARTERS, 9) * 10, 4, 5) == pytest.approx(10 * QUARTERS[[0, 1, 2, 3, 0]])
    assert naive2(values, 4, 2).tolist() == [5.0, 5.0]
