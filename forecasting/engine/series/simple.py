"""Rules for series that models cannot be fitted to: too short ones, and those that are zero most of the time.

A short series goes on as it was a season ago, where a season is known, else with its last value, which from three
values on is averaged with the line from first to last: the two are wrong in opposite ways. An intermittent one is the
mean of three estimates of demand for each step (Croston's with the correction of Syntetos and Boylan, TSB, which fades
while nothing is sold, and ADIDA, which smooths sums over the mean interval): one level for all steps ahead.
"""

import numpy as np

from forecasting.engine.series.kinds import CONSTANT, INTERMITTENT
from forecasting.engine.series.seasons import drift, naive, seasonal_naive
from forecasting.engine.values import Floats

SMOOTHING = 0.1  # of sizes and intervals: the usual choice for demand that comes now and then


def say(kind: str, values: Floats, season: int, horizon: int) -> Floats:
    """What a rule for this kind says of the next steps."""
    if kind == CONSTANT:
        return naive(values, horizon)
    if kind == INTERMITTENT:
        return np.full(horizon, (sba(values) + tsb(values) + adida(values)) / 3)
    if 1 < season <= len(values):
        return seasonal_naive(values, season, horizon)
    if len(values) < 3:
        return naive(values, horizon)
    return (naive(values, horizon) + drift(values, horizon)) / 2


def smoothed(values: Floats, share: float = SMOOTHING) -> float:
    """The last level of simple exponential smoothing, begun with the mean of the first few values."""
    level = float(values[: max(len(values) // 3, 1)].mean())
    for value in values:
        level += share * (float(value) - level)
    return level


def sba(values: Floats) -> float:
    """Mean demand of a step: smoothed size over smoothed interval, less Croston's bias."""
    sold = np.flatnonzero(values)
    if not len(sold):
        return 0.0
    intervals = np.diff(sold, prepend=-1).astype(np.float64)
    return (1 - SMOOTHING / 2) * smoothed(values[sold]) / smoothed(intervals)


def tsb(values: Floats) -> float:
    """Mean demand of a step: smoothed size times the smoothed share of steps with a sale."""
    sold = values[values != 0]
    return smoothed((values != 0).astype(np.float64)) * smoothed(sold) if len(sold) else 0.0


def adida(values: Floats) -> float:
    """Mean demand of a step: smoothed sums over as many steps as there are between two sales."""
    sold = np.count_nonzero(values)
    if not sold:
        return 0.0
    width = max(round(len(values) / sold), 1)
    blocks = len(values) // width
    sums = values[len(values) - blocks * width :].reshape(blocks, width).sum(axis=1)
    return smoothed(sums) / width
