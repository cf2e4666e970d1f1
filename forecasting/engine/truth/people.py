"""What the people of a company call for a quarter, week after week: optimistic, and surer the nearer its end.

A call is what was really won until that day, and of what was still to come the truth, too high by the person's
optimism and off by noise that shrinks with the days that are left. People know their deals better than the records do.
"""

import numpy as np
from msgspec import Struct

from forecasting.engine.truth.growth import Grown
from forecasting.engine.values import Floats, Ints

NOISE = 0.25  # at the beginning of a quarter, of what is still to come
INSIGHT = 0.5  # part of the difference between this quarter and an ordinary one that a person foresees


class Calls(Struct, frozen=True, eq=False):
    """Columns of calls: the person's position in `company.reps`, the quarter's first day, the day, minor units."""

    rep: Ints
    quarter_on: Ints
    day: Ints
    amount: Floats


def human_calls(grown: Grown) -> Calls:
    """Calls of all people on every seventh day of each whole quarter of the history, from its first day."""
    of, deals = grown.company, grown.deals
    rng = np.random.default_rng([of.seed, 5])
    rep = np.array([of.reps.index(name) for name in deals.features["owner"]], dtype=np.int64)
    starts = grown.calendar.starts
    whole = [n for n in range(len(starts) - 1) if starts[n] > of.opened_on and starts[n + 1] - 1 <= of.until]
    rows: list[tuple[Ints, Ints, Ints, Floats]] = []
    people = np.arange(len(of.reps))
    usual = _won(grown, rep, of.opened_on, of.until) / max(of.until - of.opened_on, 1)
    for n in whole:
        first, after = int(starts[n]), int(starts[n + 1])
        final = _won(grown, rep, first - 1, after - 1)
        for day in range(first, after, 7):
            left = (after - day) / (after - first)
            so_far = _won(grown, rep, first - 1, day - 1)
            to_come = INSIGHT * (final - so_far) + (1 - INSIGHT) * usual * (after - day)
            wrong = np.exp(of.optimism * left + rng.normal(0, NOISE, len(people)) * np.sqrt(left))
            call = np.round(so_far + to_come * wrong)
            rows.append((people, np.full(len(people), first), np.full(len(people), day), call))
    if not rows:
        none = np.zeros(0, dtype=np.int64)
        return Calls(none, none, none, np.zeros(0))
    rep_of, quarter_on, days, amounts = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Calls(rep_of, quarter_on, days, amounts)


def _won(grown: Grown, rep: Ints, after: int, until: int) -> Floats:
    """What each person won on the days (after, until]."""
    deals = grown.deals
    kept = deals.won & (deals.ended_on > after) & (deals.ended_on <= until)
    return np.bincount(rep[kept], weights=deals.amount[kept], minlength=len(grown.company.reps)).astype(np.float64)
