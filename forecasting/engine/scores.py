"""How good forecasts were: each measure is a number or the reason why there is none, never a NaN. Pure.

Forecasts and what came are columns of one length. Where either is not finite (a hole), the pair is in no sum and is
counted as left out. What cannot be said has a stable code: `no_history` (no pair is left), `all_zero` (nothing to
divide by), `too_short` (the history has no two values a season apart), `constant` (all of them are the same).
"""

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from forecasting.engine.values import Bools, Floats, Ints

NO_HISTORY, ALL_ZERO, TOO_SHORT, CONSTANT = "no_history", "all_zero", "too_short", "constant"
LEAST_CHANCE = 1e-6  # no chance is taken for smaller, nor for nearer to 1: one surprise must not be infinitely bad
SMALLEST = 1e-150  # nothing smaller is divided by: what came of it could not be written as a number
FEW = 5  # pairs; of fewer a measure says little


class Score(Struct, frozen=True, gc=False):
    """`value` is None exactly where `code` says why. `count` pairs were counted, `left_out` were holes."""

    value: float | None
    count: int
    left_out: int = 0
    code: str | None = None

    @property
    def few(self) -> bool:
        return self.count < FEW


class Calibration(Struct, frozen=True, eq=False):
    """Of each bin, in order of chances: what was said on average, how often it happened, and of how many."""

    said: Floats
    happened: Floats
    counts: Ints


def wape(forecast: ArrayLike, actual: ArrayLike) -> Score:
    """The sum of all differences, whichever way, over the sum of what came, whichever sign."""
    said, came, left_out = _pairs(forecast, actual)
    return _ratio(float(np.abs(said - came).sum()), float(np.abs(came).sum()), len(came), left_out)


def bias(forecast: ArrayLike, actual: ArrayLike) -> Score:
    """The sum of differences with their sign over what came in all; above zero where too much was said."""
    said, came, left_out = _pairs(forecast, actual)
    return _ratio(float((said - came).sum()), abs(float(came.sum())), len(came), left_out)


def smape(forecast: ArrayLike, actual: ArrayLike) -> Score:
    """As the M4 competition has it, 0 to 2; of a pair of zeros it is 0."""
    said, came, left_out = _pairs(forecast, actual)
    if not len(came):
        return Score(None, 0, left_out, NO_HISTORY)
    size = np.abs(said) + np.abs(came)
    parts = np.divide(2 * np.abs(said - came), size, out=np.zeros_like(size), where=size > 0)
    return Score(float(parts.mean()), len(came), left_out)


