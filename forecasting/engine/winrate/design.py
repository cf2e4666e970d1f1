"""Which blocks of factors the rates are made of, by name, and the level of each row in each.

`age`, `month`, `week` and `age_month` are the clock: they need nothing but dates. `stage`, `stage_age`, `wait` and
`pushes` are how far a deal has come. `amount` and `is:<feature>` are what is known of it from its beginning.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.values import AMOUNT, Deals, Floats, Ints
from forecasting.engine.winrate.model import Words
from forecasting.engine.winrate.panel import AGES, SPANS, WAITS, Panel, last_before, told_of
from forecasting.engine.winrate.quarters import MONTHS, WEEKS
from forecasting.engine.winrate.rates import Block

FEATURE = "is:"
PROGRESS = ("stage", "stage_age", "wait", "pushes")
RARE = 8  # ended deals that a value needs for a level of its own
MOST_VALUES = 300
FARTHEST = 2.5  # sizes count to so many spreads from the centre


class Sizes(Struct, frozen=True):
    """Logarithms of amounts: their centre and spread."""

    centre: float
    scale: float


def words_of(deals: Deals, ended: Ints) -> tuple[Words, ...]:
    """The values of each feature with enough of the `ended` deals, the most frequent first where there are too many."""
    found = []
    for name in sorted(deals.features):
        texts = np.array(deals.features[name], dtype=np.str_)[ended]
        values, counts = np.unique(texts, return_counts=True)
        order = np.lexsort((values, -counts))[:MOST_VALUES]
        kept = sorted(str(values[n]) for n in order if counts[n] >= RARE and values[n])
        if len(kept) > 1 or (kept and len(values) > 1):
            found.append(Words(name, tuple(kept)))
    return tuple(found)


def levels_of(words: Words, texts: Sequence[str]) -> Ints:
    place = {value: n for n, value in enumerate(words.values)}
    rest = len(words.values)
    return np.array([place.get(text, rest) for text in texts], dtype=np.int64)


def amounts_before(deals: Deals, deal: Ints, day: Ints) -> Floats:
    """The last amount told of each deal before its day; NaN where there is none above zero."""
    told = told_of(deals, AMOUNT)
    at = last_before(told, deal, day)
    if not len(told.value):
        return np.full(len(deal), np.nan)
    value = np.where(at >= 0, told.value[at], np.nan)
    return np.where(value > 0, value, np.nan)


def sizes_of(amounts: Floats) -> Sizes:
    logs = np.log(amounts[np.isfinite(amounts)])
    if len(logs) < 2 or float(np.std(logs)) < 1e-9:
        return Sizes(0.0, 0.0)
    return Sizes(float(np.median(logs)), float(np.std(logs)))


def sized(sizes: Sizes, amounts: Floats) -> Floats:
    """By how many spreads each amount is larger than the usual one; 0 where it is not known."""
    if sizes.scale <= 0:
        return np.zeros(len(amounts))
    scaled = (np.log(np.where(np.isfinite(amounts), amounts, 1.0)) - sizes.centre) / sizes.scale
    # In steps of a fifth, so that rows can be alike.
    steps = np.round(np.clip(scaled, -FARTHEST, FARTHEST) * 5) / 5
    return np.where(np.isfinite(amounts), steps, 0.0)


def blocks_of(
    names: Sequence[str], panel: Panel, stages: int, features: dict[str, tuple[Ints, int]], size: Floats
) -> list[Block]:
    """`features`: of each one the level of each row and the number of levels; `size`: of each row."""
    found = []
    for name in names:
        if name == "amount":
            found.append(Block(name, "ridge", np.zeros(len(panel), dtype=np.int64), 1, size))
        elif name == "pushes":
            by = panel.pushes.astype(np.float64)
            found.append(Block(name, "ridge", np.zeros(len(panel), dtype=np.int64), 1, by))
        elif name.startswith(FEATURE):
            level, count = features[name[len(FEATURE) :]]
            found.append(Block(name, "ridge", level, count))
        else:
            found.append(_clock_block(name, panel, stages))
    return found


def _clock_block(name: str, panel: Panel, stages: int) -> Block:
    if name == "age":
        return Block(name, "walk", panel.age, len(AGES))
    if name == "month":
        return Block(name, "ridge", panel.month, MONTHS)
    if name == "week":
        return Block(name, "walk", panel.week, WEEKS)
    if name == "age_month":
        return Block(name, "ridge", panel.span * MONTHS + panel.month, len(SPANS) * MONTHS)
    if name == "stage":
        return Block(name, "ridge", panel.stage, stages)
    if name == "stage_age":
        return Block(name, "ridge", panel.stage * len(SPANS) + panel.span, stages * len(SPANS))
    if name == "cohort":
        return Block(name, "ridge", panel.cohort, int(panel.cohort.max(initial=0)) + 1)
    if name == "wait":
        return Block(name, "walk", panel.wait, len(WAITS))
    raise ValueError(name)
