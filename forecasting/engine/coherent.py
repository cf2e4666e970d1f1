"""Ranges that add up: draws in which every node is the sum of its leaves. Pure.

Quantiles of parts do not add up to those of the whole; draws do, and quantiles are read off them, so they are in order.
A node's range is how far off its reconciled forecasts were (`choosing.past_errors`, `off_by`): errors of forecasts
before they were reconciled would be too wide in one place and too narrow in another, and errors that a method was
fitted to are too small. A draw takes one past origin, puts every node and step where it stood then among its own errors
(its rank, so that what was off together is off together again), and reads off its range what lies there. Between two
ranks the past says nothing, and nodes move together. Then the draw is made to add up around the points. The same seed
makes the same bytes.
"""

import numpy as np
from scipy.special import ndtri

from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.reconcile import Reconciler
from forecasting.engine.values import Floats

MARGIN = 1e-6  # no draw is taken for nearer to 0 or 1 than that
FEW_NODES = 10  # a level of fewer nodes shares its errors with the other such levels


def off_by(hierarchy: Hierarchy, errors: Floats, scale: Floats, levels: Floats) -> Floats | None:
    """(nodes, origins, steps) -> (nodes, steps, levels): by how much each node may be off, from what all nodes of its
    level were off, each by its own scale (NaN: by 0). A step that was never reached is as the one before it; None where
    some level has no error at all at the first step."""
    scaled = np.divide(errors, scale[:, None, None], out=np.full_like(errors, np.nan), where=scale[:, None, None] > 0)
    counts = {level: hierarchy.levels.count(level) for level in hierarchy.levels}
    groups = [level if counts[level] >= FEW_NODES else "" for level in hierarchy.levels]
    found = np.zeros((len(errors), errors.shape[2], len(levels)))
    sizes = np.where(scale > 0, scale, 0.0)
    for group in dict.fromkeys(groups):
        of_group = np.array([each == group for each in groups])
        last = None
        for step in range(errors.shape[2]):
            off = scaled[of_group, :, step]
            off = off[np.isfinite(off)]
            last = np.quantile(off, levels) if len(off) else last
            if last is None:
                return None
            found[of_group, step] = sizes[of_group, None] * last
    return found


def draws(
    hierarchy: Hierarchy,
    by: Reconciler,
    points: Floats,
    levels: Floats,
    off: Floats,
    errors: Floats,
    count: int,
    seed: np.random.SeedSequence,
    *,
    non_negative: bool = False,
) -> Floats:
    """-> (nodes, steps, count). `points` (nodes, steps) add up; `off` (nodes, steps, levels) are quantiles of what
    comes less the point, at `levels` that rise between 0 and 1; `errors` (nodes, origins, steps) are of forecasts that
    were reconciled: an origin with a hole takes no part, without any all nodes move together, the widest a sum can be.

    `by` makes what is drawn add up. `bottom_up` keeps the ranges of leaves to the letter, and those of sums follow."""
    if by.to_leaves is None:
        raise ValueError(f"{by.method} is not computable: {by.code}")
    places = where(errors, count, np.random.default_rng(seed))
    found = np.empty((len(hierarchy), points.shape[1], count))
    for step in range(points.shape[1]):
        drawn = read(levels, off[:, step], places[:, step])
        leaves = points[hierarchy.leaves, step, None] + by.to_leaves @ drawn
        found[:, step] = hierarchy.total(np.maximum(leaves, 0.0) if non_negative else leaves)
    return found


def where(errors: Floats, count: int, rng: np.random.Generator) -> Floats:
    """(nodes, origins, steps) -> (nodes, steps, count) between 0 and 1: where each draw stands among what may be. Each
    node's are spread evenly, and in the order of its past errors."""
    nodes, _, steps = errors.shape
    whole = errors[:, np.isfinite(errors).all(axis=(0, 2))]
    origins = max(whole.shape[1], 1)
    ranks = np.zeros((nodes, origins, steps))
    if whole.shape[1]:
        ranks = np.argsort(np.argsort(whole, axis=1, kind="stable"), axis=1, kind="stable").astype(np.float64)
    turn = rng.permutation(count)
    origin = turn % origins
    rounds = -(-count // origins)
    within = (turn // origins + rng.random(count)) / rounds
    places: Floats = (ranks[:, origin].transpose(0, 2, 1) + within) / origins
    return places.clip(MARGIN, 1 - MARGIN)


def read(levels: Floats, quantiles: Floats, places: Floats) -> Floats:
    """Quantiles (nodes, levels) at places (nodes, count): straight lines between levels in units of the normal law, so
    that tails beyond the first and last level go on as its tails do. Quantiles out of order are put in order."""
    at = ndtri(np.asarray(levels, dtype=np.float64))
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise ValueError("levels rise between 0 and 1")
    rising = np.sort(quantiles, axis=1)
    if len(at) == 1:
        return np.repeat(rising, places.shape[1], axis=1)
    z = ndtri(places)
    left = np.clip(np.searchsorted(at, z, side="right") - 1, 0, len(at) - 2)
    low = np.take_along_axis(rising, left, axis=1)
    high = np.take_along_axis(rising, left + 1, axis=1)
    return np.asarray(low + (high - low) * (z - at[left]) / (at[left + 1] - at[left]))
