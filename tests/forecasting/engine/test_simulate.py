import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.newcomers import Newcomers
from forecasting.engine.simulate import Outcome, Range, Split, expectation, say, simulate, total
from forecasting.engine.spread import CERTAIN, Past, Spread, learn
from forecasting.engine.values import Chances

EDGES = np.array([739_000, 739_030, 739_060, 739_091])
WIDE = Spread(np.ones(2), np.array([0.1, 0.4]), np.array([0.5, 0.5]), 8, ())


def chances(count: int, seed: int = 1) -> Chances:
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet(np.ones(5), count)
    amount = np.exp(rng.normal(12, 1, count))
    keys = tuple(f"deal-{n:04}" for n in range(count))
    return Chances(keys, EDGES, parts[:, :3], parts[:, 3:4] * [0.3, 0.3, 0.4], amount, np.full(count, 0.2))


def split(count: int, groups: int = 3) -> Split:
    return Split(np.arange(count), np.arange(count) % groups, np.ones(count))


def newcomers(groups: int = 3, rate: float = 0.5) -> Newcomers:
    return Newcomers(np.full((groups, 3), rate), np.array([1e5, 3e5]), np.array([2.0, 1.0]), 0.02)


def run(found: Chances, seed: int = 1, draws: int = 500, **more: object) -> Outcome:
    return simulate(found, ["a", "b", "c"], split(len(found.keys)), draws=draws, seed=seed, **more)  # type: ignore[arg-type]


def shuffled(found: Chances, order: np.ndarray) -> Chances:
    keys = tuple(found.keys[n] for n in order)
    return Chances(keys, found.edges, found.win[order], found.lose[order], found.amount[order], found.spread[order])


def test_the_mean_and_the_luck_are_those_of_the_chances() -> None:
    found = chances(400)
    mean, variance = expectation(found)
    drawn = total(run(found, draws=4000))
    assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 4000))
    assert drawn.var() == pytest.approx(variance, rel=0.1)


def test_a_common_factor_widens_the_range_and_leaves_each_chance_what_it_was() -> None:
    found = chances(400)
    mean, _ = expectation(found)
    alone, together = total(run(found, draws=4000)), total(run(found, draws=4000, spread=WIDE))
    assert together.std() > 2 * alone.std()
    assert together.mean() == pytest.approx(mean, abs=4 * together.std() / np.sqrt(4000))
    sure = Chances(("one",), EDGES, np.array([[0.999, 0.0, 0.0]]), np.zeros((1, 3)), np.array([100.0]), np.zeros(1))
    drawn = simulate(sure, ["a"], Split(np.zeros(1, int), np.zeros(1, int), np.ones(1)), spread=WIDE, draws=8000)
    assert np.mean(total(drawn) > 0) == pytest.approx(0.999, abs=0.002)


def test_the_same_seed_gives_the_same_bytes_whatever_the_order_of_deals() -> None:
    found = chances(60)
    order = np.random.default_rng(5).permutation(60)
    first = run(found, spread=WIDE, newcomers=newcomers())
    turned = simulate(
        shuffled(found, order),
        ["a", "b", "c"],
        Split(np.arange(60), order % 3, np.ones(60)),
        spread=WIDE,
        newcomers=newcomers(),
        draws=500,
        seed=1,
    )
    for one, other in ((first.open, turned.open), (first.new, turned.new), (first.filling, turned.filling)):
        assert one.tobytes() == other.tobytes()
    assert run(found, seed=2).open.tobytes() != run(found).open.tobytes()


def test_another_deal_changes_only_what_it_brings() -> None:
    more = chances(60)
    fewer = shuffled(more, np.arange(59))
    difference = total(run(more, spread=WIDE)) - total(run(fewer, spread=WIDE))
    assert difference.min() >= -1e-6
    assert np.mean(difference > 1e-6) == pytest.approx(more.win[59].sum(), abs=0.1)


@settings(max_examples=25)
@given(st.integers(0, 30), st.integers(0, 2**31), st.floats(0, 2))
def test_every_draw_of_a_node_is_the_sum_of_its_children(count: int, seed: int, rate: float) -> None:
    out = run(chances(count), seed, 50, won=np.array([5.0, 0.0, 7.0]), newcomers=newcomers(rate=rate), spread=WIDE)
    team, alone = total(out, np.array([0, 2])), total(out, np.array([1]))
    assert total(out) == pytest.approx(team + alone, rel=1e-12, abs=1e-6)
    assert out.filling[-1] + 12.0 == pytest.approx(total(out), rel=1e-9)
    assert (np.diff(out.filling, axis=0) >= 0).all()
    said = say(total(out), 10.0)
    assert said.p10 <= said.p50 <= said.p90
    assert said.reach is not None
    assert 0 <= said.reach <= 1


