"""Forecasts that add up, on the Australian tourism hierarchy: country / state / region x purpose, 425 series, quarters.

Tested on the last 8 quarters and from 2 and 4 quarters earlier. The method is chosen at each origin by what was known
there, from forecasts that were made at earlier origins (every second quarter): nothing of the test is looked at.
Forecasts of single series are the plain mean of AutoETS, AutoCES and the optimised Theta. BENCH_CACHE names a folder
that keeps them.
"""

import csv
import gzip
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict

from bench.engine.tourism_views import measure_views
from bench.report import Report
from forecasting.engine import scores
from forecasting.engine.choosing import Choice, Origin, choose, level_errors
from forecasting.engine.hierarchy import Hierarchy, grouped
from forecasting.engine.reconcile import METHODS, Evidence, reconciled, reconciler, shares_of
from forecasting.engine.values import Floats

SEASON, STEPS = 4, 8
TESTS = (72, 70, 68)  # quarters that are known there; 80 are in the file
FIRST, APART = 40, 2  # the earliest origin, and how far origins are apart
BEFORE, JUDGED = 4, 8  # origins before the first one that is judged; the last ones by which a method is chosen


class Made(Struct, frozen=True, eq=False):
    """Forecasts of all nodes at an origin (nodes, steps), errors of the next step within the history, and the forecasts
    of each model alone (models, nodes, steps)."""

    base: Floats
    one_step: Floats
    alone: Floats


def read(folder: Path) -> tuple[Hierarchy, Floats]:
    """-> (the hierarchy, (nodes, quarters) of all its series)."""
    path = folder / "tourism_hierarchy" / "tourism.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    quarters = {quarter: n for n, quarter in enumerate(sorted({row["quarter"] for row in rows}))}
    keys = sorted({(row["state"], row["region"], row["purpose"]) for row in rows})
    place = {key: n for n, key in enumerate(keys)}
    leaves = np.zeros((len(keys), len(quarters)))
    for row in rows:
        leaves[place[row["state"], row["region"], row["purpose"]], quarters[row["quarter"]]] = float(row["trips"])
    hierarchy = grouped(
        [" / ".join(key) for key in keys],
        {
            "country": ["Australia"] * len(keys),
            "state": [state for state, _, _ in keys],
            "purpose": [purpose for _, _, purpose in keys],
            "region": [f"{state} / {region}" for state, region, _ in keys],
            "state x purpose": [f"{state} / {purpose}" for state, _, purpose in keys],
        },
        "region x purpose",
    )
    return hierarchy, hierarchy.total(leaves)


def forecast(values: Floats, steps: int, season: int) -> Made:
    """Each series alone. (nodes, times) -> forecasts, and what they were off by within the history."""
    from statsforecast.models import AutoCES, AutoETS, DynamicOptimizedTheta

    kinds = (AutoETS, AutoCES, DynamicOptimizedTheta)
    alone = np.zeros((len(kinds), len(values), steps))
    fitted = np.zeros_like(values)
    for n, series in enumerate(values):
        for k, kind in enumerate(kinds):
            model = kind(season_length=season).fit(series)
            alone[k, n] = model.predict(steps)["mean"]
            fitted[n] += model.predict_in_sample()["fitted"] / len(kinds)
    return Made(alone.mean(axis=0), (values - fitted)[:, 2 * season :], alone)


def made_at(values: Floats, origins: Sequence[int]) -> dict[int, Made]:
    kept = os.environ.get("BENCH_CACHE")
    found = {}
    for origin in origins:
        path = Path(kept or ".") / f"tourism-{origin}.npz"
        if kept and path.exists():
            found[origin] = Made(**np.load(path))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[origin] = forecast(values[:, :origin], STEPS, SEASON)
        if kept:
            np.savez(path, **asdict(found[origin]))
    return found


def origin_of(hierarchy: Hierarchy, values: Floats, made: Mapping[int, Made], origin: int, known: int) -> Origin:
    """An origin as it is seen when `known` quarters are known; its evidence knows no more than the origin did."""
    return Origin(
        made[origin].base,
        _came(values, origin, known),
        _scales(values[:, :origin]),
        evidence_at(hierarchy, values, made, origin),
    )


