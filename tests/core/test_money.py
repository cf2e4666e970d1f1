"""R16, R33, R35, R36: exact amounts, named rounding, fair shares, discounts, margins, text."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.core.fields import MONEY_MAX
from sfa.core.money import (
    MINOR_DIGITS,
    Money,
    Rounding,
    allocate,
    apply_bp,
    discounted,
    format_minor,
    margin_bp,
    markup_bp,
    minor_digits,
    parse_minor,
    ratio_bp,
    remaining_share,
    rounded,
    total,
)

UP, EVEN = Rounding.HALF_UP, Rounding.HALF_EVEN
amounts = st.integers(-MONEY_MAX, MONEY_MAX)
currencies = st.sampled_from(sorted(MINOR_DIGITS))
weight_lists = st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any)


def test_minor_units_follow_iso_4217() -> None:
    """R33"""
    assert [minor_digits(code) for code in ("EUR", "JPY", "KWD", "CLF", "USD")] == [2, 0, 3, 4, 2]


def test_an_unknown_currency_is_refused() -> None:
    for code in ("EUX", "eur", "", "EURO"):
        with pytest.raises(Refused) as refused:
            minor_digits(code)
        assert refused.value.code == "currency_unknown"


def test_halves_round_as_the_method_says_and_alike_below_zero() -> None:
    """R35"""
    halves = [Fraction(n, 2) for n in (1, 3, 5, -1, -3, -5)]
    assert [rounded(half, UP) for half in halves] == [1, 2, 3, -1, -2, -3]
    assert [rounded(half, EVEN) for half in halves] == [0, 2, 2, 0, -2, -2]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4))
def test_rounding_agrees_with_the_decimal_module(value: Decimal) -> None:
    """R33"""
    for ours, theirs in ((UP, ROUND_HALF_UP), (EVEN, ROUND_HALF_EVEN)):
        assert rounded(value, ours) == int(value.quantize(Decimal(1), theirs))


def test_a_float_never_becomes_money() -> None:
    """R33"""
    for use in (lambda: rounded(0.5, UP), lambda: allocate(100, [0.5, 0.5])):  # type: ignore[arg-type, list-item]
        with pytest.raises(TypeError, match="float"):
            use()


def test_a_hundred_in_three_equal_shares_loses_no_cent() -> None:
    """R16, worked example"""
    assert allocate(10_000, [1, 1, 1]) == [3334, 3333, 3333]
    assert allocate(-10_000, [1, 1, 1]) == [-3334, -3333, -3333]


def test_the_largest_remainder_gets_the_cent_and_a_tie_goes_to_the_earlier_share() -> None:
    assert allocate(10, [Fraction(1, 4), Fraction(1, 4), Fraction(1, 2)]) == [3, 2, 5]
    assert allocate(100, [Decimal("33.3"), Decimal("33.4"), Decimal("33.3")]) == [33, 34, 33]


@given(amounts, weight_lists)
def test_shares_sum_exactly_and_lie_within_a_minor_unit_of_the_exact_share(amount: int, weights: list[int]) -> None:
    """R8, R16, R35"""
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    assert parts == [-part for part in allocate(-amount, weights)]
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(amount * weight, sum(weights))) < 1
        assert weight or part == 0


@given(st.integers(0, MONEY_MAX), weight_lists, st.integers(1, 1000))
def test_shares_depend_on_proportions_only_and_more_weight_never_gets_less(
    amount: int, weights: list[int], factor: int
) -> None:
    parts = allocate(amount, weights)
    assert parts == allocate(amount, [Fraction(weight, factor) for weight in weights])
    ordered = sorted(zip(weights, parts, strict=True))
    assert all(low[1] <= high[1] for low, high in pairwise(ordered) if low[0] < high[0])


def test_nothing_can_be_shared_by_no_weights_only_zeros_or_negative_ones() -> None:
    for weights in ([], [0, 0], [2, -1]):
        with pytest.raises(Refused) as refused:
            allocate(100, weights)
        assert refused.value.code == "amount_invalid"


def test_a_share_in_basis_points_rounds_once() -> None:
    assert apply_bp(199, 2_500, UP) == 50
    assert apply_bp(1_000_000, 1, UP) == 100
    assert (apply_bp(50, 100, UP), apply_bp(50, 100, EVEN)) == (1, 0)


def test_ten_and_five_percent_make_fourteen_and_a_half() -> None:
    """R35, worked example: stacked discounts multiply."""
    assert 1 - remaining_share([1_000, 500]) == Fraction(145, 1_000)
    assert discounted(10_000, [1_000, 500], UP) == 8_550


@given(amounts, st.lists(st.integers(0, 10_000), max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_percentages_never_changes_a_price(amount: int, discounts: list[int], random: Random) -> None:
    """R35"""
    shuffled = random.sample(discounts, len(discounts))
    price = discounted(amount, discounts, EVEN)
    assert price == discounted(amount, shuffled, EVEN)
    assert abs(price) <= abs(amount)


def test_a_discount_above_the_whole_or_below_nothing_is_refused() -> None:
    for discount in (10_001, -1):
        with pytest.raises(Refused) as refused:
            remaining_share([discount])
        assert refused.value.code == "amount_invalid"


def test_margin_divides_by_price_and_markup_by_cost() -> None:
    """R36, worked example: pocket 80, goods 50 -> margin 37.5 %."""
    assert margin_bp(80, 50) == 3_750
    assert markup_bp(80, 50) == 6_000
    assert margin_bp(50, 80) == -6_000


def test_a_ratio_to_zero_is_not_computable_rather_than_zero_or_infinite() -> None:
    """R7, R36"""
    assert margin_bp(0, 50) is None
    assert markup_bp(80, 0) is None
    assert ratio_bp(1, 0) is None
    assert ratio_bp(0, 5) == 0


def test_amounts_of_one_currency_add_and_those_of_two_are_refused() -> None:
    """R34"""
    euros = [Money(1_050, "EUR"), Money(-50, "EUR")]
    assert total(euros, "EUR") == Money(1_000, "EUR")
    assert euros[0] - euros[1] == Money(1_100, "EUR")
    assert total([], "JPY") == Money(0, "JPY")
    with pytest.raises(Refused) as refused:
        total([*euros, Money(1, "USD")], "EUR")
    assert refused.value.code == "rate_missing"


@given(amounts, currencies)
def test_text_and_minor_units_are_the_same_amount(amount: int, currency: str) -> None:
    """R33"""
    text = format_minor(amount, currency)
    assert parse_minor(text, currency) == amount
    assert Fraction(text) == Fraction(amount, 10 ** minor_digits(currency))


def test_text_shows_all_decimals_of_the_currency() -> None:
    shown = [format_minor(5, "EUR"), format_minor(-5, "KWD"), format_minor(-5, "JPY"), format_minor(0, "EUR")]
    assert shown == ["0.05", "-0.005", "-5", "0.00"]
    assert str(Money(123_456, "EUR")) == "1234.56 EUR"


def test_fewer_decimals_than_the_currency_has_are_understood() -> None:
    assert [parse_minor(text, "EUR") for text in ("7", "7.5", "+7.50", "-0.01", "007")] == [
        700,
        750,
        750,
        -1,
        700,
    ]


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1.005", "EUR"),
        ("1.000", "EUR"),
        ("1.0", "JPY"),
        ("1,50", "EUR"),
        ("1 000", "EUR"),
        ("", "EUR"),
        (".5", "EUR"),
        ("5.", "EUR"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("٣", "EUR"),
        ("1.50\n", "EUR"),
        ("10000000000000.01", "EUR"),
        ("9" * 5_000, "EUR"),
    ],
)
def test_text_that_could_be_misread_is_refused(text: str, currency: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_minor(text, currency)
    assert refused.value.code == "amount_invalid"
    assert len(str(refused.value.details)) < 200


def test_the_largest_amount_is_still_an_amount() -> None:
    assert parse_minor(format_minor(MONEY_MAX, "EUR"), "EUR") == MONEY_MAX
