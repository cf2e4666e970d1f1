"""What is won in some days to come, seen in several simple ways, and how right each was on the company's own past.

A window is the days (day, end]. The ways to look at it (`VIEWS`): the pipeline (open deals and newcomers), the run rate
(what a day brought, by the third of the quarter it lies in), and the same days of the quarter and of the year before.
`pasts` looks at earlier windows exactly as this one is looked at, with what was known then (`as_known`), so that views
can be weighed and ranges can be made as wide as earlier ones should have been.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from forecasting.engine.ageing import Ageing, learn_ageing, sizes_of, stages_now, ways
from forecasting.engine.newcomers import Arrivals, NoArrivals, expect, learn_arrivals
from forecasting.engine.simulate import expectation
from forecasting.engine.spread import Past, Spread, learn
from forecasting.engine.values import NEVER, Chances, Deals, Floats, Ints, as_known
from forecasting.engine.winrate.amounts import expected, fit_amounts
from forecasting.engine.winrate.quarters import covering

PIPELINE, RUN_RATE, LAST_PERIOD, LAST_YEAR = "pipeline", "run_rate", "last_period", "last_year"
VIEWS = (PIPELINE, RUN_RATE, LAST_PERIOD, LAST_YEAR)
SHORTEST = 28  # days of ends that must be known before anything is looked at
MOST = 12  # windows back
FEW = 4  # windows that views can be weighed on
USUAL = np.array([0.5, 1.0, 2.0, 2.0])  # squared errors of VIEWS by that of the median one, before any is seen
LEVELS = (0.2, 5.0)  # by how much views may move the pipeline
THIRDS = 3

Asking = Callable[[Deals, Ints], Chances | None]  # (what is known on edges[0], edges) -> chances, None for none


class Look(Struct, frozen=True, eq=False):
    """A window as seen on its day: `means` by VIEWS (NaN where a view says nothing), the pipeline's two parts, and the
    variance that luck alone gives it."""

    day: int
    end: int
    means: Floats
    open: float
    new: float
    variance: float


class Seen(Struct, frozen=True, eq=False):
    """Looks at past windows, oldest first, and what came in each."""

    looks: tuple[Look, ...]
    actual: Floats


class Prospect(Struct, frozen=True, eq=False):
    """`mean` is the views by their `weights` (both by VIEWS); `spread.level` brings the pipeline's draws to it."""

    look: Look
    seen: Seen
    weights: Floats
    mean: float
    spread: Spread


def look(deals: Deals, day: int, end: int, quarters: Ints, ask: Asking | None = None) -> Look:
    """`ask` gives the chances of open deals (such as `winrate.fit` and `chances`); without it the plain hazards do."""
    known = as_known(deals, day)
    edges = np.array([day, end], dtype=np.int64)
    ageing = learn_ageing(known, quarters)
    chances = plain_chances(known, edges, ageing) if ask is None else ask(known, edges)
    arrivals = learn_arrivals(known, day, quarters, ageing=ageing)
    means = np.array([np.nan, _run_rate(known, day, end, quarters), *_before(known, day, end, quarters)])
    from_open, luck = (0.0, 0.0) if chances is None else expectation(chances)
    new, varied = (0.0, 0.0) if isinstance(arrivals, NoArrivals) else _newer(arrivals, edges)
    if chances is not None:
        means[0] = from_open + new
    return Look(day, end, means, from_open, new, luck + varied)


def plain_chances(known: Deals, edges: Ints, ageing: Ageing | None) -> Chances | None:
    """Chances by the plain hazards, of deals as known at the end of edges[0]."""
    if ageing is None:
        return None
    rows = np.flatnonzero(known.is_open)
    size = sizes_of(known, ageing.limits)[rows]
    found = ways(ageing, known.opened_on[rows], stages_now(known)[rows], size, edges)
    amount, spread = expected(fit_amounts(known), known.amount[rows])
    return Chances(tuple(known.keys[n] for n in rows), edges, found.win, found.lose, amount, spread)