def test_a_deal_is_won_in_one_of_two_periods_never_in_both() -> None:
    found = chances(40)
    each = Split(np.arange(40), np.arange(40), np.ones(40))
    names = [f"{n}" for n in range(40)]
    parts = [simulate(found, names, each, window=w, spread=WIDE, draws=300).open for w in ((0, 1), (1, 3), (0, 3))]
    assert not ((parts[0] > 0) & (parts[1] > 0)).any()
    assert parts[0] + parts[1] == pytest.approx(parts[2])
    assert (parts[1] > 0).mean() == pytest.approx(found.win[:, 1:].sum(axis=1).mean(), abs=0.02)


def test_shares_of_a_deal_go_to_whose_it_is() -> None:
    found = chances(10)
    halves = Split(np.repeat(np.arange(10), 2), np.tile([0, 1], 10), np.tile([0.25, 0.75], 10))
    out = simulate(found, ["a", "b"], halves, draws=200)
    assert out.open[1] == pytest.approx(3 * out.open[0])
    assert total(out) == pytest.approx(out.filling[-1])


def test_newcomers_bring_what_they_are_expected_to_bring_few_or_many() -> None:
    for rate in (0.5, 300.0):
        drawn = total(run(chances(0), newcomers=newcomers(rate=rate), draws=4000))
        mean = 9 * rate * (2 * 1e5 + 3e5) / 3
        luck = 9 * rate * (2 * 1e10 + 9e10) / 3 + 0.02 * mean**2
        assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(luck / 4000))
        assert drawn.var() == pytest.approx(luck, rel=0.15)


def test_more_chance_more_money_and_a_higher_probability_of_quota() -> None:
    found = chances(50)
    better = Chances(found.keys, EDGES, found.win * 1.2, found.lose * 0.5, found.amount, found.spread)
    quota = expectation(found)[0]
    low, high = (say(total(run(told, spread=WIDE)), quota) for told in (found, better))
    assert (high.p10, high.p50, high.p90) > (low.p10, low.p50, low.p90)
    assert low.reach is not None
    assert high.reach is not None
    assert high.reach > low.reach


def test_a_deal_that_is_certain_or_impossible_is_that_in_every_draw() -> None:
    win = np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 0]])
    found = Chances(("sure", "never", "lost"), EDGES, win, 1 - win, np.full(3, 100.0), np.zeros(3))
    assert (total(run(found, spread=WIDE)) == 100.0).all()


def test_amounts_that_say_nothing_bring_nothing_and_never_nan() -> None:
    amount = np.array([np.nan, -5.0, 0.0, np.inf])
    win = np.full((4, 3), 0.3)
    out = simulate(
        Chances(("a", "b", "c", "d"), EDGES, win, win * 0, amount, np.full(4, 0.1)), ["x"], split(4, 1), draws=50
    )
    assert not total(out).any()
    assert say(total(out), 0.0) == Range(0.0, 0.0, 0.0, 0.0, 1.0)


def test_nothing_open_nothing_new_is_what_is_won() -> None:
    out = run(chances(0), won=np.array([10.0, 20.0, 30.0]), spread=CERTAIN)
    assert say(total(out), 61.0) == Range(60.0, 60.0, 60.0, 60.0, 0.0)


@pytest.mark.parametrize("window", [(-1, 2), (2, 1), (0, 4)])
def test_a_window_beyond_the_steps_is_refused(window: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="window"):
        run(chances(3), window=window)


def test_worse_pasts_make_wider_ranges() -> None:
    expected, luck = np.full(8, 100.0), np.full(8, 25.0)
    calm = learn(Past(expected, luck, expected + np.array([4.0, -4, 5, -5, 3, -3, 4, -4])))
    wild = learn(Past(expected, luck, expected + np.array([40.0, -40, 50, -50, 30, -30, 40, -40])))
    found = chances(200)
    assert total(run(found, spread=calm)).std() < 0.7 * total(run(found, spread=wild)).std()
    high = learn(Past(expected, luck, np.full(8, 130.0)))
    assert total(run(found, spread=high)).mean() > 1.15 * total(run(found, spread=calm)).mean()


def test_before_any_past_the_range_is_wide_and_that_is_said() -> None:
    none = learn(Past(np.zeros(0), np.zeros(0), np.zeros(0)))
    assert none.said == ("few",)
    assert none.weight.sum() == pytest.approx(1.0)
    useless = learn(Past(np.array([0.0, np.nan]), np.ones(2), np.ones(2)))
    assert np.array_equal(useless.weight, none.weight)
    nothing_came = learn(Past(np.full(4, 100.0), np.full(4, 2500.0), np.zeros(4)))
    assert np.isfinite(nothing_came.weight).all()
