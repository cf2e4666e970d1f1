"""A small version of what `bench.engine` claims of the tourism hierarchy: with plain exponential smoothing of each
series."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bench.engine import tourism
from bench.engine.tourism import SEASON, STEPS, Made
from forecasting.engine.choosing import Choice, level_errors
from forecasting.engine.hierarchy import Hierarchy
from forecasting.engine.reconcile import BOTTOM_UP, MINT_AHEAD, reconciled, reconciler
from forecasting.engine.values import Floats

FOLDER = Path(os.environ.get("SFA_SAMPLE_DATA", ""))
pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("SFA_SAMPLE_DATA") or not (FOLDER / "tourism_hierarchy").is_dir(),
        reason="SFA_SAMPLE_DATA does not name a folder with the public set tourism_hierarchy",
    ),
    pytest.mark.xdist_group("tourism"),  # the method is chosen once
]
KNOWN = 72


@cache
def data() -> tuple[Hierarchy, Floats]:
    return tourism.read(FOLDER)


def smoothed(values: Floats) -> Made:
    """Level and season, each node with the weights that were best within its history; so they do not add up."""
    tried = []
    for alpha, gamma in ((0.05, 0.05), (0.2, 0.05), (0.5, 0.05), (0.05, 0.3), (0.2, 0.3), (0.5, 0.3)):
        level = values[:, : 2 * SEASON].mean(axis=1)
        season = values[:, :SEASON] - values[:, :SEASON].mean(axis=1, keepdims=True)
        errors = np.empty_like(values)
        for time in range(values.shape[1]):
            errors[:, time] = values[:, time] - level - season[:, time % SEASON]
            level = level + alpha * errors[:, time]
            season[:, time % SEASON] += gamma * (1 - alpha) * errors[:, time]
        ahead = [level + season[:, (values.shape[1] + step) % SEASON] for step in range(STEPS)]
        tried.append((np.stack(ahead, axis=1), errors[:, 2 * SEASON :]))
    best = np.argmin([np.square(errors).sum(axis=1) for _, errors in tried], axis=0)
    nodes = np.arange(len(values))
    base, errors = (np.stack(each)[best, nodes] for each in zip(*tried, strict=True))
    return Made(base, errors, base[None])


def made(values: Floats) -> dict[int, Made]:
    return {origin: smoothed(values[:, :origin]) for origin in range(tourism.FIRST, KNOWN + 1, tourism.APART)}


@cache
def chosen() -> tuple[dict[int, Made], Choice]:
    hierarchy, values = data()
    found = made(values)
    return found, tourism.chosen_at(hierarchy, values, found, KNOWN)


def test_there_are_425_series_that_add_up() -> None:
    hierarchy, values = data()
    assert values.shape == (425, 80)
    assert hierarchy.gap(values) < 1e-9
    assert len(set(hierarchy.first)) == 420  # one territory is one region, alone and by its four purposes


def test_the_method_that_the_past_recommends_makes_no_level_worse_and_all_together_better() -> None:
    hierarchy, values = data()
    found, choice = chosen()
    assert choice.method == MINT_AHEAD
    assert choice.ratios[BOTTOM_UP]["country"] > 1.2
    test = tourism.origin_of(hierarchy, values, found, KNOWN, values.shape[1])
    said = reconciled(hierarchy, reconciler(hierarchy, choice.method, test.evidence), test.base)
    left = level_errors(hierarchy, test.came - test.base, test.scale)
    off = level_errors(hierarchy, test.came - said, test.scale)
    assert hierarchy.gap(said) < 1e-9 < hierarchy.gap(test.base)
    assert max(off[level] / left[level] for level in off) <= 1.03
    assert np.mean(list(off.values())) < 0.95 * np.mean(list(left.values()))
    assert np.mean(np.abs(test.came - said).mean(axis=1) / test.scale) <= 1.163


def test_nothing_of_later_quarters_is_looked_at() -> None:
    hierarchy, values = data()
    later = values.copy()
    later[:, KNOWN:] *= 5
    found, choice = chosen()
    again = tourism.chosen_at(hierarchy, later, made(later), KNOWN)
    assert (again.method, dict(again.ratios)) == (choice.method, dict(choice.ratios))
    one, other = (tourism.evidence_at(hierarchy, each, found, KNOWN) for each in (values, later))
    assert one.ahead is not None
    assert other.ahead is not None
    assert np.array_equal(one.ahead, other.ahead, equal_nan=True)