def _newer(arrivals: Arrivals, edges: Ints) -> tuple[float, float]:
    coming = expect(arrivals, edges)
    rate = float(coming.rate.sum())
    mean, square = float(coming.amounts.mean()), float((coming.amounts**2).mean())
    return rate * mean, rate * square + (rate * mean) ** 2 * coming.variance


def revenue(deals: Deals, after: int, until: int) -> float:
    """What was won on the days (after, until]."""
    kept = deals.won & (deals.ended_on > after) & (deals.ended_on <= until) & np.isfinite(deals.amount)
    return float(deals.amount[kept].sum())


def shifted(quarters: Ints, day: int, back: int) -> int:
    """The day at the same place of the quarter `back` quarters before that of the day after `day`."""
    n = min(int(np.searchsorted(quarters, day + 1, side="right")) - 1, len(quarters) - 2)
    if n - back < 0:
        return NEVER
    gone = (day + 1 - quarters[n]) / (quarters[n + 1] - quarters[n])
    length = quarters[n - back + 1] - quarters[n - back]
    return int(quarters[n - back] + round(gone * length) - 1)


def _before(known: Deals, day: int, end: int, quarters: Ints) -> list[float]:
    first = _first_end(known)
    found = []
    for back in (1, 4):
        after, until = shifted(quarters, day, back), shifted(quarters, end, back)
        there = first != NEVER and after >= first - 1 and until <= day
        found.append(revenue(known, after, until) if there else np.nan)
    return found


def _first_end(known: Deals) -> int:
    ended = known.ended_on[known.ended_on != NEVER]
    return int(ended.min()) if len(ended) else NEVER


def _run_rate(known: Deals, day: int, end: int, quarters: Ints) -> float:
    """Of the last year: what a day of each third of a quarter brought, by its own days and by all."""
    first = _first_end(known)
    if first == NEVER or day - first + 1 < SHORTEST:
        return np.nan
    first = max(first, day - 364)
    days = np.arange(first, end + 1)
    n = np.searchsorted(quarters, days, side="right") - 1
    third = (days - quarters[n]) * THIRDS // (quarters[n + 1] - quarters[n])
    kept = known.won & (known.ended_on >= first) & np.isfinite(known.amount)
    money = np.bincount(known.ended_on[kept] - first, weights=known.amount[kept], minlength=len(days))
    past = days <= day
    whole = money[past].mean()
    sums = np.bincount(third[past], weights=money[past], minlength=THIRDS)
    counts = np.bincount(third[past], minlength=THIRDS)
    rates = (sums + whole * 7) / (counts + 7)  # a third with few days is drawn to all days
    return float(rates[third[~past]].sum())


def pasts(deals: Deals, day: int, end: int, quarters: Ints, ask: Asking | None = None, most: int = MOST) -> Seen:
    """The windows at the same place of earlier quarters that were over on `day`, the latest first in `most`."""
    known = as_known(deals, day)
    first = _first_end(known)
    found: list[tuple[int, int]] = []
    for back in range(1, most + 1):
        after, until = shifted(quarters, day, back), shifted(quarters, end, back)
        if first == NEVER or after < first + SHORTEST or until <= after:
            break
        if until <= day:
            found.append((after, until))
    return at(known, found[::-1], quarters, ask)


def at(known: Deals, windows: list[tuple[int, int]], quarters: Ints, ask: Asking | None = None) -> Seen:
    looks = tuple(look(known, after, until, quarters, ask) for after, until in windows)
    return Seen(looks, np.array([revenue(known, after, until) for after, until in windows], dtype=np.float64))


def sliding(
    deals: Deals, day: int, end: int, quarters: Ints, ask: Asking | None = None, every: int = 14, most: int = MOST
) -> Seen:
    """Windows of the same length wherever they lie in a quarter, while there are few quarters."""
    known = as_known(deals, day)
    first, length = _first_end(known), end - day
    starts = [day - length - every * n for n in range(most)]
    kept = [start for start in starts if first != NEVER and start >= first + SHORTEST]
    return at(known, [(start, start + length) for start in kept[::-1]], quarters, ask)


