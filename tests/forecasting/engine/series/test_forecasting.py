import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.series import kinds
from forecasting.engine.series.forecasting import (
    AVERAGE,
    RANGE_UNKNOWN,
    Batch,
    NoForecast,
    SeriesForecast,
    forecast_many,
    forecast_series,
)

MONTHS, QUARTERS = 12, 4
pytestmark = pytest.mark.xdist_group("models of series")  # heavy to import, and what is cached is made once
SEASON = np.array([0.7, 1.0, 1.4, 0.9])
BAD: dict[str, Sequence[float]] = {
    "one value": [5.0],
    "two values": [5.0, 9.0],
    "a handful": [4.0, 7.0, 6.0, 9.0, 8.0],
    "zeros": [0.0] * 30,
    "a constant": [3.5] * 30,
    "a line": list(range(1, 41)),
    "a line through zero": list(range(-20, 21)),
    "one step up": [1.0] * 20 + [9.0] * 20,
    "now and then": [0.0, 0.0, 3.0] * 9,
    "refunds": [-5.0, 3.0, -8.0, 2.0, -1.0, 4.0, -9.0, 3.0, 1.0, -2.0, 5.0, -7.0, 2.0],
    "sold once": [0.0] * 25 + [400.0],
    "huge": [1e12, 3e12, 2e12, 5e12] * 5,
    "tiny": [1e-9, 3e-9, 2e-9, 5e-9] * 5,
    "one spike": [1.0, 2.0] * 10 + [1e9] + [2.0, 1.0] * 5,
    "exponential": [2.0**n for n in range(30)],
    "short of a season": [3.0, 5.0, 4.0, 6.0, 5.0, 7.0, 6.0, 8.0, 7.0, 9.0, 8.0],
}


def made(seed: int, count: int = 40, noise: float = 0.05) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    return np.asarray(
        np.linspace(100, 160, count) * np.resize(SEASON, count) * np.exp(rng.normal(0, noise, count)), np.float64
    )


@cache
def batch() -> Batch:
    return forecast_many([made(n) for n in range(4)], QUARTERS, 6)


@cache
def bad() -> Batch:
    return forecast_many(list(BAD.values()), QUARTERS, 5, non_negative=False)


def digest(found: Batch) -> str:
    whole = hashlib.sha256()
    for said in found.forecasts:
        assert isinstance(said, SeriesForecast)
        for part in (said.points, said.width, said.curve, said.errors, *said.models.values(), *said.interval(0.8)):
            whole.update(part.tobytes())
    return whole.hexdigest()


def test_a_season_and_a_trend_go_on() -> None:
    said = batch().forecasts[0]
    assert isinstance(said, SeriesForecast)
    assert (said.method, said.notes, tuple(said.models)) == (AVERAGE, (), ("ets", "theta", "ces", "arima"))
    assert said.points == pytest.approx(161 * SEASON[[0, 1, 2, 3, 0, 1]], rel=0.1)
    assert said.points == pytest.approx(np.mean(list(said.models.values()), axis=0))
    assert said.errors.shape == (len(said.origins), 6)
    assert said.origins.tolist() == [6, 9, 12]


def test_errors_are_those_of_what_was_known_at_each_origin() -> None:
    """What came after an origin may change the form of a model, but a wholly new ending must show as an error."""
    values = made(1)
    values[-6:] *= 3
    said = forecast_series(values, QUARTERS, 6)
    assert isinstance(said, SeriesForecast)
    assert (said.errors[0] > 0.5 * values[-6:]).all()
    assert np.abs(said.errors[1, :3]).max() < 0.5 * values[-9:-6].max()


@pytest.mark.parametrize("name", BAD)
def test_bad_input_has_points_and_ordered_ranges_all_of_them_numbers(name: str) -> None:
    said = bad().forecasts[list(BAD).index(name)]
    assert isinstance(said, SeriesForecast)
    found = said.quantiles([0.005, 0.1, 0.5, 0.9, 0.995])
    assert found.shape == (5, 5)
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=0) >= 0).all()
    values = np.array(BAD[name])
    wide = max(float(np.ptp(values)), float(np.abs(values).max()))
    assert (np.abs(said.points) <= np.abs(values).max() + wide + 1e-9).all()
    assert not said.logs or (found > 0).all()


