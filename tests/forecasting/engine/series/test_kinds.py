import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine.series.kinds import (
    CONSTANT,
    GAPS_FILLED,
    INTERMITTENT,
    NO_HISTORY,
    REGULAR,
    STARTED_LATE,
    TOO_MANY_GAPS,
    TOO_SHORT,
    Known,
    kind_of,
    known,
)

NONE = math.nan


@pytest.mark.parametrize("values", [[], [NONE], [NONE, math.inf]])
def test_nothing_known_is_said(values: list[float]) -> None:
    assert known(values) == NO_HISTORY


def test_gaps_are_cut_at_both_ends_and_filled_between() -> None:
    found = known([NONE, 4, NONE, 8, 9, NONE, NONE])
    assert isinstance(found, Known)
    assert found.values.tolist() == [4, 6, 8, 9]
    assert (found.behind, found.notes) == (2, (GAPS_FILLED,))


def test_more_gaps_than_values_are_no_history() -> None:
    assert known([1, NONE, NONE, NONE, 2]) == TOO_MANY_GAPS
    assert isinstance(known([1, NONE, 2]), Known)


def test_a_product_begins_with_its_first_sale() -> None:
    found = known([0, 0, 0, 5, 6, 7])
    assert isinstance(found, Known)
    assert found.values.tolist() == [5, 6, 7]
    assert found.notes == (STARTED_LATE,)


def test_zeros_before_the_first_sale_of_an_intermittent_series_count() -> None:
    found = known([0, 0, 0, 5] * 4)
    assert isinstance(found, Known)
    assert len(found.values) == 16
    assert found.notes == ()


def test_each_kind_by_an_example() -> None:
    assert kind_of(np.zeros(30)) == CONSTANT
    assert kind_of(np.array([5.0])) == CONSTANT
    assert kind_of(np.arange(5.0)) == TOO_SHORT
    assert kind_of(np.tile([0.0, 0.0, 3.0], 6)) == INTERMITTENT
    assert kind_of(np.tile([0.0, 0.0, -3.0, 4.0], 6)) == REGULAR
    assert kind_of(np.arange(1.0, 20.0)) == REGULAR


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(NONE)), max_size=40))
def test_what_counts_has_no_gaps_and_ends_with_the_last_value(values: list[float]) -> None:
    found = known(values)
    if isinstance(found, Known):
        assert np.isfinite(found.values).all()
        assert found.values[-1] == values[len(values) - 1 - found.behind]
        assert len(found.values) + found.behind <= len(values)