def prospect(deals: Deals, day: int, end: int, quarters: Ints, ask: Asking | None = None) -> Prospect:
    """What is expected to be won in the window, and how wrong such expectations were.

    Each past window is judged by the weights that the others give, so that no view is trusted for having been fitted.
    """
    now, seen = look(deals, day, end, quarters, ask), judged(deals, day, end, quarters, ask)
    weights, count = weigh(seen), len(seen.looks)
    mean = blended(weights, now.means)
    others = [Seen(_without(seen.looks, n), np.delete(seen.actual, n)) for n in range(count)]
    past = Past(
        np.array([blended(weigh(other), one.means) for other, one in zip(others, seen.looks, strict=True)]),
        np.array([one.variance for one in seen.looks]),
        seen.actual,
        _apart(seen),
    )
    return Prospect(now, seen, weights, mean, learn(past, level_of(mean, now.open + now.new)))


def level_of(mean: float, pipeline: float) -> float:
    """What the pipeline's draws are multiplied by, so that their mean is what the views say."""
    return float(np.clip(mean / pipeline, *LEVELS)) if pipeline > 0 and np.isfinite(mean) else 1.0


def _without(looks: tuple[Look, ...], n: int) -> tuple[Look, ...]:
    return looks[:n] + looks[n + 1 :]


def _apart(seen: Seen) -> float:
    """How many windows of their own each window counts for: overlapping ones tell the same days again."""
    if not seen.looks:
        return 1.0
    days = sum(one.end - one.day for one in seen.looks)
    return min(1.0, (seen.looks[-1].end - seen.looks[0].day) / max(days, 1))


def calendar_of(quarters: Ints | None, deals: Deals, end: int) -> Ints:
    """The company's quarters, lengthened until they cover all that is looked at."""
    first = int(deals.opened_on.min()) if len(deals) else end
    return covering(quarters, min(first, end) - 400, end + 400)


def weigh(seen: Seen) -> Floats:
    """Parts of one for each of VIEWS: the inverse of its squared error to the fourth power, so nearly the best alone.

    Errors begin as `USUAL` times that of the median view, which weighs as many windows as `FEW`; a view that never said
    anything gets nothing. Without windows, or when nothing came, all are 0: nothing can be weighed.
    """
    if not seen.looks or not seen.actual.any():
        return np.zeros(len(VIEWS))
    scale = float(np.mean(np.abs(seen.actual)))
    wrong = (np.stack([found.means for found in seen.looks]) - seen.actual[:, None]) / scale
    there = np.isfinite(wrong)
    squares = (np.where(there, wrong, 0.0) ** 2).sum(axis=0)
    counts = there.sum(axis=0)
    if not counts.any():
        return np.zeros(len(VIEWS))
    median = float(np.median(squares[counts > 0] / counts[counts > 0]))
    error = (squares + FEW * median * USUAL) / (counts + FEW) + 1e-9
    weight = np.where(counts > 0, (error.min() / error) ** 4, 0.0)
    found: Floats = weight / weight.sum()
    return found


def blended(weights: Floats, means: Floats) -> float:
    """The views that are there, by their weights; equal parts where none of them was ever weighed."""
    there = np.isfinite(means)
    if not there.any():
        return float("nan")
    used = np.where(there, weights, 0.0)
    if used.sum() <= 0:
        used = there.astype(np.float64)
    return float(np.where(there, means, 0.0) @ used / used.sum())


def judged(deals: Deals, day: int, end: int, quarters: Ints, ask: Asking | None = None) -> Seen:
    """Windows to weigh views on: at the same place of earlier quarters, or while there are few, any of that length, or
    of half of it, and so on down to two weeks."""
    seen = pasts(deals, day, end, quarters, ask)
    length = end - day
    while len(seen.looks) < FEW and length >= 14:
        seen = sliding(deals, day, day + length, quarters, ask)
        length //= 2
    return seen