def evidence_at(hierarchy: Hierarchy, values: Floats, made: Mapping[int, Made], origin: int) -> Evidence:
    earlier = [each for each in sorted(made) if each < origin]
    ahead = [_came(values, each, origin) - made[each].base for each in earlier]
    return Evidence(
        made[origin].one_step,
        np.stack(ahead, axis=1) if ahead else None,
        shares_of(hierarchy, values[:, :origin], 2 * SEASON),
    )


def past_at(hierarchy: Hierarchy, values: Floats, made: Mapping[int, Made], origin: int, known: int) -> list[Origin]:
    """Earlier origins that had some others before them, as they are seen when `known` quarters are."""
    return [origin_of(hierarchy, values, made, o, known) for o in sorted(made) if FIRST + BEFORE * APART <= o < origin]


def chosen_at(hierarchy: Hierarchy, values: Floats, made: Mapping[int, Made], known: int) -> Choice:
    return choose(hierarchy, past_at(hierarchy, values, made, known, known)[-JUDGED:])


def measure(report: Report, data_folder: Path) -> None:
    hierarchy, values = read(data_folder)
    made = made_at(values, range(FIRST, max(TESTS) + 1, APART))
    tests = {known: origin_of(hierarchy, values, made, known, values.shape[1]) for known in TESTS}
    choices = {known: chosen_at(hierarchy, values, made, known) for known in TESTS}
    said: dict[str, dict[int, Floats]] = {"seasonal naive": {}, "unreconciled": {}, "chosen by back-test": {}}
    for known, test in tests.items():
        last = values[:, known - SEASON : known]
        said["seasonal naive"][known] = np.tile(last, STEPS // SEASON)
        said["unreconciled"][known] = test.base
        for method in METHODS:
            by = reconciler(hierarchy, method, test.evidence)
            said.setdefault(method, {})[known] = reconciled(hierarchy, by, test.base)
        said["chosen by back-test"][known] = said[choices[known].method][known]
    _points(report, hierarchy, tests, said)
    for known, choice in choices.items():
        ratios = choice.ratios[choice.method]
        told: dict[str, float | str] = {"method": choice.method, "origins": choice.origins}
        report.add("tourism: chosen", f"after {known} quarters", told | {k: round(v, 3) for k, v in ratios.items()})
    measure_views(report, hierarchy, values, {origin: each.alone for origin, each in made.items()})


def _points(
    report: Report, hierarchy: Hierarchy, tests: Mapping[int, Origin], said: Mapping[str, Mapping[int, Floats]]
) -> None:
    left = {known: level_errors(hierarchy, test.came - test.base, test.scale) for known, test in tests.items()}
    for name, by_origin in said.items():
        found = {k: level_errors(hierarchy, test.came - by_origin[k], test.scale) for k, test in tests.items()}
        mase = [np.mean(np.abs(test.came - by_origin[k]).mean(axis=1) / test.scale) for k, test in tests.items()]
        levels = {level: float(np.mean([each[level] for each in found.values()])) for level in found[TESTS[0]]}
        whole = [levels[level] / np.mean([each[level] for each in left.values()]) - 1 for level in levels]
        single = [each[level] / left[k][level] - 1 for k, each in found.items() for level in each]
        report.add(
            "tourism: MASE",
            name,
            {
                "425 series": round(float(np.mean(mase)), 3),
                "6 levels": round(float(np.mean(list(levels.values()))), 3),
                **{level: round(value, 3) for level, value in levels.items()},
                "worst level %": round(100 * float(max(whole)), 1),
                "of one origin %": round(100 * float(max(single)), 1),
                "gap": f"{max(hierarchy.gap(values) for values in by_origin.values()):.0e}",
            },
        )


def _came(values: Floats, origin: int, known: int) -> Floats:
    came = np.full((len(values), STEPS), np.nan)
    until = min(STEPS, known - origin)
    came[:, :until] = values[:, origin : origin + until]
    return came


def _scales(history: Floats) -> Floats:
    return np.array([scores.scale(series, SEASON).value or np.nan for series in history])