def scale(history: ArrayLike, season: int) -> Score:
    """How far the seasonal naive forecast is off within the history: what MASE divides by.

    A season that the history does not hold twice over is `too_short`; a history that repeats itself is `constant`.
    """
    if season < 1:
        raise ValueError(f"a season has at least one step, not {season}")
    values = np.asarray(history, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    off = values[season:] - values[:-season]
    kept = off[np.isfinite(off)]
    if not len(kept):
        return Score(None, 0, len(off), TOO_SHORT)
    value = float(np.abs(kept).mean())
    if value <= SMALLEST:
        return Score(None, len(kept), len(off) - len(kept), CONSTANT)
    return Score(value, len(kept), len(off) - len(kept))


def mase(forecast: ArrayLike, actual: ArrayLike, history: ArrayLike, season: int) -> Score:
    """Mean absolute error over that of the seasonal naive forecast within the history (Hyndman and Koehler)."""
    said, came, left_out = _pairs(forecast, actual)
    by = scale(history, season)
    return _scaled(float(np.abs(said - came).mean()) if len(came) else None, by, len(came), left_out)


def owa(smapes: ArrayLike, mases: ArrayLike, smapes_naive2: ArrayLike, mases_naive2: ArrayLike) -> Score:
    """Overall weighted average of the M4 competition: means over series first, then both ratios to Naive2, averaged.

    Columns have a position for each series; one that has a hole in any of them is left out of all.
    """
    columns = np.stack([np.asarray(c, dtype=np.float64) for c in (smapes, mases, smapes_naive2, mases_naive2)])
    whole = np.isfinite(columns).all(axis=0)
    count, left_out = int(whole.sum()), int((~whole).sum())
    if not count:
        return Score(None, 0, left_out, NO_HISTORY)
    s, m, s_naive, m_naive = columns[:, whole].mean(axis=1)
    if min(s_naive, m_naive) <= SMALLEST:
        return Score(None, count, left_out, ALL_ZERO)
    return Score(float(s / s_naive + m / m_naive) / 2, count, left_out)


def pinball(quantiles: ArrayLike, actual: ArrayLike, levels: ArrayLike) -> Score:
    """Mean pinball loss, in the unit of what came. `quantiles` has the shape (pairs, levels); (pairs,) of one level."""
    at = np.atleast_1d(np.asarray(levels, dtype=np.float64))
    said = np.asarray(quantiles, dtype=np.float64).reshape(-1, len(at))
    came = np.asarray(actual, dtype=np.float64).reshape(-1, 1)
    if said.shape[0] != came.shape[0]:
        raise ValueError(f"{said.shape[0]} forecasts beside {came.shape[0]} that came")
    whole = (np.isfinite(said) & np.isfinite(came)).all(axis=1)
    count, left_out = int(whole.sum()), int((~whole).sum())
    if not count:
        return Score(None, 0, left_out, NO_HISTORY)
    off = came[whole] - said[whole]
    return Score(float(np.maximum(at * off, (at - 1) * off).mean()), count, left_out)


def coverage(low: ArrayLike, high: ArrayLike, actual: ArrayLike) -> Score:
    """The share that came within the range, its ends included."""
    inside, left_out = _inside(low, high, actual)
    if not len(inside):
        return Score(None, 0, left_out, NO_HISTORY)
    return Score(float(inside.mean()), len(inside), left_out)


def log_loss(chances: ArrayLike, happened: ArrayLike) -> Score:
    """Mean of -ln(the chance given to what happened or did not)."""
    said, came, left_out = _pairs(chances, happened)
    if not len(came):
        return Score(None, 0, left_out, NO_HISTORY)
    kept = np.clip(said, LEAST_CHANCE, 1 - LEAST_CHANCE)
    return Score(float(-np.where(came > 0.5, np.log(kept), np.log1p(-kept)).mean()), len(came), left_out)


def calibration(chances: ArrayLike, happened: ArrayLike, bins: int = 10) -> Calibration:
    """Bins of about the same number of pairs each. Equal chances are never parted, so there may be fewer bins."""
    said, came, _ = _pairs(chances, happened)
    values, where, counts = np.unique(said, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle = ends - counts / 2
    of_value = np.minimum((middle * bins / max(len(said), 1)).astype(np.int64), bins - 1)
    of_pair = of_value[where] if len(values) else np.zeros(0, dtype=np.int64)
    sizes = np.bincount(of_pair, minlength=bins)
    kept = sizes > 0
    by = np.maximum(sizes, 1)
    return Calibration(
        said=(np.bincount(of_pair, weights=said, minlength=bins) / by)[kept],
        happened=(np.bincount(of_pair, weights=came, minlength=bins) / by)[kept],
        counts=sizes[kept].astype(np.int64),
    )


def calibration_error(chances: ArrayLike, happened: ArrayLike, bins: int = 10) -> Score:
    """Expected calibration error: how far off a bin is on average, by its size. Chance alone makes it some way above
    0: about 0.8 x sqrt(bins x p(1-p) / pairs) of chances near p that are right."""
    said, _, left_out = _pairs(chances, happened)
    if not len(said):
        return Score(None, 0, left_out, NO_HISTORY)
    found = calibration(chances, happened, bins)
    off = float((np.abs(found.said - found.happened) * found.counts).sum() / found.counts.sum())
    return Score(off, len(said), left_out)


def _pairs(forecast: ArrayLike, actual: ArrayLike) -> tuple[Floats, Floats, int]:
    said = np.asarray(forecast, dtype=np.float64).ravel()
    came = np.asarray(actual, dtype=np.float64).ravel()
    if len(said) != len(came):
        raise ValueError(f"{len(said)} forecasts beside {len(came)} that came")
    whole = np.isfinite(said) & np.isfinite(came)
    return said[whole], came[whole], int((~whole).sum())


def _inside(low: ArrayLike, high: ArrayLike, actual: ArrayLike) -> tuple[Bools, int]:
    bottom, top, came = (np.asarray(c, dtype=np.float64).ravel() for c in (low, high, actual))
    if not len(bottom) == len(top) == len(came):
        raise ValueError(f"ranges of {len(bottom)} and {len(top)} ends beside {len(came)} that came")
    whole = ~(np.isnan(bottom) | np.isnan(top)) & np.isfinite(came)  # an end may be open
    return (bottom <= came)[whole] & (came <= top)[whole], int((~whole).sum())


def _ratio(above: float, below: float, count: int, left_out: int) -> Score:
    if not count:
        return Score(None, 0, left_out, NO_HISTORY)
    if below <= SMALLEST:
        return Score(None, count, left_out, ALL_ZERO)
    return Score(above / below, count, left_out)


def _scaled(error: float | None, by: Score, count: int, left_out: int) -> Score:
    if error is None:
        return Score(None, 0, left_out, NO_HISTORY)
    if by.value is None:
        return Score(None, count, left_out, by.code)
    return Score(error / by.value, count, left_out)
