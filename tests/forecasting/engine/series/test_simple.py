import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine.series.kinds import CONSTANT, INTERMITTENT, TOO_SHORT
from forecasting.engine.series.simple import adida, say, sba, smoothed, tsb


def test_a_short_series_goes_on_as_a_season_ago_where_it_has_one() -> None:
    assert say(TOO_SHORT, np.array([1.0, 2, 3, 4, 5]), 4, 3).tolist() == [2, 3, 4]


def test_a_short_series_without_a_season_goes_half_way_along_its_line() -> None:
    assert say(TOO_SHORT, np.array([1.0, 2, 3]), 12, 2).tolist() == [3.5, 4.0]
    assert say(TOO_SHORT, np.array([1.0, 3.0]), 12, 2).tolist() == [3.0, 3.0]


def test_a_constant_goes_on() -> None:
    assert say(CONSTANT, np.array([7.0]), 12, 3).tolist() == [7, 7, 7]


def test_smoothing_by_hand() -> None:
    assert smoothed(np.array([4.0, 4.0, 14.0]), 0.5) == 9.0


@given(st.integers(2, 6), st.floats(0.5, 1e6), st.integers(4, 12))
def test_even_demand_is_found_by_each_estimate(interval: int, size: float, times: int) -> None:
    values = np.tile(np.concatenate((np.zeros(interval - 1), [size])), times)
    mean = size / interval
    assert sba(values) == pytest.approx(0.95 * mean)
    assert adida(values) == pytest.approx(mean)
    assert tsb(values) == pytest.approx(mean, rel=0.5)


def test_what_is_no_longer_sold_fades_by_tsb_and_not_by_croston() -> None:
    lively = np.tile([0.0, 0.0, 6.0], 8)
    dead = np.concatenate((lively, np.zeros(24)))
    assert tsb(dead) < tsb(lively) / 5
    assert sba(dead) == sba(lively)
    assert say(INTERMITTENT, dead, 12, 1)[0] < say(INTERMITTENT, lively, 12, 1)[0]


def test_nothing_sold_is_nothing() -> None:
    assert (sba(np.zeros(5)), tsb(np.zeros(5)), adida(np.zeros(5))) == (0, 0, 0)
