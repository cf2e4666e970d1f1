"""The past, seen as today is seen: which views were right at this distance from a period's end, and by how much. Pure.

At each distance the last `MOST` periods that are over are looked at, each with what was known on its day. Period by
period, with what was known before it only: views are weighed (nodes of one level together: a node alone has too few
periods), blended, made to add up over the tree, and moved by the bias that earlier ones had; so what is scored is what
would have been said. One thing is told with hindsight: the method that makes nodes add up is chosen by all of the past.
Ranges of the past are by mean and variance (a gamma distribution), where those of today are by draws.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from scipy.special import gammaincinv

from forecasting.engine.blend import Blend, weigh
from forecasting.engine.choosing import Choice, Origin, choose
from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.reconcile import (
    BOTTOM_UP,
    METHODS,
    TOP_DOWN,
    WLS_STRUCTURE,
    WLS_VARIANCE,
    Evidence,
    reconciled,
    reconciler,
    shares_of,
)
from forecasting.engine.spread import Past, Spread, deviations, learn
from forecasting.engine.values import Floats
from forecasting.outlook.looking import SAID, Look, Looker
from forecasting.outlook.values import LAST_PERIOD, LAST_YEAR

MOST = 12  # periods back
YEAR = 4  # periods that shares are of
LARGE, LARGE_MOST = 300, 6  # nodes from which on fewer methods are judged, on fewer periods
LARGE_METHODS = (BOTTOM_UP, TOP_DOWN, WLS_STRUCTURE, WLS_VARIANCE)
BASELINES = (LAST_PERIOD, LAST_YEAR)
LEVELS = np.array([0.1, 0.5, 0.9])
UNSEEN = learn(Past(np.zeros(0), np.zeros(0), np.zeros(0)))


class Seen(Struct, frozen=True, eq=False):
    """Past periods at one distance, the oldest first: `said` (periods, views, nodes), the others (periods, nodes)."""

    days: int
    looks: tuple[Look, ...]
    said: Floats
    won: Floats
    luck: Floats
    came: Floats

    def __len__(self) -> int:
        return len(self.looks)

    def until(self, period: int) -> "Seen":
        cut = slice(None, period)
        return Seen(self.days, self.looks[cut], self.said[cut], self.won[cut], self.luck[cut], self.came[cut])


class Verdict(Struct, frozen=True, eq=False):
    """What is to be believed at one distance. `mean` (periods, nodes) is what would have been said still comes,
    `ranges` (periods, nodes, 3) the range of it."""

    seen: Seen
    blends: Mapping[str, Blend]
    choice: Choice
    errors: Floats
    spread: Spread
    mean: Floats
    ranges: Floats


def look_back(looker: Looker, until: int, days: int) -> Seen:
    over = [span for span in looker.spans if span.end - 1 <= until and looker.can_look(span.end - 1 - days)]
    looks = tuple(looker.look(span, span.end - 1 - days) for span in over[-MOST:])
    nodes = len(looker.tree)

    def stacked(rows: Sequence[Floats], *shape: int) -> Floats:
        return np.stack(rows) if rows else np.zeros((0, *shape))

    return Seen(
        days,
        looks,
        stacked([one.said for one in looks], len(SAID), nodes),
        stacked([one.won for one in looks], nodes),
        stacked([one.luck for one in looks], nodes),
        stacked([looker.came(one.span, one.day) for one in looks], nodes),
    )


def judge(seen: Seen, levels: Sequence[str], hierarchy: Hierarchy, choice: Choice | None = None) -> Verdict:
    """`choice` is how nodes are made to add up where that is chosen already."""
    count, nodes = seen.came.shape
    base = np.full((count, nodes), np.nan)
    for period in range(count):
        base[period] = speak(weigh_levels(seen.until(period), levels), levels, seen.said[period])[0]
    errors = seen.came - base
    if choice is None:
        choice = chosen(hierarchy, seen, base)
    summed = np.full((count, nodes), np.nan)
    for period in range(count):
        if np.isfinite(base[period]).any():
            summed[period] = add_up(hierarchy, choice, base[period], seen.came[:period], errors[:period])
    mean, ranges = np.full((count, nodes), np.nan), np.full((count, nodes, len(LEVELS)), np.nan)
    for period in range(count):
        before = spread_of(seen.until(period), summed[:period])
        mean[period] = summed[period] * leaning(before)
        ranges[period] = range_of(mean[period], scaled_luck(seen, period, mean[period]), before)
    blends = weigh_levels(seen, levels)
    return Verdict(seen, blends, choice, errors, spread_of(seen, summed), mean, ranges)


# -- blending ---------------------------------------------------------------------------------------------------------


def weigh_levels(seen: Seen, levels: Sequence[str]) -> dict[str, Blend]:
    """Of each level the weights of views, by what all of its nodes tell."""
    found = {}
    for level in dict.fromkeys(levels):
        of_level = [n for n, name in enumerate(levels) if name == level]
        said = {view: seen.said[:, v, of_level] for v, view in enumerate(SAID)}
        found[level] = weigh(said, seen.came[:, of_level], baselines=BASELINES)
    return found


def speak(blends: Mapping[str, Blend], levels: Sequence[str], said: Floats) -> tuple[Floats, Floats]:
    """(views, nodes) -> what the blend says of each node, and the weights of its views; as `blend.blended` does."""
    weights = np.zeros(said.shape)
    allowed = np.ones(said.shape, dtype=np.bool_)
    for level, blend in blends.items():
        of_level = [n for n, name in enumerate(levels) if name == level]
        for v, view in enumerate(SAID):
            weights[v, of_level] = blend.weights.get(view, 0.0)
            allowed[v, of_level] = view not in blend.left_out
    there = np.isfinite(said)
    weights = np.where(there, weights, 0.0)
    silent = weights.sum(axis=0) <= 0
    spoken = there & allowed
    spoken = np.where(spoken.any(axis=0), spoken, there)  # who was left out is better than nobody
    weights = np.where(silent, spoken.astype(np.float64), weights)
    whole = weights.sum(axis=0)
    weights = np.divide(weights, whole, out=np.zeros_like(weights), where=whole > 0)
    values = (weights * np.where(there, said, 0.0)).sum(axis=0)
    return np.where(whole > 0, values, np.nan), weights


# -- adding up --------------------------------------------------------------------------------------------------------


def chosen(hierarchy: Hierarchy, seen: Seen, base: Floats) -> Choice:
    large = len(hierarchy) > LARGE
    scale = np.abs(seen.came).mean(axis=0) if len(seen) else np.zeros(len(hierarchy))
    errors = seen.came - base
    whole = [n for n in range(len(seen)) if np.isfinite(base[n]).all()]
    origins = [
        Origin(base[n][:, None], seen.came[n][:, None], scale, evidence_of(hierarchy, seen.came[:n], errors[:n]))
        for n in whole[-LARGE_MOST if large else 0 :]
    ]
    methods = LARGE_METHODS if large else METHODS
    return choose(hierarchy, origins, methods, fallback=WLS_STRUCTURE, non_negative=True)


def evidence_of(hierarchy: Hierarchy, came: Floats, errors: Floats) -> Evidence:
    """(periods, nodes) of what was known before."""
    if not len(errors):
        return Evidence()
    return Evidence(one_step=errors.T, shares=shares_of(hierarchy, came.T, YEAR))


def add_up(hierarchy: Hierarchy, choice: Choice, base: Floats, came: Floats, errors: Floats) -> Floats:
    """Nodes of which nothing is said are taken for the sum of what is said below them, people for 0."""
    held = np.where(np.isfinite(base[hierarchy.leaves]), base[hierarchy.leaves], 0.0)
    filled = np.where(np.isfinite(base), base, hierarchy.total(held))
    by = reconciler(hierarchy, choice.method, evidence_of(hierarchy, came, errors))
    if by.to_leaves is None:
        by = reconciler(hierarchy, WLS_STRUCTURE, Evidence())
    return reconciled(hierarchy, by, filled, non_negative=True)


# -- ranges -----------------------------------------------------------------------------------------------------------


def spread_of(seen: Seen, mean: Floats) -> Spread:
    """How wrong the company's earlier means were beyond luck: one factor for all who sell."""
    if not len(seen):
        return UNSEEN
    luck = np.array([scaled_luck(seen, n, mean[n])[0] for n in range(len(seen))])
    return learn(Past(mean[:, 0], luck, seen.came[:, 0]))


