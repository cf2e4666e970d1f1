"""Ranges of nodes become ranges that add up: draws in which every node is the sum of its leaves. Pure.

Quantiles of parts do not add up to those of the whole; draws do. Each node brings its own quantiles. A draw takes one
past forecast at random, puts every node and step where it stood then among its own errors (its rank, so that what was
off together is off together again), and reads the quantiles there. Between two ranks the past says nothing, and nodes
move together. Then each draw is made to add up as points are. The same seed makes the same bytes, and quantiles of what
comes out are in order, since they are read off draws.
"""

import numpy as np
from scipy.special import ndtri

from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.reconcile import Reconciler
from forecasting.engine.values import Floats

MARGIN = 1e-6  # no draw is taken for nearer to 0 or 1 than that


def draws(
    hierarchy: Hierarchy,
    by: Reconciler,
    levels: Floats,
    quantiles: Floats,
    errors: Floats,
    count: int,
    seed: np.random.SeedSequence,
    *,
    non_negative: bool = False,
) -> Floats:
    """-> (nodes, steps, count). `quantiles` (nodes, steps, levels) are those of each node alone at `levels`, which rise
    between 0 and 1; `errors` (nodes, origins, steps) of past forecasts, of which an origin with a hole takes no part.
    Without any that is whole all nodes move together, which is the widest a sum can be."""
    if by.to_leaves is None:
        raise ValueError(f"{by.method} is not computable: {by.code}")
    places = where(errors, count, np.random.default_rng(seed))
    found = np.empty((len(hierarchy), quantiles.shape[1], count))
    for step in range(quantiles.shape[1]):
        drawn = read(levels, quantiles[:, step], places[:, step])
        leaves = by.to_leaves @ drawn
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
    places = (ranks[:, origin].transpose(0, 2, 1) + within) / origins
    return np.clip(places, MARGIN, 1 - MARGIN)


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
