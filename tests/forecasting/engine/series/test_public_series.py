"""A part of the public series, where they are at hand: the whole proof is `make bench-forecast`."""

import os
from pathlib import Path

import numpy as np
import pytest

from bench.engine.series import errors, read
from forecasting.engine import scores
from forecasting.engine.series.forecasting import SeriesForecast, forecast_many
from forecasting.engine.series.seasons import naive2

FOLDER = Path(os.environ.get("SFA_SAMPLE_DATA", "")) / "m4_sample"
pytestmark = pytest.mark.skipif(
    not os.environ.get("SFA_SAMPLE_DATA") or not FOLDER.is_dir(),
    reason="SFA_SAMPLE_DATA does not name a folder with the public set m4_sample",
)


def test_some_quarterly_series_of_m4_are_forecast_better_than_by_naive2_and_ranges_hold() -> None:
    judged = [one for one in read(FOLDER) if one.season == 4][::5]
    told = [f for f in forecast_many([one.train for one in judged], 4, 8).forecasts if isinstance(f, SeriesForecast)]
    assert len(told) == 20
    said, floor = errors(judged, [f.points for f in told]), errors(judged, [naive2(j.train, 4, 8) for j in judged])
    owa = scores.owa(*said, *floor).value
    assert owa is not None
    assert owa < 0.9
    ranges = [f.interval(0.8) for f in told]
    held = np.mean([(low <= one.test) & (one.test <= high) for one, (low, high) in zip(judged, ranges, strict=True)])
    assert 0.65 < held < 0.95