def leaning(spread: Spread) -> float:
    """By how much more comes than was said, beside what is thought before any past is seen."""
    return deviations(spread)[0] / deviations(UNSEEN)[0]


def scaled_luck(seen: Seen, period: int, mean: Floats) -> Floats:
    """The variance of luck, where more or less is expected than the pipeline says."""
    pipeline, luck = seen.said[period, 0], seen.luck[period]
    by = np.divide(mean, pipeline, out=np.ones_like(mean), where=np.isfinite(pipeline) & (pipeline > 0))
    found: Floats = np.where(np.isfinite(luck), luck, 0.0) * np.clip(np.where(np.isfinite(by), by, 1.0), 0.2, 5.0)
    return found


def range_of(mean: Floats, luck: Floats, spread: Spread) -> Floats:
    """(nodes,) -> (nodes, 3): P10, P50 and P90 of a gamma distribution of that mean, luck and common factor."""
    bias, deviation = deviations(spread)
    unsure = float(spread.weight @ (spread.bias - bias) ** 2) / bias**2
    safe = np.where(np.isfinite(mean) & (mean > 0), mean, 1.0)
    relative = np.maximum(luck / safe**2 + deviation**2 + unsure, 1e-8)
    found = gammaincinv(1 / relative[:, None], LEVELS) * relative[:, None] * safe[:, None]
    nothing = np.where(np.isfinite(mean), 0.0, np.nan)[:, None]
    return np.asarray(np.where((mean > 0)[:, None], found, nothing), dtype=np.float64)
