import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine import reconcile
from forecasting.engine.hierarchy import Hierarchy, grouped, tree
from forecasting.engine.reconcile import (
    BOTTOM_UP,
    METHODS,
    MINT,
    MINT_AHEAD,
    OLS,
    TOP_DOWN,
    WLS_STRUCTURE,
    WLS_VARIANCE,
    Evidence,
    reconciled,
    reconciler,
)
from forecasting.engine.values import Floats
from tests.forecasting.engine.hierarchies import evidence, forecasts, hierarchies

seeds = st.integers(0, 2**32 - 1)


def teams(count: int = 6) -> Hierarchy:
    leaves = [f"rep-{n}" for n in range(count)]
    return grouped(leaves, {"all": ["x"] * count, "team": [str(n % 2) for n in range(count)]})


@given(hierarchies(), seeds)
@settings(max_examples=40)
def test_what_comes_out_adds_up_whatever_the_method_or_there_is_a_reason(found: Hierarchy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base, known = forecasts(found, rng), evidence(found, rng)
    for method in METHODS:
        by = reconciler(found, method, known)
        assert (by.to_leaves is None) == (by.code is not None)
        if by.to_leaves is not None:
            plain, cut = (reconciled(found, by, base, non_negative=each) for each in (False, True))
            assert np.isfinite(plain).all()
            assert max(found.gap(plain), found.gap(cut)) < 1e-9
            assert cut.min() >= 0
        else:
            assert method in (TOP_DOWN, WLS_VARIANCE, MINT, MINT_AHEAD)
            with pytest.raises(ValueError):
                reconciled(found, by, base)


@given(hierarchies(), seeds)
@settings(max_examples=40)
def test_what_adds_up_already_is_left_as_it_is(found: Hierarchy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = found.total(rng.normal(0, 100, (found.summing.shape[1], 2)))
    known = evidence(found, rng)
    for method in set(METHODS) - {TOP_DOWN}:
        by = reconciler(found, method, known)
        if by.to_leaves is not None:
            assert np.allclose(reconciled(found, by, base), base, rtol=1e-6, atol=1e-4)


def test_it_is_the_projection_of_the_textbook() -> None:
    rng = np.random.default_rng(3)
    found = teams()
    errors = rng.normal(0, 1, (len(found), 30)) * rng.uniform(1, 9, (len(found), 1)) + rng.normal(0, 4, (1, 30))
    base = forecasts(found, rng)
    alike, by = reconcile.shrunk(errors)
    size = np.sqrt(np.square(errors).mean(axis=1))
    weights = {
        OLS: np.eye(len(found)),
        WLS_STRUCTURE: np.diag(found.summing.sum(axis=1)),
        WLS_VARIANCE: np.diag(size**2),
        MINT: alike * np.outer(size, size),
    }
    assert 0 < by < 1
    for method, w in weights.items():
        inverse = np.linalg.inv(w)
        s = found.summing
        textbook = s @ np.linalg.solve(s.T @ inverse @ s, s.T @ inverse @ base)
        assert np.allclose(reconciled(found, reconciler(found, method, Evidence(errors)), base), textbook)


def test_a_level_with_one_child_is_counted_once() -> None:
    rng = np.random.default_rng(4)
    plain = tree(["all", "a", "b"], [None, "all", "all"])
    doubled = tree(["all", "team", "a", "b"], [None, "all", "team", "all"])
    base, errors = rng.normal(50, 20, (3, 2)), rng.normal(0, 5, (3, 20))
    at = [0, 1, 1, 2]  # the team of one has the forecasts and errors of the one
    for method in METHODS:
        shares = np.array([0.5, 0.5])
        one = reconciled(plain, reconciler(plain, method, Evidence(errors, errors[:, :, None], shares)), base)
        known = Evidence(errors[at], errors[at][:, :, None], shares)
        other = reconciled(doubled, reconciler(doubled, method, known), base[at])
        assert np.allclose(one[at], other), method


def test_what_two_say_of_the_same_leaves_is_averaged_first() -> None:
    found = tree(["team", "ann"], [None, "team"])
    for method in (BOTTOM_UP, OLS, WLS_STRUCTURE):
        values = reconciled(found, reconciler(found, method, Evidence()), np.array([[10.0], [20.0]]))
        assert values.tolist() == [[15.0], [15.0]]


def test_a_node_that_was_never_wrong_is_believed() -> None:
    found = tree(["all", "a", "b", "none"], [None, "all", "all", "all"])
    errors = np.random.default_rng(5).normal(0, 5, (4, 30))
    errors[3] = 0.0
    base = np.array([[100.0], [30.0], [30.0], [0.0]])
    for method in (WLS_VARIANCE, MINT):
        values = reconciled(found, reconciler(found, method, Evidence(errors)), base)
        assert abs(values[3, 0]) < 1e-3
        assert 60 < values[0, 0] < 100


def test_top_down_parts_the_root_and_needs_one() -> None:
    found = teams(4)
    by = reconciler(found, TOP_DOWN, Evidence(shares=np.array([0.1, 0.2, 0.3, 0.4])))
    values = reconciled(found, by, np.full((len(found), 1), 50.0))
    assert values[found.leaves, 0].tolist() == pytest.approx([5, 10, 15, 20])
    assert reconciler(found, TOP_DOWN, Evidence()).code == reconcile.NO_SHARES
    forest = tree(["a", "b"], [None, None])
    assert reconciler(forest, TOP_DOWN, Evidence(shares=np.array([0.5, 0.5]))).code == reconcile.NO_ROOT


def test_shares_are_of_the_last_steps_and_none_where_there_is_nothing_to_share() -> None:
    found = teams(2)
    history = found.total(np.array([[9.0, 1.0, 1.0], [9.0, 3.0, 3.0]]))
    assert reconcile.shares_of(found, history, 2) == pytest.approx([0.25, 0.75])
    assert reconcile.shares_of(found, history * 0, 2) is None
    assert reconcile.shares_of(found, found.total(np.array([[-1.0], [3.0]])), 1) is None
    history[found.leaves[0], 2] = np.nan
    assert reconcile.shares_of(found, history, 2) == pytest.approx([1 / 7, 6 / 7])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_errors_say_nothing_of_a_variance(count: int) -> None:
    found = teams()
    errors = np.ones((len(found), count))
    for method in (WLS_VARIANCE, MINT, MINT_AHEAD):
        assert reconciler(found, method, Evidence(errors)).code == reconcile.NO_HISTORY
        assert reconciler(found, method, Evidence(ahead=errors[:, :, None])).code == reconcile.NO_HISTORY
    assert reconciler(found, MINT, Evidence(np.zeros((len(found), 50)))).code == reconcile.NO_HISTORY
    assert reconciler(found, MINT, Evidence(np.full((len(found), 50), np.nan))).code == reconcile.NO_HISTORY
    assert reconciler(tree([], []), OLS, Evidence()).code == reconcile.NO_NODES


def test_errors_that_have_nothing_in_common_are_shrunk_apart_and_others_are_not() -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(0, 1, (30, 40))
    _, apart = reconcile.shrunk(noise)
    alike, together = reconcile.shrunk(noise + 3 * noise[:1])
    assert apart > 0.8
    assert together < 0.2
    assert np.linalg.eigvalsh(alike).min() > 0
    assert (alike[0, 1:] > 0.5).all()
    same, by = reconcile.shrunk(noise[:, :1])
    assert (by, same.tolist()) == (1.0, np.eye(30).tolist())


def test_errors_further_ahead_are_brought_to_the_size_of_the_next_step() -> None:
    rng = np.random.default_rng(7)
    errors = rng.normal(0, 1, (3, 200, 4)) * np.array([1.0, 2.0, 4.0, 8.0])
    errors[1] = 0.0
    errors[:, 50:, 3] = np.nan
    found = reconcile.stacked(errors).reshape(3, 200, 4)
    assert np.nanstd(found[0], axis=0) == pytest.approx([np.std(errors[0, :, 0])] * 4, rel=0.15)
    assert (found[1][np.isfinite(found[1])] == 0).all()
    assert np.isnan(found).sum() == 450


def squared(found: Hierarchy, method: str, known: Evidence, base: Floats, truth: Floats) -> float:
    return float(np.square(reconciled(found, reconciler(found, method, known), base) - truth).mean())


def test_mint_is_nearer_to_the_truth_than_what_knows_less_of_the_errors() -> None:
    rng = np.random.default_rng(8)
    found = teams(12)
    sizes = rng.uniform(1, 20, (len(found), 1))
    together = rng.normal(0, 1, (1, 460)) * sizes  # what all are off by together
    errors = 0.6 * together + rng.normal(0, 1, (len(found), 460)) * sizes
    truth = found.total(rng.normal(100, 10, (12, 400)))
    base = truth - errors[:, 60:]
    methods = (BOTTOM_UP, OLS, WLS_STRUCTURE, WLS_VARIANCE, MINT)
    off = {method: squared(found, method, Evidence(errors[:, :60]), base, truth) for method in methods}
    assert off[MINT] == min(off.values())
    assert off[MINT] < 0.97 * off[WLS_VARIANCE] < 0.95 * off[BOTTOM_UP]
    assert off[MINT] < 0.8 * float(np.square(base - truth).mean())


def test_a_growth_that_all_leaves_miss_is_seen_further_ahead_and_corrected_from_above() -> None:
    rng = np.random.default_rng(9)
    found = teams(12)
    steps = np.arange(1, 5)
    near = rng.normal(0, 1, (len(found), 40)) * np.sqrt(found.summing.sum(axis=1, keepdims=True))
    leaves = np.isin(np.arange(len(found)), found.leaves)[:, None, None]
    ahead = rng.normal(0, 1, (len(found), 8, 4)) + leaves * steps * rng.uniform(2, 4, (1, 8, 1))
    truth = found.total(np.full((12, 4), 50.0))
    base = truth - leaves[:, 0] * steps * 3.0  # the sums are right, the leaves are too low
    blind = squared(found, MINT, Evidence(near, ahead), base, truth)
    assert squared(found, MINT_AHEAD, Evidence(near, ahead), base, truth) < 0.5 * blind


def test_a_method_that_nobody_knows_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError):
        reconciler(teams(), "middle_out", Evidence())
