"""Several views of the same figure become one: pipeline, statistics, people's calls, and the past itself. Pure.

Weights are parts of one (none below 0), fitted to past periods and drawn towards equal parts, the more the fewer
periods there are. Whether they are used is asked of the past as well: period by period, each candidate (the fitted
weights, equal parts, each view alone, and the baselines "same period of the last quarter or year") is judged by what it
would have said with what was known before, late periods more than early ones. The best so far speaks; so where a
baseline is better than all that was made with effort, the baseline is what is said. With fewer than `LEAST_PERIODS`
nothing is fitted: equal parts, and `too_short` says so.

A view that is missing in a period (nobody called) leaves its weight to the others there. Views and what came are in the
same unit; periods are in the order of time. Several nodes may be judged together: more history, one set of weights.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from forecasting.engine.scores import Score, wape
from forecasting.engine.values import Floats

LEAST_PERIODS = 4  # with fewer nothing is chosen: a year of quarters is the least that a choice can stand on
PULL = 4.0  # periods that equal parts weigh against what was seen
HALF = 8.0  # periods: what was right then counts half, as companies change
SEEN = 0.5  # of the periods: a view that was there less often cannot be judged, and is left out
FITTED, EQUAL = "fitted", "equal"
TOO_SHORT, NO_HISTORY, NO_VIEW, SILENT = "too_short", "no_history", "no_view", "silent"


class Blend(Struct, frozen=True, eq=False):
    """`weights` add up to 1, empty where `code` is `no_view`. `by` names what was chosen: fitted, equal or one view.

    `scores` has the WAPE of each candidate over all periods, and under `chosen` that of choosing as it is chosen here,
    each time with what was known before (equal parts in the first `LEAST_PERIODS`). `off` is what was chosen by: how
    far each candidate was off in all, in the unit of what came, earlier periods counting less.
    """

    weights: Mapping[str, float]
    by: str
    periods: int
    scores: Mapping[str, Score]
    off: Mapping[str, float]
    left_out: tuple[str, ...] = ()
    code: str | None = None


class Blended(Struct, frozen=True):
    """`value` is None exactly where `code` says why; `weights` are those of the views that were there."""

    value: float | None
    weights: Mapping[str, float]
    code: str | None = None


def weigh(said: Mapping[str, ArrayLike], came: ArrayLike, *, baselines: Sequence[str] = ()) -> Blend:
    """`came` (periods,) or (periods, nodes), NaN where it is not known; each of `said` the same shape, NaN for nothing
    said. `baselines` are those of `said` that take no part in equal parts: they weigh what was fitted."""
    actual = _columns(came)
    views = {name: _columns(values) for name, values in said.items()}
    if wrong := sorted(name for name, values in views.items() if values.shape != actual.shape):
        raise ValueError(f"not of the shape of what came: {', '.join(wrong)}")
    if unknown := sorted(set(baselines) - views.keys()):
        raise ValueError(f"baselines that say nothing: {', '.join(unknown)}")
    known = np.isfinite(actual).any(axis=1)
    actual = actual[known]
    periods = len(actual)
    there = {name: np.isfinite(values[known]) & np.isfinite(actual) for name, values in views.items()}
    counted = max(int(np.isfinite(actual).sum()), 1)
    kept = [name for name in views if not periods or there[name].sum() >= SEEN * counted]
    left_out = tuple(name for name in views if name not in kept)
    speaking = [name for name in kept if name not in baselines] or kept
    if not speaking:
        return Blend({}, EQUAL, periods, {}, {}, left_out, NO_VIEW)
    equal = {name: 1 / len(speaking) for name in speaking}
    if periods < LEAST_PERIODS:
        code = TOO_SHORT if periods else NO_HISTORY
        return Blend(equal, EQUAL, periods, {}, {}, left_out, code)
    stack = np.stack([views[name][known] for name in kept])
    parts = np.array([equal.get(name, 0.0) for name in kept])
    tried = _tried(stack, actual, parts, kept)
    off = _off(tried, actual, periods)
    chosen = min(off, key=lambda name: off[name])
    scores = {name: wape(values, actual) for name, values in tried.items()}
    scores["chosen"] = wape(_as_chosen(tried, actual), actual)
    if chosen == FITTED:
        weights = _fit(stack, actual)
        found = {name: float(weight) for name, weight in zip(kept, weights, strict=True) if weight > 0}
    else:
        found = equal if chosen == EQUAL else {chosen: 1.0}
    return Blend(found, chosen, periods, scores, off, left_out)


def blended(blend: Blend, said: Mapping[str, float | None]) -> Blended:
    """What the views say now, by their weights; who says nothing leaves his weight to the others. Where nobody who has
    a weight says anything, the others speak in equal parts, and the code is `silent`."""
    there = {n: float(v) for n, v in said.items() if v is not None and np.isfinite(v) and n not in blend.left_out}
    whole = sum(blend.weights.get(name, 0.0) for name in there)
    if not there:
        return Blended(None, {}, NO_VIEW)
    weights = {name: blend.weights.get(name, 0.0) / whole if whole > 0 else 1 / len(there) for name in there}
    weights = {name: weight for name, weight in weights.items() if weight > 0}
    value = sum(weight * there[name] for name, weight in weights.items())
    return Blended(value, weights, None if whole > 0 else SILENT)


def blended_quantiles(weights: Mapping[str, float], quantiles: Mapping[str, Floats]) -> Floats:
    """Quantiles of the mixture, (levels, …): the mean of those of the views, level by level (Vincent). In order where
    theirs are. Every view that weighs something has to bring some: `around` makes them of a single figure."""
    whole = sum(weights.values())
    if whole <= 0 or (missing := sorted(set(weights) - quantiles.keys())):
        raise ValueError(f"no quantiles of {', '.join(missing)}" if whole > 0 else "no weights")
    return np.asarray(sum(weight / whole * quantiles[name] for name, weight in weights.items()), dtype=np.float64)


def around(value: float, said: ArrayLike, came: ArrayLike, levels: ArrayLike) -> Floats | None:
    """Quantiles of a view that says one figure, by how far off it was: `value` times what came over what was said. None
    with fewer than `LEAST_PERIODS` of them. Ends that the past does not reach stay at the worst that was seen."""
    then, actual = np.asarray(said, dtype=np.float64).ravel(), np.asarray(came, dtype=np.float64).ravel()
    whole = np.isfinite(then) & np.isfinite(actual) & (np.abs(then) > 0)
    if whole.sum() < LEAST_PERIODS:
        return None
    ratios = np.sort(actual[whole] / then[whole])
    at = np.asarray(levels, dtype=np.float64) * (len(ratios) + 1) - 1  # of n errors, one more lies beyond on each side
    found = value * np.interp(at, np.arange(len(ratios)), ratios)
    return np.asarray(np.sort(found), dtype=np.float64)


def _columns(values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found


def _tried(stack: Floats, actual: Floats, parts: Floats, names: Sequence[str]) -> dict[str, Floats]:
    """What each candidate would have said of each period, with what was known before it; mixtures come first, so that
    of equals the first is one. `parts` (views,) are equal ones of those that are no baselines."""
    fitted = np.full_like(actual, np.nan)
    for period in range(len(actual)):
        fitted[period] = _mean(stack[:, period], _fit(stack[:, :period], actual[:period]))
    return {FITTED: fitted, EQUAL: _mean(stack, parts)} | {name: stack[n] for n, name in enumerate(names)}


def _mean(views: Floats, weights: Floats) -> Floats:
    """Over the first axis, of those that are there; where no view that weighs anything is there, all that are."""
    there = np.isfinite(views)
    spread = weights.reshape(-1, *[1] * (views.ndim - 1)) * there
    whole = spread.sum(axis=0)
    spread = np.where(whole > 0, spread, there.astype(np.float64))
    whole = spread.sum(axis=0)
    sums = (spread * np.where(there, views, 0.0)).sum(axis=0)
    found: Floats = np.divide(sums, whole, out=np.full_like(sums, np.nan), where=whole > 0)
    return found


def _fit(views: Floats, actual: Floats) -> Floats:
    """Weights of least squares on the simplex, drawn to equal parts. (views, periods, nodes) -> (views,). Nodes count
    alike, each by the size of what came there; what was not said is taken for the mean of what was."""
    count = len(views)
    parts = np.full(count, 1 / count)
    filled = np.where(np.isfinite(views), views, _mean(views, parts))
    came = np.isfinite(actual)
    size = np.where(came, np.abs(actual), 0.0).sum(axis=0) / np.maximum(came.sum(axis=0), 1)
    errors = (actual - filled) / np.where(size > 0, size, 1.0)
    weights = _weights(len(actual))
    errors = errors * np.sqrt(weights)[:, None]
    whole = np.isfinite(errors).all(axis=0)
    errors = errors[:, whole]
    gram = errors @ errors.T / max(float((whole * weights[:, None]).sum()), 1e-9)
    pull = PULL / max(float(weights.sum()), 1e-9) * float(np.trace(gram)) / count
    if not pull > 0:
        return parts
    root = np.linalg.cholesky(gram + pull * np.eye(count)).T
    heavy = 1e4 * float(np.abs(root).max())  # weights add up to 1 as nearly as this can make them; then exactly
    aim = np.append(np.linalg.solve(root.T, pull * parts), heavy)
    found, _ = nnls(np.vstack([root, np.full((1, count), heavy)]), aim)
    return np.asarray(found / found.sum(), dtype=np.float64)


def _weights(periods: int) -> Floats:
    """Of periods in the order of time: the last one counts whole, and each `HALF` earlier half as much."""
    return np.asarray(0.5 ** (np.arange(periods)[::-1] / HALF), dtype=np.float64)


def _off(tried: Mapping[str, Floats], actual: Floats, until: int) -> dict[str, float]:
    """How far each candidate was off in the periods before `until`; the least is the best. Where a view was silent the
    worse of the two mixtures is held against it: nobody wins by being silent where it was hard."""
    came = actual[:until]
    off = {name: np.abs(values[:until] - came) for name, values in tried.items()}
    both = np.isfinite(off[EQUAL]) & np.isfinite(off[FITTED])
    found: dict[str, float] = {}
    for name, each in off.items():
        silent = both & ~np.isfinite(each)
        kept = np.where(silent, np.maximum(off[EQUAL], off[FITTED]), each)
        found[name] = float((np.where(both, kept, 0.0) * _weights(until)[:, None]).sum())
    return found


def _as_chosen(tried: Mapping[str, Floats], actual: Floats) -> Floats:
    said = tried[EQUAL].copy()
    for period in range(LEAST_PERIODS, len(actual)):
        before = _off(tried, actual, period)
        best = tried[min(before, key=lambda name: before[name])][period]
        said[period] = np.where(np.isfinite(best), best, said[period])
    return said
