"""The plain hazards of deals: what a day does to a deal of a stage and an age, in each third of a quarter.

Counted, not fitted: events by days at risk, of all deals as known on a day. A rate is its stage's, times that of its
size (a third of the deals each), times a factor of age and third of the quarter; few events draw each factor to 1. It
knows nothing of owners, products or pushed days (`winrate` does, where they earn their place); it is what business that
does not exist yet is told by, and it is quick: some milliseconds for a small company, so that many pasts can be seen.

Days before the first end that is known do not count: a file that begins there has lost the deals that ended before.
"""

import numpy as np
from msgspec import Struct

from forecasting.engine.values import AMOUNT, NEVER, STAGE, Deals, Floats, Ints

BINS = 16  # of age, with about as many ends each
ENDS = 12  # that a bin needs
THIRDS = 3
SIZES = 3
WON, LOST, MOVED = 0, 1, 2
PRIOR = 4.0  # events that a factor of 1 weighs
STAGE_PRIOR = 0.1  # stages differ
MOST = 0.33  # a day, of each kind
ROUNDS = 6
STAGES, AGE = 1, 2  # axes of what is counted: size, stage, age, third
OLD = np.array([121, 151, 181, 226, 271, 366, 541, 731], dtype=np.int64)  # bins begin there too, whatever ended


class Ageing(Struct, frozen=True, eq=False):
    """Chances of a day: `rate` (3 kinds, stages, ages, thirds) times `size` (3 kinds, sizes).

    `limits` are the amounts at which a deal is of the next size. `moves[a, b]` is the share of moves from stage a that
    go to b, `begins` the share of deals that begin in each stage.
    """

    first: int
    quarters: Ints
    ages: Ints
    rate: Floats
    size: Floats
    limits: Floats
    moves: Floats
    begins: Floats


class Ways(Struct, frozen=True, eq=False):
    """Of each deal, the chance to be won, and lost, in each step: (deals, steps)."""

    win: Floats
    lose: Floats


class _Stays(Struct, frozen=True, eq=False):
    """Times in a stage: at risk on the days (since, until], after which it was WON, LOST or MOVED, or nothing (-1)."""

    deal: Ints
    stage: Ints
    since: Ints
    until: Ints
    ended: Ints
    to: Ints


def third_of(quarters: Ints, days: Ints) -> Ints:
    n = np.clip(np.searchsorted(quarters, days, side="right") - 1, 0, len(quarters) - 2)
    found: Ints = np.clip((days - quarters[n]) * THIRDS // (quarters[n + 1] - quarters[n]), 0, THIRDS - 1)
    return found


def learn_ageing(known: Deals, quarters: Ints) -> Ageing | None:
    """`known` until its last day; `quarters` cover all days since the first deal. None before a first end."""
    ended = known.ended_on[known.ended_on != NEVER]
    if not len(ended):
        return None
    first, depth = int(ended.min()), max(len(known.stages), 1)
    stays = _stays(known, depth)
    opened = known.opened_on[stays.deal]
    ages = _bins((stays.until - opened)[(stays.ended >= 0) & (stays.ended < MOVED) & (stays.until >= first)])
    limits = _limits(known)
    size = sizes_of(known, limits)[stays.deal]
    risk = _risk(stays, opened, size, ages, quarters, depth, first)
    age = np.searchsorted(ages, stays.until - opened, side="right") - 1
    third = third_of(quarters, stays.until)
    counts = np.zeros((3, *risk.shape))
    kept = (stays.ended >= 0) & (age >= 0) & (stays.until >= first)
    np.add.at(counts, (stays.ended[kept], size[kept], stays.stage[kept], age[kept], third[kept]), 1.0)
    found = [_rates(counts[kind], risk) for kind in (WON, LOST, MOVED)]
    moved = stays.ended == MOVED
    seen = np.zeros((depth, depth))
    np.add.at(seen, (stays.stage[moved], stays.to[moved]), 1.0)
    moves = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1.0)
    begun = np.bincount(stays.stage[np.unique(stays.deal, return_index=True)[1]], minlength=depth).astype(np.float64)
    rate, factor = np.stack([one[0] for one in found]), np.stack([one[1] for one in found])
    return Ageing(first, quarters, ages, rate, factor, limits, moves, begun / max(begun.sum(), 1.0))


