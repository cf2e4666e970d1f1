"""How wide a range has to be, learnt from how wrong forecasts of the past were: conformal scores, not a model's belief.

A score is the size of an error over the unit of its series and step (`Past`). The scores of all series of a batch are
one pool: few series are long enough for quantiles of their own, and most differ by how wrong they are, not by the shape
of their errors. So the pool gives the shape (`Learned.curve`), the growth with the steps ahead, and the typical size;
of its own a series has one factor, shrunk towards 1. When a series' errors are put into the pool, its factor comes from
its other origins: nothing is judged by itself. Nearer origins count more. What few series cannot tell is taken from
`USUAL`, which was measured on public series of four competitions.

Ranges are symmetrical in errors (of logarithms, for positive series: then the upper half is the wider one): which side
the last years happened to err on is no promise. They grow with the level and, in units, with the steps ahead.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from forecasting.engine.values import Floats

LEVELS = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995])
NEARER = 0.6  # weight of each origin to that of the one after it
OWN = 3.0  # origins of its own that a series needs to count as much as the pool
POOL = 20.0  # series that a pool needs to count as much as the usual


class Past(Struct, frozen=True, eq=False):
    """Scores of one series, not below zero: (origins, steps), the latest origin first, NaN where nothing came yet."""

    scores: Floats


class Learned(Struct, frozen=True, eq=False):
    """A score at step k is about `size` x k ** `growth`; a level's share of them is below `curve` times that."""

    size: float
    growth: float
    curve: Floats  # at LEVELS
    series: int


# Measured on 516 series of the M1, M3, M4 and tourism competitions; halves of them agree to about 5 %.
USUAL = Learned(
    size=0.58,
    growth=0.13,
    curve=np.array([0.0, 0.14, 0.29, 0.44, 0.60, 0.79, 0.99, 1.24, 1.56, 1.78, 2.10, 2.31, 2.60, 3.09, 3.86, 4.50]),
    series=0,
)


def learn(pasts: Sequence[Past], usual: Learned = USUAL) -> Learned:
    """What a batch tells of ranges; `usual` where it tells nothing."""
    told = [past.scores for past in pasts if np.isfinite(past.scores).any()]
    if not told:
        return usual
    share = len(told) / (len(told) + POOL)
    growth = share * _growth(told, usual.growth) + (1 - share) * usual.growth
    flat = [scores / steps(scores.shape[1], growth) for scores in told]
    size = _size(flat)
    if size <= 0:
        return Learned(usual.size, usual.growth, usual.curve, len(told))
    size = float(np.exp(share * np.log(size) + (1 - share) * np.log(usual.size)))
    found, weights = [], []
    for scores in flat:
        by = _weights(scores)
        for at in range(len(scores)):
            others = np.arange(len(scores)) != at
            found.append(scores[at] / (size * _factor(scores[others], by[others], size)))
            weights.append(by[at])
    curve = _quantiles(np.concatenate(found), np.concatenate(weights), LEVELS)
    curve = share * curve + (1 - share) * usual.curve
    return Learned(size, growth, np.maximum.accumulate(np.maximum(curve, 0.0)), len(told))


def widths(past: Past, learned: Learned) -> Floats:
    """By steps, in units: what the curve is multiplied with, for this series."""
    count = past.scores.shape[1]
    flat = past.scores / steps(count, learned.growth)
    factor = _factor(flat, _weights(flat), learned.size)
    return learned.size * factor * steps(count, learned.growth)


def reach(curve: Floats, level: ArrayLike) -> Floats:
    """How many widths to each side hold a share `level` (0 to 1) of what comes; beyond the last of LEVELS on along the
    normal distribution."""
    from scipy.special import ndtri

    asked = np.asarray(level, dtype=np.float64)
    inside = np.interp(asked, LEVELS, curve)
    top = ndtri((1 + LEVELS[-1]) / 2)
    beyond = curve[-1] * ndtri((1 + np.minimum(asked, 1 - 1e-12)) / 2) / top
    return np.asarray(np.where(asked > LEVELS[-1], beyond, inside), dtype=np.float64)


def steps(count: int, growth: float) -> Floats:
    return np.asarray(np.arange(1, count + 1, dtype=np.float64) ** growth, dtype=np.float64)


def _weights(scores: Floats) -> Floats:
    """Of each score; those of a series are 1 together."""
    by = np.where(np.isfinite(scores), NEARER ** np.arange(len(scores))[:, None], 0.0)
    whole = by.sum()
    return np.asarray(by / whole if whole > 0 else by, dtype=np.float64)


def _size(flat: Sequence[Floats]) -> float:
    """The weighted mean of all scores."""
    return float(np.mean([np.nansum(scores * _weights(scores)) for scores in flat]))


def _growth(told: Sequence[Floats], otherwise: float) -> float:
    """The slope of log mean score by log step."""
    longest = max(scores.shape[1] for scores in told)
    above, below = np.zeros(longest), np.zeros(longest)
    for scores in told:
        by = _weights(scores)
        above[: scores.shape[1]] += np.nansum(scores * by, axis=0)
        below[: scores.shape[1]] += by.sum(axis=0)
    kept = (below > 0) & (above > 0)
    if kept.sum() < 3:
        return otherwise
    x, y = np.log(np.arange(1, longest + 1)[kept]), np.log(above[kept] / below[kept])
    by = below[kept]
    x, y = x - np.average(x, weights=by), y - np.average(y, weights=by)
    return float(np.clip(np.sum(by * x * y) / np.sum(by * x * x), 0.0, 1.0))


def _factor(flat: Floats, weights: Floats, size: float) -> float:
    """How much more wrong than usual a series was, shrunk towards 1 by how few origins there are."""
    there = np.isfinite(flat).any(axis=1)
    if not there.any():
        return 1.0
    by = NEARER ** np.flatnonzero(there)
    mean = np.nanmean(flat[there], axis=1) / size
    return float((OWN + by @ mean) / (OWN + by.sum()))


def _quantiles(found: Floats, weights: Floats, levels: Floats) -> Floats:
    kept = np.isfinite(found) & (weights > 0)
    order = np.argsort(found[kept], kind="stable")
    ranked, by = found[kept][order], weights[kept][order]
    at = (np.cumsum(by) - by / 2) / by.sum()
    return np.asarray(np.interp(levels, np.concatenate(([0.0], at)), np.concatenate(([0.0], ranked))), dtype=np.float64)
