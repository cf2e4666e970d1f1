"""Forecasts of nodes become forecasts that add up: every node the sum of its leaves, whatever the method. Pure.

A method is a matrix that makes leaves of what was forecast of all nodes, and the nodes are then summed. `mint_*`,
`wls_*` and `ols` change the forecasts as little as they can, by how wrong those of each node were (Wickramasuriya,
Athanasopoulos and Hyndman 2019), with the shrunk covariance of Schäfer and Strimmer (2005). `mint_ahead` looks at
errors some steps ahead too, as they were made: leaves that all miss the same growth are off together there, and next to
nothing of that is seen one step ahead. Nodes that hold the same leaves are one node here: what was forecast of them is
averaged first.

What a method lacks makes it not computable: a code, no exception (`no_history`, `no_root`, `no_shares`, `no_nodes`,
`singular`). Which method is best in a hierarchy is chosen in `choosing`; ranges that add up are draws of leaves and no
business of this module.
"""

import numpy as np
from msgspec import Struct
from scipy.linalg import solve

from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.values import Floats

BOTTOM_UP, TOP_DOWN, OLS, AVERAGE = "bottom_up", "top_down", "ols", "average"
WLS_STRUCTURE, WLS_VARIANCE, MINT, MINT_AHEAD = "wls_structure", "wls_variance", "mint_shrink", "mint_ahead"
# From the simplest on: of equals the first is taken. `average` is the mean of `AVERAGED`, as far as there.
METHODS = (BOTTOM_UP, TOP_DOWN, OLS, WLS_STRUCTURE, WLS_VARIANCE, MINT, MINT_AHEAD, AVERAGE)
AVERAGED = (OLS, WLS_STRUCTURE, WLS_VARIANCE, MINT)
LEAST_ERRORS = 4  # forecasts of which it is known how wrong they were; fewer say nothing of a variance
FLOOR = 1e-9  # of the largest variance: a node that was never wrong is not infinitely sure
LEAST_SHRINKAGE = 1e-3  # keeps the covariance invertible where there are more nodes than errors
NO_HISTORY, NO_ROOT, NO_SHARES, NO_NODES = "no_history", "no_root", "no_shares", "no_nodes"
SINGULAR = "singular"


class Evidence(Struct, frozen=True, eq=False):
    """How wrong forecasts of all nodes were: what came less what was forecast, NaN where that is not known.

    `one_step` (nodes, samples) are errors of the next step, from within the history where there are no others; `ahead`
    (nodes, origins, steps) those of forecasts as they were made. `shares` (leaves,) are parts of the root's history.
    """

    one_step: Floats | None = None
    ahead: Floats | None = None
    shares: Floats | None = None


class Reconciler(Struct, frozen=True, eq=False):
    """`to_leaves` has the shape (leaves, nodes); None exactly where `code` says why; `shrinkage` is MinT's."""

    method: str
    to_leaves: Floats | None
    code: str | None = None
    shrinkage: float | None = None


def reconciler(hierarchy: Hierarchy, method: str, evidence: Evidence) -> Reconciler:
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    if not len(hierarchy):
        return Reconciler(method, None, NO_NODES)
    if method == TOP_DOWN:
        return _top_down(hierarchy, evidence.shares)
    if method == AVERAGE:
        found = [reconciler(hierarchy, each, evidence).to_leaves for each in AVERAGED]
        return Reconciler(method, np.mean([each for each in found if each is not None], axis=0))
    distinct, merge = _distinct(hierarchy)
    shrinkage = None
    if method in (WLS_VARIANCE, MINT, MINT_AHEAD):
        errors = _errors(evidence, far=method == MINT_AHEAD)
        if errors is None:
            return Reconciler(method, None, NO_HISTORY)
        weights, shrinkage = _covariance(merge @ errors, whole=method != WLS_VARIANCE)
    elif method == WLS_STRUCTURE:
        weights = distinct.sum(axis=1)
    else:
        weights = np.ones(len(distinct))
    try:
        to_leaves = _to_leaves(distinct, weights, bottom_up=method == BOTTOM_UP)
    except np.linalg.LinAlgError:  # errors so unlike in size that numbers cannot hold both
        return Reconciler(method, None, SINGULAR)
    row, part = merge.argmax(axis=0), merge.max(axis=0)  # of each node: to_leaves @ merge, column by column
    return Reconciler(method, to_leaves[:, row] * part, None, shrinkage)


def reconciled(hierarchy: Hierarchy, by: Reconciler, base: Floats, *, non_negative: bool = False) -> Floats:
    """(nodes, …) -> the same shape, adding up. `non_negative` sets leaves below 0 to 0 before they are summed."""
    if by.to_leaves is None:
        raise ValueError(f"{by.method} is not computable: {by.code}")
    leaves = np.tensordot(by.to_leaves, base, axes=1)
    return hierarchy.total(np.maximum(leaves, 0.0) if non_negative else leaves)


