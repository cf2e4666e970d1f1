"""R33, R35: what an offer comes to, by identities that hold of every offer, and by examples reckoned by hand."""

import time
from fractions import Fraction
from typing import Any

import pytest

from sfa.core.fields import MONEY_MAX
from sfa.core.money import format_minor, margin_bp, markup_bp, parse_minor
from sfa.core.pricing import price
from sfa.core.pricing.values import (
    Deposit,
    Discount,
    Due,
    Instalment,
    Line,
    Offer,
    Priced,
    PricedLine,
    SectionSum,
    Tax,
    TaxGroup,
)
from tests.core.pricing.offers import FREE, REDUCED, VAT, rounded

PER = pytest.mark.parametrize("per", ["line", "document"])


def share(bp: int) -> Discount:
    return Discount(share_bp=bp)


def off(minor: int) -> Discount:
    return Discount(amount_minor=minor)


def of(*lines: Line, **values: Any) -> Priced:
    return price(Offer(**({"currency": "EUR", "lines": lines} | values)))


def one(minor: int, key: str = "a", **values: Any) -> Line:
    return Line(key=key, unit_price_minor=minor, **values)


def totals(found: Priced) -> tuple[int, ...]:
    return (
        found.subtotal_minor,
        found.discount_minor,
        found.after_minor,
        found.net_minor,
        found.tax_minor,
        found.total_minor,
    )


# -- examples ---------------------------------------------------------------------------------------------------------


@PER
def test_three_at_45_less_60_are_75_and_with_21_percent_90_75(per: str) -> None:
    """R35: the worked example."""
    found = of(one(4_500, quantity="3", discounts=(off(6_000),), tax=VAT), rounding_per=per)
    assert (found.lines[0].list_minor, found.lines[0].discount_minor, found.lines[0].amount_minor) == (
        13_500,
        6_000,
        7_500,
    )
    assert (found.net_minor, found.tax_minor, found.total_minor) == (7_500, 1_575, 9_075)


@PER
def test_10_percent_and_then_5_percent_are_14_5_percent(per: str) -> None:
    """R35: stacked discounts multiply, at the line and in the header."""
    found = of(one(10_000, discounts=(share(1_000), share(500))), rounding_per=per)
    assert (found.lines[0].discount_minor, found.total_minor) == (1_450, 8_550)
    assert of(one(10_000), discounts=(share(1_000), share(500)), rounding_per=per).discount_minor == 1_450


def test_fixed_discounts_come_off_in_the_order_declared() -> None:
    """R35"""
    assert of(one(10_000, discounts=(off(1_000), share(1_000)))).total_minor == 8_100
    assert of(one(10_000, discounts=(share(1_000), off(1_000)))).total_minor == 8_000
    assert of(one(10_000), discounts=(off(1_000), share(1_000))).total_minor == 8_100


def test_the_odd_cent_of_a_header_discount_reaches_exactly_one_line_and_its_tax_group() -> None:
    """R35: lines, tax groups and total agree."""
    found = of(one(100, tax=VAT), one(100, "b", tax=REDUCED), one(100, "c", tax=REDUCED), discounts=(off(100),))
    assert [line.header_discount_minor for line in found.lines] == [33, 34, 33]
    assert [(group.rate_bp, group.base_minor, group.tax_minor) for group in found.taxes] == [
        (2_100, 67, 14),
        (700, 133, 10),
    ]
    assert found.total_minor == 67 + 14 + 133 + 10


def test_each_line_is_rounded_or_their_sum_once() -> None:
    """R35: the method is the document's."""
    lines = [one(25, key, quantity="0.1", tax=Tax("VAT", 1_000)) for key in "abcd"]  # 2.5 each
    each, whole = of(*lines), of(*lines, rounding_per="document")
    assert ([line.amount_minor for line in each.lines], each.subtotal_minor) == ([3, 3, 3, 3], 12)
    assert ([line.amount_minor for line in whole.lines], whole.subtotal_minor) == ([3, 3, 2, 2], 10)
    assert (each.tax_minor, whole.tax_minor) == (0, 1)  # 0.3 four times, and 1.0 once
    assert of(*lines, rounding="half_even").subtotal_minor == 8
    assert of(*lines[:1], rounding="half_even", rounding_per="document").subtotal_minor == 2


