from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine import blend
from forecasting.engine.blend import blended, weigh
from forecasting.engine.values import Floats

NAMES = ("pipeline", "series", "call", "last_quarter", "last_year")
USUAL = {"pipeline": 0.5, "last_quarter": 2.0, "last_year": 2.0}


@st.composite
def companies(draw: st.DrawFn) -> tuple[dict[str, Floats], Floats]:
    """Periods of some nodes: views of all qualities, holes, nothing sold, refunds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(0, 14)), draw(st.integers(1, 3)))
    came = rng.normal(draw(st.sampled_from([0.0, 100.0])), 30, shape) * draw(st.sampled_from([0.0, 1.0, 1e8]))
    said = {}
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        said[name] = came * rng.choice([0.0, 0.5, 1.0, 4.0]) + rng.normal(0, rng.choice([1e-3, 10, 100]), shape)
        said[name][rng.random(shape) < rng.choice([0.0, 0.2, 0.9])] = np.nan
    came[rng.random(shape) < 0.1] = np.nan
    return said, came


def noisy(seed: int, spreads: Mapping[str, float], periods: int = 40) -> tuple[dict[str, Floats], Floats]:
    rng = np.random.default_rng(seed)
    came = rng.normal(1000, 100, periods)
    return {name: came + rng.normal(0, spread, periods) for name, spread in spreads.items()}, came


def said_by(weights: Mapping[str, float], now: Mapping[str, float | None]) -> float:
    """What is said of one node."""
    column = np.array([[np.nan if now.get(name) is None else now[name]] for name in weights], dtype=np.float64)
    return float(blended(np.array([[weight] for weight in weights.values()]), column)[0][0])


@given(companies())
def test_weights_are_parts_of_one_and_what_is_said_lies_between_the_views(
    company: tuple[dict[str, Floats], Floats],
) -> None:
    said, came = company
    found = weigh(said, came, USUAL)
    assert found.code in (None, blend.TOO_SHORT, blend.NO_HISTORY)
    assert found.weights.keys() == said.keys()
    assert sum(found.weights.values()) == pytest.approx(1)
    assert min(found.weights.values()) >= 0
    now = {name: float(n) for n, name in enumerate(said)}
    assert -1e-9 <= said_by(found.weights, now) <= len(said) - 1 + 1e-9


@given(companies())
def test_who_was_less_wrong_never_weighs_less(company: tuple[dict[str, Floats], Floats]) -> None:
    found = weigh(*company, USUAL)
    if found.code is None:
        order = sorted(found.off, key=lambda name: found.off[name])
        weights = [found.weights[name] for name in order]
        assert weights == sorted(weights, reverse=True)


def test_a_baseline_that_is_better_than_all_effort_is_what_is_said() -> None:
    said, came = noisy(1, {"pipeline": 300, "series": 200, "call": 250, "last_year": 5})
    found = weigh(said, came, USUAL)
    assert found.weights["last_year"] > 0.9
    assert said_by(found.weights, {"pipeline": 1.0, "last_year": 9.0}) > 8.0


def test_a_baseline_as_good_as_the_others_weighs_less_and_a_bad_one_nothing() -> None:
    said, came = noisy(2, {"pipeline": 50, "series": 50, "last_year": 50}, 12)
    weights = weigh(said, came, USUAL).weights
    assert weights["last_year"] < min(weights["pipeline"], weights["series"])
    said["last_year"] = came + np.random.default_rng(3).normal(0, 900, 12)
    assert weigh(said, came, USUAL).weights["last_year"] < 0.02


def test_who_was_right_weighs_more_the_more_periods_say_so() -> None:
    shares = []
    for periods in (1, 4, 12, 60):
        said, came = noisy(4, {"pipeline": 20, "series": 120}, periods)
        shares.append(weigh(said, came).weights["pipeline"])
    assert 0.5 < shares[0] <= shares[1] <= shares[2] <= shares[3]


@pytest.mark.parametrize(("periods", "code"), [(0, blend.NO_HISTORY), (1, None), (4, None)])
def test_before_any_period_views_are_weighed_as_they_usually_are(periods: int, code: str | None) -> None:
    said, came = noisy(6, {"pipeline": 10, "series": 10, "last_year": 10}, periods)
    found = weigh(said, came, USUAL)
    assert (found.code, found.periods) == (code, periods)
    if code is not None:
        assert found.weights["pipeline"] == pytest.approx(64 * found.weights["series"])
        assert found.weights["series"] == pytest.approx(64 * found.weights["last_year"])
    assert weigh({"last_year": [1.0]}, [1.0], USUAL).weights == {"last_year": 1.0}


def test_where_nothing_came_nothing_is_judged_and_where_nobody_speaks_nobody_weighs() -> None:
    assert weigh({"pipeline": [1.0, 2.0]}, [0.0, 0.0]).code == blend.TOO_SHORT
    assert weigh({}, [1.0] * 9).code == blend.NO_VIEW
    assert np.isnan(blended(np.ones((2, 1)), np.full((2, 1), np.nan))[0]).all()


def test_periods_that_are_not_over_change_only_how_long_ago_the_others_were() -> None:
    said, came = noisy(7, {"pipeline": 20, "series": 60}, 12)
    longer = {name: np.append(values, 0.0) for name, values in said.items()}
    one, other = weigh(said, came), weigh(longer, np.append(came, np.nan))
    assert one.periods == other.periods
    assert dict(one.weights) == pytest.approx(dict(other.weights), abs=0.02)


def test_who_spoke_once_and_was_right_does_not_speak_for_all() -> None:
    said, came = noisy(8, {"pipeline": 20, "series": 30, "call": 1, "last_year": 60}, 12)
    whole = weigh(said, came, USUAL).weights["call"]
    said["call"][:11] = np.nan
    once = weigh(said, came, USUAL).weights
    assert once["call"] < 0.5 * once["pipeline"]
    assert whole > 0.9


def test_who_says_nothing_today_leaves_his_weight_to_the_others() -> None:
    weights = {"pipeline": 0.5, "series": 0.3, "call": 0.2}
    assert said_by(weights, {"pipeline": 100.0, "series": 200.0}) == pytest.approx(100 * 5 / 8 + 200 * 3 / 8)
    assert said_by({"pipeline": 0.0, "series": 0.0, "last_year": 1.0}, {"pipeline": 4.0, "series": 6.0}) == 5.0


def test_who_was_right_lately_speaks_rather_than_who_was_right_long_ago() -> None:
    said, came = noisy(12, {"pipeline": 100, "series": 100}, 40)
    early = np.arange(40) < 24
    said["series"][early], said["pipeline"][~early] = came[early] + 1, came[~early] + 1
    found = weigh(said, came)
    assert found.weights["pipeline"] > 0.6


def test_the_order_of_nodes_and_the_unit_of_money_change_no_weight() -> None:
    rng = np.random.default_rng(10)
    came = rng.normal(1000, 100, (20, 4))
    said = {"pipeline": came + rng.normal(0, 40, (20, 4)), "series": came + rng.normal(0, 60, (20, 4))}
    turned = rng.permutation(4)
    one = weigh(said, came).weights
    other = weigh({name: values[:, turned] * 1e6 for name, values in said.items()}, came[:, turned] * 1e6).weights
    assert dict(one) == pytest.approx(dict(other))


def test_columns_that_do_not_belong_together_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError):
        weigh({"pipeline": [1.0, 2.0]}, [1.0])