def stages_now(known: Deals) -> Ints:
    """The stage of each deal on the last day: the last that was told, the first where none was."""
    found = np.zeros(len(known), dtype=np.int64)
    told = known.changes
    of_stage = told.kind == STAGE
    found[told.deal[of_stage]] = told.value[of_stage].astype(np.int64)
    return np.clip(found, 0, max(len(known.stages), 1) - 1)


def _limits(known: Deals) -> Floats:
    amount = _first_amounts(known)
    amount = amount[(amount > 0) & (known.ended_on != NEVER)]
    cuts = np.arange(1, SIZES) / SIZES
    return np.quantile(amount, cuts) if len(amount) else np.full(SIZES - 1, np.inf)


def _first_amounts(known: Deals) -> Floats:
    """What was first said of each deal; 0 where nothing was."""
    found = np.zeros(len(known))
    told = known.changes
    of_amount = np.flatnonzero((told.kind == AMOUNT) & np.isfinite(told.value))[::-1]
    found[told.deal[of_amount]] = told.value[of_amount]
    return found


def sizes_of(known: Deals, limits: Floats) -> Ints:
    """Which third of the deals each belongs to by the first amount that was said of it; the middle one without any."""
    amount = _first_amounts(known)
    return np.where(amount > 0, np.searchsorted(limits, amount, side="left"), SIZES // 2).astype(np.int64)


def ways(ageing: Ageing, opened: Ints, stage: Ints | None, size: Ints | None, edges: Ints) -> Ways:
    """Of deals that are open at the end of edges[0], or open later: those begin on their day.

    Without `stage` as deals begin, without `size` as they are on the whole.
    """
    count, start, end = len(opened), int(edges[0]), int(edges[-1])
    depth = len(ageing.begins)
    state = np.tile(ageing.begins[:, None], count)
    if stage is not None:
        state = np.zeros((depth, count))
        state[stage, np.arange(count)] = 1.0
    factor = np.ones((3, 1, count)) if size is None else ageing.size[:, None, size]
    win, lose = np.zeros((len(edges) - 1, count)), np.zeros((len(edges) - 1, count))
    days = np.arange(start + 1, end + 1)
    thirds, steps = third_of(ageing.quarters, days), np.searchsorted(edges, days) - 1
    bins = np.searchsorted(ageing.ages, np.arange(0, max(end - int(opened.min(initial=end)), 0) + 1), side="right") - 1
    for day, third, step in zip(days.tolist(), thirds.tolist(), steps.tolist(), strict=True):
        age = day - opened
        chance = np.minimum(ageing.rate[:, :, bins[np.maximum(age, 0)], third] * factor, MOST)
        flow = state * chance * (age >= 1)
        out = flow.sum(axis=1)
        win[step] += out[WON]
        lose[step] += out[LOST]
        state -= flow.sum(axis=0)
        state += ageing.moves.T @ flow[MOVED]
    return Ways(win.T, lose.T)


def _stays(known: Deals, depth: int) -> _Stays:
    told = known.changes
    of_stage = np.flatnonzero(told.kind == STAGE)
    last = np.append(np.diff(told.deal[of_stage] * (known.until + 2) + told.day[of_stage]) > 0, True)[: len(of_stage)]
    of_stage = of_stage[last]  # of two stages on one day the later one
    deal, day = told.deal[of_stage], told.day[of_stage]
    stage = np.clip(told.value[of_stage].astype(np.int64), 0, depth - 1)
    silent = np.setdiff1d(np.arange(len(known)), deal)
    deal, day = np.concatenate([deal, silent]), np.concatenate([day, known.opened_on[silent]])
    stage = np.concatenate([stage, np.zeros(len(silent), dtype=np.int64)])
    order = np.argsort(deal, kind="stable")
    deal, day, stage = deal[order], np.maximum(day[order], known.opened_on[deal[order]]), stage[order]
    same = np.append(deal[1:] == deal[:-1], False)
    over = np.where(known.is_open, known.until, known.ended_on)
    until = np.where(same, np.append(day[1:], 0), over[deal])
    how = np.where(known.is_open[deal], -1, np.where(known.won[deal], WON, LOST))
    to = np.append(stage[1:], 0)
    # Told again that it is where it is: no move, the stay is only cut in two.
    how = np.where(same, np.where(to == stage, -1, MOVED), how)
    until = np.minimum(until, over[deal])
    kept = until > day
    return _Stays(deal[kept], stage[kept], day[kept], until[kept], how[kept], to[kept])


def _bins(ends: Ints) -> Ints:
    """First days of bins of age; the last begins after the oldest end that was ever seen. Few ends are spread over the
    ages of the last of them, so that is cut at `OLD`: what is far older than most that ended must not count as they do.
    """
    ends = np.sort(ends[ends >= 1])
    count = int(np.clip(len(ends) // ENDS, 1, BINS))
    inner = ends[(len(ends) * np.arange(1, count)) // count] if len(ends) else ends
    last = ends[-1:] + 1
    tail = OLD[np.isin(OLD, np.arange(inner[-1:].sum() + 1, last.sum()))]
    return np.unique(np.concatenate([[1], inner + 1, tail, last])).astype(np.int64)


def _risk(stays: _Stays, opened: Ints, size: Ints, ages: Ints, quarters: Ints, depth: int, first: int) -> Floats:
    """Days at risk by size, stage, age and third: by counting days of each third before each."""
    low = int(min(opened.min(initial=first), first))
    high = int(stays.until.max(initial=first))
    third = third_of(quarters, np.arange(low, high + 1))
    before = np.zeros((THIRDS, high - low + 2))
    before[:, 1:] = np.cumsum(third[None, :] == np.arange(THIRDS)[:, None], axis=1)
    found = np.zeros((SIZES, depth, len(ages), THIRDS))
    ends = np.append(ages[1:] - 1, 10**6)
    begin = np.maximum(np.maximum(stays.since + 1, first)[None, :], opened[None, :] + ages[:, None])
    end = np.minimum(stays.until[None, :], opened[None, :] + ends[:, None])
    there = end >= begin
    bins, column = np.nonzero(there)
    days = before[:, end[there] + 1 - low] - before[:, begin[there] - low]
    at = ((size[column] * depth + stays.stage[column]) * len(ages) + bins) * THIRDS
    for n in range(THIRDS):
        found.reshape(-1)[:] += np.bincount(at + n, weights=days[n], minlength=found.size)
    return found


def _rates(counts: Floats, risk: Floats) -> tuple[Floats, Floats]:
    """Stage times age times third times size, each drawn to 1 by few events; then each cell of age and third to what it
    shows. Returns the rate (stages, ages, thirds) and the factor of size."""
    whole = (counts.sum() + 0.5) / (risk.sum() + 1.0)
    factors = [np.ones(length) for length in risk.shape]
    shapes = [tuple(-1 if axis == other else 1 for other in range(4)) for axis in range(4)]

    def expected() -> Floats:
        found: Floats = whole * risk
        for factor, shape in zip(factors, shapes, strict=True):
            found = found * factor.reshape(shape)
        return found

    for _ in range(ROUNDS):
        for axis in range(4):
            others = tuple(other for other in range(4) if other != axis)
            plain = expected().sum(others) / factors[axis]
            factors[axis] = _drawn(counts.sum(others), plain, axis)
    cells = (counts.sum((0, 1)) + PRIOR) / (expected().sum((0, 1)) + PRIOR)
    rate = whole * factors[1][:, None, None] * factors[2][:, None] * factors[3] * cells
    return np.minimum(rate, MOST), factors[0]


def _drawn(counts: Floats, plain: Floats, axis: int) -> Floats:
    """Factors, of few events drawn to 1; those of ages each to the younger one's, for the very old hardly ever end."""
    if axis != AGE:
        prior = STAGE_PRIOR if axis == STAGES else PRIOR
        return np.asarray((counts + prior) / (plain + prior), dtype=np.float64)
    found, younger = np.empty(len(counts)), 1.0
    for n in range(len(counts)):
        younger = (counts[n] + PRIOR * younger) / (plain[n] + PRIOR)
        found[n] = younger
    return found