def test_each_sort_of_series_has_its_method() -> None:
    methods = {
        name: said.method for name, said in zip(BAD, bad().forecasts, strict=True) if not isinstance(said, NoForecast)
    }
    assert methods["one value"] == methods["zeros"] == methods["a constant"] == kinds.CONSTANT
    assert methods["a handful"] == methods["two values"] == kinds.TOO_SHORT
    assert methods["now and then"] == methods["sold once"] == kinds.INTERMITTENT
    assert methods["refunds"] == methods["a line"] == AVERAGE
    one = bad().forecasts[0]
    assert isinstance(one, SeriesForecast)
    assert one.notes == (RANGE_UNKNOWN,)


def test_a_season_that_was_not_seen_twice_is_not_looked_for() -> None:
    said = forecast_series(made(2, 15), MONTHS, 3)
    assert isinstance(said, SeriesForecast)
    assert said.notes == (kinds.SEASON_TOO_SHORT,)


def test_no_history_is_an_answer() -> None:
    assert forecast_series([], MONTHS, 3) == NoForecast(kinds.NO_HISTORY)
    assert forecast_series([1, math.nan, math.nan, math.nan, 2], MONTHS, 3) == NoForecast(kinds.TOO_MANY_GAPS)


@pytest.mark.parametrize(("season", "horizon"), [(0, 3), (12, 0)])
def test_a_step_at_least_is_asked_for(season: int, horizon: int) -> None:
    with pytest.raises(ValueError, match="at least one step"):
        forecast_series([1, 2, 3], season, horizon)


def test_what_is_missing_at_the_end_is_stepped_over() -> None:
    short = np.array([4.0, 6.0, 5.0, 8.0])
    whole = forecast_series(short, 1, 5)
    later = forecast_series([*short, math.nan, math.nan], 1, 3)
    assert isinstance(whole, SeriesForecast)
    assert isinstance(later, SeriesForecast)
    assert later.points.tolist() == whole.points[2:].tolist()
    assert later.errors.shape[1] == later.width.shape[0] == 3


def test_not_below_zero_where_that_is_asked_for() -> None:
    falling = np.linspace(50, 1, 30) + np.random.default_rng(5).normal(0, 4, 30)
    said = forecast_series(falling, 1, 8, non_negative=True)
    free = forecast_series(falling, 1, 8)
    assert isinstance(said, SeriesForecast)
    assert isinstance(free, SeriesForecast)
    assert said.points.min() >= 0
    assert said.quantiles([0.001, 0.5]).min() >= 0
    assert free.points.min() < 0


def test_a_season_of_weeks_seen_four_times_is_taken_out_and_given_back() -> None:
    shape = 1 + 0.5 * np.sin(2 * np.pi * np.arange(52) / 52)
    said = forecast_series(200 * np.resize(shape, 220), 52, 52)
    assert isinstance(said, SeriesForecast)
    assert said.points == pytest.approx(200 * shape[(220 + np.arange(52)) % 52], rel=0.05)


def test_the_same_input_gives_the_same_bytes_in_any_process_and_in_any_company() -> None:
    program = "from tests.forecasting.engine.series.test_forecasting import batch, digest\nprint(digest(batch()))"
    other = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert other.stdout.strip() == digest(batch())
    alone = forecast_series(made(2), QUARTERS, 6, learned=batch().learned)
    within = batch().forecasts[2]
    assert isinstance(alone, SeriesForecast)
    assert isinstance(within, SeriesForecast)
    assert np.array_equal(alone.interval(0.9), within.interval(0.9))


@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=8), st.integers(0, 3))
@settings(max_examples=40)
def test_quantiles_never_cross_and_ranges_hold_each_other(asked: list[float], which: int) -> None:
    said = batch().forecasts[which]
    assert isinstance(said, SeriesForecast)
    assert (np.diff(said.quantiles(np.sort(asked)), axis=0) >= 0).all()
    inner, outer = said.interval(min(asked)), said.interval(max(asked))
    assert (outer[0] <= inner[0]).all()
    assert (inner[1] <= outer[1]).all()
    assert (said.quantiles([0.5])[0] == said.points).all()


@pytest.mark.parametrize("level", [0, 1, -0.1, 80])
def test_a_level_is_a_share(level: float) -> None:
    said = batch().forecasts[0]
    assert isinstance(said, SeriesForecast)
    with pytest.raises(ValueError, match="between 0 and 1"):
        said.interval(level)


def test_a_wilder_series_has_wider_ranges() -> None:
    calm, wild = forecast_many([made(8, noise=0.02), made(8, noise=0.3)], QUARTERS, 4).forecasts
    assert isinstance(calm, SeriesForecast)
    assert isinstance(wild, SeriesForecast)
    assert (np.ptp(wild.interval(0.8), axis=0) > 3 * np.ptp(calm.interval(0.8), axis=0)).all()
