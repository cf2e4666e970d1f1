"""Attribution: weights of every model sum to exactly one, and shared amounts to the amount."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.profit.company.attribution import MODELS, SCALE, WEEK_MS, Touch, by_campaign, influence, weights, within

AT = 100 * WEEK_MS
TOUCHES = st.lists(
    st.builds(Touch, st.integers(0, AT), st.text("abc", min_size=1, max_size=3), st.sampled_from("xyz")),
    min_size=1,
    max_size=12,
).map(sorted)


def touches(*weeks: int) -> list[Touch]:
    return sorted(Touch(AT - week * WEEK_MS, f"t{week}", f"c{week}") for week in weeks)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("first", [1_000_000, 0, 0, 0]),
        ("last", [0, 0, 0, 1_000_000]),
        ("linear", [250_000] * 4),
        ("position", [400_000, 100_000, 100_000, 400_000]),
        ("decay", [66_667, 133_333, 266_667, 533_333]),
    ],
)
def test_four_touches_a_week_apart(model: str, expected: list[int]) -> None:
    assert weights(model, touches(0, 1, 2, 3), AT) == expected


def test_two_touches_by_position_have_half_each() -> None:
    assert weights("position", touches(0, 1), AT) == [500_000, 500_000]


@given(st.sampled_from(MODELS), TOUCHES)
def test_weights_sum_to_exactly_one(model: str, of: list[Touch]) -> None:
    found = weights(model, of, AT)
    assert len(found) == len(of)
    assert sum(found) == SCALE
    assert min(found) >= 0
    assert sum(influence(of, found).values()) == SCALE


@given(st.sampled_from(MODELS), TOUCHES, st.integers(-(10**15), 10**15))
def test_an_amount_is_shared_to_the_minor_unit(model: str, of: list[Touch], amount: int) -> None:
    assert sum(by_campaign(amount, of, weights(model, of, AT)).values()) == amount


def test_touches_after_the_credit_or_too_long_before_it_do_not_count() -> None:
    of = [Touch(at, str(n), "x") for n, at in enumerate((AT - 8 * 86_400_000, AT - 7 * 86_400_000, AT, AT + 1))]
    assert [touch.key for touch in within(of, AT, 7)] == ["1", "2"]
    assert weights("linear", [], AT) == []
