"""Views of the same figure blended, on the tourism hierarchy: the next year of each of 425 series.

Three models beside two baselines, "same quarters of last year" and "last quarter four times". At each origin the
weights are learnt from earlier origins whose year is over by then, once for all series of a level and once for each
series alone; nothing of the year itself is looked at.
"""

from collections.abc import Mapping

import numpy as np

from bench.report import Report
from forecasting.engine import scores
from forecasting.engine.blend import weigh
from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.values import Floats

AHEAD = 4
JUDGED = 6  # the last origins, on which the blends are judged
MODELS = ("AutoETS", "AutoCES", "optimised Theta")
LAST_YEAR, LAST_QUARTER = "same quarters of last year", "last quarter"


def measure_views(report: Report, hierarchy: Hierarchy, values: Floats, made: Mapping[int, Floats]) -> None:
    """`made`: origin -> (models, nodes, steps)."""
    origins = [origin for origin in sorted(made) if origin + AHEAD <= values.shape[1]]
    came = np.array([values[:, o : o + AHEAD].sum(axis=1) for o in origins])
    said = {name: np.array([made[o][n, :, :AHEAD].sum(axis=1) for o in origins]) for n, name in enumerate(MODELS)}
    said[LAST_YEAR] = np.array([values[:, o - AHEAD : o].sum(axis=1) for o in origins])
    said[LAST_QUARTER] = np.array([values[:, o - 1] * AHEAD for o in origins])
    judged = range(len(origins) - JUDGED, len(origins))
    levels = np.array(hierarchy.levels)
    found = {name: each[judged] for name, each in said.items()} | {"equal mean of models": _equal(said, judged)}
    picks: dict[str, list[str]] = {}
    for name, groups in (
        ("blend, learnt by level", [np.flatnonzero(levels == level) for level in dict.fromkeys(levels.tolist())]),
        ("blend, learnt by series", [np.array([n]) for n in range(len(levels))]),
    ):
        found[name] = np.empty((JUDGED, len(levels)))
        for row, at in enumerate(judged):
            over = np.array([n for n, origin in enumerate(origins) if origin + AHEAD <= origins[at]])
            for nodes in groups:
                past = {view: each[np.ix_(over, nodes)] for view, each in said.items()}
                blend = weigh(past, came[np.ix_(over, nodes)])
                found[name][row, nodes] = sum(w * said[view][at, nodes] for view, w in blend.weights.items())
                picks.setdefault(name, []).append(max(blend.weights, key=lambda view: blend.weights[view]))
    for name, each in found.items():
        cells: dict[str, float | str] = {"all": _wape(each, came[judged])}
        for level in dict.fromkeys(hierarchy.levels):
            cells[level] = _wape(each[:, levels == level], came[judged][:, levels == level])
        by = picks.get(name, [])
        baseline = sum(pick in (LAST_YEAR, LAST_QUARTER) for pick in by)
        told: dict[str, float | str] = {"a baseline spoke, %": round(100 * baseline / len(by), 1)} if by else {}
        report.add(f"tourism: the next year, WAPE % over {JUDGED} origins", name, cells | told)


def _equal(said: Mapping[str, Floats], judged: range) -> Floats:
    return np.asarray(np.mean([said[name][judged] for name in MODELS], axis=0))


def _wape(said: Floats, came: Floats) -> float:
    return round(100 * (scores.wape(said, came).value or 0.0), 2)
