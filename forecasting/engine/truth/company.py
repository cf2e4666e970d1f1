"""How a company sells: every rate that its history follows, drawn from a seed. Nothing here has happened yet.

A deal is in a stage and was pushed some times. Each day it may be won, lost, moved to the next stage or pushed, with
the hazards of `pressures`: those of its stage, times its owner, product and size, times its age, times the day's place
in the quarter, times a shock that all deals of a quarter share. The state has no memory beyond that, so that the oracle
can add up all ways a deal may go instead of guessing.
"""

from datetime import date

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from forecasting.engine.values import Floats, Ints

STAGES = ("lead", "meeting", "offer", "terms")
PUSHES = 3  # more do not matter
MOVE = (0.085, 0.060, 0.050, 0.0)  # a day, in each stage
WIN = (0.0, 0.0015, 0.008, 0.040)
LOSE = (0.030, 0.020, 0.013, 0.010)


class Company(Struct, frozen=True, eq=False):
    """The truth of one company. Rates are hazards a day; factors multiply them and are about 1."""

    seed: int
    opened_on: int
    until: int
    fiscal_month: int
    stages: tuple[str, ...]
    move: Floats
    win: Floats
    lose: Floats
    tired: Floats
    pushing: float
    push_effect: float
    reps: tuple[str, ...]
    rep_win: Floats
    rep_share: Floats
    optimism: Floats
    products: tuple[str, ...]
    product_win: Floats
    product_share: Floats
    price: Floats
    size_effect: float
    size_spread: float
    haggling: float
    closing_ratio: float
    closing_spread: float
    peak: float
    shock_spread: float
    arrivals: float
    growth: float
    season: float
    season_on: int
    arrival_spread: float
    reorganised_on: Ints
    dip: float


class Traits(Struct, frozen=True, eq=False):
    """What is known of each deal from its first day: factors of its hazards, and when it was opened."""

    opened_on: Ints
    win: Floats
    lose: Floats


def company(
    seed: int,
    *,
    opened_on: date = date(2023, 1, 1),
    until: date = date(2025, 12, 31),
    arrivals: float = 1.0,
    reps: int = 6,
    products: int = 4,
    shock_spread: float = 0.15,
    reorganisations: int = 1,
) -> Company:
    """A company that opened empty on a day and gets `arrivals` deals a day; the same seed is the same company."""
    rng = np.random.default_rng([seed, 1])
    first, last = opened_on.toordinal(), until.toordinal()
    count = len(STAGES)
    pace = np.exp(rng.normal(0, 0.2))
    reorganised = np.sort(rng.integers(first + 200, max(last - 30, first + 201), reorganisations))
    return Company(
        seed=seed,
        opened_on=first,
        until=last,
        fiscal_month=int(rng.choice([1, 1, 1, 2, 4, 7, 10])),
        stages=STAGES,
        move=np.array(MOVE) * pace * _around(rng, 0.15, count),
        win=np.array(WIN) * pace * _around(rng, 0.15, count),
        lose=np.array(LOSE) * pace * _around(rng, 0.15, count),
        tired=np.array([rng.uniform(110, 190), rng.uniform(180, 300)]) / pace,
        pushing=0.02 * pace,
        push_effect=float(rng.uniform(0.7, 0.95)),
        reps=tuple(f"rep-{n:02}" for n in range(reps)),
        rep_win=_around(rng, 0.3, reps),
        rep_share=rng.dirichlet(np.full(reps, 6.0)),
        optimism=rng.uniform(0.0, 0.5, reps),
        products=tuple(f"product-{n}" for n in range(products)),
        product_win=_around(rng, 0.25, products),
        product_share=rng.dirichlet(np.full(products, 4.0)),
        price=np.asarray(np.round(np.exp(rng.uniform(np.log(2e5), np.log(4e6), products)), -2), dtype=np.float64),
        size_effect=float(rng.uniform(-0.5, 0.0)),
        size_spread=0.5,
        haggling=0.12,
        closing_ratio=float(rng.uniform(0.88, 1.0)),
        closing_spread=0.1,
        peak=float(rng.uniform(0.5, 3.0)),
        shock_spread=shock_spread,
        arrivals=arrivals,
        growth=float(rng.normal(0.05, 0.1)),
        season=float(rng.uniform(0.0, 0.3)),
        season_on=int(rng.integers(0, 365)),
        arrival_spread=0.1,
        reorganised_on=reorganised.astype(np.int64),
        dip=0.75,
    )


