"""Rates a day as a product of factors, each pulled to 1 as strongly as the data themselves ask (empirical Bayes).

log rate = sum of blocks; a block is an effect for each level (kind `ridge`: levels are alike and independent; `walk`:
levels are in order and what comes next goes on as before; `flat`: not pulled) or a slope. Poisson likelihood on rows of
days at risk, Newton steps on the pairwise tables of levels, so the work is a few counts over the rows. How far levels
differ (the variance of a block) is learnt with them: a block without signal shrinks to nothing by itself.

Two ends of a deal are learnt together (`fit_ends`). Each block has a pace, which hastens or slows both alike, and it
may have a lean, which raises the one by as much as it lowers the other. A lean has a variance of its own, so that much
that is known of when deals end lends nothing to what is believed of how they end.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Floats, Ints

ROUNDS = 40
CLOSE, CLOSE_ENOUGH = 0.005, 0.03  # the last step, of a fit from nothing and of one beside another, for comparing
LEAST, MOST = 1e-4, 30.0  # variances of a block
FIRST_GUESS = 0.2
# How far levels differ before anything is seen: of how many levels that is the worth, and their variance.
USUAL = {"ridge": (2.0, 0.05), "walk": (4.0, 0.06)}
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


class Ends(Struct, frozen=True, eq=False):
    """The rates of two ends; `pace` is what both have in common, `lean` what is added to the first and taken of the
    other. `lean` has the blocks that tell the ends apart, `pace` all."""

    pace: Effects
    lean: Effects

    @property
    def first(self) -> Effects:
        return self._with(1.0)

    @property
    def other(self) -> Effects:
        return self._with(-1.0)

    def _with(self, sign: float) -> Effects:
        effects = []
        for name, part in zip(self.pace.names, self.pace.effects, strict=True):
            lean = self.lean.of(name)
            effects.append(part if lean is None else part + sign * lean)
        constant = self.pace.constant + sign * self.lean.constant
        return Effects(constant, self.pace.names, tuple(effects), self.pace.variances)


class Column(Struct, frozen=True, eq=False):
    """One block as it is fitted: as a pace, or as a lean; where its effects stand, and by what they are pulled."""

    block: Block
    place: int
    leans: bool
    at: slice
    pull: Floats


class Counted(Struct, frozen=True, eq=False):
    """Of each group of rows that are alike: days at risk, and events of one end, or of two."""

    days: Floats
    events: tuple[Floats, ...]


def fit_rates(blocks: Sequence[Block], events: Floats, days: Floats, near: Effects | None = None) -> Effects:
    """`events` and `days` at risk of each row, both already weighted; `near`: effects to begin from."""
    fewer, counted = _grouped(blocks, Counted(days, (events,)))
    columns = _columns(fewer, len(counted.days), ())
    found, variances = _fitted(columns, counted, (near,))
    return _told(columns, found, variances, leans=False)


def fit_ends(
    blocks: Sequence[Block],
    telling: Sequence[str],
    events: tuple[Floats, Floats],
    days: Floats,
    near: Ends | None = None,
) -> Ends:
    """The rates of two ends; blocks named in `telling` have a lean."""
    fewer, counted = _grouped(blocks, Counted(days, events))
    columns = _columns(fewer, len(counted.days), telling, two=True)
    found, variances = _fitted(columns, counted, (None, None) if near is None else (near.pace, near.lean))
    pace, lean = (_told(columns, found, variances, leans) for leans in (False, True))
    return Ends(pace, lean)


def _columns(blocks: Sequence[Block], rows: int, telling: Sequence[str], two: bool = False) -> list[Column]:
    one = Block("", "flat", np.zeros(rows, dtype=np.int64), 1)
    wanted = [(n, block, False) for n, block in enumerate([one, *blocks])]
    if two:
        wanted += [(n, block, True) for n, block, _ in wanted if n == 0 or block.name in telling]
    ends = np.cumsum([block.size for _, block, _ in wanted]).tolist()
    return [
        Column(block, place, leans, slice(end - block.size, end), _pull(block, leans))
        for (place, block, leans), end in zip(wanted, ends, strict=True)
    ]


def _fitted(columns: Sequence[Column], counted: Counted, near: Sequence[Effects | None]) -> tuple[Floats, list[float]]:
    totals, exposed = [float(part.sum()) for part in counted.events], float(counted.days.sum())
    found, variances = np.zeros(columns[-1].at.stop), [FIRST_GUESS] * len(columns)
    for column in columns:
        if not column.block.name:
            starts = np.log((np.array(totals) + 0.5) / (exposed + 1.0))
            found[column.at] = (starts[0] - starts[-1]) / 2 if column.leans else starts.mean()
    _begin_at(near, columns, found, variances)
    if sum(totals) == 0.0 or not len(counted.days):
        return found, variances
    close = CLOSE if near[0] is None else CLOSE_ENOUGH
    for round_ in range(ROUNDS):
        slope, bend = _derivatives(columns, found, counted)
        for column, variance in zip(columns, variances, strict=True):
            scaled = column.pull / (variance if column.block.name else 1.0)
            slope[column.at] -= scaled @ found[column.at]
            bend[column.at, column.at] += scaled
        spread: Floats = np.asarray(np.linalg.inv(bend), dtype=np.float64)
        step = spread @ slope
        step *= min(1.0, LONGEST / max(float(np.abs(step).max()), 1e-12))
        found = found + step
        moved = float(np.abs(step).max())
        if round_ >= 2 or near[0] is not None:
            moved = max(moved, _relearn(columns, found, spread, variances))
        if moved < close:
            break
    return found, variances


def _grouped(blocks: Sequence[Block], counted: Counted) -> tuple[list[Block], Counted]:
    """Rows that are alike in all blocks as one row."""
    code, bound = np.zeros(len(counted.days), dtype=np.int64), 1
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
    days, *events = (np.bincount(group, part, count).astype(np.float64) for part in (counted.days, *counted.events))
    return fewer, Counted(days, tuple(events))


def _begin_at(near: Sequence[Effects | None], columns: Sequence[Column], found: Floats, variances: list[float]) -> None:
    for n, column in enumerate(columns):
        effects = near[int(column.leans)]
        if effects is None:
            continue
        part = effects.of(column.block.name) if column.block.name else np.array([effects.constant])
        if part is not None and len(part) == column.block.size:
            found[column.at] = part
            if column.block.name:
                variances[n] = effects.variances[effects.names.index(column.block.name)]


def log_rates(effects: Effects, blocks: Sequence[Block], rows: int) -> Floats:
    total = np.full(rows, effects.constant)
    for block in blocks:
        part = effects.of(block.name)
        if part is not None:
            at = part[np.minimum(block.level, len(part) - 1)]
            total += at if block.by is None else at * block.by
    return total


def _sum(columns: Sequence[Column], found: Floats, leans: bool) -> Floats:
    total = np.zeros(len(columns[0].block.level))
    for column in columns:
        if column.leans == leans:
            block = column.block
            part = found[column.at][block.level]
            total += part if block.by is None else part * block.by
    return total


def _derivatives(columns: Sequence[Column], found: Floats, counted: Counted) -> tuple[Floats, Floats]:
    """Slope and bend of the likelihood: sums over both ends for paces, differences between them for leans."""
    pace = _sum(columns, found, leans=False)
    signs = (1.0, -1.0)[: len(counted.events)]
    lean = _sum(columns, found, leans=True)
    expected = [counted.days * np.exp(np.minimum(pace + sign * lean, 5.0)) for sign in signs]
    wrong = [seen - meant for seen, meant in zip(counted.events, expected, strict=True)]
    weights = [np.add.reduce(expected), expected[0] - expected[-1]][: len(signs)]
    off = [np.add.reduce(wrong), wrong[0] - wrong[-1]]
    paces = [column for column in columns if not column.leans]
    shared, apart = _tables(paces, weights)
    of_pace, of_lean = (_counts(paces, part) for part in off)
    # Leans are of some of the blocks that have a pace: what is counted for those is picked from what was counted.
    chosen = [
        np.arange(paces[column.place].at.start, paces[column.place].at.stop) for column in columns if column.leans
    ]
    if not chosen:
        return of_pace, shared
    at = np.concatenate(chosen)
    bend = np.block([[shared, apart[:, at]], [apart[at], shared[np.ix_(at, at)]]])
    return np.concatenate([of_pace, of_lean[at]]), bend


def _counts(columns: Sequence[Column], weight: Floats) -> Floats:
    """The weight of each level of each block."""
    parts = []
    for block in (column.block for column in columns):
        weights = weight if block.by is None else weight * block.by
        parts.append(np.bincount(block.level, weights=weights, minlength=block.size))
    return np.concatenate(parts)


def _tables(columns: Sequence[Column], weights: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The weight of each pair of levels, by the sum and by the difference of the ends."""
    size = columns[-1].at.stop
    found = np.zeros((len(weights), size, size))
    for n, one in enumerate(columns):
        a = one.block
        scaled = [weight if a.by is None else weight * a.by for weight in weights]
        for other in columns[n:]:
            b = other.block
            pair = None if other is one else a.level * b.size + b.level
            for table, weight in zip(found, scaled, strict=True):
                of_both = weight if b.by is None else weight * b.by
                if pair is None:
                    part = np.diag(np.bincount(a.level, weights=of_both, minlength=a.size))
                else:
                    part = np.bincount(pair, weights=of_both, minlength=a.size * b.size).reshape(a.size, b.size)
                table[one.at, other.at] = part
                table[other.at, one.at] = part.T
    return found[0], found[-1]


