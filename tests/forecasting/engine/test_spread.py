"""How much nodes vary together and on their own, learnt of periods that were drawn with known factors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.spread import OWN, UNSEEN, Levels, beyond, deviations, learn_levels, own_factors
from forecasting.engine.values import Floats

LEVELS = ("0", "1", "1", *["people"] * 6)
PARENT = (-1, 0, 0, 1, 1, 1, 2, 2, 2)
PEOPLE = slice(3, 9)


def up(people: Floats) -> Floats:
    """(periods, people) -> (periods, nodes)"""
    teams = [people[:, :3].sum(axis=1), people[:, 3:].sum(axis=1)]
    return np.column_stack([people.sum(axis=1), *teams, people])


def drawn(seed: int, common: float, team: float, own: float, periods: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)

    def factor(deviation: float, count: int) -> Floats:
        return np.exp(rng.normal(-deviation * deviation / 2, deviation, (periods, count)))

    expected = np.tile(rng.uniform(80, 120, 6), (periods, 1))
    moved = factor(own, 6) * np.repeat(factor(team, 2), 3, axis=1)
    came = expected * moved * (expected.sum() / (expected * moved).sum(axis=1, keepdims=True) / periods)
    came = came * factor(common, 1)
    luck = np.full((periods, 6), 25.0)
    return up(expected), up(luck), up(np.maximum(came + rng.normal(0, 5, came.shape), 1.0))


def deviation(spread: Levels, level: str) -> float:
    return float(np.sqrt(spread.own[level] @ OWN**2))


def test_what_people_vary_by_is_told_from_what_the_company_does() -> None:
    found = learn_levels(LEVELS, PARENT, *drawn(1, 0.1, 0.005, 0.4, 12))
    assert deviation(found, "people") == pytest.approx(0.36, abs=0.1)  # what is left of 0.4, the whole held fast
    assert deviations(found.common)[1] == pytest.approx(0.1, abs=0.06)
    quiet = learn_levels(LEVELS, PARENT, *drawn(2, 0.3, 0.005, 0.005, 12))
    assert deviation(quiet, "people") < 0.12
    assert deviations(quiet.common)[1] > 0.2
    together = learn_levels(LEVELS, PARENT, *drawn(3, 0.1, 0.5, 0.05, 12))
    assert deviation(together, "1") > 2 * deviation(together, "people")


def test_before_any_period_all_is_as_usual() -> None:
    none = np.zeros((0, len(LEVELS)))
    found = learn_levels(LEVELS, PARENT, none, none, none)
    assert found.common.weight.tobytes() == UNSEEN.weight.tobytes()
    assert deviation(found, "people") == deviation(found, "1") > 0.1


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_node_varies_no_less_relatively_than_the_one_above_it_and_the_company_by_the_common_factor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = {level: rng.dirichlet(np.ones(len(OWN))) for level in ("1", "people")}
    spread = Levels(UNSEEN, own)
    mean = up(rng.uniform(0.1, 100, (1, 6)))[0]
    relative = beyond(LEVELS, PARENT, mean, spread) / mean**2
    assert relative[0] == pytest.approx(deviations(UNSEEN)[1] ** 2)
    for node, above in enumerate(PARENT[1:], 1):
        assert relative[node] > relative[0]
        assert above == 0 or relative[node] >= deviations(UNSEEN)[1] ** 2 + own["1"] @ OWN**2


def test_an_own_factor_has_a_mean_of_one_and_the_deviation_of_its_level() -> None:
    weights = np.zeros(len(OWN))
    weights[6] = 1.0
    found = own_factors(weights, 200_000, np.random.default_rng(4))
    assert found.mean() == pytest.approx(1.0, abs=0.003)
    assert np.log(found).std() == pytest.approx(OWN[6], abs=0.003)
