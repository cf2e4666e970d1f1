"""All won revenue of the next 30 and 90 days of the public sales opportunities, week after week through 2017.

On each day only what was known that day is seen. Which view speaks is weighed by back-test on the days before; nobody
says which. Beside it stands each view alone, and what a weighted pipeline says: all that is open, at list price, times
the share of deals that were won so far, as if it all closed in the window.
"""

from datetime import date
from pathlib import Path

import numpy as np
from msgspec import Struct

from bench.engine.opportunity_data import read_deals
from bench.report import Report
from forecasting.engine.period import LAST_PERIOD, PIPELINE, RUN_RATE, VIEWS, calendar_of, revenue
from forecasting.engine.ranging import NoRange, period_range
from forecasting.engine.simulate import say, total
from forecasting.engine.values import NEVER, Deals, Floats, Ints, as_known

SUBJECT = "opportunities: all won revenue"
HORIZONS = {30: 0.075, 90: 0.045}  # days -> the WAPE that is asked for
FIRST = date(2017, 5, 31)  # the first day with three months of ends behind it
EVERY = 7
DRAWS = 2000


class Origin(Struct, frozen=True, eq=False):
    day: int
    actual: float
    mean: float
    views: Floats
    naive: float
    low: float
    high: float


def measure(report: Report, data: Path) -> None:
    deals = read_deals(data)
    for horizon, asked in HORIZONS.items():
        origins = walk(deals, horizon)
        report.add(
            SUBJECT, f"{horizon} days: weighed by back-test", _row(origins, [one.mean for one in origins], asked)
        )
        for name in (PIPELINE, RUN_RATE, LAST_PERIOD):
            at = VIEWS.index(name)
            report.add(SUBJECT, f"{horizon} days: {name} alone", _row(origins, [one.views[at] for one in origins]))
        report.add(SUBJECT, f"{horizon} days: weighted pipeline", _row(origins, [one.naive for one in origins]))


def walk(deals: Deals, horizon: int, every: int = EVERY) -> list[Origin]:
    quarters = calendar_of(None, deals, deals.until)
    days = range(FIRST.toordinal(), deals.until - horizon + 1, every)
    return [look_from(deals, quarters, day, horizon) for day in days]


def look_from(deals: Deals, quarters: Ints, day: int, horizon: int) -> Origin:
    known, end = as_known(deals, day), day + horizon
    found = period_range(known, np.array([day, end], dtype=np.int64), quarters, draws=DRAWS, seed=day)
    if isinstance(found, NoRange):
        raise ValueError(found.because)
    said, seen = say(total(found.outcome)), found.prospect
    return Origin(day, revenue(deals, day, end), seen.mean, seen.look.means, weighted(known), said.p10, said.p90)


def weighted(known: Deals) -> float:
    """The pipeline as it is usually weighted: open money times the share that was won, without time."""
    ended = known.ended_on != NEVER
    rate = float(known.won[ended].mean()) if ended.any() else 0.0
    return rate * float(np.nansum(known.amount[~ended]))


def wape(actual: Floats, said: Floats) -> float:
    return float(np.abs(said - actual).sum() / np.abs(actual).sum())


def _row(origins: list[Origin], said: list[float], asked: float | None = None) -> dict[str, float | str]:
    actual, figures = np.array([one.actual for one in origins]), np.array(said)
    there = np.isfinite(figures)
    row: dict[str, float | str] = {
        "origins": int(there.sum()),
        "WAPE": round(wape(actual[there], figures[there]), 4),
        "bias": round(float((figures - actual)[there].sum() / actual[there].sum()), 3),
    }
    if asked is not None:
        held = [one.low <= one.actual <= one.high for one in origins]
        row |= {"asked": asked, "P10-P90 held_%": round(100 * float(np.mean(held)), 1)}
    return row
