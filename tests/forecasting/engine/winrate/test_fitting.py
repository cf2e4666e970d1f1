import subprocess
import sys
from collections.abc import Callable
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.values import AMOUNT, EXPECTED, NEVER, STAGE, Changes, Deals, as_known
from forecasting.engine.winrate import Model, NotComputable, chances, fit, from_bytes, reasons, similar, to_bytes
from forecasting.engine.winrate.panel import pushes_before
from forecasting.engine.winrate.quarters import civil_quarters
from tests.forecasting.engine.strategies import FIRST, LAST, deals

DAY = LAST


def plain(spans: list[tuple[int, int, bool]], amount: float = 100.0, until: int = DAY) -> Deals:
    """Deals from (first day, last day or NEVER, won), all of one stage and amount."""
    count = len(spans)
    opened = np.array([span[0] for span in spans], dtype=np.int64)
    told = Changes(
        np.repeat(np.arange(count), 2),
        np.repeat(opened, 2),
        np.tile(np.array([STAGE, AMOUNT]), count),
        np.tile([0.0, amount], count),
    )
    return Deals(
        until=until,
        keys=tuple(f"deal-{n}" for n in range(count)),
        opened_on=opened,
        ended_on=np.array([span[1] for span in spans], dtype=np.int64),
        won=np.array([span[2] for span in spans], dtype=np.bool_),
        amount=np.full(count, amount),
        features={"owner": tuple("one" for _ in spans)},
        stages=("open",),
        changes=told,
    )


def steady(count: int = 120, seed: int = 3) -> Deals:
    """Deals that end after about forty days, half of them won, and ten that are open."""
    rng = np.random.default_rng(seed)
    opened = rng.integers(FIRST, LAST - 120, count)
    closed = [(int(o), int(o + rng.integers(10, 70)), bool(rng.random() < 0.5)) for o in opened]
    return plain(closed + [(LAST - 5 * n, NEVER, False) for n in range(1, 11)])


@cache
def learnt() -> Model:
    model = fit(steady(), DAY)
    assert isinstance(model, Model)
    return model


@settings(max_examples=40, deadline=None)
@given(deals(), st.integers(FIRST - 10, LAST))
def test_whatever_the_past_the_answer_is_a_code_or_chances_that_are_probabilities(found: Deals, day: int) -> None:
    model = fit(found, day)
    if isinstance(model, NotComputable):
        assert model.code == "no_history"
        return
    known = as_known(found, day)
    said = chances(model, known, np.array([day, day + 30, day + 31, day + 400]))
    assert said.win.shape == said.lose.shape == (int(known.is_open.sum()), 3)
    for column in (said.win, said.lose, said.amount, said.spread):
        assert np.isfinite(column).all()
        assert (column >= 0).all()
    assert (said.win.sum(1) + said.lose.sum(1) <= 1 + 1e-12).all()
    told = reasons(model, known, day + 90)
    assert len(told) == len(said.keys) == len(similar(model, known))
    assert all(0 <= reason.without <= 1 for of_deal in told for reason in of_deal)


@settings(max_examples=10, deadline=None)
@given(deals())
def test_a_model_is_the_same_bytes_each_time_and_says_the_same_after_a_round_trip(found: Deals) -> None:
    model, again = fit(found, LAST), fit(found, LAST)
    if not isinstance(model, Model) or not isinstance(again, Model):
        return
    assert to_bytes(model) == to_bytes(again) == to_bytes(from_bytes(to_bytes(model)))
    edges = np.array([LAST, LAST + 45, LAST + 90])
    assert (chances(model, found, edges).win == chances(from_bytes(to_bytes(model)), found, edges).win).all()


def test_another_process_learns_the_same_bytes() -> None:
    told = (
        "import sys; from tests.forecasting.engine.winrate.test_fitting import DAY, steady;"
        "from forecasting.engine.winrate import fit, to_bytes; sys.stdout.buffer.write(to_bytes(fit(steady(), DAY)))"
    )
    found = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True).stdout
    assert found == to_bytes(learnt())


@settings(max_examples=15, deadline=None)
@given(deals(), st.integers(30, 300))
def test_a_model_of_a_day_is_the_same_whatever_came_later(found: Deals, back: int) -> None:
    day = LAST - back
    one, other = fit(found, day), fit(as_known(found, day), day)
    if isinstance(one, NotComputable) or isinstance(other, NotComputable):
        assert one == other
        return
    assert to_bytes(one) == to_bytes(other)


@pytest.mark.parametrize("of", [lambda: plain([]), lambda: plain([(DAY - 9, NEVER, False)])])
def test_without_a_deal_that_ended_there_is_a_code_and_no_figure(of: Callable[[], Deals]) -> None:
    found = fit(of(), DAY)
    assert isinstance(found, NotComputable)
    assert found.code == "no_history"


