"""Business that is not in the pipeline yet: how many deals will come, and what of them is won before a day.

How many come a day is weighed from three simple views (the last quarter, the last year, the same days a year ago) by
how right each was on the company's own past. What becomes of one follows the plain hazards of its
deals (`ageing`), day by day from its first. What one brings is drawn from what won deals brought in the last
year. Days before the first end that is known do not count: a file that begins there has lost deals.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from forecasting.engine.ageing import Ageing, learn_ageing, ways
from forecasting.engine.values import NEVER, Deals, Floats, Ints, as_known
from forecasting.engine.winrate.quarters import covering

YEAR, QUARTER = 364, 91  # whole weeks
AHEAD = 3 * 366
FEW_ENDS = 30
OWN = 20.0  # newcomers of everybody's that a group's own must outweigh
USUAL_VARIANCE = 0.01  # of how many come, beyond chance; weighs as much as two looks back
RECENT_WON = 20  # fewer won in the last year: all that were ever won


class Newcomers(Struct, frozen=True, eq=False):
    """Won deals that do not exist yet: expected number, (groups, steps), and what one brings, by weight.

    `variance` is that of a factor of mean 1 by which their number varies beyond chance.
    """

    rate: Floats
    amounts: Floats
    weights: Floats
    variance: float


class Arrivals(Struct, frozen=True, eq=False):
    """What was learnt until the end of `day`. `daily` has the deals that came on each day from `first`.

    `at_once` is the share that is won on its first day. `said`: stable codes (`few`: under 30 ends).
    """

    day: int
    first: int
    daily: Floats
    at_once: float
    ageing: Ageing
    amounts: Floats
    owners: tuple[str, ...]
    shares: Floats
    said: tuple[str, ...]


class NoArrivals(Struct, frozen=True):
    code: str
    because: str


def learn_arrivals(
    deals: Deals, day: int, quarters: Ints | None = None, by: str = "owner", ageing: Ageing | None = None
) -> Arrivals | NoArrivals:
    """From what was known at the end of a day. `by` is the feature that groups are named after.

    `no_history` before the first end, `nothing_won` before the first deal that brought something. `ageing` spares the
    learning of it where it is known already.
    """
    known = as_known(deals, day)
    ended = known.ended_on != NEVER
    if ageing is None:
        ageing = learn_ageing(known, covering(quarters, int(known.opened_on.min(initial=day)), day + AHEAD))
    if ageing is None:
        return NoArrivals("no_history", "no deal has been won or lost yet")
    brought = known.won & np.isfinite(known.amount) & (known.amount > 0)
    if not brought.any():
        return NoArrivals("nothing_won", "no deal has been won with an amount yet")
    first = ageing.first
    since = known.opened_on >= first
    daily = np.bincount(known.opened_on[since] - first, minlength=day - first + 1).astype(np.float64)
    at_once = known.won & (known.ended_on <= known.opened_on) & ended & since
    late = brought & (known.ended_on > day - YEAR)
    if late.sum() < RECENT_WON:
        late = brought
    owners, shares = _owners(known, by, day)
    few = ("few",) if ended.sum() < FEW_ENDS else ()
    return Arrivals(
        day=day,
        first=first,
        daily=daily,
        at_once=float(at_once.sum() / max(since.sum(), 1)),
        ageing=ageing,
        amounts=np.sort(known.amount[late]),
        owners=owners,
        shares=shares,
        said=few,
    )


def _owners(known: Deals, by: str, day: int) -> tuple[tuple[str, ...], Floats]:
    """Whose newcomers are: those of the last year, drawn to equal shares among who had any."""
    texts = known.features.get(by, ("",) * len(known))
    recent = known.opened_on > day - YEAR
    if not recent.any():
        recent = np.ones(len(known), dtype=np.bool_)
    names = sorted({texts[n] for n in np.flatnonzero(recent)})
    place = {name: n for n, name in enumerate(names)}
    counts = np.bincount([place[texts[n]] for n in np.flatnonzero(recent)], minlength=len(names))
    shares = counts + OWN / len(names)
    return tuple(names), shares / shares.sum()


def expect(arrivals: Arrivals, edges: Ints, groups: Sequence[str] | None = None) -> Newcomers:
    """Newcomers of the days after edges[0] that are won in the steps of `edges`, for each of `groups`.

    Those of owners who are not among the groups (somebody left) are shared out among those who are.
    """
    if len(edges) < 2 or (np.diff(edges) <= 0).any() or int(edges[0]) != arrivals.day:
        raise ValueError("edges rise from the last day that is known")
    names = list(arrivals.owners if groups is None else groups)
    each, variance = level(arrivals, int(edges[-1] - edges[0]))
    ways = conversion(arrivals, edges)
    share = _shared(arrivals, names)
    return Newcomers(
        share[:, None] * (each @ ways)[None, :], arrivals.amounts, np.ones(len(arrivals.amounts)), variance
    )


def _shared(arrivals: Arrivals, names: Sequence[str]) -> Floats:
    known = dict(zip(arrivals.owners, arrivals.shares, strict=True))
    found = np.array([known.get(name, 0.0) for name in names], dtype=np.float64)
    if not len(found):
        return found
    return found / found.sum() if found.sum() > 0 else np.full(len(found), 1 / len(found))


def conversion(arrivals: Arrivals, edges: Ints) -> Floats:
    """Of a deal that comes on each day after edges[0]: the chance to be won in each step. (days, steps)"""
    births = np.arange(int(edges[0]) + 1, int(edges[-1]) + 1, dtype=np.int64)
    win = ways(arrivals.ageing, births, None, None, edges).win * (1 - arrivals.at_once)
    win[np.arange(len(births)), np.searchsorted(edges, births) - 1] += arrivals.at_once
    return win


def level(arrivals: Arrivals, horizon: int) -> tuple[Floats, float]:
    """Deals that will come on each of the next days, and the variance of that level beyond chance."""
    daily = arrivals.daily
    tried = []
    for back in range(28, len(daily) - 27, 28):  # each look back sees only what came before it
        span = min(back, horizon)
        views, came = _views(daily[:-back], span), float(daily[len(daily) - back :][:span].sum())
        tried.append((views, came, span))
    tried = [found for found in tried if found[2] >= min(28, horizon)][:12]
    now = _views(daily, horizon)
    weights = _weights(tried, len(now))
    wrong = [(came - views @ weights) ** 2 - views @ weights for views, came, _ in tried]
    expected = [(views @ weights) ** 2 for views, _, _ in tried]
    usual = 2 * float(np.mean(expected)) if expected else 1.0
    whole = float(sum(expected)) + usual
    variance = max((float(sum(wrong)) + USUAL_VARIANCE * usual) / whole, 0.0) if whole > 0 else USUAL_VARIANCE
    return np.full(horizon, float(now @ weights) / horizon), float(min(variance, 0.25))


def _views(daily: Floats, span: int) -> Floats:
    """Deals of the next `span` days by each view. Without a year behind it, the yearly one is the last year's."""
    quarter, year = daily[-QUARTER:], daily[-YEAR:]
    yearly = float(year.mean())
    same = yearly * span
    if len(daily) >= YEAR + QUARTER:
        then = daily[len(daily) - YEAR :][:span]
        before = daily[-YEAR - QUARTER : -YEAR]
        # What came in the same days a year ago, moved by how the last quarter differs from that of a year ago.
        moved = (float(quarter.sum()) + 5.0) / (float(before.sum()) + 5.0)
        same = float(then.sum()) * span / len(then) * np.sqrt(moved)
    return np.array([float(quarter.mean()) * span, yearly * span, same])


def _weights(tried: list[tuple[Floats, float, int]], views: int) -> Floats:
    """By the inverse of each view's squared error, with two looks back at the usual error before any."""
    errors = np.zeros(views)
    total = 0.0
    for expected, came, _ in tried:
        errors += (expected - came) ** 2
        total += (came + 1) ** 2
    score = (errors + 0.02 * total / max(len(tried), 1) + 1e-9) if tried else np.ones(views)
    weights: Floats = score**-2.0
    return np.asarray(weights / weights.sum(), dtype=np.float64)
