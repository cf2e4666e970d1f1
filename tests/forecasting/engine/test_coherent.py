import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.coherent import draws, off_by, read
from forecasting.engine.hierarchy import Hierarchy, grouped, tree
from forecasting.engine.reconcile import BOTTOM_UP, METHODS, MINT, TOP_DOWN, Evidence, reconciler
from forecasting.engine.values import Floats
from tests.forecasting.engine.hierarchies import evidence, hierarchies

LEVELS = np.array([0.1, 0.5, 0.9])
PAIR = tree(["all", "a", "b"], [None, "all", "all"])
SEED = np.random.SeedSequence(11)


def drawn(found: Hierarchy, errors: Floats, count: int = 2000, method: str = BOTTOM_UP) -> Floats:
    """Around 100 for each leaf, P10 to P90 from 10 below to 20 above."""
    steps = errors.shape[2]
    points = found.total(np.full((len(found.leaves), steps), 100.0))
    off = np.broadcast_to(np.array([-10.0, 0.0, 20.0]), (len(found), steps, 3))
    return draws(found, reconciler(found, method, Evidence()), points, LEVELS, off, errors, count, SEED)


def joint(sign: float, origins: int = 10) -> Floats:
    """Errors of PAIR of which one leaf's rise where the other's do, or fall there."""
    rise = np.arange(origins, dtype=np.float64)[:, None]
    return np.stack([rise * (1 + sign), rise, rise * sign])


@given(hierarchies(), st.integers(0, 2**32 - 1), st.sampled_from(sorted(set(METHODS) - {TOP_DOWN})))
@settings(max_examples=30)
def test_every_draw_adds_up_and_quantiles_are_in_order(found: Hierarchy, seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    known = evidence(found, rng)
    by = reconciler(found, method, known)
    if by.to_leaves is None:
        return
    points = found.total(rng.normal(0, 100, (len(found.leaves), 3)))
    off = rng.normal(0, 50, (len(found), 3, 3)) * rng.choice([0.0, 1.0])  # out of order too
    errors = known.ahead if known.ahead is not None else np.zeros((len(found), 0, 3))
    plain, cut = (draws(found, by, points, LEVELS, off, errors, 21, SEED, non_negative=each) for each in (False, True))
    assert cut.min() >= 0
    for each in (plain, cut):
        assert np.isfinite(each).all()
        assert max(found.gap(each[:, :, n]) for n in range(21)) < 1e-9
        assert (np.diff(np.quantile(each, [0.05, 0.1, 0.5, 0.9], axis=2), axis=0) >= 0).all()


def test_leaves_keep_their_ranges_to_the_letter_when_they_are_added_up() -> None:
    each = drawn(PAIR, joint(-1.0), 5000)
    found = np.quantile(each[1:, 0], LEVELS, axis=1)
    assert found == pytest.approx(np.array([[90.0] * 2, [100.0] * 2, [120.0] * 2]), abs=0.3)


def test_what_fell_where_the_other_rose_does_so_again_and_what_rose_together_too() -> None:
    widths = [np.subtract(*np.quantile(drawn(PAIR, joint(sign))[0, 0], [0.9, 0.1])) for sign in (-1.0, 1.0)]
    assert widths[0] < 0.5 * widths[1]
    assert widths[1] == pytest.approx(60, abs=1)  # 90 + 90 to 120 + 120


def test_without_a_past_all_nodes_move_together_the_widest_that_a_sum_can_be() -> None:
    holes = joint(-1.0)
    holes[1] = np.nan
    for errors in (np.zeros((3, 0, 1)), holes):
        assert np.subtract(*np.quantile(drawn(PAIR, errors)[0, 0], [0.9, 0.1])) == pytest.approx(60, abs=1)


def test_steps_of_one_origin_stay_together() -> None:
    rise = np.arange(12.0)
    errors = np.stack([np.stack([rise, rise[::-1]], axis=1)] * 3)
    each = drawn(PAIR, errors)[1]
    assert np.corrcoef(each)[0, 1] < -0.8


FINGERPRINT = """
import hashlib
import numpy as np
from forecasting.engine.coherent import draws
from forecasting.engine.hierarchy import tree
from forecasting.engine.reconcile import Evidence, reconciler
found = tree(["all", "a", "b"], [None, "all", "all"])
errors = np.sin(np.arange(3 * 8 * 2.0)).reshape(3, 8, 2)
off = np.broadcast_to(np.array([-10.0, 0.0, 20.0]), (3, 2, 3))
by = reconciler(found, "mint_ahead", Evidence(ahead=errors))
each = draws(found, by, np.zeros((3, 2)), np.array([0.1, 0.5, 0.9]), off, errors, 300, np.random.SeedSequence(11))
told = hashlib.sha256(each.tobytes()).hexdigest()
"""


def test_the_same_seed_makes_the_same_bytes_in_another_process_too() -> None:
    here: dict[str, str] = {}
    exec(FINGERPRINT, here)
    command = [sys.executable, "-c", FINGERPRINT + "print(told)"]
    there = subprocess.run(command, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here["told"]


def test_another_seed_draws_otherwise() -> None:
    off = np.broadcast_to(np.array([-1.0, 0.0, 1.0]), (3, 1, 3))
    by = reconciler(PAIR, BOTTOM_UP, Evidence())
    one, other = (
        draws(PAIR, by, np.zeros((3, 1)), LEVELS, off, joint(1.0), 50, np.random.SeedSequence(n)) for n in (1, 2)
    )
    assert not np.array_equal(one, other)


def test_a_method_that_cannot_be_computed_draws_nothing() -> None:
    with pytest.raises(ValueError):
        drawn(PAIR, joint(1.0), method=MINT)


def test_quantiles_are_read_in_order_and_go_on_beyond_the_last_level() -> None:
    found = read(LEVELS, np.array([[20.0, -10.0, 0.0]]), np.array([[0.001, 0.1, 0.5, 0.9, 0.999]]))[0]
    assert found[1:4].tolist() == pytest.approx([-10, 0, 20])
    assert found[0] == pytest.approx(-10 * 3.0902 / 1.2816, rel=1e-3)
    assert found[4] == pytest.approx(20 * 3.0902 / 1.2816, rel=1e-3)
    assert read(np.array([0.5]), np.array([[7.0]]), np.array([[0.1, 0.9]])).tolist() == [[7, 7]]
    for wrong in (np.array([0.5, 0.1]), np.array([]), np.array([0.0, 0.5])):
        with pytest.raises(ValueError):
            read(wrong, np.zeros((1, len(wrong))), np.array([[0.5]]))


def test_how_far_nodes_may_be_off_is_taken_from_all_of_their_level_by_their_size() -> None:
    found = grouped([f"rep-{n}" for n in range(20)], {"all": ["x"] * 20})
    scale = np.append(20.0, np.arange(1.0, 21.0))
    rng = np.random.default_rng(12)
    errors = rng.normal(0, 1, (21, 30, 2)) * scale[:, None, None]
    errors[0] *= 3
    errors[:, :, 1] = np.nan
    scale[20] = np.nan
    off = off_by(found, errors, scale, LEVELS)
    assert off is not None
    assert off[0, 0, 2] == pytest.approx(1.28 * 60, rel=0.5)
    assert off[1:20, 0] / scale[1:20, None] == pytest.approx(np.tile([-1.28, 0, 1.28], (19, 1)), abs=0.25)
    assert np.array_equal(off[:, 0], off[:, 1])  # the second step was never reached
    assert (off[20] == 0).all()
    assert off_by(found, np.full((21, 2, 1), np.nan), scale, LEVELS) is None
