"""Living a company's history: deals that open, move, are pushed, won and lost, day after day, all at once.

Not a loop over days: each deal jumps to the next day on which something may happen under the highest hazard it could
have, and there it happens with the probability by which the true hazard is lower. That is exact, and 100,000 deals take
seconds. `run` goes on from any state, so that the oracle draws futures by the same rules.
"""

import numpy as np
from msgspec import Struct

from forecasting.engine.truth.company import (
    PUSHES,
    Calendar,
    Company,
    Traits,
    calendar,
    pressures,
    shocks_of,
    traits,
)
from forecasting.engine.values import AMOUNT, EXPECTED, NEVER, STAGE, Bools, Changes, Deals, Floats, Ints

WON, LOST, MOVED, PUSHED = range(4)


class Events(Struct, frozen=True, eq=False):
    """What happened, in order of deal and day: position of the deal, day, one of WON, LOST, MOVED, PUSHED."""

    deal: Ints
    day: Ints
    what: Ints


class Opened(Struct, frozen=True, eq=False):
    """Deals on their first day."""

    day: Ints
    rep: Ints
    product: Ints
    amount: Floats


class Grown(Struct, frozen=True, eq=False):
    """A company and its history; `shocks` are the common factors of the quarters of `calendar`, which nobody sees."""

    company: Company
    calendar: Calendar
    shocks: Floats
    deals: Deals


def grow(of: Company) -> Grown:
    """The history of a company from the day it opened to its last day; the same company, the same history."""
    rng = np.random.default_rng([of.seed, 2])
    days = calendar(of, of.opened_on, of.until)
    shocks = shocks_of(of, rng, 1, len(days.starts))
    opened = arrive(of, days, of.opened_on + 1, of.until, rng)
    known = traits(of, opened.day, opened.rep, opened.product, opened.amount)
    count = len(opened.day)
    zero = np.zeros(count, dtype=np.int64)
    events = run(of, known, days, shocks, zero, zero, zero, opened.day, of.until, rng)
    return Grown(of, days, shocks[0], _told(of, opened, events, rng))


def arrive(of: Company, days: Calendar, first: int, last: int, rng: np.random.Generator) -> Opened:
    """Deals that open on the days from `first` to `last`; quarters differ by more than chance."""
    spread = of.arrival_spread
    moods = np.exp(rng.normal(-spread * spread / 2, spread, len(days.starts)))
    span = np.arange(first, last + 1)
    counts = rng.poisson((days.arriving * moods[days.quarter])[span - days.first])
    day = np.repeat(span, counts).astype(np.int64)
    return describe(of, day, rng)


def describe(of: Company, day: Ints, rng: np.random.Generator) -> Opened:
    rep = rng.choice(len(of.reps), len(day), p=of.rep_share)
    product = rng.choice(len(of.products), len(day), p=of.product_share)
    size = np.exp(rng.normal(-(of.size_spread**2) / 2, of.size_spread, len(day)))
    return Opened(day, rep, product, np.round(of.price[product] * size))


def run(
    of: Company,
    known: Traits,
    days: Calendar,
    shocks: Floats,
    world: Ints,
    stage: Ints,
    pushes: Ints,
    since: Ints,
    until: int,
    rng: np.random.Generator,
) -> Events:
    """What happens to deals after the day `since` of each, to the end of `until`; `shocks` are (worlds, quarters)."""
    stage, pushes, day = stage.copy(), pushes.copy(), since.copy()
    strongest = float(days.winning.max(initial=1.0)) * shocks.max(axis=1, initial=0.0)
    left = np.arange(len(day))
    found: list[tuple[Ints, Ints, Ints]] = []
    while len(left):
        most = of.win[stage[left]] * known.win[left] * strongest[world[left]]
        most = most + of.lose[stage[left]] * known.lose[left] + of.move[stage[left]] + of.pushing
        day[left] += 1 + (rng.exponential(size=len(left)) / most).astype(np.int64)
        left, most = left[day[left] <= until], most[day[left] <= until]
        here = Traits(known.opened_on[left], known.win[left], known.lose[left])
        at = day[left] - days.first
        winning = days.winning[at] * shocks[world[left], days.quarter[at]]
        hazards = np.stack(pressures(of, here, stage[left], pushes[left], day[left] - here.opened_on, winning))
        reached = np.cumsum(hazards, axis=0)
        happens = rng.random(len(left)) * -np.expm1(-most) < -np.expm1(-reached[-1])
        what = (rng.random(len(left)) * reached[-1] >= reached[:-1]).sum(axis=0)
        hit, did = left[happens], what[happens]
        found.append((hit, day[hit], did))
        stage[hit[did == MOVED]] += 1
        pushes[hit[did == PUSHED]] = np.minimum(pushes[hit[did == PUSHED]] + 1, PUSHES)
        left = left[~(happens & (what <= LOST))]
    deal, on, did = (np.concatenate([part[n] for part in found] or [np.zeros(0, np.int64)]) for n in range(3))
    order = np.lexsort((on, deal))
    return Events(deal[order], on[order], did[order].astype(np.int64))


