"""Random trees and crossing groups, with forecasts that do not add up and how wrong earlier ones were."""

import numpy as np
from hypothesis import strategies as st

from forecasting.engine.hierarchy import Hierarchy, grouped, tree
from forecasting.engine.reconcile import Evidence
from forecasting.engine.values import Floats


@st.composite
def hierarchies(draw: st.DrawFn) -> Hierarchy:
    """One node, chains of single children, forests, trees, crossing groups."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 12))
    if draw(st.booleans()):
        labels = {name: [str(n) for n in rng.integers(0, 1 + at, count)] for at, name in enumerate(("all", "a", "b"))}
        return grouped([f"leaf-{n}" for n in range(count)], labels)
    root = draw(st.booleans())
    parents = [None if n == 0 or (not root and rng.random() < 0.2) else f"{rng.integers(0, n)}" for n in range(count)]
    order = rng.permutation(count)
    return tree([str(n) for n in order], [parents[n] for n in order])


def forecasts(hierarchy: Hierarchy, rng: np.random.Generator, steps: int = 3) -> Floats:
    """Sums of what is said of leaves, and off by something each; some are 0, some negative, some large."""
    leaves = rng.normal(50, 60, (hierarchy.summing.shape[1], steps)) * rng.choice([0.0, 1.0, 1e6])
    off: Floats = rng.normal(0, 20, (len(hierarchy), steps)) * rng.choice([0.0, 1.0, 1e4])
    return hierarchy.total(leaves) + off


def evidence(hierarchy: Hierarchy, rng: np.random.Generator) -> Evidence:
    """Of some errors, none, with holes, with nodes that were never wrong."""
    nodes = len(hierarchy)
    near = rng.normal(0, 9, (nodes, int(rng.integers(0, 12)))) * rng.choice([0.0, 1.0, 1e6], (nodes, 1))
    ahead = rng.normal(5, 9, (nodes, int(rng.integers(0, 6)), 3))
    ahead[:, rng.random(ahead.shape[1:]) < 0.3] = np.nan
    ahead[rng.random(nodes) < 0.2] = 0.0
    shares = rng.dirichlet(np.ones(hierarchy.summing.shape[1]))
    there = rng.random(3) < 0.8
    return Evidence(near if there[0] else None, ahead if there[1] else None, shares if there[2] else None)
