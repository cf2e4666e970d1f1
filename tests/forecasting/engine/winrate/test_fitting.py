import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.values import Deals, as_known
from forecasting.engine.winrate import Model, NotComputable, chances, fit, from_bytes, to_bytes
from tests.forecasting.engine.strategies import FIRST, LAST, deals


@settings(max_examples=60, deadline=None)
@given(deals(), st.integers(FIRST - 10, LAST))
def test_whatever_the_past_the_answer_is_a_code_or_chances_that_are_probabilities(found: Deals, day: int) -> None:
    model = fit(found, day)
    if isinstance(model, NotComputable):
        assert model.code == "no_history"
        return
    known = as_known(found, day)
    said = chances(model, known, np.array([day, day + 30, day + 31, day + 400]))
    assert said.win.shape == said.lose.shape == (int(known.is_open.sum()), 3)
    assert np.isfinite(said.win).all()
    assert np.isfinite(said.amount).all()
    assert (said.win >= 0).all()
    assert (said.lose >= 0).all()
    assert (said.win.sum(1) + said.lose.sum(1) <= 1 + 1e-12).all()


@settings(max_examples=20, deadline=None)
@given(deals())
def test_a_model_is_the_same_bytes_each_time_and_says_the_same_after_a_round_trip(found: Deals) -> None:
    model, again = fit(found, LAST), fit(found, LAST)
    if not isinstance(model, Model) or not isinstance(again, Model):
        return
    assert to_bytes(model) == to_bytes(again) == to_bytes(from_bytes(to_bytes(model)))
    edges = np.array([LAST, LAST + 45, LAST + 90])
    assert (chances(model, found, edges).win == chances(from_bytes(to_bytes(model)), found, edges).win).all()
