"""How open deals stand at the end of a day: what the rates of a model ask of each."""

import numpy as np
from msgspec import Struct

from forecasting.engine.values import STAGE, Deals, Floats, Ints
from forecasting.engine.winrate.design import FEATURE, Sizes, amounts_before, levels_of, sized
from forecasting.engine.winrate.model import Model
from forecasting.engine.winrate.panel import cohort_of, last_before, pushes_before, told_of
from forecasting.engine.winrate.rates import Effects


class Standing(Struct, frozen=True, eq=False):
    """One position for each open deal, `row` is its place among all; `since`: the day it came into its stage."""

    row: Ints
    opened: Ints
    stage: Ints
    since: Ints
    pushes: Floats
    size: Floats
    levels: dict[str, Ints]


def standing(model: Model, deals: Deals, day: int) -> Standing:
    row = np.flatnonzero(deals.is_open)
    tomorrow = np.full(len(row), day + 1)
    told = told_of(deals, STAGE)
    at = last_before(told, row, tomorrow)
    there = at >= 0
    stage, since = np.zeros(len(row), dtype=np.int64), deals.opened_on[row].copy()
    stage[there] = told.value[at[there]].astype(np.int64)
    since[there] = told.day[at[there]]
    levels = {}
    for words in model.words:
        texts = deals.features.get(words.feature, ("",) * len(deals))
        levels[words.feature] = levels_of(words, [texts[n] for n in row])
    return Standing(
        row=row,
        opened=deals.opened_on[row],
        stage=np.clip(stage, 0, max(len(model.stages) - 1, 0)),
        since=since,
        pushes=pushes_before(deals, row, tomorrow).astype(np.float64),
        size=sized(Sizes(model.size_centre, model.size_scale), amounts_before(deals, row, tomorrow)),
        levels=levels,
    )


def lasting_effects(effects: Effects, stood: Standing, since: int) -> Floats:
    """The part of each deal's log rate that does not change while it is open: its features and its size."""
    total = np.full(len(stood.row), effects.constant)
    for name, part in zip(effects.names, effects.effects, strict=True):
        if name == "cohort":
            total += part[np.minimum(cohort_of(stood.opened, since), len(part) - 1)]
        elif name == "amount":
            total += part[0] * stood.size
        elif name.startswith(FEATURE):
            total += part[stood.levels[name[len(FEATURE) :]]]
    return total
