"""Rates a day as a product of factors, each pulled to 1 as strongly as the data themselves ask (empirical Bayes).

log rate = sum of blocks; a block is an effect for each level (kind `ridge`: levels are alike and independent; `walk`:
levels are in order and what
comes next goes on as before; `flat`: not pulled) or a slope. Poisson likelihood on rows of days at risk,
Newton steps on the pairwise tables of levels, so the work is a few counts over the rows. How far levels differ (the
variance of a block) is learnt with them: a block without signal shrinks to nothing by itself.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Floats, Ints

ROUNDS = 40
CLOSE = 1e-4
LEAST, MOST = 1e-4, 30.0  # variances of a block
FIRST_GUESS = 0.2
FINE = 1 << 40  # groups that a number may tell apart before it is made small again
LONGEST = 2.0  # a step in log rates


class Block(Struct, frozen=True, eq=False):
    """Of each row its level (0 to size - 1), and for a slope by how much its level counts."""

    name: str
    kind: str
    level: Ints
    size: int
    by: Floats | None = None


class Effects(Struct, frozen=True, eq=False):
    """Log rates: `level` (the constant) and of each block an effect for each level, with its learnt variance."""

    constant: float
    names: tuple[str, ...]
    effects: tuple[Floats, ...]
    variances: tuple[float, ...]

    def of(self, name: str) -> Floats | None:
        return self.effects[self.names.index(name)] if name in self.names else None


def fit_rates(blocks: Sequence[Block], events: Floats, days: Floats, near: Effects | None = None) -> Effects:
    """`events` and `days` at risk of each row, both already weighted; `near`: effects to begin from."""
    blocks, events, days = _grouped(blocks, events, days)
    total, exposed = float(events.sum()), float(days.sum())
    start = float(np.log((total + 0.5) / (exposed + 1.0)))
    rows = len(events)
    one = Block("", "flat", np.zeros(rows, dtype=np.int64), 1)
    every = [one, *blocks]
    begins = np.concatenate([[0], np.cumsum([block.size for block in every])])
    pulls = [_pull(block) for block in every]
    variances = [FIRST_GUESS] * len(every)
    found = np.zeros(int(begins[-1]))
    found[0] = start
    if near is not None:
        _begin_at(near, every, begins, found, variances)
    if total == 0.0 or not rows:
        return _told(every, begins, found, variances)
    for round_ in range(ROUNDS):
        expected = days * np.exp(np.minimum(_sum(every, begins, found), 5.0))
        slope, bend = _derivatives(every, begins, events - expected, expected)
        for n, pull in enumerate(pulls):
            part = slice(begins[n], begins[n + 1])
            scaled = pull / (variances[n] if n else 1.0)
            slope[part] -= scaled @ found[part]
            bend[part, part] += scaled
        spread: Floats = np.asarray(np.linalg.inv(bend), dtype=np.float64)
        step = spread @ slope
        step *= min(1.0, LONGEST / max(float(np.abs(step).max()), 1e-12))
        found = found + step
        moved = float(np.abs(step).max())
        if round_ >= 2 or near is not None:
            moved = max(moved, _relearn(every, pulls, begins, found, spread, variances))
        if moved < CLOSE * 50:
            break
    return _told(every, begins, found, variances)


def _grouped(blocks: Sequence[Block], events: Floats, days: Floats) -> tuple[list[Block], Floats, Floats]:
    """Rows that are alike in all blocks as one row."""
    code, bound = np.zeros(len(events), dtype=np.int64), 1
    for block in blocks:
        level, size = block.level, block.size
        if block.by is not None:
            values, level = np.unique(block.by, return_inverse=True)
            size = max(len(values), 1)
        code, bound = code * size + level, bound * size
        if bound > FINE:
            values, code = np.unique(code, return_inverse=True)
            bound = max(len(values), 1)
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    fewer = [Block(b.name, b.kind, b.level[first], b.size, None if b.by is None else b.by[first]) for b in blocks]
    count = len(first)
    summed = [np.bincount(group, column, count).astype(np.float64) for column in (events, days)]
    return fewer, summed[0], summed[1]


def _begin_at(near: Effects, every: Sequence[Block], begins: Ints, found: Floats, variances: list[float]) -> None:
    found[0] = near.constant
    for n, block in enumerate(every):
        part = near.of(block.name) if n else None
        if part is not None and len(part) == block.size:
            found[begins[n] : begins[n + 1]] = part
            variances[n] = near.variances[near.names.index(block.name)]


def log_rates(effects: Effects, blocks: Sequence[Block], rows: int) -> Floats:
    total = np.full(rows, effects.constant)
    for block in blocks:
        part = effects.of(block.name)
        if part is not None:
            at = part[np.minimum(block.level, len(part) - 1)]
            total += at if block.by is None else at * block.by
    return total


def _sum(blocks: Sequence[Block], begins: Ints, found: Floats) -> Floats:
    total = np.zeros(len(blocks[0].level))
    for n, block in enumerate(blocks):
        part = found[begins[n] : begins[n + 1]][block.level]
        total += part if block.by is None else part * block.by
    return total


def _derivatives(blocks: Sequence[Block], begins: Ints, wrong: Floats, weight: Floats) -> tuple[Floats, Floats]:
    slope, bend = np.zeros(int(begins[-1])), np.zeros((int(begins[-1]), int(begins[-1])))
    for n, block in enumerate(blocks):
        of_one = weight if block.by is None else weight * block.by
        pulled = wrong if block.by is None else wrong * block.by
        rows = slice(begins[n], begins[n + 1])
        slope[rows] = np.bincount(block.level, weights=pulled, minlength=block.size)
        for m in range(n, len(blocks)):
            other = blocks[m]
            weights = of_one if other.by is None else of_one * other.by
            columns = slice(begins[m], begins[m + 1])
            if m == n:
                table = np.diag(np.bincount(block.level, weights=weights, minlength=block.size))
            else:
                pair = block.level * other.size + other.level
                table = np.bincount(pair, weights=weights, minlength=block.size * other.size)
                table = table.reshape(block.size, other.size)
            bend[rows, columns] = table
            bend[columns, rows] = table.T
    return slope, bend


def _pull(block: Block) -> Floats:
    """By what matrix a block is pulled at variance 1: a walk to a line, and a little to nothing."""
    if block.kind == "flat":
        return np.eye(block.size) * 1e-6
    if block.kind == "walk":
        bends = np.diff(np.eye(block.size), n=2, axis=0)
        return bends.T @ bends + 0.001 * np.eye(block.size)
    return np.eye(block.size)


def _relearn(
    blocks: Sequence[Block],
    pulls: Sequence[Floats],
    begins: Ints,
    found: Floats,
    spread: Floats,
    variances: list[float],
) -> float:
    """One step for the variances; by how much the largest one moved, on a log scale."""
    moved = 0.0
    for n in range(1, len(blocks)):
        if blocks[n].kind == "flat":
            continue
        part = slice(begins[n], begins[n + 1])
        # As many effects as the data tell, of all that there are, share what was found (MacKay's fixed point).
        told = blocks[n].size - float(np.sum(pulls[n] * spread[part, part])) / variances[n]
        new = float(np.clip(found[part] @ pulls[n] @ found[part] / max(told, 0.01), LEAST, MOST))
        moved = max(moved, abs(np.log(new / variances[n])) * min(1.0, new))
        variances[n] = new
    return moved


def _told(blocks: Sequence[Block], begins: Ints, found: Floats, variances: Sequence[float]) -> Effects:
    return Effects(
        constant=float(found[0]),
        names=tuple(block.name for block in blocks[1:]),
        effects=tuple(found[begins[n] : begins[n + 1]].copy() for n in range(1, len(blocks))),
        variances=tuple(float(v) for v in variances[1:]),
    )
