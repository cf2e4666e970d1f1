"""How right each view would have been at each node: what the honesty page tells. Pure.

Scored is what a period brings in all, what was won by the day included, as a reader takes it; views that say one figure
have no range. Nothing is NaN: what cannot be said (nothing was closed) is null.
"""

import numpy as np

from forecasting.engine import scores
from forecasting.engine.values import Floats
from forecasting.outlook.judging import QUANTILES, Seen, Shape, Verdict, range_of, scaled_luck, spread_of
from forecasting.outlook.looking import SAID
from forecasting.outlook.values import BLEND, PIPELINE, Score

HORIZONS = (90, 60, 30, 14, 7)
MOST = 10**9  # of 10,000: what is off by more is said to be off by that


def scores_of(names: tuple[str, ...], verdict: Verdict, shape: Shape) -> list[Score]:
    """In order of nodes and views; a view that never said anything has none."""
    seen = verdict.seen
    if not len(seen):
        return []
    actual = seen.won + seen.came
    views: dict[str, tuple[Floats, Floats | None]] = {
        view: (seen.said[:, v] + seen.won, None) for v, view in enumerate(SAID)
    }
    views[PIPELINE] = (views[PIPELINE][0], pipeline_ranges(seen, shape) + seen.won[:, :, None])
    views[BLEND] = (verdict.mean + seen.won, verdict.ranges + seen.won[:, :, None])
    found = []
    for node, name in enumerate(names):
        for view, (mean, ranges) in views.items():
            there = np.isfinite(mean[:, node])
            if there.any():
                of_node = None if ranges is None else ranges[there, node]
                found.append(_score(name, view, seen.days, mean[there, node], actual[there, node], of_node))
    return found


def pipeline_ranges(seen: Seen, shape: Shape) -> Floats:
    """By what the pipeline's own means were off before."""
    said = seen.said[:, 0]
    found = np.full((*said.shape, len(QUANTILES)), np.nan)
    for period in range(len(seen)):
        before = spread_of(seen, shape, said, period)
        found[period] = range_of(said[period], scaled_luck(seen, period, said[period]), shape, before)
    return found


def _score(node: str, view: str, days: int, mean: Floats, actual: Floats, ranges: Floats | None) -> Score:
    off, leaning = scores.wape(mean, actual), scores.bias(mean, actual)
    lost = held = None
    if ranges is not None and np.isfinite(ranges).all():
        lost = scores.pinball(ranges, actual, QUANTILES).value
        held = scores.coverage(np.floor(ranges[:, 0]), np.ceil(ranges[:, 2]), actual).value
    return Score(
        node=node,
        view=view,
        days=days,
        periods=len(mean),
        wape_bp=_bp(off.value),
        bias_bp=_bp(leaning.value),
        pinball_minor=None if lost is None else round(lost),
        held_bp=_bp(held),
        few=off.few,
    )


def _bp(value: float | None) -> int | None:
    return None if value is None else round(float(np.clip(value * 10_000, -MOST, MOST)))
