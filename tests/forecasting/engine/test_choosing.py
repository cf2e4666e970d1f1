import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.choosing import TOO_SHORT, Choice, Origin, choose, level_errors
from forecasting.engine.hierarchy import Hierarchy, grouped
from forecasting.engine.reconcile import BOTTOM_UP, METHODS, MINT, OLS, TOP_DOWN, Evidence, reconciler
from tests.forecasting.engine.hierarchies import evidence, forecasts, hierarchies

STEPS = 3


def teams() -> Hierarchy:
    return grouped([f"rep-{n}" for n in range(6)], {"all": ["x"] * 6, "team": [str(n % 2) for n in range(6)]})


def past(found: Hierarchy, sums_off: float, leaves_off: float, origins: int, seed: int = 1) -> list[Origin]:
    """Origins at which sums and leaves were forecast as badly as that."""
    rng = np.random.default_rng(seed)
    is_leaf = np.isin(np.arange(len(found)), found.leaves)[:, None]
    size = np.where(is_leaf, leaves_off, sums_off)
    told = []
    for _ in range(origins):
        came = found.total(rng.normal(100, 10, (len(found.leaves), STEPS)))
        off = rng.normal(0, 1, (len(found), STEPS)) * size
        errors = Evidence(rng.normal(0, 1, (len(found), 40)) * size)
        told.append(Origin(came - off, came, np.full(len(found), 10.0), errors))
    return told


def test_where_leaves_are_known_best_they_are_added_up() -> None:
    found = choose(teams(), past(teams(), 60.0, 0.5, 6), [BOTTOM_UP, OLS, TOP_DOWN])
    assert (found.method, found.origins, found.code) == (BOTTOM_UP, 6, None)
    assert max(found.ratios[BOTTOM_UP].values()) <= 1
    assert TOP_DOWN not in found.ratios  # nobody said what parts the leaves have


def test_where_sums_are_known_best_they_are_not_spoilt_by_the_leaves() -> None:
    told = past(teams(), 0.5, 20.0, 6)
    found = choose(teams(), told)
    assert found.ratios[BOTTOM_UP]["all"] > 5
    assert found.method not in (BOTTOM_UP, TOP_DOWN)
    assert max(found.ratios[found.method].values()) < 1.2


def test_a_method_that_spoils_a_level_is_not_taken_for_being_good_on_average() -> None:
    found = teams()
    ratios = choose(found, past(found, 3.0, 9.0, 5, seed=3), worse=0.03).ratios
    chosen = choose(found, past(found, 3.0, 9.0, 5, seed=3), worse=0.03).method
    assert max(ratios[chosen].values()) <= 1.03
    spoilt = [method for method in ratios if max(ratios[method].values()) > 1.03]
    assert BOTTOM_UP in spoilt


def test_where_every_method_spoils_some_level_the_least_bad_is_taken() -> None:
    found = teams()
    told = past(found, 4.0, 4.0, 5)
    strict = choose(found, told, worse=-0.99)
    worst = {method: max(by.values()) for method, by in strict.ratios.items()}
    assert worst[strict.method] == min(worst.values())


@pytest.mark.parametrize("origins", [0, 1, 2])
def test_with_few_origins_nothing_is_chosen_by_and_that_is_said(origins: int) -> None:
    found = choose(teams(), past(teams(), 1.0, 9.0, origins))
    assert (found.method, found.origins, found.code) == (OLS, origins, TOO_SHORT)


def test_an_origin_of_which_nothing_is_known_yet_takes_no_part() -> None:
    told = past(teams(), 2.0, 5.0, 4)
    unknown = Origin(told[0].base, np.full_like(told[0].came, np.nan), told[0].scale, told[0].evidence)
    assert same(choose(teams(), [*told, unknown]), choose(teams(), told))


def test_the_order_of_origins_chooses_nothing() -> None:
    told = past(teams(), 2.0, 5.0, 5)
    assert same(choose(teams(), told[::-1]), choose(teams(), told))


def same(one: Choice, other: Choice) -> bool:
    return (one.method, one.origins) == (other.method, other.origins) and all(
        one.ratios[method] == pytest.approx(dict(other.ratios[method])) for method in one.ratios
    )


@given(hierarchies(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_whatever_the_past_was_like_a_method_that_can_be_computed_is_chosen(found: Hierarchy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = []
    for _ in range(int(rng.integers(0, 5))):
        came = found.total(rng.normal(0, 50, (len(found.leaves), STEPS)) * rng.choice([0.0, 1.0]))
        came[:, int(rng.integers(0, STEPS + 1)) :] = np.nan
        scale = rng.choice([np.nan, 0.0, 3.0], len(found))
        told.append(Origin(forecasts(found, rng, STEPS), came, scale, evidence(found, rng)))
    choice = choose(found, told)
    assert choice.code in (None, TOO_SHORT)
    assert all(np.isfinite(value) for by in choice.ratios.values() for value in by.values())
    assert choice.method in METHODS
    for origin in told:
        if choice.code is None and np.isfinite(origin.came).any():
            assert reconciler(found, choice.method, origin.evidence).to_leaves is not None


def test_what_cannot_be_computed_today_is_not_chosen() -> None:
    told = past(teams(), 3.0, 6.0, 4)
    best = choose(teams(), told, [MINT, BOTTOM_UP])
    today = choose(teams(), told, [MINT, BOTTOM_UP], now=Evidence())
    assert (best.method, today.method) == (MINT, BOTTOM_UP)


def test_a_level_of_which_no_node_has_a_scale_is_not_judged() -> None:
    found = teams()
    scale = np.where(np.array(found.levels) == "team", np.nan, 2.0)
    assert level_errors(found, np.full((len(found), 2), -3.0), scale) == {"all": 1.5, "leaf": 1.5}