@pytest.mark.parametrize("keys", ["ab", "ba"])
def test_of_two_halves_the_larger_line_is_rounded_up_whatever_it_is_called(keys: str) -> None:
    """R35: 1.5 and 2.5 are 4."""
    lines = (one(15, keys[0], quantity="0.1"), one(25, keys[1], quantity="0.1"))
    assert [line.amount_minor for line in of(*lines, rounding_per="document").lines] == [1, 3]


def test_a_line_without_discount_shows_none_though_its_cent_went_to_another() -> None:
    """R35"""
    found = of(*(one(5, key, quantity="0.1") for key in "abc"), rounding_per="document")
    assert [(line.list_minor, line.discount_minor, line.amount_minor) for line in found.lines] == [
        (1, 0, 1),
        (1, 0, 1),
        (0, 0, 0),
    ]


def test_tax_is_on_the_discounted_base() -> None:
    """R35"""
    found = of(one(10_000, discounts=(share(5_000),), tax=VAT), discounts=(share(1_000),))
    assert (found.net_minor, found.tax_minor) == (4_500, 945)


def test_a_price_that_includes_tax_is_the_total() -> None:
    """R35"""
    found = of(one(12_100, tax=VAT), one(500, "b"), tax_inclusive=True)
    assert (found.net_minor, found.tax_minor, found.total_minor) == (10_500, 2_100, 12_600)
    assert [(group.name, group.base_minor, group.tax_minor) for group in found.taxes] == [
        ("VAT", 10_000, 2_100),
        ("", 500, 0),
    ]


def test_lines_of_one_name_and_rate_are_one_tax_group_and_those_without_tax_are_the_last() -> None:
    lines = (one(100, "a", tax=FREE), one(100, "b"), one(100, "c", tax=REDUCED), one(100, "d", tax=VAT))
    found = of(*lines, one(50, "e", tax=Tax("VAT", 2_100)))
    assert [(group.name, group.rate_bp, group.base_minor) for group in found.taxes] == [
        ("VAT", 2_100, 150),
        ("VAT", 700, 100),
        ("Exempt", 0, 100),
        ("", 0, 100),
    ]


def test_a_credit_line_takes_off_and_gives_back_its_share_of_the_header_discount() -> None:
    found = of(one(10_000, tax=VAT), one(-2_000, "b", tax=VAT), discounts=(share(1_000),))
    assert [line.header_discount_minor for line in found.lines] == [1_000, -200]
    assert (found.subtotal_minor, found.net_minor, found.tax_minor) == (8_000, 7_200, 1_512)
    assert of(one(-2_000, tax=VAT)).total_minor == -2_420


def test_a_whole_discount_leaves_nothing_to_tax_and_nothing_due() -> None:
    found = of(one(10_000, tax=VAT), one(5_000, "b", discounts=(share(10_000),)), discounts=(share(10_000),))
    assert totals(found) == (10_000, 10_000, 0, 0, 0, 0)
    assert found.dues == (Due("balance", 0, 0, ""),)


def test_an_offer_of_nothing_comes_to_nothing() -> None:
    found = of()
    assert (totals(found), found.sections, found.taxes) == ((0,) * 6, (), ())


def test_what_is_optional_and_not_chosen_says_its_own_amounts_and_adds_to_nothing() -> None:
    lines = (one(100), one(1_000, "b", optional=True, chosen=False, tax=VAT, section="s"))
    found = of(*lines, discounts=(share(1_000),))
    option = found.lines[1]
    assert not option.counts
    assert (option.header_discount_minor, option.net_minor, option.tax_minor, option.total_minor) == (
        0,
        1_000,
        210,
        1_210,
    )
    assert found.total_minor == 90
    assert [(s.section, s.amount_minor) for s in found.sections] == [(None, 100), ("s", 0)]


def test_sections_come_as_lines_name_them_and_those_without_one_first() -> None:
    found = of(one(1, "a", section="y"), one(2, "b", section="x"), one(4, "c"), one(8, "d", section="y"))
    assert [(s.section, s.amount_minor) for s in found.sections] == [(None, 4), ("y", 9), ("x", 2)]