def _pull(block: Block, leans: bool) -> Floats:
    """By what a block is pulled at variance 1: a walk to a line (its lean to a level), and a little to nothing."""
    if block.kind == "flat":
        return np.eye(block.size) * 1e-6
    if block.kind == "walk":
        bends = np.diff(np.eye(block.size), n=1 if leans else 2, axis=0)
        return bends.T @ bends + 0.001 * np.eye(block.size)
    return np.eye(block.size)


def _relearn(columns: Sequence[Column], found: Floats, spread: Floats, variances: list[float]) -> float:
    """One step for the variances; by how much the largest one moved, on a log scale."""
    moved = 0.0
    for n, column in enumerate(columns):
        if column.block.kind == "flat":
            continue
        part, pull = found[column.at], column.pull
        levels, usual = USUAL[column.block.kind]
        # As many effects as the data tell, of all that there are, share what was found (MacKay's fixed point).
        told = column.block.size - float(np.sum(pull * spread[column.at, column.at])) / variances[n]
        new = float(np.clip((part @ pull @ part + levels * usual) / (max(told, 0.0) + levels), LEAST, MOST))
        moved = max(moved, abs(np.log(new / variances[n])) * min(1.0, new))
        variances[n] = new
    return moved


def _told(columns: Sequence[Column], found: Floats, variances: Sequence[float], leans: bool) -> Effects:
    own = [(column, variance) for column, variance in zip(columns, variances, strict=True) if column.leans == leans]
    return Effects(
        constant=float(found[own[0][0].at][0]),
        names=tuple(column.block.name for column, _ in own[1:]),
        effects=tuple(found[column.at].copy() for column, _ in own[1:]),
        variances=tuple(float(variance) for _, variance in own[1:]),
    )
