"""Draws of every node of a period, and the figures that are said of them. Pure.

Draws are of people; a node's are the sums of those below it, so each draw adds up and no quantile is of figures that
do not. A person's draws are those of his deals and of deals to come (`engine.simulate`), brought to the mean that was
reconciled: where it is less, all of them alike; where it is more, what is missing comes as the company's whole does,
for it is of no deal that is known. Means add up to the minor unit: people's are rounded so that their sum is the
rounded sum (largest remainder), and nodes are sums.
"""

import numpy as np
from msgspec import Struct

from forecasting.engine.spread import Spread, factors
from forecasting.engine.values import Floats, Ints
from forecasting.outlook.looking import SAID, Pipeline
from forecasting.outlook.shape import Tree, whole
from forecasting.outlook.values import CALL, PIPELINE, Outlook, Range, Seen, Span

QUANTILES = (0.1, 0.5, 0.9)
SILENT = {CALL: "no_call", PIPELINE: "no_history"}
TOO_SHORT = "too_short"


class Expected(Struct, frozen=True, eq=False):
    """Of a period: `won` (people,) so far, what the pipeline says, (people,) the mean of what still comes, (views,
    nodes) what views say of that, and their weights."""

    span: Span
    won: Floats
    pipeline: Pipeline | None
    mean: Floats
    said: Floats
    weights: Floats


def brought_to(mean: Floats, drawn: Floats, spread: Spread, seed: int) -> Floats:
    """Draws (people, draws), changed in place so that the mean of each row is that of `mean`."""
    now = drawn.mean(axis=1)
    total = drawn.sum(axis=0)
    if total.mean() > 0:
        shape = total / total.mean()
    else:
        shape = factors(spread, drawn.shape[1], np.random.default_rng([abs(seed), 3]))
        shape = shape / shape.mean()
    by = np.divide(mean, now, out=np.ones_like(now), where=now > 0)
    drawn *= np.minimum(by, 1.0)[:, None]
    for row in np.flatnonzero(mean > now):
        drawn[row] += (mean[row] - now[row]) * shape
    return drawn


def outlooks(tree: Tree, expected: Expected, drawn: Floats, quotas: dict[tuple[str, str], int]) -> list[Outlook]:
    """Of every node, in order of the tree."""
    people = len(tree.leaf_node)
    pipeline = expected.pipeline or Pipeline(np.zeros(people), np.zeros(people), np.zeros(people), 0.0)
    won_of = np.rint(expected.won).astype(np.int64)
    parts = [whole(part) for part in (expected.mean, pipeline.open, pipeline.new)]
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
                views=views_of(expected, node, so_far, int(open_[node] + new[node])),
            )
        )
    return found


def views_of(expected: Expected, node: int, so_far: int, pipeline: int) -> list[Seen]:
    weights = whole(10_000 * expected.weights[:, node])
    found = []
    for view, said, weight in zip(SAID, expected.said[:, node], weights.tolist(), strict=True):
        if not np.isfinite(said):
            found.append(Seen(view, None, 0, SILENT.get(view, TOO_SHORT)))
        else:
            value = pipeline if view == PIPELINE else round(float(said))
            found.append(Seen(view, so_far + value, weight))
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
