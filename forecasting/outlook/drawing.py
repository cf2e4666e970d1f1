"""Draws of every node of a period, and the figures that are said of them. Pure.

Draws are of people; a node's are the sums of those below it, so each draw adds up and no quantile is of figures that
do not. A person's draws are those of his deals and of deals to come (`engine.simulate`), brought to the mean that was
reconciled: where it is more than the pipeline says, what is missing comes of more deals to come; where it is less, all
of it is less alike. Beside the factor that all share each team and person has one of its own. Means add up to the minor
unit: people's are rounded so that their sum is the rounded sum (largest remainder), and nodes are sums.
"""

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from forecasting.engine.newcomers import Newcomers
from forecasting.engine.simulate import stream
from forecasting.engine.spread import Levels, factors, own_factors
from forecasting.engine.values import Floats, Ints
from forecasting.outlook.looking import SAID
from forecasting.outlook.shape import PEOPLE, Tree, whole
from forecasting.outlook.values import CALL, PIPELINE, Outlook, Range, Seen, Span

QUANTILES = (0.1, 0.5, 0.9)
SILENT = {CALL: "no_call", PIPELINE: "no_history"}
TOO_SHORT = "too_short"


class Expected(Struct, frozen=True, eq=False):
    """Of a period: `won` (people,) so far, what is expected of open deals and of new ones, (people,) the mean of what
    still comes, (views, nodes) what views say of that, and their weights."""

    span: Span
    won: Floats
    open: Floats
    new: Floats
    mean: Floats
    said: Floats
    weights: Floats


def more_to_come(newcomers: Newcomers, missing: Floats, window: tuple[int, int]) -> Newcomers:
    """With as many more as bring what each person's pipeline lacks, (people,), in the steps of the window."""
    first, after = window
    each = float(newcomers.amounts.mean()) if len(newcomers.amounts) else 0.0
    if each <= 0 or after <= first:
        return newcomers
    by_step = newcomers.rate[:, first:after].sum(axis=0)
    by_step = by_step / by_step.sum() if by_step.sum() > 0 else np.full(after - first, 1 / (after - first))
    rate = newcomers.rate.copy()
    rate[:, first:after] += np.maximum(missing, 0.0)[:, None] / each * by_step
    return replace(newcomers, rate=rate)


def brought_to(tree: Tree, mean: Floats, drawn: Floats, spread: Levels, seed: int) -> Floats:
    """Draws (people, draws), changed in place so that the mean of each row is that of `mean`; what people have of the
    whole varies by their own factors and those of their teams, the whole does not."""
    total = drawn.sum(axis=0)
    if total.mean() > 0:
        shape = total / total.mean()
    else:
        shape = factors(spread.common, drawn.shape[1], np.random.default_rng([abs(seed), 3]))
        shape = shape / shape.mean()
    count = drawn.shape[1]
    kept: dict[int, Floats] = {0: np.ones(count)}  # of teams, with all above them; the company's is in the draws

    def factor(node: int) -> Floats:
        if node in kept:
            return kept[node]
        own = own_factors(spread.own[tree.levels[node]], count, stream(seed, "own", tree.names[node]))
        return own * factor(tree.parent[node])

    for node in range(1, len(tree)):
        if tree.levels[node] != PEOPLE:
            kept[node] = factor(node)
    for row in range(len(mean)):
        if mean[row] <= 0:
            drawn[row] = 0.0
            continue
        if not drawn[row].any():
            drawn[row] = shape
        drawn[row] *= mean[row] / drawn[row].mean()
    in_all = drawn.sum(axis=0)
    for row, node in enumerate(tree.leaf_node.tolist()):
        drawn[row] *= factor(node)
    moved = drawn.sum(axis=0)
    drawn *= np.divide(in_all, moved, out=np.ones(count), where=moved > 0)
    now = drawn.mean(axis=1)
    drawn *= np.divide(mean, now, out=np.zeros_like(now), where=now > 0)[:, None]
    return drawn


def outlooks(tree: Tree, expected: Expected, drawn: Floats, quotas: dict[tuple[str, str], int]) -> list[Outlook]:
    """Of every node, in order of the tree."""
    won_of = np.rint(expected.won).astype(np.int64)
    parts = [whole(part) for part in (expected.mean, expected.open, expected.new)]
    won, coming, open_, new = tree.up(np.stack([won_of, *parts], axis=1)).T
    draws = tree.up(drawn)
    ranges = np.quantile(draws, QUANTILES, axis=1).T
    found = []
    for node, name in enumerate(tree.names):
        key, so_far = expected.span.key, int(won[node])
        p10, p50, p90 = (so_far + round(float(value)) for value in ranges[node])
        quota = quotas.get((key, name))
        reach = None if quota is None else round(10_000 * float(np.mean(draws[node] >= quota - so_far)))
        found.append(
            Outlook(
                period_key=key,
                won_minor=so_far,
                open_minor=int(open_[node]),
                new_minor=int(new[node]),
                adjusted_minor=int(coming[node] - open_[node] - new[node]),
                range=Range(p10, p50, p90, so_far + int(coming[node]), quota, reach),
                views=views_of(expected, node, so_far),
            )
        )
    return found


def views_of(expected: Expected, node: int, so_far: int) -> list[Seen]:
    weights = whole(10_000 * expected.weights[:, node])
    found = []
    for view, said, weight in zip(SAID, expected.said[:, node], weights.tolist(), strict=True):
        if not np.isfinite(said):
            found.append(Seen(view, None, 0, SILENT.get(view, TOO_SHORT)))
        else:
            found.append(Seen(view, so_far + round(float(said)), weight))
    return found


def silent(tree: Tree, key: str, won: Ints, code: str) -> list[Outlook]:
    """Of a period of which nothing can be said but what is won."""
    sums = tree.up(won)
    nothing = [Seen(view, None, 0, SILENT.get(view, TOO_SHORT)) for view in SAID]
    return [
        Outlook(
            period_key=key,
            won_minor=int(so_far),
            open_minor=0,
            new_minor=0,
            adjusted_minor=0,
            range=None,
            views=nothing,
            code=code,
        )
        for so_far in sums
    ]
