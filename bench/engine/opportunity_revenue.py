"""All won revenue of the next 30 and 90 days of the public sales opportunities, week after week through 2017.

Each week a whole run is asked (`forecasting.outlook.work.answer`) with what was known that day and nothing else: people
are the sales agents, above them their manager and the regional office; periods are civil quarters. Which view speaks is
weighed by back-test on the days before; nobody says which. Beside it stands each view alone, and what a weighted
pipeline says: all that is open, at list price, times the share of deals that were won so far, as if it all closed.
"""

from datetime import date
from pathlib import Path

import numpy as np
from msgspec import Struct

from bench.engine.asking import question_on, spans_between
from bench.engine.opportunity_data import read_deals
from bench.report import Report
from forecasting.engine.truth.company import quarters
from forecasting.engine.values import NEVER, Deals, Floats, as_known
from forecasting.outlook.looking import SAID
from forecasting.outlook.values import COMPANY, LAST_PERIOD, PIPELINE, SERIES, Outlook, Question, Span
from forecasting.outlook.work import answer

SUBJECT = "opportunities: all won revenue"
LEVELS = "opportunities: P10-P90 of managers and people"
HORIZONS = {30: 0.075, 90: 0.045}  # days -> the WAPE that is asked for
FIRST = date(2017, 5, 31)  # the first day with three months of ends behind it
SINCE = date(2017, 1, 1)
EVERY = 7
DRAWS = 2000


class Origin(Struct, frozen=True, eq=False):
    """`views` by `looking.SAID`; `below` has (node, low, high, what came) of all others."""

    day: int
    actual: float
    mean: float
    views: Floats
    naive: float
    low: float
    high: float
    below: list[tuple[str, float, float, float]]


def measure(report: Report, data: Path) -> None:
    walked = walk(read_deals(data))
    for horizon, asked in HORIZONS.items():
        origins = walked[horizon]
        report.add(SUBJECT, f"{horizon} days: a whole run", _row(origins, [one.mean for one in origins], asked))
        for name in (PIPELINE, SERIES, LAST_PERIOD):
            at = SAID.index(name)
            report.add(SUBJECT, f"{horizon} days: {name} alone", _row(origins, [one.views[at] for one in origins]))
        report.add(SUBJECT, f"{horizon} days: weighted pipeline", _row(origins, [one.naive for one in origins]))
        for level in ("office", "manager", "user"):
            told = [row for one in origins for row in one.below if row[0].startswith(level)]
            held = float(np.mean([low <= came <= high for _, low, high, came in told]))
            report.add(LEVELS, f"{horizon} days: {level}", {"ranges": len(told), "held_%": round(100 * held, 1)})


def walk(deals: Deals, every: int = EVERY, first: date = FIRST) -> dict[int, list[Origin]]:
    """By horizon, of each day of which all that came is known."""
    found: dict[int, list[Origin]] = {horizon: [] for horizon in HORIZONS}
    for day in range(first.toordinal(), deals.until - min(HORIZONS) + 1, every):
        for horizon, origin in look_from(deals, day).items():
            found[horizon].append(origin)
    return found


def look_from(deals: Deals, day: int) -> dict[int, Origin]:
    asked = question_from(deals, day)
    said = answer(asked, lambda *_: None, single=False, draws=DRAWS, horizons=())
    naive, people = weighted(as_known(deals, day)), {leaf.user_key: leaf.above for leaf in asked.leaves}
    found = {}
    for n, window in enumerate(asked.windows):
        periods = {node.node: node.periods[n] for node in said.nodes}
        came = dict.fromkeys(periods, 0.0)
        for person, above in people.items():
            of_person = _came(deals, person, day, window.end - 1)
            for node in (*above, f"user:{person}"):
                came[node] += of_person
        of = periods[COMPANY]
        views = np.array([np.nan if one.mean_minor is None else one.mean_minor for one in of.views], dtype=np.float64)
        below = [(node, *_ends(one), came[node]) for node, one in periods.items() if node != COMPANY]
        low, high = _ends(of)
        mean = float(of.range.mean_minor) if of.range else float("nan")
        found[int(window.key)] = Origin(day, came[COMPANY], mean, views, naive, low, high, below)
    return found


def question_from(deals: Deals, day: int) -> Question:
    owner, team, office = (deals.features[name] for name in ("owner", "team", "territory"))
    above = {
        one: [COMPANY, f"office:{where}", f"manager:{who}"] for one, who, where in zip(owner, team, office, strict=True)
    }
    windows = [Span(str(days), day + 1, day + days + 1) for days in HORIZONS if day + days <= deals.until]
    spans = spans_between(quarters(1, SINCE.toordinal(), deals.until + max(HORIZONS)))
    return question_on(deals, day, spans, [one.key for one in windows], above, windows=windows)


def _ends(of: Outlook) -> tuple[float, float]:
    return (float(of.range.p10_minor), float(of.range.p90_minor)) if of.range else (float("nan"), float("nan"))


def _came(deals: Deals, person: str, day: int, end: int) -> float:
    mine = np.array([name == person for name in deals.features["owner"]])
    return float(deals.amount[deals.won & mine & (deals.ended_on > day) & (deals.ended_on <= end)].sum())


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
