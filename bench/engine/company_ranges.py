"""Do ranges hold? Thousands of small companies, one quarter each, and each is known by its own past only.

Of each a whole run is asked (`forecasting.outlook.work.answer`) on one day, about three years after the company opened,
by turns on the eve of a quarter and 45 days before its end. Beside its range stand the oracle's, who knows the rates of
the company and not its luck, and that of luck alone: the plain hazards, without what earlier quarters taught. Printed
is how often P10 to P90 held, of the company, its teams and its people, how wide it was for the mean of what was still
to come, and how far that was off.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from msgspec import Struct

from bench.engine.asking import calls_of, question_on, spans_between, teams_of
from bench.report import Report
from forecasting.engine.ageing import learn_ageing
from forecasting.engine.newcomers import NoArrivals, expect, learn_arrivals
from forecasting.engine.period import calendar_of, plain_chances
from forecasting.engine.simulate import Split, say, simulate, total
from forecasting.engine.truth.company import Company, company, quarters
from forecasting.engine.truth.growth import Grown, grow
from forecasting.engine.truth.oracle import true_revenue
from forecasting.engine.values import Floats, Ints, as_known
from forecasting.outlook.values import COMPANY, Question, Span
from forecasting.outlook.work import answer

SUBJECT = "companies: does P10 to P90 hold?"
RUN, TEAMS, PEOPLE = "whole run: company", "whole run: teams", "whole run: people"
LUCK, ORACLE = "luck alone", "oracle"
LAST = date(2026, 3, 31)
QUARTERS = 5000
FIRST = 100_000  # companies that nothing was ever chosen by
SAMPLE = 20
DRAWS = 2000
TRUE_DRAWS = 500
BEFORE_END = (92, 45)  # days; 92 is the eve, however long the quarter is


class Told(Struct, frozen=True, eq=False):
    """P10, P90 and mean of what was still to come, and what came."""

    low: float
    high: float
    mean: float
    came: float


class Quarter(Struct, frozen=True, eq=False):
    """A company's quarter, seen so many days before its end: what each way to say it said, by name."""

    before_end: int
    told: dict[str, list[Told]]


def small_company(seed: int) -> Company:
    """Small ones of all sorts: half a deal to three a day, quiet markets and nervous ones."""
    rng = np.random.default_rng([seed, 100])
    arrivals = float(np.exp(rng.uniform(np.log(0.5), np.log(3.0))))
    return company(seed, until=LAST, arrivals=arrivals, shock_spread=float(rng.uniform(0.05, 0.25)))


def asked_of(grown: Grown, before_end: int, *, calls: bool = False) -> tuple[Question, Span]:
    """Of the last quarter that is whole."""
    of = grown.company
    spans = spans_between(quarters(of.fiscal_month, of.opened_on, of.until))
    span = max((one for one in spans if one.end - 1 <= of.until), key=lambda one: one.end)
    until = max(span.end - 1 - before_end, span.start - 1)
    told = calls_of(grown, spans) if calls else ()
    return question_on(grown.deals, until, spans, [span.key], teams_of(of.reps), calls=told), span


def judge(seed: int, beside: bool = False, before_end: int | None = None, *, calls: bool = False) -> Quarter:
    """`beside`: also the oracle's range, and that of luck alone."""
    days = BEFORE_END[seed % len(BEFORE_END)] if before_end is None else before_end
    grown = grow(small_company(seed))
    asked, span = asked_of(grown, days, calls=calls)
    said = answer(asked, lambda *_: None, single=False, draws=DRAWS, horizons=())
    found: dict[str, list[Told]] = {}
    for node in said.nodes:
        of = node.periods[0]
        if of.range is not None:
            people = [leaf.user_key for leaf in asked.leaves if node.node in (*leaf.above, f"user:{leaf.user_key}")]
            low, high, mean = (
                float(one - of.won_minor) for one in (of.range.p10_minor, of.range.p90_minor, of.range.mean_minor)
            )
            level = RUN if node.node == COMPANY else PEOPLE if node.node.startswith("user:") else TEAMS
            found.setdefault(level, []).append(Told(low, high, mean, came_to(grown, people, asked.until, span.end - 1)))
    if beside:
        came = came_to(grown, grown.company.reps, asked.until, span.end - 1)
        truth = true_revenue(grown.company, grown.deals, asked.until, span.end - 1, TRUE_DRAWS, seed)
        found[ORACLE] = [_told(truth[0] + truth[1], came)]
        alone = luck_alone(grown, asked.until, span.end - 1, seed)
        found |= {} if alone is None else {LUCK: [_told(alone, came)]}
    return Quarter(days, found)


def came_to(grown: Grown, people: Sequence[str], after: int, end: int) -> float:
    deals = grown.deals
    mine = np.isin(np.array(deals.features["owner"]), list(people))
    return float(deals.amount[deals.won & mine & (deals.ended_on > after) & (deals.ended_on <= end)].sum())


def luck_alone(grown: Grown, day: int, end: int, seed: int) -> Floats | None:
    of, known = grown.company, as_known(grown.deals, day)
    starts: Ints = calendar_of(quarters(of.fiscal_month, of.opened_on, of.until), grown.deals, of.until)
    edges = np.array([day, end], dtype=np.int64)
    ageing = learn_ageing(known, starts)
    found, arrivals = plain_chances(known, edges, ageing), learn_arrivals(known, day, starts, "company", ageing)
    if found is None or isinstance(arrivals, NoArrivals):
        return None
    count = len(found.keys)
    whole = Split(np.arange(count), np.zeros(count, dtype=np.int64), np.ones(count))
    return total(simulate(found, [""], whole, newcomers=expect(arrivals, edges, [""]), draws=DRAWS, seed=seed))


def _told(draws: Floats, came: float) -> Told:
    found = say(draws)
    return Told(found.p10, found.p90, found.mean, came)


def measure(report: Report, _data: Path, count: int = QUARTERS, first: int = FIRST) -> None:
    """Beside the range stand the others for one company in `SAMPLE`, and the range of the same ones."""
    seen = [judge(seed, seed // len(BEFORE_END) % SAMPLE == 0) for seed in range(first, first + count)]
    report.add(SUBJECT, RUN, figures(seen, RUN) | {"asked": "78.5-81.5"})
    for days in BEFORE_END:
        report.add(SUBJECT, f"{RUN}, {days} days left", figures([one for one in seen if one.before_end == days], RUN))
    for level in (TEAMS, PEOPLE):
        report.add(SUBJECT, level, figures(seen, level))
    few = [one for one in seen if ORACLE in one.told]
    for name in (RUN, LUCK, ORACLE):
        report.add(SUBJECT, f"{name}, one company in {SAMPLE}", figures(few, name))


def figures(quarters_seen: Sequence[Quarter], name: str) -> dict[str, float | str]:
    told = [one for quarter in quarters_seen for one in quarter.told.get(name, ())]
    low, high, mean, came = np.array([(one.low, one.high, one.mean, one.came) for one in told]).T
    return {
        "ranges": len(told),
        "held_%": round(100 * float(np.mean((came >= low) & (came <= high))), 1),
        "below_%": round(100 * float(np.mean(came < low)), 1),
        "above_%": round(100 * float(np.mean(came > high)), 1),
        "width_to_mean": round(float((high - low).sum() / mean.sum()), 3),
        "bias_%": round(100 * float((mean - came).sum() / came.sum()), 1),
        "WAPE": round(float(np.abs(mean - came).sum() / came.sum()), 3),
    }
