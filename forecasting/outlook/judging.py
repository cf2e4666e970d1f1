"""The past, seen as today is seen: which views were right at this distance from a period's end, and by how much. Pure.

The last `MOST` periods that are over are looked at, each with what was known on its day; where fewer than `FEW` are,
any days of that length, or of half of it, and so on down to two weeks. Period by period, with what was known before it
only: each view is moved by what it was off at a node beside the company (`leanings`), views are weighed (nodes of one
level together: a node alone has too few periods), blended, made to add up over the tree, and moved by the bias that
earlier ones had; so what is scored is what would have been said. One thing is told with hindsight: the method that
makes nodes add up is chosen by all of the past. Ranges of the past are by mean and variance (a gamma distribution),
where those of today are by draws.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from scipy.special import gammaincinv

from forecasting.engine.blend import FEW, blended, weigh
from forecasting.engine.choosing import Choice, Origin, choose
from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.period import shifted
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
from forecasting.engine.spread import UNSEEN, Levels, Spread, beyond, deviations, learn_levels
from forecasting.engine.values import Floats
from forecasting.outlook.looking import SAID, Look, Looker
from forecasting.outlook.values import LAST_PERIOD, LAST_YEAR, PIPELINE, Span

MOST = 12  # periods back
YEAR = 4  # periods that shares are of
LARGE, LARGE_MOST = 300, 6  # nodes from which on fewer methods are judged, on fewer periods
LARGE_METHODS = (BOTTOM_UP, TOP_DOWN, WLS_STRUCTURE, WLS_VARIANCE)
USUAL = {PIPELINE: 0.5, LAST_PERIOD: 2.0, LAST_YEAR: 2.0}  # squared errors by the median view's, before any is seen
OWN = 5.0  # periods that a node's leaning must outweigh
LEANING = (0.25, 4.0)
EVERY, SHORTEST = 14, 14  # days between windows that lie anywhere, and the fewest that one has
QUANTILES = np.array([0.1, 0.5, 0.9])


class Seen(Struct, frozen=True, eq=False):
    """Past periods, the oldest first: `said` (periods, views, nodes), the others (periods, nodes). `days` are those
    that were left; `apart` is what each period counts for, under 1 where they overlap."""

    days: int
    looks: tuple[Look, ...]
    said: Floats
    won: Floats
    luck: Floats
    came: Floats
    apart: float = 1.0

    def __len__(self) -> int:
        return len(self.looks)


class Shape(Struct, frozen=True, eq=False):
    """Of the tree: the level of each node, and the position of the one above it."""

    levels: Sequence[str]
    parent: Sequence[int]
    hierarchy: Hierarchy


class Verdict(Struct, frozen=True, eq=False):
    """What is to be believed now: `leanings` and `weights` (views, nodes). `mean` (periods, nodes) is what would have
    been said still comes, `ranges` (periods, nodes, 3) the range of it."""

    seen: Seen
    leanings: Floats
    weights: Floats
    choice: Choice
    errors: Floats
    spread: Levels
    mean: Floats
    ranges: Floats


# -- looking back -----------------------------------------------------------------------------------------------------


def look_back(looker: Looker, until: int, days: int) -> Seen:
    """Periods that are over, as many days before their ends."""
    over = [span for span in looker.spans if span.end - 1 <= until]
    return seen_of(looker, days, [(span, span.end - 1 - days) for span in over])


def look_back_on(looker: Looker, until: int, span: Span) -> Seen:
    """What `span`, which is still to come or running, can be judged by."""
    days = span.end - 1 - until
    if span in looker.spans:
        seen = look_back(looker, until, days)
    else:
        seen = seen_of(looker, days, same_places(looker, until, span))
    after = max(span.start - 1, until)
    gap, length = after - until, span.end - 1 - after
    while len(seen) < FEW and length >= SHORTEST:
        starts = [until - length - EVERY * n for n in range(MOST)]
        anywhere = [(Span("", start + 1, start + length + 1), start - gap) for start in reversed(starts)]
        seen = seen_of(looker, length + gap, anywhere)
        length //= 2
    return seen


def same_places(looker: Looker, until: int, span: Span) -> list[tuple[Span, int]]:
    found = []
    for back in range(1, MOST + 1):
        day, after, end = (shifted(looker.calendar, one, back) for one in (until, span.start - 1, span.end - 1))
        if looker.can_look(day) and day <= after < end <= until:
            found.append((Span("", after + 1, end + 1), day))
    return found[::-1]


def seen_of(looker: Looker, days: int, windows: Sequence[tuple[Span, int]]) -> Seen:
    kept = [(span, day) for span, day in windows if looker.can_look(day)][-MOST:]
    looks = tuple(looker.look(span, day) for span, day in kept)
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
        _apart(looks),
    )


def _apart(looks: Sequence[Look]) -> float:
    """Windows that overlap tell the same days again."""
    if not looks:
        return 1.0
    starts = [max(one.span.start - 1, one.day) for one in looks]
    days = sum(one.span.end - 1 - start for one, start in zip(looks, starts, strict=True))
    return min(1.0, (looks[-1].span.end - 1 - starts[0]) / max(days, 1))


def judge(seen: Seen, shape: Shape, choice: Choice | None = None) -> Verdict:
    """`choice` is how nodes are made to add up where that is chosen already."""
    count, nodes = seen.came.shape
    hierarchy = shape.hierarchy
    moved = seen.said * leanings(seen)[:-1]
    base = np.full((count, nodes), np.nan)
    for period in range(count):
        weights = weigh_levels(moved[:period], seen.came[:period], shape.levels)
        base[period] = blended(weights, moved[period])[0]
    errors = seen.came - base
    if choice is None:
        choice = chosen(hierarchy, seen, base)
    summed = np.full((count, nodes), np.nan)
    for period in range(count):
        if np.isfinite(base[period]).any():
            summed[period] = add_up(hierarchy, choice, base[period], seen.came[:period], errors[:period])
    mean, ranges = np.full((count, nodes), np.nan), np.full((count, nodes, len(QUANTILES)), np.nan)
    for period in range(count):
        before = spread_of(seen, shape, summed, period)
        mean[period] = summed[period] * leaning(before.common)
        ranges[period] = range_of(mean[period], scaled_luck(seen, period, mean[period]), shape, before)
    weights = weigh_levels(moved, seen.came, shape.levels)
    spread = spread_of(seen, shape, summed, count)
    return Verdict(seen, leanings(seen)[-1], weights, choice, errors, spread, mean, ranges)


# -- blending ---------------------------------------------------------------------------------------------------------


def leanings(seen: Seen) -> Floats:
    """(periods + 1, views, nodes): what each view has to be multiplied by in each period, by those before it, and now.

    A node that brought more than a view said, beside what the company did, will do so again, in part: who wins more
    than others, who calls too much. What the company was off is not a matter of its nodes (`spread`).
    """
    there = np.isfinite(seen.said) & np.isfinite(seen.came)[:, None]
    said = _sums(np.where(there, seen.said, 0.0))
    came = _sums(np.where(there, seen.came[:, None], 0.0))
    pull = OWN * np.divide(said, np.maximum(_sums(there.astype(np.float64)), 1.0))
    whole = np.divide(came[:, :, :1], said[:, :, :1], out=np.zeros_like(came[:, :, :1]), where=said[:, :, :1] > 0)
    beside = np.divide(came, whole, out=said.copy(), where=whole > 0)
    found = np.divide(beside + pull, said + pull, out=np.ones_like(said), where=said + pull > 0)
    found[:, :, 0] = 1.0
    return np.asarray(np.clip(found, *LEANING), dtype=np.float64)


def _sums(values: Floats) -> Floats:
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])


def weigh_levels(said: Floats, came: Floats, levels: Sequence[str]) -> Floats:
    """(views, nodes): the weights of views at each level, by what all of its nodes tell."""
    found = np.zeros(said.shape[1:])
    for level in dict.fromkeys(levels):
        of_level = [n for n, name in enumerate(levels) if name == level]
        views = {view: said[:, v, of_level] for v, view in enumerate(SAID)}
        weights = weigh(views, came[:, of_level], USUAL).weights
        found[:, of_level] = np.array([weights[view] for view in SAID])[:, None]
    return found


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


def spread_of(seen: Seen, shape: Shape, mean: Floats, until: int) -> Levels:
    """How wrong the means of the periods before `until` were beyond luck."""
    luck = [scaled_luck(seen, n, mean[n]) for n in range(until)]
    stacked = np.stack(luck) if luck else np.zeros((0, mean.shape[1]))
    return learn_levels(shape.levels, shape.parent, mean[:until], stacked, seen.came[:until], seen.apart)


def leaning(spread: Spread) -> float:
    """By how much more comes than was said, beside what is thought before any past is seen."""
    return deviations(spread)[0] / deviations(UNSEEN)[0]


def scaled_luck(seen: Seen, period: int, mean: Floats) -> Floats:
    """The variance of luck, where more or less is expected than the pipeline says."""
    pipeline, luck = seen.said[period, 0], seen.luck[period]
    by = np.divide(mean, pipeline, out=np.ones_like(mean), where=np.isfinite(pipeline) & (pipeline > 0))
    found: Floats = np.where(np.isfinite(luck), luck, 0.0) * np.clip(np.where(np.isfinite(by), by, 1.0), 0.2, 5.0)
    return found


def range_of(mean: Floats, luck: Floats, shape: Shape, spread: Levels) -> Floats:
    """(nodes,) -> (nodes, 3): P10, P50 and P90 of a gamma distribution of that mean, luck and factors."""
    common = spread.common
    bias = deviations(common)[0]
    unsure = float(common.weight @ (common.bias - bias) ** 2) / bias**2
    safe = np.where(np.isfinite(mean) & (mean > 0), mean, 1.0)
    varied = luck + beyond(shape.levels, shape.parent, safe, spread)
    relative = np.maximum(varied / safe**2 + unsure, 1e-8)
    found = gammaincinv(1 / relative[:, None], QUANTILES) * relative[:, None] * safe[:, None]
    nothing = np.where(np.isfinite(mean), 0.0, np.nan)[:, None]
    return np.asarray(np.where((mean > 0)[:, None], found, nothing), dtype=np.float64)
