"""Base rates by the clock: how often a deal of a given age is won, or lost, on a day of a given place in the quarter.

Discrete days: a deal that is open at the end of a day is won, lost or stays during the next one. All deals count with
all their open days (cohorts by the day they were opened, so the work does not grow with the number of deals). A cell of
age and calendar is pulled to the product of its margins, as if it had seen `PRIOR` more events at that rate; so a cell
without events gets what its margins say, and little once it had its chances.

Days before the first end that is known do not count: a file that begins there has lost the deals that ended earlier.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from forecasting.engine.values import Bools, Floats, Ints
from forecasting.engine.winrate.quarters import WEEK, place_in_quarter

PRIOR = 2.0
MOST_AGES = 24
EVENTS_A_BIN = 30.0
CALENDARS = ("none", "month", "half-month", "week")


class Clock(Struct, frozen=True, eq=False):
    """Daily hazards, (ages, places): `ages` are the first days of the age bins (the first is 1), see `place_of`."""

    calendar: str
    ages: Ints
    win: Floats
    lose: Floats


class Cohorts(Struct, frozen=True, eq=False):
    """Of each day a deal was opened and each later day: deals at risk during it, won and lost on it, as flat lists."""

    age: Ints
    day: Ints
    at_risk: Floats
    won: Floats
    lost: Floats


def cohorts_of(opened: Ints, ended: Ints, won: Bools, first: int, until: int) -> Cohorts:
    """Days `first` to `until`; `ended` beyond `until` is still open. A deal that ended on its first day never counts."""
    births, cohort = np.unique(opened, return_inverse=True)
    days = np.arange(first, until + 1, dtype=np.int64)
    shape = (len(births), len(days))

    def counted(of: Bools) -> Floats:
        at = cohort[of] * shape[1] + (ended[of] - first)
        return np.bincount(at, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)

    lasting = ended > opened
    inside = lasting & (ended >= first) & (ended <= until)
    wins, losses = counted(inside & won), counted(inside & ~won)
    there = np.bincount(cohort[lasting & (ended >= first)], minlength=shape[0])[:, None]
    gone = np.cumsum(wins + losses, axis=1) - (wins + losses)
    age = days[None, :] - births[:, None]
    risk = np.where(age >= 1, there - gone, 0.0)
    kept = risk > 0
    day = np.broadcast_to(days, shape)
    return Cohorts(age[kept], day[kept].copy(), risk[kept], wins[kept], losses[kept])


def place_of(calendar: str, quarters: Ints, days: Ints) -> tuple[Ints, int]:
    """The calendar's bin of each day, and how many there are. Months and weeks are counted from the quarter's end."""
    since, left = place_in_quarter(quarters, days)
    if calendar == "month":
        return np.clip((since * 3) // (since + left + 1), 0, 2), 3
    if calendar == "half-month":
        return np.clip((since * 6) // (since + left + 1), 0, 5), 6
    if calendar == "week":
        return np.minimum(left // WEEK, 12), 13
    return np.zeros(len(days), dtype=np.int64), 1


def age_bins(cohorts: Cohorts, events_a_bin: float = EVENTS_A_BIN) -> Ints:
    """First days of bins with about as many ends each; the last begins after the oldest end that was ever seen."""
    ends = cohorts.won + cohorts.lost
    by_age = np.bincount(cohorts.age, weights=ends)
    total = float(by_age.sum())
    bins = int(np.clip(total // events_a_bin, 1, MOST_AGES))
    reached = np.searchsorted(np.cumsum(by_age), total * np.arange(1, bins) / bins) + 1
    oldest = int(np.flatnonzero(by_age)[-1]) if total else 0
    return np.unique(np.concatenate([[1], reached, [oldest + 1]])).astype(np.int64)


def fit_clock(cohorts: Cohorts, quarters: Ints, calendar: str, weights: Floats | None = None) -> Clock:
    ages = age_bins(cohorts)
    place, places = place_of(calendar, quarters, cohorts.day)
    row = np.searchsorted(ages, cohorts.age, side="right") - 1
    shape = (len(ages), places)

    def summed(counts: Floats) -> Floats:
        counts = counts if weights is None else counts * weights
        cells = np.bincount(row * places + place, weights=counts, minlength=shape[0] * shape[1])
        return cells.astype(np.float64).reshape(shape)

    risk = summed(cohorts.at_risk)
    return Clock(calendar, ages, _shrunk(summed(cohorts.won), risk), _shrunk(summed(cohorts.lost), risk))


def _shrunk(events: Floats, risk: Floats) -> Floats:
    """Events by risk, each cell pulled to the product of its margins, and the margins to the whole."""
    whole = (events.sum() + 0.5) / (risk.sum() + 1.0)
    by_age = (events.sum(1) + PRIOR) / (risk.sum(1) * whole + PRIOR)
    by_place = (events.sum(0) + PRIOR) / ((by_age[:, None] * risk).sum(0) * whole + PRIOR)
    expected = whole * by_age[:, None] * by_place[None, :]
    rate: Floats = expected * (events + PRIOR) / (risk * expected + PRIOR)
    rate = np.minimum(rate, 0.45)
    return rate


def hazards_on(clock: Clock, quarters: Ints, opened: Ints, day: int) -> tuple[Floats, Floats]:
    """What each deal's chance is to be won, and lost, during the day, if it is open at the end of the day before."""
    row = np.clip(np.searchsorted(clock.ages, day - opened, side="right") - 1, 0, len(clock.ages) - 1)
    place = int(place_of(clock.calendar, quarters, np.array([day], dtype=np.int64))[0][0])
    return clock.win[row, place], clock.lose[row, place]


def log_loss(clock: Clock, quarters: Ints, cohorts: Cohorts) -> tuple[float, NDArray[np.float64]]:
    """The loss of all days at risk, in nats, and by cohort row (to see how sure a difference is)."""
    row = np.clip(np.searchsorted(clock.ages, cohorts.age, side="right") - 1, 0, len(clock.ages) - 1)
    place = place_of(clock.calendar, quarters, cohorts.day)[0]
    win, lose = clock.win[row, place], clock.lose[row, place]
    stay = 1.0 - win - lose
    rest = cohorts.at_risk - cohorts.won - cohorts.lost
    losses = -(cohorts.won * np.log(win) + cohorts.lost * np.log(lose) + rest * np.log(stay))
    return float(losses.sum()), losses