def shrunk(errors: Floats) -> tuple[Floats, float]:
    """-> (the correlation matrix of rows, each around 0, shrunk to none; by how much, 0 to 1). NaN takes no part: it
    makes rows look less alike, never more. A row of nothing but 0 is like no other."""
    size = np.sqrt(_mean_squares(errors))
    z = np.divide(errors, size[:, None], out=np.zeros_like(errors), where=size[:, None] > 0)
    z = np.where(np.isfinite(z), z, 0.0)
    samples = z.shape[1]
    alike = z @ z.T / max(samples, 1)
    if samples < 2:
        return np.eye(len(z)), 1.0
    squares = np.square(z)
    spread = (squares @ squares.T - samples * np.square(alike)) * (samples / (samples - 1) ** 3)
    off = ~np.eye(len(z), dtype=np.bool_)
    below = float(np.square(alike)[off].sum())
    by = float(spread[off].sum()) / below if below > 0 else 1.0
    by = min(max(by, LEAST_SHRINKAGE), 1.0)
    found = (1 - by) * alike
    np.fill_diagonal(found, 1.0)
    return found, by


def stacked(errors: Floats) -> Floats:
    """(nodes, origins, steps) -> (nodes, samples): errors further ahead are larger, so each step is brought to the size
    of the first before they are taken together."""
    size = np.sqrt(_mean_squares(errors.transpose(0, 2, 1)))
    first = np.where(size[:, :1] > 0, size[:, :1], 1.0)
    by = np.divide(first, size, out=np.ones_like(size), where=size > 0)
    return (errors * by[:, None, :]).reshape(len(errors), -1)


def shares_of(hierarchy: Hierarchy, history: Floats, steps: int) -> Floats | None:
    """What part of everything each leaf had in the last steps of its history (nodes, times); None where a leaf or the
    whole had nothing above 0 to share."""
    held = np.nansum(history[hierarchy.leaves][:, -steps:], axis=1)
    whole = float(held.sum())
    return held / whole if whole > 0 and (held >= 0).all() else None


def _errors(evidence: Evidence, *, far: bool) -> Floats | None:
    """(nodes, samples): those of the next step, and with `far` those further ahead beside them; None of too few."""
    ahead = None if evidence.ahead is None else stacked(evidence.ahead)
    if far and ahead is None:
        return None
    near = evidence.one_step if evidence.one_step is not None else ahead
    parts = [part for part in ((near, ahead) if far and near is not ahead else (near,)) if part is not None]
    if not parts:
        return None
    errors = np.hstack(parts)
    told = errors[:, np.isfinite(errors).any(axis=0)]
    return told if told.shape[1] >= LEAST_ERRORS and np.nanmax(np.abs(told)) > 0 else None


def _mean_squares(errors: Floats) -> Floats:
    """Over the last axis, of what is finite; 0 of nothing."""
    there = np.isfinite(errors)
    squares = np.where(there, np.square(np.where(there, errors, 0.0)), 0.0)
    return np.asarray(squares.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1), dtype=np.float64)


def _covariance(errors: Floats, *, whole: bool) -> tuple[Floats, float | None]:
    variances = _mean_squares(errors)
    variances = np.maximum(variances, variances.max() * FLOOR)
    if not whole:
        return variances, None
    alike, by = shrunk(errors)
    size = np.sqrt(variances)
    return alike * np.outer(size, size), by


def _distinct(hierarchy: Hierarchy) -> tuple[Floats, Floats]:
    """-> (the summing matrix without repeated rows, what averages nodes into those rows)."""
    kept, row_of = np.unique(hierarchy.first, return_inverse=True)
    merge = np.zeros((len(kept), len(hierarchy)))
    merge[row_of, np.arange(len(hierarchy))] = 1.0
    return hierarchy.summing[kept], merge / merge.sum(axis=1, keepdims=True)


def _to_leaves(summing: Floats, weights: Floats, *, bottom_up: bool) -> Floats:
    """Leaves less what makes sums and parts agree: J - (W C')_leaves (C W C')^-1 C, with C y = 0 where y adds up. The
    same as (S' W^-1 S)^-1 S' W^-1, but it inverts as many rows as there are sums, and no variance. `weights` are a
    matrix, or its diagonal."""
    single = summing.sum(axis=1) == 1.0
    rows = np.flatnonzero(single)
    leaf_row = rows[np.argsort(summing[rows].argmax(axis=1))]  # the row of each leaf, in order of columns
    pick = np.eye(len(summing))[leaf_row]
    sums = np.flatnonzero(~single)
    if bottom_up or not len(sums):
        return pick
    constraint = np.eye(len(summing))[sums] - summing[sums] @ pick
    weighted = weights @ constraint.T if weights.ndim == 2 else weights[:, None] * constraint.T
    return np.asarray(pick - weighted[leaf_row] @ solve(constraint @ weighted, constraint, assume_a="pos"))


def _top_down(hierarchy: Hierarchy, shares: Floats | None) -> Reconciler:
    roots = np.flatnonzero(hierarchy.summing.all(axis=1))
    if not len(roots):
        return Reconciler(TOP_DOWN, None, NO_ROOT)
    if shares is None:
        return Reconciler(TOP_DOWN, None, NO_SHARES)
    found = np.zeros((len(shares), len(hierarchy)))
    found[:, roots] = shares[:, None] / len(roots)
    return Reconciler(TOP_DOWN, found)
