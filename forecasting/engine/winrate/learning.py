"""Fitting the rates of a scheme on the rows of a panel, and what they say of other rows.

Large panels are thinned: rows on which a deal ended stay, of the others some, each counting for those it stands for.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct, structs

from forecasting.engine.values import Bools, Deals, Floats, Ints
from forecasting.engine.winrate.design import FEATURE, Sizes, amounts_before, blocks_of, levels_of, sized, sizes_of
from forecasting.engine.winrate.model import Scheme, Words
from forecasting.engine.winrate.panel import LOST, MOVED, NONE, PUSHED, WON, Panel
from forecasting.engine.winrate.rates import Block, Effects, Ends, fit_ends, fit_rates, log_rates

OF_MOVES = ("age", "month", "week", "stage", "stage_age", "wait")  # blocks that moves between stages may have
OF_PUSHES = ("age", "stage")
MOST_ROWS = 300_000
NOTHING = Effects(-30.0, (), (), ())


class Rows(Struct, frozen=True, eq=False):
    """A panel with what its rows know besides: levels of features, logarithms of amounts, weights of rows."""

    panel: Panel
    features: dict[str, tuple[Ints, int]]
    amount: Floats
    weight: Floats
    stages: int


class Learnt(Struct, frozen=True, eq=False):
    ends: Ends
    win: Effects
    lose: Effects
    move: Effects
    push: Effects
    sizes: Sizes


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
    """At most about so many rows: all on which a deal ended, or of some deals only where those are too many."""
    ends = int(_ended(rows.panel).sum())
    if 3 * ends > most:
        deals = np.unique(rows.panel.deal)
        chosen = np.zeros(int(deals[-1]) + 1, dtype=np.bool_)
        chosen[deals[rng.random(len(deals)) < most / (3 * ends)]] = True
        rows = taken(rows, np.flatnonzero(chosen[rows.panel.deal]))
    count, loud = len(rows.panel), _ended(rows.panel)
    if count <= most:
        return rows
    share = (most - int(loud.sum())) / (count - int(loud.sum()))
    at = np.flatnonzero(loud | (rng.random(count) < share))
    return taken(rows, at, np.where(loud[at], rows.weight[at], rows.weight[at] / share))


def _ended(panel: Panel) -> Bools:
    return np.asarray((panel.happened == WON) | (panel.happened == LOST))


def learn(rows: Rows, scheme: Scheme, day: int, near: Learnt | None = None) -> Learnt:
    """Rates to be won and lost by what is known at the end of `day`; those of moves and pushes stay plain.

    `near` was learnt from nearly the same, and only makes it quicker.
    """
    panel = rows.panel
    sizes = sizes_of(rows.amount)
    weight = _weights(rows, scheme, day)
    blocks = blocks_for(rows, scheme, sizes)
    events = ((panel.happened == WON) * weight, (panel.happened == LOST) * weight)
    ends = fit_ends(blocks, scheme.blocks, events, panel.days * weight, None if near is None else near.ends)
    return Learnt(ends, ends.first, ends.other, NOTHING, NOTHING, sizes)


def learn_ways(rows: Rows, scheme: Scheme, day: int, ends: Learnt) -> Learnt:
    """Adds the rates to move to another stage, and to be pushed."""
    panel, weight = rows.panel, _weights(rows, scheme, day)
    blocks = blocks_of(scheme.blocks, panel, rows.stages, rows.features, sized(ends.sizes, rows.amount))
    move = [block for block in blocks if block.name in OF_MOVES]
    push = [block for block in blocks if block.name in OF_PUSHES]
    return structs.replace(
        ends,
        move=fit_rates(move, (panel.happened == MOVED) * weight, panel.days * weight),
        push=fit_rates(push, (panel.happened == PUSHED) * weight, panel.days * weight),
    )


def _weights(rows: Rows, scheme: Scheme, day: int) -> Floats:
    if not scheme.half_life:
        return rows.weight
    recent: Floats = rows.weight * 0.5 ** ((day - rows.panel.day) / scheme.half_life)
    return recent


def blocks_for(rows: Rows, scheme: Scheme, sizes: Sizes) -> list[Block]:
    return blocks_of((*scheme.blocks, *scheme.pace), rows.panel, rows.stages, rows.features, sized(sizes, rows.amount))


def rates_on(rows: Rows, scheme: Scheme, learnt: Learnt) -> tuple[Floats, Floats]:
    """The rates a day to be won and lost, of each row."""
    blocks = blocks_for(rows, scheme, learnt.sizes)
    win, lose = (log_rates(of, blocks, len(rows.panel)) for of in (learnt.win, learnt.lose))
    return np.exp(np.minimum(win, 2.0)), np.exp(np.minimum(lose, 2.0))


__all__ = [
    "FEATURE",
    "Learnt",
    "Rows",
    "blocks_for",
    "learn",
    "learn_ways",
    "rates_on",
    "rows_of",
    "taken",
    "thinned",
    "until",
]
