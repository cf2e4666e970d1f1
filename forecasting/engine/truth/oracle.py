"""What is true of open deals on a day: nobody who sees only the past can know it better.

Chances are exact: all ways through stages and pushes are added up day by day, and the shocks of quarters, which nobody
can foresee, are averaged out within each quarter. Revenue is drawn by the rules of `growth`, from the state of the day.
"""

import numpy as np

from forecasting.engine.truth.company import PUSHES, Company, Traits, calendar, pressures, shocks_of, traits
from forecasting.engine.truth.growth import WON, Events, arrive, last_amounts, run
from forecasting.engine.values import AMOUNT, EXPECTED, STAGE, Chances, Deals, Floats, Ints, as_known

NODES = 5  # of Gauss and Hermite, for the shock of a quarter
EVER = 1100  # days after which nothing worth a figure happens


def true_chances(of: Company, deals: Deals, edges: Ints) -> Chances:
    """The true chances of the deals that are open on the day edges[0], which are known to that day only."""
    known = as_known(deals, int(edges[0]))
    rows = np.flatnonzero(known.is_open)
    stage, pushes, amount, traits_of = standing(of, known, rows)
    won, lost = _ways(of, traits_of, stage, pushes, int(edges[0]), int(edges[-1]))
    at = edges - edges[0]
    win, lose = np.diff(won[at], axis=0).T, np.diff(lost[at], axis=0).T
    # The moves that are still to come, about: one of haggling for each stage before the last.
    moves = len(of.stages) - 1 - stage
    return Chances(
        keys=tuple(known.keys[n] for n in rows),
        edges=edges,
        win=np.ascontiguousarray(win),
        lose=np.ascontiguousarray(lose),
        amount=amount * of.closing_ratio,
        spread=np.sqrt(of.closing_spread**2 + moves * of.haggling**2),
    )


def true_win(of: Company, deals: Deals, day: int) -> Floats:
    """The true probability of each deal that is open on a day to be won ever."""
    return true_chances(of, deals, np.array([day, day + EVER])).win[:, 0]


def true_revenue(of: Company, deals: Deals, day: int, end: int, draws: int, seed: int) -> tuple[Floats, Floats]:
    """Draws of what is won after `day` until the end of the day `end`: of deals open on `day`, and of later ones.

    The shock of each quarter is drawn anew, also that of the running one: nobody has seen it alone.
    """
    rng = np.random.default_rng([of.seed, 4, seed])
    known = as_known(deals, day)
    rows = np.flatnonzero(known.is_open)
    stage, pushes, amount, held = standing(of, known, rows)
    days = calendar(of, day, end)
    shocks = shocks_of(of, rng, draws, len(days.starts))
    world = np.repeat(np.arange(draws), len(rows))
    again = np.tile(np.arange(len(rows)), draws)
    many = Traits(held.opened_on[again], held.win[again], held.lose[again])
    since = np.full(len(again), day)
    events = run(of, many, days, shocks, world, stage[again], pushes[again], since, end, rng)
    from_open = _revenue(of, amount[again], events, world, draws, rng)
    newer = [arrive(of, days, day + 1, end, rng) for _ in range(draws)]
    counts = np.array([len(opened.day) for opened in newer])
    world = np.repeat(np.arange(draws), counts)
    opened_on, rep, product = (np.concatenate([getattr(o, n) for o in newer]) for n in ("day", "rep", "product"))
    worth = np.concatenate([opened.amount for opened in newer])
    zero = np.zeros(len(world), dtype=np.int64)
    events = run(of, traits(of, opened_on, rep, product, worth), days, shocks, world, zero, zero, opened_on, end, rng)
    return from_open, _revenue(of, worth, events, world, draws, rng)


def standing(of: Company, known: Deals, rows: Ints) -> tuple[Ints, Ints, Floats, Traits]:
    """How the deals at `rows` stand: stage, pushes, amount, and what is known of them from their first day."""
    place = np.full(len(known), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    told = known.changes
    kept = place[told.deal] >= 0
    deal, kind, value = place[told.deal[kept]], told.kind[kept], told.value[kept]
    stage = np.zeros(len(rows), dtype=np.int64)
    stage[deal[kind == STAGE]] = value[kind == STAGE].astype(np.int64)
    first = np.zeros(len(rows))
    first[deal[kind == AMOUNT][::-1]] = value[kind == AMOUNT][::-1]
    pushes = np.bincount(deal[kind == EXPECTED], minlength=len(rows)) - 1
    rep = np.array([of.reps.index(known.features["owner"][n]) for n in rows], dtype=np.int64)
    product = np.array([of.products.index(known.features["product"][n]) for n in rows], dtype=np.int64)
    held = traits(of, known.opened_on[rows], rep, product, first)
    return stage, np.minimum(pushes, PUSHES), known.amount[rows], held


def _ways(of: Company, held: Traits, stage: Ints, pushes: Ints, day: int, end: int) -> tuple[Floats, Floats]:
    """Cumulated chances to be won and lost, after each day from `day` to `end`: (days + 1, deals)."""
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    factors = np.exp(of.shock_spread * points - of.shock_spread**2 / 2)
    factors = factors / (weights @ factors)
    days = calendar(of, day, end)
    count, depth = len(stage), len(of.stages)
    states = np.zeros((NODES, depth, PUSHES + 1, count))
    states[:, stage, pushes, np.arange(count)] = 1.0
    won, lost = np.zeros((NODES, count)), np.zeros((NODES, count))
    all_won, all_lost = np.zeros((end - day + 1, count)), np.zeros((end - day + 1, count))
    stages = np.arange(depth)[:, None, None]
    pushed = np.arange(PUSHES + 1)[:, None]
    for n in range(1, end - day + 1):
        if days.quarter[n] != days.quarter[n - 1]:  # a new quarter has a new shock, whatever the old one was
            states[:] = np.tensordot(weights, states, 1)
            won[:], lost[:] = weights @ won, weights @ lost
        winning = (days.winning[n] * factors)[:, None, None, None]
        hazards = pressures(of, held, stages, pushed, day + n - held.opened_on, winning)
        total = hazards[0] + hazards[1] + hazards[2] + hazards[3]
        flow = states * -np.expm1(-total) / total
        won += (flow * hazards[0]).sum(axis=(1, 2))
        lost += (flow * hazards[1]).sum(axis=(1, 2))
        states -= flow * total
        states[:, 1:] += (flow * hazards[2])[:, :-1]
        later = flow * hazards[3]
        states[:, :, 1:] += later[:, :, :-1]
        states[:, :, -1] += later[:, :, -1]
        all_won[n], all_lost[n] = weights @ won, weights @ lost
    return all_won, all_lost


def _revenue(of: Company, amount: Floats, events: Events, world: Ints, draws: int, rng: np.random.Generator) -> Floats:
    after, _ = last_amounts(of, amount, events, rng)
    won = events.what == WON
    return np.bincount(world[events.deal[won]], weights=after[won], minlength=draws).astype(np.float64)
