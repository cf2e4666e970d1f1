"""What anybody could know of a small company from its past: the floor below which no estimate of chances comes.

The estimator here is told everything but the rates: the form of the truth, usual prices, the days of the week and of
reorganisation, and the very distribution from which companies are drawn (`truth.company`). It finds the most probable
rates (Newton steps on the exact likelihood of each day of each deal, the shocks of past quarters among what is sought)
and says the mean of the true chances over draws around them. The posterior mean has the least expected log-loss there
is, on average over such companies; this is that mean, as near as a normal posterior is.
"""

import numpy as np
from msgspec import Struct, structs
from scipy.special import ndtr

from forecasting.engine.truth.company import LOSE, MOVE, PUSHES, WIN, Company, Traits, calendar, pressures
from forecasting.engine.truth.oracle import true_chances
from forecasting.engine.values import AMOUNT, EXPECTED, STAGE, Deals, Floats, Ints, as_known
from forecasting.engine.winrate.panel import last_before, told_of

ROUNDS = 40
CLOSE = 1e-4
BESIDE = 1e-3  # a step to see how rates move with a number
DRAWS = 24
NOTHING, WON, LOST, MOVED, PUSHED = range(-1, 4)
# What a company is drawn from: the spreads of log-normal factors of mean 1, and the ends of uniform ones.
PACE, RATE, REP, PRODUCT = 0.2, 0.15, 0.3, 0.25
UNIFORM = {
    "push": (0.7, 0.95),
    "size": (-0.5, 0.0),
    "fresh": (110.0, 190.0),
    "bearing": (180.0, 300.0),
    "peak": (0.5, 3.0),
}
RATES = len(MOVE) + len(WIN) + len(LOSE) - 2  # nothing is won at first, and nothing moves on at last


class Lived(Struct, frozen=True, eq=False):
    """One position for each open day of each deal: how the deal stood that morning, and what happened."""

    day: Ints
    stage: Ints
    pushes: Ints
    age: Ints
    rep: Ints
    product: Ints
    size: Floats
    what: Ints


class Places(Struct, frozen=True):
    """Where each number that is sought stands among all, which are normal with mean 0 and spread 1 beforehand."""

    reps: int
    products: int
    shocks: int

    @property
    def parts(self) -> dict[str, slice]:
        sizes = {"pace": 1, "rates": RATES, "reps": self.reps, "products": self.products}
        sizes |= dict.fromkeys(UNIFORM, 1) | {"shocks": self.shocks}
        ends = np.cumsum(list(sizes.values())).tolist()
        return {name: slice(end - sizes[name], end) for name, end in zip(sizes, ends, strict=True)}

    @property
    def count(self) -> int:
        return int(self.parts["shocks"].stop)