def test_one_deal_that_ended_gives_a_figure_that_says_how_little_it_rests_on() -> None:
    found = plain([(DAY - 60, DAY - 20, True), (DAY - 10, NEVER, False)])
    model = fit(found, DAY)
    assert isinstance(model, Model)
    assert {"few", "one_outcome", "not_judged", "no_signal"} <= set(model.said)
    assert 0 < chances(model, found, np.array([DAY, DAY + 30])).win[0, 0] < 1


def test_where_all_were_won_losing_is_next_to_impossible_and_said_to_be_unseen() -> None:
    found = plain([(DAY - 300 + n, DAY - 260 + n, True) for n in range(80)] + [(DAY - 10, NEVER, False)])
    model = fit(found, DAY)
    assert isinstance(model, Model)
    assert "one_outcome" in model.said
    said = chances(model, found, np.array([DAY, DAY + 60]))
    assert said.win[0, 0] > 0.5
    assert said.lose[0, 0] < 0.05


def test_deals_that_ended_before_they_opened_are_left_out_and_said() -> None:
    right = steady()
    spans = [*zip(right.opened_on.tolist(), right.ended_on.tolist(), right.won.tolist(), strict=True)]
    wrong = plain([*spans, *((DAY - 50, DAY - 90, True) for _ in range(20))])
    model, other = fit(wrong, DAY), learnt()
    assert isinstance(model, Model)
    assert "dates_wrong" in model.said
    assert "dates_wrong" not in other.said
    edges = np.array([DAY, DAY + 30])
    assert np.allclose(chances(model, wrong, edges).win, chances(other, right, edges).win, rtol=1e-6)


@pytest.mark.parametrize("amount", [0.0, -50.0, float("nan")])
def test_amounts_that_are_no_amounts_change_no_chance_and_give_the_usual_one(amount: float) -> None:
    found = steady()
    bad = found.amount.copy()
    bad[-10:] = amount
    told = msgspec.structs.replace(found.changes, value=found.changes.value.copy())
    told.value[(told.kind == AMOUNT) & (told.deal >= len(found) - 10)] = amount
    without = msgspec.structs.replace(found, amount=bad, changes=told)
    model = fit(without, DAY)
    assert isinstance(model, Model)
    said = chances(model, without, np.array([DAY, DAY + 30]))
    assert np.allclose(said.amount, 100.0)


def test_a_deal_far_older_than_any_that_ended_has_nearly_no_chance() -> None:
    found = steady(400)
    old = plain(
        [*zip(found.opened_on.tolist(), found.ended_on.tolist(), found.won.tolist(), strict=True)]
        + [(FIRST + n, NEVER, False) for n in range(60)]
    )
    model = fit(old, DAY)
    assert isinstance(model, Model)
    said = chances(model, old, np.array([DAY, DAY + 90]))
    assert said.win[10:, 0].max() < 0.02
    assert said.win[:5, 0].min() > 0.2


def test_an_edge_that_is_not_the_last_known_day_is_refused() -> None:
    found, model = steady(), learnt()
    for edges in ([DAY + 1, DAY + 2], [DAY], [DAY, DAY], [DAY, DAY + 5, DAY + 3]):
        with pytest.raises(ValueError, match="edges"):
            chances(model, found, np.array(edges))


def test_chances_add_up_the_same_however_the_days_are_parted() -> None:
    found, model = steady(), learnt()
    whole = chances(model, found, np.array([DAY, DAY + 40]))
    parts = chances(model, found, np.arange(DAY, DAY + 41))
    assert np.allclose(whole.win[:, 0], parts.win.sum(1), atol=1e-12)
    assert np.allclose(whole.lose[:, 0], parts.lose.sum(1), atol=1e-12)


def test_quarters_of_the_company_are_used_and_go_on_beyond_the_given_ones() -> None:
    found = steady()
    given_quarters = civil_quarters(FIRST, LAST - 200) + 14
    model = fit(found, DAY, given_quarters)
    assert isinstance(model, Model)
    assert set(given_quarters.tolist()) <= set(model.quarters.tolist())
    assert model.quarters[-1] > DAY + 365
    assert (np.diff(model.quarters) > 80).all()


def test_an_expected_day_that_is_put_off_counts_as_a_push_and_one_brought_forward_does_not() -> None:
    found = plain([(DAY - 50, NEVER, False)])
    told = Changes(
        np.zeros(5, dtype=np.int64),
        np.array([DAY - 50, DAY - 40, DAY - 30, DAY - 20, DAY - 10]),
        np.array([STAGE, EXPECTED, EXPECTED, EXPECTED, EXPECTED]),
        np.array([0.0, DAY, DAY + 30, DAY + 10, DAY + 20]),
    )
    pushed = msgspec.structs.replace(found, changes=told)
    days = np.array([DAY - 40, DAY - 29, DAY - 15, DAY - 10, DAY + 1])
    assert pushes_before(pushed, np.zeros(5, dtype=np.int64), days).tolist() == [0, 1, 1, 1, 2]