def _around(rng: np.random.Generator, spread: float, count: int) -> Floats:
    return np.exp(rng.normal(-spread * spread / 2, spread, count))


def quarters(fiscal_month: int, first: int, last: int) -> Ints:
    """First days of the quarters from the one of day `first` to the one after day `last`, so that each has an end."""
    begin, end = date.fromordinal(first), date.fromordinal(last)
    month = begin.year * 12 + begin.month - 1
    month -= (month - (fiscal_month - 1)) % 3
    found = []
    while month <= end.year * 12 + end.month - 1 + 3:
        found.append(date(month // 12, month % 12 + 1, 1).toordinal())
        month += 3
    return np.array(found, dtype=np.int64)


class Calendar(Struct, frozen=True, eq=False):
    """Of each day from `first`: the number of its quarter, and by what it multiplies the winning."""

    first: int
    starts: Ints
    quarter: Ints
    winning: Floats
    arriving: Floats


def calendar(of: Company, first: int, last: int) -> Calendar:
    starts = quarters(of.fiscal_month, first, last)
    days = np.arange(first, last + 1)
    quarter = np.searchsorted(starts, days, side="right") - 1
    left = (starts[quarter + 1] - days) / (starts[quarter + 1] - starts[quarter])
    working = np.where((days - 1) % 7 < 5, 1.0, 0.1)  # ordinal 1 was a Monday
    winning = (1 + of.peak * np.exp(-left / 0.12)) / (1 + of.peak * 0.12) * working
    for day in of.reorganised_on:
        winning = np.where((days > day) & (days <= day + 30), winning * of.dip, winning)
    grown = (1 + of.growth) ** ((days - of.opened_on) / 365.25)
    season = 1 + of.season * np.cos(2 * np.pi * (days - of.season_on) / 365.25)
    return Calendar(first, starts, quarter, winning, of.arrivals * grown * season * working * 7 / 5.2)


def traits(of: Company, opened_on: Ints, rep: Ints, product: Ints, amount: Floats) -> Traits:
    size = np.log(np.maximum(amount, 1.0) / of.price[product]) if len(product) else np.zeros(0)
    win = of.rep_win[rep] * of.product_win[product] * np.exp(of.size_effect * size)
    return Traits(opened_on, win, win**-0.3)


def pressures(
    of: Company, known: Traits, stage: Ints, pushes: Ints, age: Ints, winning: Floats | float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Hazards of a day to be won, lost, moved on and pushed. `winning` is that of the calendar times the shock."""
    fresh, bearing = tiredness(of, age)
    win = of.win[stage] * known.win * of.push_effect ** np.minimum(pushes, PUSHES) * fresh * winning
    lose = of.lose[stage] * known.lose * bearing
    return win, lose, of.move[stage] * fresh, np.broadcast_to(of.pushing * (age > 20), win.shape)


def tiredness(of: Company, age: Ints) -> tuple[Floats, Floats]:
    """What remains of the hazards to win and to lose with age: old deals do neither, and stay as zombies."""
    fresh: NDArray[np.float64] = 0.02 + 0.98 * np.exp(-((age / of.tired[0]) ** 2))
    bearing: NDArray[np.float64] = 0.05 + 0.95 * np.exp(-((age / of.tired[1]) ** 2))
    return fresh, bearing


def shocks_of(of: Company, rng: np.random.Generator, worlds: int, count: int) -> Floats:
    """Common factors of winning, of mean 1: (worlds, quarters)."""
    spread = of.shock_spread
    return np.exp(rng.normal(-spread * spread / 2, spread, (worlds, count)))
