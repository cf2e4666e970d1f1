"""Chances of deals on companies whose truth is known, beside the oracle that knows every rate.

Each company's own past, and nothing else, is learnt from, to each of two days of its last year. The loss is the
expected one: of what is said, under the true chances, so that the luck of a few hundred deals says nothing; `happened`
is the loss on what really came. The calibration error is on tenths of the deals, against the true chances, and against
what came. `base rate` says of every deal the mean of the true chances: nobody who knows no deal does better. `floor`
is what nobody can go below who has to learn the rates from so few deals (`company_floor`), beside the oracle.
"""

from datetime import date
from pathlib import Path

import numpy as np
from msgspec import Struct

from bench.engine.company_floor import posterior_chances
from bench.report import Report
from forecasting.engine.scores import calibration_error, log_loss
from forecasting.engine.truth.company import Company, company, quarters
from forecasting.engine.truth.growth import grow
from forecasting.engine.truth.oracle import EVER, true_chances
from forecasting.engine.values import Bools, Deals, Floats, as_known
from forecasting.engine.winrate import Model, chances, fit

SUBJECT = "companies: winning, beside the oracle"
DAYS = (date(2025, 3, 17), date(2025, 8, 5))
WITHIN = {"30 days": 30, "91 days": 91, "ever": EVER}
SIZES = {"1 deal a day": (1.0, 10), "5 deals a day": (5.0, 4), "15 deals a day": (15.0, 1)}  # arrivals, companies
FLOORED = "1 deal a day"  # the floor is of these
FIRST_SEED = 100
ASKED = 1.02
LEAST = 1e-9


class Seen(Struct, frozen=True, eq=False):
    """Of each deal: the chance that was said, the true one, and whether it was won."""

    said: Floats
    true: Floats
    won: Bools


def measure(report: Report, _data: Path) -> None:
    every: dict[str, list[Seen]] = {within: [] for within in WITHIN}
    for name, (arrivals, count) in SIZES.items():
        found: dict[str, list[Seen]] = {within: [] for within in WITHIN}
        least: dict[str, list[Seen]] = {within: [] for within in WITHIN}
        for seed in range(FIRST_SEED, FIRST_SEED + count):
            of = company(seed, arrivals=arrivals)
            deals = grow(of).deals
            for day in (day.toordinal() for day in DAYS):
                model = fit(deals, day, quarters(of.fiscal_month, of.opened_on, of.until))
                if not isinstance(model, Model):
                    continue
                seen = judged(of, deals, day, model)
                best = floored(of, deals, day, seen) if name == FLOORED else {}
                for within in WITHIN:
                    found[within].append(seen[within])
                    every[within].append(seen[within])
                    least[within] += [best[within]] if best else []
        for within, parts in found.items():
            report.add(SUBJECT, f"{name}, won {within}", row(parts) | _floor(least[within]))
    for within, parts in every.items():
        report.add(SUBJECT, f"all, by deals, won {within}", row(parts))


def floored(of: Company, deals: Deals, day: int, seen: dict[str, Seen]) -> dict[str, Seen]:
    """The same of who knows all but the rates."""
    edges = np.array([day, *(day + days for days in WITHIN.values())], dtype=np.int64)
    said = np.cumsum(posterior_chances(of, deals, edges), axis=1)
    return {within: Seen(said[:, n], seen[within].true, seen[within].won) for n, within in enumerate(WITHIN)}


def _floor(parts: list[Seen]) -> dict[str, float | int | str]:
    return {"floor": row(parts)["to_oracle"]} if parts else {}


def judged(of: Company, deals: Deals, day: int, model: Model) -> dict[str, Seen]:
    """What a model says of the deals open on a day, for each horizon."""
    known = as_known(deals, day)
    edges = np.array([day, *(day + days for days in WITHIN.values())], dtype=np.int64)
    said, true = chances(model, known, edges), true_chances(of, deals, edges)
    place = {key: n for n, key in enumerate(deals.keys)}
    at = np.array([place[key] for key in said.keys], dtype=np.int64)
    found = {}
    for n, (within, days) in enumerate(WITHIN.items(), start=1):
        won = deals.won[at] & (deals.ended_on[at] <= day + days)
        found[within] = Seen(said.win[:, :n].sum(axis=1), true.win[:, :n].sum(axis=1), won)
    return found


def row(parts: list[Seen]) -> dict[str, float | int | str]:
    said, true = (np.concatenate([getattr(part, name) for part in parts]) for name in ("said", "true"))
    won = np.concatenate([part.won for part in parts])
    base = np.concatenate([np.full(len(part.true), part.true.mean()) for part in parts])
    oracle = expected_loss(true, true)
    return {
        "deals": len(said),
        "oracle": round(oracle, 4),
        "model": round(expected_loss(said, true), 4),
        "base_rate": round(expected_loss(base, true), 4),
        "to_oracle": round(expected_loss(said, true) / oracle, 4),
        "asked": ASKED,
        "calibration_error": round(calibration_error_of_truth(said, true), 4),
        "happened_oracle": round(log_loss(true, won).value or 0.0, 4),
        "happened_model": round(log_loss(said, won).value or 0.0, 4),
        "happened_calibration": round(calibration_error(said, won).value or 0.0, 4),
    }


def expected_loss(said: Floats, true: Floats) -> float:
    """The mean log-loss that chances have in expectation, if the true ones are as they are."""
    kept = np.clip(said, LEAST, 1 - LEAST)
    return float(-np.mean(true * np.log(kept) + (1 - true) * np.log1p(-kept)))


def calibration_error_of_truth(said: Floats, true: Floats, bins: int = 10) -> float:
    """By how much the mean of what is said misses the mean truth, over tenths of the deals in order of what is said."""
    parts = np.array_split(np.argsort(said, kind="stable"), bins)
    return float(sum(abs(said[part].sum() - true[part].sum()) for part in parts if len(part)) / len(said))
