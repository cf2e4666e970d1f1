"""What repeats with the season: a test whether anything does, indices that take it away, and the baselines that need it.

The test and the indices are those of the M4 competition: autocorrelation at one season against its 90 % limit, and the
classical decomposition by a centred moving average. Seasonal indices of a positive series are factors with the mean 1,
of any other series amounts with the mean 0.
"""

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Floats

LIMIT = 1.645  # of the normal distribution: 90 %, both sides
LEAST_FACTOR = 0.01  # a factor below it would blow up what it divides


class Season(Struct, frozen=True, eq=False):
    """`indices` has one number for each step of a season, the first one that of the first value of the series."""

    indices: Floats
    factors: bool

    def taken_from(self, values: Floats) -> Floats:
        shape = self._at(0, len(values))
        return values / shape if self.factors else values - shape

    def given_to(self, values: Floats, start: int) -> Floats:
        """`values` begin `start` steps after the first value of the series; along the last axis."""
        shape = self._at(start, values.shape[-1])
        return values * shape if self.factors else values + shape

    def _at(self, start: int, count: int) -> Floats:
        return self.indices[(start + np.arange(count)) % len(self.indices)]


def is_seasonal(values: Floats, length: int) -> bool:
    """Whether values one season apart go together more than those of a series without a season would."""
    if length < 2 or len(values) < 2 * length + 1:
        return False
    off = values - values.mean()
    whole = float(off @ off)
    if whole <= 0:
        return False
    acf = np.array([float(off[k:] @ off[:-k]) / whole for k in range(1, length + 1)])
    limit = LIMIT * np.sqrt((1 + 2 * float(acf[:-1] @ acf[:-1])) / len(values))
    return bool(abs(acf[-1]) > limit)


def season_of(values: Floats, length: int) -> Season | None:
    """The season of a series that has one; None of any other."""
    if not is_seasonal(values, length):
        return None
    smooth = _smooth(values, length)
    if values.min() > 0:
        indices = _mean_by_step(values / smooth, length)
        indices = indices / indices.mean()
        if indices.min() > LEAST_FACTOR:
            return Season(indices, True)
    indices = _mean_by_step(values - smooth, length)
    return Season(indices - indices.mean(), False)


def naive(values: Floats, horizon: int) -> Floats:
    return np.full(horizon, values[-1])


def seasonal_naive(values: Floats, length: int, horizon: int) -> Floats:
    """What came one season before; the last value where there is no whole season yet."""
    if length < 2 or len(values) < length:
        return naive(values, horizon)
    return values[len(values) - length + np.arange(horizon) % length]


def drift(values: Floats, horizon: int) -> Floats:
    """On along the line from the first value to the last."""
    slope = (values[-1] - values[0]) / max(len(values) - 1, 1)
    return np.asarray(values[-1] + slope * np.arange(1, horizon + 1), dtype=np.float64)


def naive2(values: Floats, length: int, horizon: int) -> Floats:
    """The last value without its season, with the season of each step ahead: what the M4 competition measures against."""
    season = season_of(values, length)
    if season is None:
        return naive(values, horizon)
    return season.given_to(naive(season.taken_from(values), horizon), len(values))


def _smooth(values: Floats, length: int) -> Floats:
    """Centred moving average over one season; NaN where the window reaches beyond the series."""
    weights = np.ones(length) / length
    if length % 2 == 0:
        weights = np.concatenate(([0.5], np.ones(length - 1), [0.5])) / length
    inner = np.convolve(values, weights, mode="valid")
    edge = (len(values) - len(inner)) // 2
    found = np.full(len(values), np.nan)
    found[edge : edge + len(inner)] = inner
    return found


def _mean_by_step(values: Floats, length: int) -> Floats:
    return np.array([float(np.nanmean(values[step::length])) for step in range(length)])
