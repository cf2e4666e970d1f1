"""R34: conversion with a stated dated rate, or a refusal."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.currency import Rates, convert
from sfa.core.entities import Rate
from sfa.core.errors import Refused
from sfa.core.money import Rounding, rounded

UP = Rounding.HALF_UP


def rate(base: str, quote: str, text: str, valid_from: str) -> Rate:
    return Rate(base_currency=base, quote_currency=quote, rate=text, valid_from=valid_from)


JANUARY = rate("USD", "AUD", "1.39", "2026-01-01")
FEBRUARY = rate("USD", "AUD", "1.42", "2026-02-01")
DOLLARS = Rates([FEBRUARY, JANUARY])

rate_texts = st.decimals("0.000001", "999999", places=6).map(str)
amounts = st.integers(-(10**12), 10**12)


def refusal(amount: int, source: str, target: str, on: str, rates: Rates = DOLLARS) -> str:
    with pytest.raises(Refused) as refused:
        convert(amount, source, target, on, rates, UP)
    return refused.value.code


def test_a_deal_closed_on_the_eve_of_a_new_rate_keeps_the_old_one() -> None:
    """R34, worked example: 1,390 AUD are 1,000.00 USD on 31 January and 978.87 on 1 February."""
    assert convert(139_000, "AUD", "USD", "2026-01-31", DOLLARS, UP).amount_minor == 100_000
    assert convert(139_000, "AUD", "USD", "2026-02-01", DOLLARS, UP).amount_minor == 97_887


def test_the_answer_states_the_rate_its_day_and_its_direction() -> None:
    """R34"""
    there = convert(100_000, "USD", "AUD", "2026-01-15", DOLLARS, UP)
    assert (there.amount_minor, there.currency) == (139_000, "AUD")
    assert (there.stated.rate, there.stated.inverse) == (JANUARY, False)
    back = convert(100_000, "AUD", "USD", "2026-03-01", DOLLARS, UP)
    assert (back.stated.rate, back.stated.inverse) == (FEBRUARY, True)
    assert back.stated.factor == Fraction(100, 142)


def test_before_the_first_rate_and_for_an_unquoted_pair_nothing_is_converted() -> None:
    """R34: a missing rate refuses; it never means 1."""
    assert refusal(1, "AUD", "USD", "2025-12-31") == "rate_missing"
    assert refusal(0, "EUR", "USD", "2026-01-15") == "rate_missing"
    assert refusal(1, "USD", "AUD", "2026-01-15", Rates([])) == "rate_missing"


def test_a_rate_is_not_guessed_through_a_third_currency() -> None:
    rates = Rates([JANUARY, rate("USD", "EUR", "0.9", "2026-01-01")])
    assert refusal(1, "AUD", "EUR", "2026-01-15", rates) == "rate_missing"


@given(amounts, st.sampled_from(["USD", "JPY", "KWD"]))
def test_one_currency_converts_to_itself_without_any_rate(amount: int, currency: str) -> None:
    same = convert(amount, currency, currency, "1999-01-01", Rates([]), UP)
    assert (same.amount_minor, same.currency, same.stated.rate) == (amount, currency, None)


def test_minor_units_of_both_currencies_are_respected() -> None:
    """R33: 1.00 USD is 150 yen, and 1.000 dinar is 3.25 USD."""
    rates = Rates([rate("USD", "JPY", "150", "2026-01-01"), rate("KWD", "USD", "3.25", "2026-01-01")])
    assert convert(100, "USD", "JPY", "2026-01-01", rates, UP).amount_minor == 150
    assert convert(150, "JPY", "USD", "2026-01-01", rates, UP).amount_minor == 100
    assert convert(1_000, "KWD", "USD", "2026-01-01", rates, UP).amount_minor == 325


def test_of_both_directions_the_later_row_counts_and_of_one_day_the_direct_one() -> None:
    old = rate("USD", "EUR", "0.5", "2026-01-01")
    same_day = rate("EUR", "USD", "4", "2026-01-01")
    later = rate("EUR", "USD", "5", "2026-01-02")
    rates = Rates([old, same_day, later])
    assert convert(100, "USD", "EUR", "2026-01-01", rates, UP).amount_minor == 50
    assert convert(100, "EUR", "USD", "2026-01-01", rates, UP).amount_minor == 400
    assert convert(100, "USD", "EUR", "2026-01-02", rates, UP).amount_minor == 20


@given(amounts, rate_texts, st.sampled_from(list(Rounding)))
def test_a_conversion_rounds_the_exact_product_once(amount: int, text: str, rounding: Rounding) -> None:
    """R33"""
    rates = Rates([rate("EUR", "USD", text, "2026-01-01")])
    there = convert(amount, "EUR", "USD", "2026-06-01", rates, rounding)
    assert there.amount_minor == rounded(amount * Fraction(text), rounding)
    back = convert(amount, "USD", "EUR", "2026-06-01", rates, rounding)
    assert back.amount_minor == rounded(amount / Fraction(text), rounding)


@given(st.lists(st.integers(0, 27), min_size=1, unique=True), st.integers(0, 27))
def test_the_rate_of_a_day_is_the_latest_one_on_or_before_it(starts: list[int], day: int) -> None:
    """R34"""
    rates = Rates([rate("EUR", "USD", str(start + 1), f"2026-01-{start + 1:02}") for start in starts])
    earlier = [start for start in starts if start <= day]
    on = f"2026-01-{day + 1:02}"
    if earlier:
        assert convert(1, "EUR", "USD", on, rates, UP).amount_minor == max(earlier) + 1
    else:
        assert refusal(1, "EUR", "USD", on, rates) == "rate_missing"


def test_two_rates_for_one_pair_on_one_day_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        Rates([JANUARY, rate("USD", "AUD", "1.40", "2026-01-01")])
    assert refused.value.code == "field_invalid"


@pytest.mark.parametrize(
    ("base", "quote", "text", "valid_from", "code"),
    [
        ("USD", "AUD", "0", "2026-01-01", "field_invalid"),
        ("USD", "AUD", "0.00", "2026-01-01", "field_invalid"),
        ("USD", "AUD", "-1.4", "2026-01-01", "field_invalid"),
        ("USD", "AUD", "1e9", "2026-01-01", "field_invalid"),
        ("USD", "AUD", "1/3", "2026-01-01", "field_invalid"),
        ("USD", "AUD", "1.4", "2026-02-30", "field_invalid"),
        ("USD", "USD", "1", "2026-01-01", "field_invalid"),
        ("USD", "XYZ", "1.4", "2026-01-01", "currency_unknown"),
    ],
)
def test_a_rate_that_means_nothing_is_refused(base: str, quote: str, text: str, valid_from: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        Rates([rate(base, quote, text, valid_from)])
    assert refused.value.code == code


def test_an_unknown_currency_is_not_taken_for_a_missing_rate() -> None:
    assert refusal(1, "XYZ", "XYZ", "2026-01-01") == "currency_unknown"
