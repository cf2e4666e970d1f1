import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine import blend
from forecasting.engine.blend import EQUAL, FITTED, LEAST_PERIODS, Blend, blended, weigh
from forecasting.engine.scores import wape
from forecasting.engine.values import Floats

NAMES = ("pipeline", "series", "call", "last_quarter", "last_year")
BASELINES = NAMES[3:]


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


@given(companies())
def test_weights_are_parts_of_one_and_what_is_said_lies_between_the_views(
    company: tuple[dict[str, Floats], Floats],
) -> None:
    said, came = company
    found = weigh(said, came, baselines=[name for name in BASELINES if name in said])
    assert found.code in (None, blend.TOO_SHORT, blend.NO_HISTORY, blend.NO_VIEW)
    assert (found.code in (None, blend.TOO_SHORT, blend.NO_HISTORY)) == bool(found.weights)
    assert found.weights.keys() | set(found.left_out) <= said.keys()
    now = {name: float(n) for n, name in enumerate(said)}
    told = blended(found, now)
    assert (told.value is None) == (not told.weights)
    if told.value is not None:
        assert sum(found.weights.values()) == pytest.approx(1) or told.code == blend.SILENT
        assert min(found.weights.values(), default=0.0) >= 0
        spoke = [now[name] for name in told.weights]
        assert min(spoke) - 1e-9 <= told.value <= max(spoke) + 1e-9


@given(companies())
def test_nothing_that_was_judged_was_better_than_what_is_chosen(company: tuple[dict[str, Floats], Floats]) -> None:
    said, came = {name: np.nan_to_num(values) for name, values in company[0].items()}, np.nan_to_num(company[1])
    found = weigh(said, came, baselines=[name for name in BASELINES if name in said])
    if found.code is None:
        assert set(found.off) == said.keys() | {FITTED, EQUAL} == found.scores.keys() - {"chosen"}
        assert found.off[found.by] == min(found.off.values())


def test_a_baseline_that_is_better_than_all_effort_is_what_is_said() -> None:
    said, came = noisy(1, {"pipeline": 300, "series": 200, "call": 250, "last_year": 5})
    found = weigh(said, came, baselines=["last_year"])
    assert (found.by, dict(found.weights)) == ("last_year", {"last_year": 1.0})
    chosen, baseline = found.scores["chosen"].value, found.scores["last_year"].value
    assert chosen is not None
    assert baseline is not None
    alone = min(found.scores[name].value or math.inf for name in ("pipeline", "series", "call"))
    assert chosen - baseline < 0.2 * (alone - baseline)  # what the first periods cost, before it could be known
    assert blended(found, {"pipeline": 1.0, "last_year": 9.0}).value == 9.0


def test_a_baseline_weighs_in_a_mixture_what_the_past_says_and_no_more() -> None:
    said, came = noisy(2, {"pipeline": 50, "series": 50, "last_year": 50}, 60)
    good = weigh(said, came, baselines=["last_year"])
    assert good.by == FITTED
    assert 0.2 < good.weights["last_year"] < good.weights["pipeline"] + good.weights["series"]
    said["last_year"] = came + np.random.default_rng(3).normal(0, 900, 60)
    assert weigh(said, came, baselines=["last_year"]).weights.get("last_year", 0.0) < 0.02


def test_views_that_are_off_independently_are_mixed_and_are_better_together() -> None:
    said, came = noisy(3, {"pipeline": 60, "series": 60, "call": 60}, periods=80)
    found = weigh(said, came)
    assert found.by in (FITTED, EQUAL)
    alone = [found.scores[name].value or math.inf for name in said]
    together = found.scores[found.by].value
    assert together is not None
    assert together < 0.8 * min(alone)


def test_who_was_right_weighs_more_the_more_periods_say_so() -> None:
    shares = []
    for periods in (6, 12, 60):
        said, came = noisy(4, {"pipeline": 20, "series": 120}, periods)
        found = weigh(said, came)
        shares.append(found.weights.get("pipeline", 0.0))
        assert found.scores[FITTED].value is not None
    assert 0.5 < shares[0] <= shares[1] <= shares[2]


def test_the_same_bias_of_all_is_no_reason_to_leave_equal_parts_far() -> None:
    _, came = noisy(5, {})
    weights = weigh({"one": came + 100, "other": came + 100}, came).weights
    assert dict(weights) == pytest.approx({"one": 0.5, "other": 0.5})


@pytest.mark.parametrize(
    ("periods", "code"), [(0, blend.NO_HISTORY), (1, blend.TOO_SHORT), (3, blend.TOO_SHORT), (4, None)]
)
def test_too_little_history_is_said_and_then_all_views_weigh_the_same(periods: int, code: str | None) -> None:
    said, came = noisy(6, {"pipeline": 10, "call": 500, "last_year": 1}, periods)
    found = weigh(said, came, baselines=["last_year"])
    assert (found.code, found.periods) == (code, periods)
    if code is not None:
        assert dict(found.weights) == {"pipeline": 0.5, "call": 0.5}
        assert found.scores == {}


def test_with_no_view_but_a_baseline_that_speaks() -> None:
    assert dict(weigh({"last_year": [1.0]}, [1.0], baselines=["last_year"]).weights) == {"last_year": 1.0}
    assert weigh({}, [1.0] * 9).code == blend.NO_VIEW
    assert blended(weigh({}, [1.0] * 9), {}) == blend.Blended(None, {}, blend.NO_VIEW)


