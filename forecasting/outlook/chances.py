"""Open deals as they stand today: their chances, their parts, and what is told of each. Pure.

Nodes are told by the plain hazards: the past is judged by them, and of a company's whole they say as much as a model.
Of single deals a model says more (who sells it, what it is of); it is what each deal is told by.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from forecasting.engine.ageing import learn_ageing
from forecasting.engine.newcomers import Newcomers, NoArrivals, expect, learn_arrivals
from forecasting.engine.period import plain_chances
from forecasting.engine.simulate import Split
from forecasting.engine.values import Chances, Changes, Deals, Floats, Ints
from forecasting.engine.winrate import Model, NotComputable, chances, fit
from forecasting.engine.winrate.reasons import Reason as Why
from forecasting.engine.winrate.reasons import Similar as Alike
from forecasting.engine.winrate.reasons import reasons, similar
from forecasting.outlook.looking import Pipeline
from forecasting.outlook.shape import LARGEST, Tree, summed, whole
from forecasting.outlook.values import DealOutlook, Question, Reason, Similar, Span

LEARNT = 30_000  # deals that the model of chances is fitted on; more make it dearer and hardly better
EVER = 730  # days after the last period ahead: what is open still is taken to stay open for ever


class Open(Struct, frozen=True, eq=False):
    """`model`, and what it says of each deal (`chances`), are None where no single deals are asked for, or before a
    first one ended. `near` are the plain hazards' chances, which nodes are told by and the past is judged by, in the
    steps until the end of the last period ahead; `told` the model's in the same steps. `windows` are the steps of each
    of `spans`."""

    model: Model | NotComputable | None
    deals: Deals
    split: Split
    chances: Chances | None
    told: Chances | None
    near: Chances | None
    newcomers: Newcomers | None
    windows: dict[str, tuple[int, int]]


def learn_open(
    question: Question,
    deals: Deals,
    tree: Tree,
    spans: Sequence[Span],
    people: Sequence[str],
    calendar: Ints,
    single: bool = True,
) -> Open:
    """`spans` are the periods ahead of which anything may still come; `single` deals are told one by one, or not."""
    until = question.until
    bounds = {day for span in spans for day in (max(span.start - 1, until), span.end - 1)}
    edges = np.array(sorted({until, *bounds}), dtype=np.int64)
    place = {int(edge): n for n, edge in enumerate(edges)}
    windows = {span.key: (place[max(span.start - 1, until)], place[span.end - 1]) for span in spans}
    split = split_of(question, deals, tree)
    ageing = learn_ageing(deals, calendar)
    near = plain_chances(deals, edges, ageing)
    if near is not None:
        near = replace(near, amount=worth_of(near))
    coming = None
    if len(edges) > 1 and ageing is not None:
        arrivals = learn_arrivals(deals, until, calendar, ageing=ageing)
        coming = None if isinstance(arrivals, NoArrivals) else expect(arrivals, edges, people)
    model = fit(sample_of(deals), until, calendar, abs(question.seed)) if single else None
    if not isinstance(model, Model):
        return Open(model, deals, split, None, None, near, coming, windows)
    ever = chances(model, deals, np.append(edges, edges[-1] + EVER))
    said = Chances(ever.keys, edges, ever.win[:, :-1], ever.lose[:, :-1], worth_of(ever), ever.spread)
    return Open(model, deals, split, ever, said, near, coming, windows)


def sample_of(deals: Deals) -> Deals:
    """At most about `LEARNT` deals, whatever became of them: drawn by their keys, so the same ones tomorrow."""
    if len(deals) <= LEARNT:
        return deals
    share = int(LEARNT / len(deals) * 2**32)
    drawn = [int.from_bytes(blake2b(key.encode(), digest_size=4).digest()) < share for key in deals.keys]
    rows = np.flatnonzero(drawn)
    place = np.full(len(deals), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    told = deals.changes
    kept = place[told.deal] >= 0
    return Deals(
        until=deals.until,
        keys=tuple(deals.keys[n] for n in rows),
        opened_on=deals.opened_on[rows],
        ended_on=deals.ended_on[rows],
        won=deals.won[rows],
        amount=deals.amount[rows],
        features={name: tuple(texts[n] for n in rows) for name, texts in deals.features.items()},
        stages=deals.stages,
        changes=Changes(place[told.deal[kept]], told.day[kept], told.kind[kept], told.value[kept]),
    )


def split_of(question: Question, deals: Deals, tree: Tree) -> Split:
    """Parts of deals that are open; more than the whole of one is its whole."""
    there = np.flatnonzero(np.array(question.deals.opened_on, dtype=np.int64) <= question.until)
    still = there[deals.is_open]
    place = {int(row): n for n, row in enumerate(still)}
    kept = [
        (place[part.deal], int(tree.leaf_of[part.leaf]), max(part.share_bp, 0) / 10_000)
        for part in question.parts
        if part.deal in place and 0 <= part.leaf < len(tree.leaf_of)
    ]
    columns = np.array(kept, dtype=np.float64).reshape(-1, 3)
    deal, leaf, share = columns[:, 0].astype(np.int64), columns[:, 1].astype(np.int64), columns[:, 2]
    sums = np.bincount(deal, weights=share, minlength=len(still))
    return Split(deal, leaf, share / np.maximum(sums[deal], 1.0))


def worth_of(found: Chances) -> Floats:
    return np.clip(np.where(np.isfinite(found.amount), found.amount, 0.0), 0.0, LARGEST)


def pipeline_of(found: Open, span: Span, people: int) -> Pipeline | None:
    """What open deals and deals to come bring in a period, person by person."""
    if found.near is None:
        return None
    first, after = found.windows[span.key]
    chance = found.near.win[:, first:after].sum(axis=1)
    amount = found.near.amount
    square = chance * amount**2 * np.exp(np.minimum(found.near.spread, 3.0) ** 2) - (chance * amount) ** 2
    split = found.split
    open_ = summed(split.group, split.share * (chance * amount)[split.deal], people)
    luck = summed(split.group, split.share**2 * np.maximum(square, 0.0)[split.deal], people)
    if found.newcomers is None:
        return Pipeline(open_, np.zeros(people), luck, 0.0)
    rate = found.newcomers.rate[:, first:after].sum(axis=1)
    amounts = found.newcomers.amounts
    luck = luck + rate * float((amounts**2).mean())
    return Pipeline(open_, rate * float(amounts.mean()), luck, found.newcomers.variance)


def of_deals(found: Open, span: Span, people: int) -> Floats | None:
    """(people,) what the model of single deals expects of those that are open; None without one."""
    if found.told is None:
        return None
    first, after = found.windows[span.key]
    each = found.told.win[:, first:after].sum(axis=1) * found.told.amount
    return summed(found.split.group, found.split.share * each[found.split.deal], people)


def told(found: Open, tree: Tree, ahead: Sequence[str]) -> dict[str, list[DealOutlook]]:
    """Open deals in order of key, under who has the largest part of each (the first of equals)."""
    ever = found.chances
    if ever is None or found.told is None:
        return {}
    owner = _owners(found.split, len(ever.keys))
    win = np.clip(ever.win.sum(axis=1), 0.0, 1.0)
    within, expected = [], []
    for key in ahead:
        first, after = found.windows.get(key, (0, 0))
        chance = np.clip(found.told.win[:, first:after].sum(axis=1), 0.0, 1.0)
        within.append(np.rint(chance * 10_000).astype(np.int64).tolist())
        expected.append(whole(chance * found.told.amount).tolist())
    people = [tree.names[node].removeprefix("user:") for node in tree.leaf_node]
    said: dict[str, list[DealOutlook]] = {}
    why, like = explained(found)
    for n in sorted(range(len(ever.keys)), key=ever.keys.__getitem__):
        if owner[n] < 0:
            continue
        deal = DealOutlook(
            key=ever.keys[n],
            win_bp=round(10_000 * float(win[n])),
            within_bp=[of[n] for of in within],
            expected_minor=[of[n] for of in expected],
            reasons=why[n],
            similar=like[n],
        )
        said.setdefault(people[owner[n]], []).append(deal)
    return dict(sorted(said.items()))


def explained(found: Open) -> tuple[list[list[Reason]], list[Similar | None]]:
    """Of each open deal, what moves its chance to be won at all, and what became of those like it."""
    if not isinstance(found.model, Model) or found.chances is None:
        return [], []
    why = reasons(found.model, found.deals, int(found.chances.edges[-1]))
    like = similar(found.model, found.deals)
    return [[_reason(one) for one in of] for of in why], [_similar(one) for one in like]


def _reason(one: Why) -> Reason:
    return Reason(one.code, round(10_000 * (one.chance - one.without)), one.value or None)


def _similar(one: Alike) -> Similar | None:
    return Similar(one.deals, one.won, None if one.days is None else round(one.days)) if one.deals else None


def _owners(split: Split, count: int) -> Ints:
    found = np.full(count, -1, dtype=np.int64)
    best = np.zeros(count)
    for deal, leaf, share in zip(split.deal.tolist(), split.group.tolist(), split.share.tolist(), strict=True):
        if share > best[deal]:
            found[deal], best[deal] = leaf, share
    return found
