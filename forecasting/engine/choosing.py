"""Which method makes the forecasts of a hierarchy add up: the one that would have done it best so far. Pure.

Each past origin has the forecasts as they were made there and the evidence of what was known there. A method is judged
by level: mean absolute errors, each node by its own scale, over those of the forecasts that were left as they were. A
good total must not be paid for by the leaves, nor the other way round: of the methods that make no level worse than
`WORSE`, the one with the least error over all levels is taken; where every one does, the one whose worst level is the
least bad. With fewer than `LEAST_ORIGINS` there is nothing to choose by: then it is `ols`, and said (`too_short`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.reconcile import METHODS, OLS, Evidence, reconciled, reconciler
from forecasting.engine.values import Floats

WORSE = 0.03  # a level may be that much worse than what was left unreconciled
LEAST_ORIGINS = 3
TINY = 1e-9  # of a scaled error: what is compared with no error at all is not infinitely bad
TOO_SHORT = "too_short"


class Origin(Struct, frozen=True, eq=False):
    """`base` and `came` have the shape (nodes, steps), `came` NaN where it was not known yet. `scale` (nodes,) is what
    errors of a node are divided by (`scores.scale`), NaN for one that is not judged."""

    base: Floats
    came: Floats
    scale: Floats
    evidence: Evidence


class Choice(Struct, frozen=True, eq=False):
    """`ratios`: method -> level -> its error over that of the unreconciled forecasts, of the methods that could be
    computed at every origin. `code` says why nothing was chosen by."""

    method: str
    origins: int
    ratios: Mapping[str, Mapping[str, float]]
    code: str | None = None


def choose(
    hierarchy: Hierarchy,
    past: Sequence[Origin],
    methods: Sequence[str] = METHODS,
    *,
    now: Evidence | None = None,
    worse: float = WORSE,
    fallback: str = OLS,
    non_negative: bool = False,
) -> Choice:
    """`past` are origins in any order; one of which nothing is known yet is passed over. What cannot be computed with
    the evidence of `now`, where that is given, is not chosen."""
    told = [origin for origin in past if np.isfinite(origin.came).any()]
    if len(told) < LEAST_ORIGINS:
        return Choice(fallback, len(told), {}, TOO_SHORT)
    base = np.mean([_by_level(hierarchy, origin, origin.base) for origin in told], axis=0)
    names = list(dict.fromkeys(hierarchy.levels))
    judged = np.isfinite(base)
    ratios: dict[str, dict[str, float]] = {}
    for method in methods:
        if now is not None and reconciler(hierarchy, method, now).to_leaves is None:
            continue
        found = [_tried(hierarchy, origin, method, non_negative) for origin in told]
        known = [each for each in found if each is not None]
        if len(known) == len(told):
            by = (np.mean(known, axis=0)[judged] + TINY) / (base[judged] + TINY)
            ratios[method] = dict(zip(np.array(names)[judged].tolist(), by.tolist(), strict=True))
    if not ratios or not judged.any():
        return Choice(fallback, len(told), ratios, TOO_SHORT)
    worst = {method: max(by.values()) for method, by in ratios.items()}
    fair = [method for method in ratios if worst[method] <= 1 + worse]
    if fair:
        best = min(fair, key=lambda method: float(np.mean(np.log(list(ratios[method].values())))))
    else:
        best = min(ratios, key=lambda method: worst[method])
    return Choice(best, len(told), ratios)


def level_errors(hierarchy: Hierarchy, errors: Floats, scale: Floats) -> dict[str, float]:
    """Mean absolute errors (nodes, steps) of each level by the scales of its nodes; a level without any is left out."""
    names = list(dict.fromkeys(hierarchy.levels))
    found = _means(hierarchy, errors, scale)
    return {name: float(value) for name, value in zip(names, found, strict=True) if np.isfinite(value)}


def _tried(hierarchy: Hierarchy, origin: Origin, method: str, non_negative: bool) -> Floats | None:
    by = reconciler(hierarchy, method, origin.evidence)
    if by.to_leaves is None:
        return None
    return _by_level(hierarchy, origin, reconciled(hierarchy, by, origin.base, non_negative=non_negative))


def _by_level(hierarchy: Hierarchy, origin: Origin, said: Floats) -> Floats:
    return _means(hierarchy, origin.came - said, origin.scale)


def _means(hierarchy: Hierarchy, errors: Floats, scale: Floats) -> Floats:
    """One for each level, in the order in which they first appear; NaN where nothing is judged."""
    by_node = np.divide(np.abs(errors), scale[:, None], out=np.full_like(errors, np.nan), where=scale[:, None] > 0)
    at = {level: n for n, level in enumerate(dict.fromkeys(hierarchy.levels))}
    of_node = np.array([at[level] for level in hierarchy.levels], dtype=np.int64)
    whole = np.isfinite(by_node)
    sums = np.bincount(of_node, np.where(whole, by_node, 0.0).sum(axis=1), len(at))
    counts = np.bincount(of_node, whole.sum(axis=1), len(at))
    found: Floats = np.divide(sums, counts, out=np.full(len(at), np.nan), where=counts > 0)
    return found