def test_periods_that_are_not_over_take_no_part() -> None:
    said, came = noisy(7, {"pipeline": 20, "series": 60}, 12)
    longer = {name: np.append(values, 0.0) for name, values in said.items()}
    one, other = weigh(said, came), weigh(longer, np.append(came, np.nan))
    assert (one.weights, one.by, one.periods) == (other.weights, other.by, other.periods)


def test_who_seldom_spoke_is_left_out_and_said() -> None:
    said, came = noisy(8, {"pipeline": 20, "call": 1}, 12)
    said["call"][:10] = np.nan
    found = weigh(said, came)
    assert found.left_out == ("call",)
    assert blended(found, {"pipeline": 5.0, "call": 100.0}).value == 5.0


def test_who_says_nothing_today_leaves_his_weight_to_the_others() -> None:
    found = Blend({"pipeline": 0.5, "series": 0.3, "call": 0.2}, FITTED, 9, {}, {})
    told = blended(found, {"pipeline": 100.0, "series": 200.0, "call": None})
    assert told.value == pytest.approx(100 * 5 / 8 + 200 * 3 / 8)
    assert dict(told.weights) == pytest.approx({"pipeline": 5 / 8, "series": 3 / 8})
    alone = Blend({"last_year": 1.0}, "last_year", 9, {}, {})
    assert blended(alone, {"pipeline": 4.0, "last_year": math.nan}) == blend.Blended(
        4.0, {"pipeline": 1.0}, blend.SILENT
    )


def test_who_was_right_lately_speaks_rather_than_who_was_right_long_ago() -> None:
    said, came = noisy(12, {"pipeline": 100, "series": 100}, 40)
    early = np.arange(40) < 24
    said["series"][early], said["pipeline"][~early] = came[early] + 1, came[~early] + 1
    found = weigh(said, came)
    assert found.off["pipeline"] < found.off["series"]
    assert found.scores["pipeline"].value > found.scores["series"].value  # type: ignore[operator]
    assert found.weights["pipeline"] > 0.6


def test_what_comes_later_changes_nothing_of_what_was_said_before() -> None:
    said, came = noisy(9, {"pipeline": 50, "series": 90, "last_year": 70}, 20)
    stack = np.stack([values[:, None] for values in said.values()])
    actual = came[:, None]
    one = blend._as_chosen(blend._tried(stack, actual, np.array([0.5, 0.5, 0.0]), list(said)), actual)
    stack[:, 12:] *= 7
    actual[12:] *= -3
    other = blend._as_chosen(blend._tried(stack, actual, np.array([0.5, 0.5, 0.0]), list(said)), actual)
    assert np.array_equal(one[:12], other[:12], equal_nan=True)
    assert not np.array_equal(one[12:], other[12:])


def test_the_order_of_nodes_and_the_unit_of_money_change_no_weight() -> None:
    rng = np.random.default_rng(10)
    came = rng.normal(1000, 100, (20, 4))
    said = {"pipeline": came + rng.normal(0, 40, (20, 4)), "series": came + rng.normal(0, 60, (20, 4))}
    turned = rng.permutation(4)
    one = weigh(said, came).weights
    other = weigh({name: values[:, turned] * 1e6 for name, values in said.items()}, came[:, turned] * 1e6).weights
    assert dict(one) == pytest.approx(dict(other))


def test_quantiles_of_a_mixture_are_in_order_and_between_those_of_the_views() -> None:
    one, other = np.array([10.0, 20.0, 40.0]), np.array([12.0, 30.0, 31.0])
    found = blend.blended_quantiles({"pipeline": 0.25, "call": 0.75}, {"pipeline": one, "call": other})
    assert found == pytest.approx(0.25 * one + 0.75 * other)
    assert (np.diff(found) > 0).all()
    with pytest.raises(ValueError):
        blend.blended_quantiles({"pipeline": 0.5, "call": 0.5}, {"pipeline": one})


def test_a_single_figure_gets_the_range_of_how_far_it_was_off() -> None:
    said = np.full(9, 100.0)
    came = np.arange(60.0, 150.0, 10.0)  # 60 to 140
    found = blend.around(200.0, said, came, [0.1, 0.5, 0.9])
    assert found is not None
    assert found == pytest.approx([120, 200, 280])
    assert blend.around(200.0, said[:3], came[:3], [0.5]) is None
    assert blend.around(-200.0, said, came, [0.1, 0.9]) == pytest.approx([-280, -120])


def test_columns_that_do_not_belong_together_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError):
        weigh({"pipeline": [1.0, 2.0]}, [1.0])
    with pytest.raises(ValueError):
        weigh({"pipeline": [1.0]}, [1.0], baselines=["last_year"])


def test_the_score_of_choosing_is_that_of_what_was_chosen_back_then() -> None:
    said, came = noisy(11, {"pipeline": 30, "series": 35}, LEAST_PERIODS + 1)
    found = weigh(said, came)
    before = weigh({name: values[:-1] for name, values in said.items()}, came[:-1])
    told = [(one + other) / 2 for one, other in zip(said["pipeline"], said["series"], strict=True)]
    told[-1] = blended(before, {name: values[-1] for name, values in said.items()}).value or math.nan
    assert found.scores["chosen"].value == pytest.approx(wape(told, came).value)