def posterior_chances(of: Company, deals: Deals, edges: Ints, draws: int = DRAWS) -> Floats:
    """The chances to be won in each step, (deals, steps), of who knows what is above and the past to edges[0]."""
    day = int(edges[0])
    past = lived(of, deals, day)
    dates = calendar(of, of.opened_on, day)
    places = Places(len(of.reps), len(of.products), int(dates.quarter.max()) + 1)
    found, spread = most_probable(of, past, places)
    rng = np.random.default_rng([of.seed, 5, day])
    root = np.linalg.cholesky(spread)
    total = np.zeros(0)
    for _ in range(draws // 2):
        step = root @ rng.normal(size=places.count)
        for sign in (1.0, -1.0):
            win = true_chances(told(of, places, found + sign * step), deals, edges).win
            total = win if not len(total) else total + win
    return np.asarray(total / (2 * (draws // 2)))


def lived(of: Company, deals: Deals, day: int) -> Lived:
    known = as_known(deals, day)
    end = np.where(known.is_open, day, known.ended_on)
    count = np.maximum(end - known.opened_on, 0)
    deal = np.repeat(np.arange(len(known)), count)
    age = np.arange(len(deal)) - np.repeat(np.cumsum(count) - count, count) + 1
    on = known.opened_on[deal] + age
    stages, expected = told_of(known, STAGE), told_of(known, EXPECTED)
    stage = stages.value[last_before(stages, deal, on)].astype(np.int64)
    tomorrow = stages.value[last_before(stages, deal, on + 1)].astype(np.int64)
    first = np.searchsorted(expected.deal, deal)
    pushes, later = (last_before(expected, deal, at) - first for at in (on, on + 1))
    what = np.where(later > pushes, PUSHED, NOTHING)
    what = np.where(tomorrow > stage, MOVED, what)
    ended = ~known.is_open[deal] & (known.ended_on[deal] == on)
    what = np.where(ended, np.where(known.won[deal], WON, LOST), what)
    rep = np.array([of.reps.index(name) for name in known.features["owner"]], dtype=np.int64)
    product = np.array([of.products.index(name) for name in known.features["product"]], dtype=np.int64)
    amounts = told_of(known, AMOUNT)
    first_said = amounts.value[np.searchsorted(amounts.deal, np.arange(len(known)))]
    size = np.log(np.maximum(first_said, 1.0) / of.price[product])
    return Lived(on, stage, np.minimum(pushes, PUSHES), age, rep[deal], product[deal], size[deal], what)


def told(of: Company, places: Places, found: Floats) -> Company:
    """The company that has the rates of these numbers."""
    parts = {name: found[at] for name, at in places.parts.items()}
    pace = float(np.exp(PACE * parts["pace"][0]))
    rates = pace * np.exp(RATE * parts["rates"] - RATE**2 / 2)
    within = {name: low + (high - low) * float(ndtr(parts[name][0])) for name, (low, high) in UNIFORM.items()}
    moves, wins = len(MOVE) - 1, len(WIN) - 1
    return structs.replace(
        of,
        move=np.append(MOVE[:-1] * rates[:moves], 0.0),
        win=np.insert(WIN[1:] * rates[moves : moves + wins], 0, 0.0),
        lose=LOSE * rates[moves + wins :],
        tired=np.array([within["fresh"], within["bearing"]]) / pace,
        pushing=0.02 * pace,
        push_effect=within["push"],
        rep_win=np.exp(REP * parts["reps"] - REP**2 / 2),
        product_win=np.exp(PRODUCT * parts["products"] - PRODUCT**2 / 2),
        size_effect=within["size"],
        peak=within["peak"],
    )


def most_probable(of: Company, past: Lived, places: Places) -> tuple[Floats, Floats]:
    """The numbers, and their covariance."""
    found, spread = np.zeros(places.count), np.eye(places.count)
    for _ in range(ROUNDS):
        rates = _hazards(of, past, places, found)
        slope, bend = -found, np.eye(places.count)
        total = rates.sum(axis=0)
        happened = past.what != NOTHING
        # Of a day on which something happened, that it did, and of a quiet one that nothing did, is all that it says.
        counts = np.where(happened, 1 / total - np.exp(-total) / -np.expm1(-total), 1.0)
        moved = _moves(of, past, places, found, rates)
        for kind in (WON, LOST, MOVED, PUSHED):
            off = (past.what == kind) - counts * rates[kind]
            slope = slope + moved[kind].T @ off
            bend = bend + moved[kind].T @ (moved[kind] * rates[kind][:, None])
        spread = np.asarray(np.linalg.inv(bend), dtype=np.float64)
        step = spread @ slope
        step *= min(1.0, 1.0 / float(np.abs(step).max()))
        found = found + step
        if np.abs(step).max() < CLOSE:
            break
    return found, spread


def _hazards(of: Company, past: Lived, places: Places, found: Floats) -> Floats:
    """Of each day, the hazards to be won, lost, moved on and pushed: (4, days)."""
    one = told(of, places, found)
    dates = calendar(one, of.opened_on, int(past.day.max()))
    at = past.day - dates.first
    shock = np.exp(of.shock_spread * found[places.parts["shocks"]] - of.shock_spread**2 / 2)[dates.quarter[at]]
    win = one.rep_win[past.rep] * one.product_win[past.product] * np.exp(one.size_effect * past.size)
    known = Traits(past.day, win, win**-0.3)
    hazards = pressures(one, known, past.stage, past.pushes, past.age, dates.winning[at] * shock)
    return np.maximum(np.stack(hazards), 1e-12)


def _moves(of: Company, past: Lived, places: Places, found: Floats, rates: Floats) -> list[Floats]:
    """By how much the log of each hazard moves with each number: four times (days, numbers)."""
    moved = [np.zeros((len(past.day), places.count)) for _ in range(4)]
    for n in range(places.count):
        beside = found.copy()
        beside[n] += BESIDE
        change = np.log(_hazards(of, past, places, beside) / rates) / BESIDE
        for kind in range(4):
            moved[kind][:, n] = change[kind]
    return moved