def test_a_deposit_and_three_equal_parts_are_the_total() -> None:
    """R35: 100.00 in three equal shares, after a deposit."""
    plan = tuple(Instalment(bp, days, text) for bp, days, text in ((3_334, 0, "x"), (3_333, 30, ""), (3_333, 60, "")))
    found = of(one(12_500), deposit=Deposit(share_bp=2_000), instalments=plan)
    assert found.dues == (
        Due("deposit", 2_500, 0, ""),
        Due("instalment", 3_334, 0, "x"),
        Due("instalment", 3_333, 30, ""),
        Due("instalment", 3_333, 60, ""),
    )


def test_what_no_plan_speaks_of_is_the_balance() -> None:
    assert of(one(100)).dues == (Due("balance", 100, 0, ""),)
    assert of(one(100), deposit=Deposit(amount_minor=30)).dues == (
        Due("deposit", 30, 0, ""),
        Due("balance", 70, 0, ""),
    )
    assert of(one(100), deposit=Deposit(share_bp=10_000)).dues == (Due("deposit", 100, 0, ""),)


@pytest.mark.parametrize(("currency", "text"), [("JPY", "91"), ("KWD", "0.091"), ("CLF", "0.0091"), ("EUR", "0.91")])
def test_amounts_are_of_the_currency_s_own_minor_unit(currency: str, text: str) -> None:
    """R33"""
    found = of(one(75, tax=VAT), currency=currency)
    assert format_minor(found.total_minor, currency) == text
    assert parse_minor(text, currency) == found.total_minor


# -- size -------------------------------------------------------------------------------------------------------------


def long(count: int) -> Offer:
    lines = tuple(
        Line(
            key=f"k{place}",
            section=f"s{place % 20}",
            quantity=f"{place % 9}.{place % 97}",
            unit_price_minor=1_999 + place % 501,
            discounts=(share(1_250), off(0), share(333)),
            tax=(VAT, REDUCED, None)[place % 3],
        )
        for place in range(count)
    )
    return Offer(currency="EUR", lines=lines, discounts=(share(777), off(123)), rounding_per="document")


def test_ten_thousand_lines_are_priced_in_time_that_grows_with_them() -> None:
    def cpu(offer: Offer) -> float:
        start = time.process_time()
        price(offer)
        return time.process_time() - start

    few, many = long(1_000), long(10_000)
    small = min(cpu(few) for _ in range(3))
    large = min(cpu(many) for _ in range(2))
    assert large < 25 * small, f"{small:.3f} s for 1,000 lines, {large:.3f} s for 10,000"
    assert large < 2.0


def test_the_largest_amounts_are_kept_to_the_unit() -> None:
    """R33"""
    found = of(one(MONEY_MAX))
    assert found.total_minor == MONEY_MAX
    assert of(one(MONEY_MAX - 1, discounts=(share(1),))).total_minor == rounded(
        Fraction((MONEY_MAX - 1) * 9_999, 10_000), "half_up"
    )


# -- what pricing leaves to others ------------------------------------------------------------------------------------


def test_margin_and_markup_are_of_what_is_left_without_tax_and_not_computable_of_nothing() -> None:
    """R36: margin is profit over price, markup profit over cost; after every discount, the header's too."""
    sold = of(one(12_100, tax=VAT), discounts=(share(2_000),), tax_inclusive=True).lines[0].net_minor
    assert (sold, margin_bp(sold, 6_000), markup_bp(sold, 6_000)) == (8_000, 2_500, 3_333)
    given = of(one(10_000, discounts=(share(10_000),))).lines[0].net_minor
    assert (margin_bp(given, 6_000), markup_bp(sold, 0)) == (None, None)


def test_no_value_of_pricing_has_a_place_for_cost_or_margin() -> None:
    """R45: nothing made of it can tell one."""
    kinds = (Offer, Line, Discount, Tax, Deposit, Instalment, Priced, PricedLine, TaxGroup, SectionSum, Due)
    fields = {field for kind in kinds for field in kind.__struct_fields__}
    assert [field for field in fields if any(word in field for word in ("cost", "margin", "profit", "markup"))] == []
