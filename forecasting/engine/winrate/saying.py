"""What may become of the open deals, by a model: in steps of days, and their amounts.

Each deal is followed as a spread over the stages in which it may be: on each day a part of it is won, lost, or moves
on, by the rates of that day. Of what is in a stage only the mean time there and the mean pushes are kept. Days are
taken singly at first and by the half-week and week later, never across an edge or the begin of a week of the quarter.
"""

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Chances, Deals, Floats, Ints
from forecasting.engine.winrate.amounts import expected
from forecasting.engine.winrate.model import Model
from forecasting.engine.winrate.panel import AGES, MOST_PUSHES, SPANS, WAITS
from forecasting.engine.winrate.quarters import MONTHS, Places, covering, places
from forecasting.engine.winrate.rates import Effects
from forecasting.engine.winrate.standing import Standing, lasting_effects, standing
from forecasting.engine.winrate.trust import drawn

SINGLY, BY_HALF = 45, 120  # days ahead that are taken one by one, and by three
STAGED = ("stage", "stage_age", "wait", "pushes")


class Flow(Struct, eq=False):
    """Where each deal may be: its part in each stage, (deals, stages), and the mean time and pushes of that part."""

    part: Floats
    wait: Floats
    pushes: Floats


def chances(model: Model, deals: Deals, edges: Ints) -> Chances:
    """Of the open deals among `deals`, which are as known at the end of `edges[0]`; steps as in `Chances`."""
    edges = np.asarray(edges, dtype=np.int64)
    if len(edges) < 2 or (np.diff(edges) <= 0).any() or int(edges[0]) != deals.until:
        raise ValueError("edges rise from the last day that is known")
    stood = standing(model, deals, int(edges[0]))
    win, lose = follow(model, stood, edges)
    amount, spread = expected(model.amounts, deals.amount[stood.row])
    return Chances(tuple(deals.keys[n] for n in stood.row), edges, win, lose, amount, spread)


def follow(model: Model, stood: Standing, edges: Ints) -> tuple[Floats, Floats]:
    """The chances to be won and lost in each step, (deals, steps)."""
    first, last = int(edges[0]), int(edges[-1])
    place = places(covering(model.quarters, first, last + 1), first, last + 1)
    win, lose = np.zeros((len(stood.row), len(edges) - 1)), np.zeros((len(stood.row), len(edges) - 1))
    flow = _begin(model, stood, first)
    sources = [
        (effects, lasting_effects(effects, stood, model.since))
        for effects in (model.win, model.lose, model.move, model.push)
    ]
    step, day = 0, first + 1
    while day <= last:
        step += int(day > edges[step + 1])
        days = _stride(day - first, day, int(edges[step + 1]), place)
        rates = [_rates(effects, fixed, flow, stood, day, place) for effects, fixed in sources]
        rates[0] *= model.level
        rates[1] *= model.level
        if model.trust < 1.0:
            rates[:2] = drawn(model.odds, model.trust, rates[0], rates[1])
        won, lost = _advance(flow, rates, model.moves, days)
        win[:, step] += won
        lose[:, step] += lost
        day += days
    return win, lose


def _begin(model: Model, stood: Standing, day: int) -> Flow:
    staged = any(name in STAGED for name in model.win.names)
    count = len(model.moves) if staged else 1
    shape = (len(stood.row), count)
    at = (np.arange(len(stood.row)), stood.stage if staged else np.zeros(len(stood.row), dtype=np.int64))
    flow = Flow(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    flow.part[at] = 1.0
    flow.wait[at] = day - stood.since
    flow.pushes[at] = stood.pushes
    return flow


def _stride(ahead: int, day: int, edge: int, place: Places) -> int:
    """How many days are taken at once from `day` on."""
    days = 1 if ahead <= SINGLY else 3 if ahead <= BY_HALF else 7
    days = min(days, edge - day + 1)
    at = day - place.first
    same = (place.week[at : at + days] == place.week[at]) & (place.month[at : at + days] == place.month[at])
    return int(np.argmin(np.append(same, False)))


def _rates(effects: Effects, fixed: Floats, flow: Flow, stood: Standing, day: int, place: Places) -> Floats:
    """Rates of the day for each deal and stage, (deals, stages)."""
    age = day - stood.opened
    span = np.searchsorted(SPANS, age, side="right") - 1
    month, week = int(place.month[day - place.first]), int(place.week[day - place.first])
    total = fixed.copy()
    count = flow.part.shape[1]
    staged: Floats = np.zeros((1, count))
    for name, part in zip(effects.names, effects.effects, strict=True):
        if name == "age":
            total += part[np.searchsorted(AGES, age, side="right") - 1]
        elif name == "month":
            total += part[month]
        elif name == "week":
            total += part[week]
        elif name == "age_month":
            total += part[span * MONTHS + month]
        elif name == "stage":
            staged = staged + part[None, :count]
        elif name == "stage_age":
            staged = staged + part.reshape(-1, len(SPANS))[:count, span].T
        elif name == "wait":
            staged = staged + part[np.maximum(np.searchsorted(WAITS, flow.wait, side="right") - 1, 0)]
        elif name == "pushes":
            staged = staged + part[0] * flow.pushes
    return np.exp(np.minimum(total[:, None] + staged, 2.0))


def _advance(flow: Flow, rates: list[Floats], moves: Floats, days: int) -> tuple[Floats, Floats]:
    """Takes the days; gives what was won and lost of each deal. Of several that may happen, the sooner one does."""
    win, lose, move, push = rates
    if flow.part.shape[1] == 1:
        move = np.zeros_like(win)
    total = win + lose + move
    gone = flow.part * -np.expm1(-total * days) / total
    left = flow.part - gone * total
    moving = gone * move
    stayed_pushes = np.minimum(flow.pushes + push * days, MOST_PUSHES)
    if flow.part.shape[1] > 1:
        arrived = moving @ moves
        mass = np.maximum(left + arrived, 1e-300)
        flow.wait = left * (flow.wait + days) / mass
        flow.pushes = (left * stayed_pushes + (moving * stayed_pushes) @ moves) / mass
        left = left + arrived
    else:
        flow.wait, flow.pushes = flow.wait + days, stayed_pushes
    flow.part = left
    return (gone * win).sum(axis=1), (gone * lose).sum(axis=1)
