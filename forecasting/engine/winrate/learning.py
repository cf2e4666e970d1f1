"""Fitting the rates of a scheme on the rows of a panel, and what they say of other rows.

Large panels are thinned: every row on which something happened stays, and of the others so many that they are still
more than three times as many, each counting for those it stands for.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Deals, Floats, Ints
from forecasting.engine.winrate.design import FEATURE, Sizes, amounts_before, blocks_of, levels_of, sized, sizes_of
from forecasting.engine.winrate.model import Scheme, Words
from forecasting.engine.winrate.panel import LOST, MOVED, NONE, PUSHED, WON, Panel
from forecasting.engine.winrate.rates import Block, Effects, fit_rates, log_rates

OF_MOVES = ("age", "month", "week", "stage", "stage_age", "wait")  # blocks that moves between stages may have
OF_PUSHES = ("age", "stage")
MOST_ROWS = 250_000


class Rows(Struct, frozen=True, eq=False):
    """A panel with what its rows know besides: levels of features, logarithms of amounts, weights of rows."""

    panel: Panel
    features: dict[str, tuple[Ints, int]]
    amount: Floats
    weight: Floats
    stages: int


class Learnt(Struct, frozen=True, eq=False):
    win: Effects
    lose: Effects
    move: Effects
    push: Effects
    sizes: Sizes
    pace: Effects | None


def rows_of(deals: Deals, panel: Panel, words: Sequence[Words]) -> Rows:
    features = {}
    for word in words:
        levels = levels_of(word, deals.features[word.feature])
        features[word.feature] = (levels[panel.deal], len(word.values) + 1)
    amount = amounts_before(deals, panel.deal, panel.day)
    return Rows(panel, features, amount, np.ones(len(panel)), max(len(deals.stages), 1))


def taken(rows: Rows, at: Ints, weight: Floats | None = None) -> Rows:
    features = {name: (level[at], count) for name, (level, count) in rows.features.items()}
    return Rows(
        rows.panel.taken(at), features, rows.amount[at], rows.weight[at] if weight is None else weight, rows.stages
    )


def until(rows: Rows, day: int) -> Rows:
    """The rows as they were at the end of the day: later ones are not there, running ones are cut."""
    found = taken(rows, np.flatnonzero(rows.panel.day <= day))
    panel = found.panel
    last = panel.day + panel.days.astype(np.int64) - 1
    cut = last > day
    days = np.where(cut, day - panel.day + 1, panel.days).astype(np.float64)
    happened = np.where(cut, NONE, panel.happened)
    columns = {name: getattr(panel, name) for name in panel.__struct_fields__}
    whole = Panel(**{**columns, "days": days, "happened": happened})
    return Rows(whole, found.features, found.amount, found.weight, found.stages)


def thinned(rows: Rows, rng: np.random.Generator, most: int = MOST_ROWS) -> Rows:
    count = len(rows.panel)
    if count <= most:
        return rows
    quiet = rows.panel.happened == NONE
    loud = int((~quiet).sum())
    share = min(1.0, max(most - loud, 3 * loud) / max(count - loud, 1))
    kept = ~quiet | (rng.random(count) < share)
    at = np.flatnonzero(kept)
    return taken(rows, at, np.where(quiet[at], rows.weight[at] / share, rows.weight[at]))


def learn(rows: Rows, scheme: Scheme, day: int, ends_only: bool = False, near: Learnt | None = None) -> Learnt:
    """Rates by what is known at the end of `day`. With `ends_only` those of moves and pushes stay plain.

    `near` was learnt from nearly the same, and only makes it quicker.
    """
    panel = rows.panel
    sizes = sizes_of(rows.amount)
    weight = rows.weight
    if scheme.half_life:
        weight = weight * 0.5 ** ((day - panel.day) / scheme.half_life)
    blocks = blocks_of(scheme.blocks, panel, rows.stages, rows.features, sized(sizes, rows.amount))
    days = panel.days * weight
    shared = _pace(rows, scheme, blocks, sizes, weight, None if near is None else near.pace)
    paced = days if shared is None else days * np.exp(log_rates(shared[0], shared[1], len(panel)))
    # A row on which something happened stands for itself even where it is thinned; its weight is that of recency.
    begin = (None, None) if near is None else (near.win, near.lose)
    ends = zip((WON, LOST), begin, strict=True)
    win, lose = (fit_rates(blocks, (panel.happened == what) * weight, paced, at) for what, at in ends)
    if shared is not None:
        win, lose = _joined(win, shared[0]), _joined(lose, shared[0])
    moves = [] if ends_only else [block for block in blocks if block.name in OF_MOVES]
    pushes = [] if ends_only else [block for block in blocks if block.name in OF_PUSHES]
    return Learnt(
        win,
        lose,
        fit_rates(moves, (panel.happened == MOVED) * weight, days),
        fit_rates(pushes, (panel.happened == PUSHED) * weight, days),
        sizes,
        None if shared is None else shared[2],
    )


def _pace(
    rows: Rows, scheme: Scheme, blocks: list[Block], sizes: Sizes, weight: Floats, near: Effects | None
) -> tuple[Effects, list[Block], Effects] | None:
    """What hastens or slows all ends alike: effects of the pace blocks alone, the blocks, and the whole fit."""
    if not scheme.pace:
        return None
    panel = rows.panel
    own = blocks_of(scheme.pace, panel, rows.stages, rows.features, sized(sizes, rows.amount))
    ended = ((panel.happened == WON) | (panel.happened == LOST)) * weight
    found = fit_rates([*blocks, *own], ended, panel.days * weight, near)
    n = len(blocks)
    alone = Effects(0.0, found.names[n:], found.effects[n:], found.variances[n:])
    return alone, own, found


def _joined(of: Effects, shared: Effects) -> Effects:
    return Effects(of.constant, of.names + shared.names, of.effects + shared.effects, of.variances + shared.variances)


def blocks_for(rows: Rows, scheme: Scheme, sizes: Sizes) -> list[Block]:
    return blocks_of((*scheme.blocks, *scheme.pace), rows.panel, rows.stages, rows.features, sized(sizes, rows.amount))


def rates_on(rows: Rows, scheme: Scheme, learnt: Learnt) -> tuple[Floats, Floats]:
    """The rates a day to be won and lost, of each row."""
    blocks = blocks_for(rows, scheme, learnt.sizes)
    win, lose = (log_rates(of, blocks, len(rows.panel)) for of in (learnt.win, learnt.lose))
    return np.exp(np.minimum(win, 2.0)), np.exp(np.minimum(lose, 2.0))


__all__ = ["FEATURE", "Learnt", "Rows", "blocks_for", "learn", "rates_on", "rows_of", "taken", "thinned", "until"]
