"""What the forecast engine costs, in CPU seconds of one core, each beside a floor measured in the same run.

* draws: 10,000 open deals, 10,000 times, in thirteen weeks. Floor: numpy drawing one number for each deal and draw.
* training: chances learnt from 100,000 closed deals of a made-up company. Floor: the plain hazards of the same deals.
* series: monthly ones, forecast with ranges. Floor: the four models of `statsforecast`, each fitted once, no ranges.

Series are 60 simulated ones: five to ten years of months with trend, season, noise and an outlier here and there. What
is told of 1,000 is extrapolated from them; loading and compiling the library counts for none. All comes from seeds.
"""

import time
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from bench.engine import range_speed
from bench.report import Report
from bench.subjects import Figures
from forecasting.engine.ageing import learn_ageing
from forecasting.engine.series.forecasting import forecast_many
from forecasting.engine.series.models import fit_models
from forecasting.engine.truth.company import company, quarters
from forecasting.engine.truth.growth import grow
from forecasting.engine.values import NEVER, Deals, Floats, as_known
from forecasting.engine.winrate import fit
from forecasting.engine.winrate.quarters import covering

SUBJECT = "engine"
PEOPLE = 200
ARRIVALS = 125.0  # deals a day, of which the first 100,000 that end are learnt from
SEASON, HORIZON = 12, 12
WARM = 24  # values of a series that is forecast before the clock runs


class Sizes(Struct, frozen=True):
    deals: int
    draws: int
    closed: int
    series: int


FULL = Sizes(deals=10_000, draws=10_000, closed=100_000, series=60)
QUICK = Sizes(deals=2_000, draws=2_000, closed=2_000, series=8)


def measure(report: Report, quick: bool) -> None:
    sizes = QUICK if quick else FULL
    for part in (_draws, _training, _series):
        for name, figures in part(sizes):
            report.add(SUBJECT, name, figures)
    numbers, closed, monthly = _names(sizes)
    for name in (range_speed.ALONE, range_speed.TOGETHER, range_speed.WHOLE):
        report.ratio(SUBJECT, "cpu_s", f"draws: {name}", f"floor: {numbers}")
    report.ratio(SUBJECT, "cpu_s", f"training: {closed}", f"floor: plain hazards, {closed}")
    report.ratio(SUBJECT, "cpu_s", f"series: {monthly}", f"floor: plain models, {monthly}")


def _names(sizes: Sizes) -> tuple[str, str, str]:
    return (
        f"numpy draws {sizes.deals:,} x {sizes.draws:,} numbers",
        f"{sizes.closed:,} closed deals",
        f"{sizes.series} monthly series",
    )


def _draws(sizes: Sizes) -> Iterator[tuple[str, Figures]]:
    rng = np.random.default_rng(1)
    start = time.process_time()
    for _ in range(sizes.deals):
        rng.random(sizes.draws)
    yield f"floor: {_names(sizes)[0]}", {"cpu_s": _since(start)}
    for name, figures in range_speed.drawn(sizes.deals, sizes.draws):
        yield f"draws: {name}", {"cpu_s": figures["cpu_s"]}


def _training(sizes: Sizes) -> Iterator[tuple[str, Figures]]:
    name = _names(sizes)[1]
    deals, starts = _closed(sizes.closed)
    calendar = covering(starts, int(deals.opened_on.min()), deals.until)
    start = time.process_time()
    learn_ageing(deals, calendar)
    yield f"floor: plain hazards, {name}", {"cpu_s": _since(start), "closed": int((~deals.is_open).sum())}
    start = time.process_time()
    fit(deals, deals.until, starts)
    yield f"training: {name}", {"cpu_s": _since(start), "closed": int((~deals.is_open).sum())}


def _closed(count: int) -> tuple[Deals, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """A company to the day on which so many of its deals had ended, and its quarters."""
    of = company(7, arrivals=ARRIVALS * max(count / FULL.closed, 0.05), reps=PEOPLE, products=20)
    deals = grow(of).deals
    ends = np.sort(deals.ended_on[deals.ended_on != NEVER])
    day = int(ends[min(count, len(ends)) - 1])
    return as_known(deals, day), quarters(of.fiscal_month, of.opened_on, day)


def _series(sizes: Sizes) -> Iterator[tuple[str, Figures]]:
    name = _names(sizes)[2]
    every = _monthly(sizes.series)
    forecast_many([np.arange(WARM, dtype=np.float64) % 5 + 1], SEASON, HORIZON)
    start = time.process_time()
    for values in every:
        fit_models(values, SEASON, HORIZON, (), logs=True)
    yield f"floor: plain models, {name}", _per_thousand(start, len(every))
    start = time.process_time()
    forecast_many(every, SEASON, HORIZON)
    yield f"series: {name}", _per_thousand(start, len(every))


def _per_thousand(start: float, count: int) -> Figures:
    spent = _since(start)
    return {"cpu_s": spent, "cpu_s_per_1000": round(1000 * spent / count)}


def _monthly(count: int) -> list[Floats]:
    found = []
    for n in range(count):
        rng = np.random.default_rng([n, 12])
        months = np.arange(int(rng.integers(60, 121)))
        level = np.cumsum(rng.normal(rng.normal(0.003, 0.004), 0.02, len(months)))
        season = rng.uniform(0.0, 0.3) * np.cos(2 * np.pi * (months - rng.integers(0, SEASON)) / SEASON)
        outlier = (rng.random(len(months)) < 0.01) * rng.normal(0.0, 0.5, len(months))
        found.append(1e6 * np.exp(level + season + outlier + rng.normal(0.0, rng.uniform(0.03, 0.15), len(months))))
    return found


def _since(start: float) -> float:
    return round(time.process_time() - start, 3)
