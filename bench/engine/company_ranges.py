"""Do ranges hold? Thousands of small companies, one quarter each, and each is known by its own past only.

A quarter is looked at on the eve of its first day, about three years after the company opened. Beside the range stand
the oracle's, who knows the company's rates but not its luck, and the range of luck alone, without what earlier quarters
taught. Printed is how often P10 to P90 held, how wide it was for its mean, and how far the mean was off.
"""

from datetime import date
from pathlib import Path

import numpy as np
from msgspec import Struct

from bench.report import Report
from forecasting.engine.period import calendar_of, revenue
from forecasting.engine.ranging import NoRange, period_range
from forecasting.engine.simulate import Split, say, simulate, total
from forecasting.engine.truth.company import Company, company, quarters
from forecasting.engine.truth.growth import Grown, grow
from forecasting.engine.truth.oracle import true_revenue
from forecasting.engine.values import Floats, Ints, as_known

SUBJECT = "companies: does P10 to P90 hold?"
RANGE, LUCK, ORACLE = "range", "luck alone", "oracle"
LAST = date(2026, 3, 31)
QUARTERS = 5000
FIRST = 100_000  # companies that nothing was ever chosen by
SAMPLE = 20
DRAWS = 2000
TRUE_DRAWS = 500


class Quarter(Struct, frozen=True, eq=False):
    """What a quarter brought, and the ranges that were said before it: P10, P90, mean, by name; (3,) each."""

    actual: float
    ranges: dict[str, Floats]


def small_company(seed: int) -> Company:
    """Small ones of all sorts: half a deal to three a day, quiet markets and nervous ones."""
    rng = np.random.default_rng([seed, 100])
    arrivals = float(np.exp(rng.uniform(np.log(0.5), np.log(3.0))))
    return company(seed, until=LAST, arrivals=arrivals, shock_spread=float(rng.uniform(0.05, 0.25)))


def last_quarter(grown: Grown) -> tuple[Ints, int, int]:
    """The company's quarters, and the eve and the last day of the last one that is whole."""
    of = grown.company
    starts = calendar_of(quarters(of.fiscal_month, of.opened_on, of.until), grown.deals, of.until)
    whole = starts[starts <= of.until + 1]
    return starts, int(whole[-2]) - 1, int(whole[-1]) - 1


def judge(seed: int, beside: bool = False) -> Quarter:
    """`beside`: also the oracle's range, and that of luck alone."""
    grown = grow(small_company(seed))
    starts, day, end = last_quarter(grown)
    known, edges = as_known(grown.deals, day), np.array([day, end], dtype=np.int64)
    found = period_range(known, edges, starts, by="company", draws=DRAWS, seed=seed)
    if isinstance(found, NoRange):
        return Quarter(revenue(grown.deals, day, end), {})
    ranges = {RANGE: _said(total(found.outcome))}
    if beside:
        count = len(found.chances.keys)
        whole = Split(np.arange(count), np.zeros(count, dtype=np.int64), np.ones(count))
        alone = simulate(found.chances, [""], whole, newcomers=found.newcomers, draws=DRAWS, seed=seed)
        ranges[LUCK] = _said(total(alone))
        truth = true_revenue(grown.company, grown.deals, day, end, TRUE_DRAWS, seed)
        ranges[ORACLE] = _said(truth[0] + truth[1])
    return Quarter(revenue(grown.deals, day, end), ranges)


def _said(draws: Floats) -> Floats:
    found = say(draws)
    return np.array([found.p10, found.p90, found.mean])


def measure(report: Report, _data: Path, count: int = QUARTERS) -> None:
    """Beside the range stand the others for one company in `SAMPLE`, and the range of the same ones."""
    seen = [judge(seed, seed % SAMPLE == 0) for seed in range(FIRST, FIRST + count)]
    whole = figures(seen, RANGE)
    report.add(SUBJECT, RANGE, whole | {"asked": "78.5-81.5"})
    few = [one for one in seen if ORACLE in one.ranges]
    report.add(SUBJECT, f"{RANGE}, one company in {SAMPLE}", figures(few, RANGE))
    for name in (LUCK, ORACLE):
        report.add(SUBJECT, f"{name}, one company in {SAMPLE}", figures(few, name))


def figures(quarters_seen: list[Quarter], name: str) -> dict[str, float | str]:
    told = [(one.ranges[name], one.actual) for one in quarters_seen if name in one.ranges]
    low, high, mean = np.stack([ranges for ranges, _ in told]).T
    actual = np.array([came for _, came in told])
    return {
        "quarters": len(told),
        "held_%": round(100 * float(np.mean((actual >= low) & (actual <= high))), 1),
        "below_%": round(100 * float(np.mean(actual < low)), 1),
        "above_%": round(100 * float(np.mean(actual > high)), 1),
        "width_to_mean": round(float(np.mean((high - low) / mean)), 3),
        "WAPE": round(float(np.abs(mean - actual).sum() / actual.sum()), 3),
    }
