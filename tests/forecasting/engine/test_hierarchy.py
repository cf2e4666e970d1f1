import math

import numpy as np
import pytest
from hypothesis import given

from forecasting.engine.hierarchy import Hierarchy, grouped, tree
from tests.forecasting.engine.hierarchies import hierarchies

PARENTS = {"company": None, "north": "company", "south": "company", "ann": "north", "bob": "north", "cy": "south"}


def sales() -> Hierarchy:
    return tree(tuple(PARENTS), tuple(PARENTS.values()))


def test_each_node_of_a_tree_is_the_sum_of_its_children() -> None:
    found = sales()
    values = found.total(np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]))
    by_name = dict(zip(found.names, values.tolist(), strict=True))
    assert by_name["north"] == [3, 30]
    assert by_name["south"] == by_name["cy"] == [4, 40]
    assert by_name["company"] == [7, 70]
    assert found.levels == ("0", "1", "1", "2", "2", "2")


def test_a_team_of_one_says_the_same_as_the_one() -> None:
    assert sales().first.tolist() == [0, 1, 2, 3, 4, 2]


def test_groups_may_cross() -> None:
    found = grouped(
        ["ann", "bob", "cy"], {"all": ["x"] * 3, "team": ["n", "n", "s"], "product": ["p", "q", "p"]}, "rep"
    )
    assert found.names == ("all/x", "team/n", "team/s", "product/p", "product/q", "ann", "bob", "cy")
    assert found.total(np.array([1.0, 2.0, 4.0])).tolist() == [7, 3, 4, 5, 2, 1, 2, 4]
    assert found.levels[-3:] == ("rep", "rep", "rep")


@given(hierarchies())
def test_sums_have_no_gap_and_a_gap_is_noticed(found: Hierarchy) -> None:
    leaves = np.random.default_rng(1).normal(0, 1e9, (found.summing.shape[1], 2))
    values = found.total(leaves)
    for node, row in enumerate(found.summing):
        assert values[node, 0] == pytest.approx(math.fsum(leaves[row > 0, 0]), abs=1e-3)
    assert found.gap(values) < 1e-12
    sums = np.flatnonzero(found.summing.sum(axis=1) > 1)
    if len(sums):
        values[sums[0], 1] += 0.01 * max(1.0, float(np.abs(leaves[:, 1]).sum()))
        assert found.gap(values) > 1e-3


def test_no_node_is_a_hierarchy_too() -> None:
    for found in (tree([], []), grouped([], {"all": []})):
        assert (len(found), found.summing.shape) == (0, (0, 0))
        assert found.gap(np.zeros((0, 2))) == 0


def test_what_is_no_hierarchy_is_a_mistake_of_the_caller() -> None:
    wrong: list[tuple[list[str], list[str | None]]] = [
        (["a", "b"], ["b", "a"]),
        (["a", "b", "c"], ["b", "a", "a"]),
        (["a"], ["nobody"]),
        (["a", "a"], [None, "a"]),
        (["a"], []),
    ]
    for names, parents in wrong:
        with pytest.raises(ValueError):
            tree(names, parents)
    with pytest.raises(ValueError):
        tree(["a"], [None], levels=["x", "y"])
    for leaves in (["a"], ["a", "a"]):
        with pytest.raises(ValueError):
            grouped(leaves, {"team": ["n", "s"]})