def last_amounts(of: Company, amount: Floats, events: Events, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """What deals are worth after each event (position of events), and what they are worth at last.

    Each move haggles by a factor of mean 1; winning by one of mean `closing_ratio`.
    """
    factor = np.zeros(len(events.deal))
    moved, won = events.what == MOVED, events.what == WON
    factor[moved] = rng.normal(-(of.haggling**2) / 2, of.haggling, int(moved.sum()))
    closing = rng.normal(-(of.closing_spread**2) / 2, of.closing_spread, int(won.sum()))
    factor[won] = closing + np.log(of.closing_ratio)
    along = np.cumsum(factor)
    starts = np.flatnonzero(np.diff(events.deal, prepend=-1))
    before = np.repeat(along[starts] - factor[starts], np.diff(starts, append=len(factor)))
    after = amount[events.deal] * np.exp(along - before)
    last = amount.copy()
    last[events.deal] = after
    return after, last


def _told(of: Company, opened: Opened, events: Events, rng: np.random.Generator) -> Deals:
    count = len(opened.day)
    after, last = last_amounts(of, opened.amount, events, rng)
    ended = np.full(count, NEVER, dtype=np.int64)
    over = events.what <= LOST
    ended[events.deal[over]] = events.day[over]
    won = np.zeros(count, dtype=np.bool_)
    won[events.deal[events.what == WON]] = True
    return Deals(
        until=of.until,
        keys=tuple(f"deal-{n:06}" for n in range(count)),
        opened_on=opened.day,
        ended_on=ended,
        won=won,
        amount=np.round(last),
        features={
            "owner": tuple(of.reps[n] for n in opened.rep),
            "product": tuple(of.products[n] for n in opened.product),
            "team": _teams(of, opened),
        },
        stages=of.stages,
        changes=_changes(of, opened, events, np.round(after), rng),
    )


def _changes(of: Company, opened: Opened, events: Events, after: Floats, rng: np.random.Generator) -> Changes:
    """Stages, amounts and expected days as they were told. Who is optimistic expects too early, and pushes."""
    count = len(opened.day)
    all_deals = np.arange(count)
    cycle = 90.0 * (1 - of.optimism[opened.rep]) * rng.uniform(0.7, 1.3, count)
    moved, pushed, won = events.what == MOVED, events.what == PUSHED, events.what == WON
    told = [
        _rows(all_deals, opened.day, STAGE, np.zeros(count)),
        _rows(all_deals, opened.day, AMOUNT, opened.amount),
        _rows(all_deals, opened.day, EXPECTED, np.round(opened.day + cycle)),
        _rows(events.deal[moved], events.day[moved], STAGE, _stages(events, moved)),
        _rows(events.deal[moved | won], events.day[moved | won], AMOUNT, after[moved | won]),
        _rows(
            events.deal[pushed],
            events.day[pushed],
            EXPECTED,
            events.day[pushed] + np.round(rng.uniform(10, 60, int(pushed.sum()))),
        ),
    ]
    deal, day, kind, value = (np.concatenate([part[n] for part in told]) for n in range(4))
    order = np.lexsort((kind, day, deal))
    whole = (deal[order].astype(np.int64), day[order].astype(np.int64), kind[order].astype(np.int64))
    return Changes(*whole, value[order])


def _rows(deal: Ints, day: Ints, kind: int, value: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    return deal.astype(float), day.astype(float), np.full(len(deal), float(kind)), value.astype(float)


def _stages(events: Events, moved: Bools) -> Floats:
    """The stage after each move: how many moves the deal has made."""
    deal = events.deal[moved]
    starts = np.flatnonzero(np.diff(deal, prepend=-1))
    stage = np.arange(len(deal)) - np.repeat(starts, np.diff(starts, append=len(deal))) + 1
    return stage.astype(np.float64)


def _teams(of: Company, opened: Opened) -> tuple[str, ...]:
    """The team of its owner on the first day: each reorganisation deals the people anew."""
    era = np.searchsorted(of.reorganised_on, opened.day, side="left")
    people = np.random.default_rng([of.seed, 3])
    placed = np.stack([people.permutation(len(of.reps)) % 3 for _ in range(len(of.reorganised_on) + 1)])
    return tuple(f"team-{n}" for n in placed[era, opened.rep])
