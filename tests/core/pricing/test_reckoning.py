"""R33, R35: what an offer comes to, by identities that hold of every offer, and by examples reckoned by hand."""

import time
from fractions import Fraction
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sfa.core.fields import MONEY_MAX
from sfa.core.money import MINOR_DIGITS, format_minor, parse_minor
from sfa.core.pricing import price
from sfa.core.pricing.values import Deposit, Discount, Due, Instalment, Line, Offer, Priced, Tax
from tests.core.pricing.offers import FREE, REDUCED, VAT, left_of, offers, replaced, rounded

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


# -- what holds of every offer ----------------------------------------------------------------------------------------


@given(offers())
def test_lines_sections_tax_groups_and_dues_agree_with_the_totals(offer: Offer) -> None:
    """R35: every identity that the values name."""
    found = price(offer)
    counting = [line for line in found.lines if line.counts]
    assert [line.key for line in found.lines] == [line.key for line in offer.lines]
    for line in found.lines:
        assert line.list_minor - line.discount_minor == line.amount_minor
        assert line.net_minor + line.tax_minor == line.total_minor
        base = line.amount_minor - line.header_discount_minor
        assert base == (line.total_minor if offer.tax_inclusive else line.net_minor)
        assert line.counts or line.header_discount_minor == 0
    assert found.subtotal_minor == sum(line.amount_minor for line in counting)
    assert found.subtotal_minor == sum(section.amount_minor for section in found.sections)
    assert found.discount_minor == sum(line.header_discount_minor for line in counting)
    assert found.after_minor == found.subtotal_minor - found.discount_minor
    assert found.after_minor == (found.total_minor if offer.tax_inclusive else found.net_minor)
    assert found.net_minor == sum(line.net_minor for line in counting) == sum(g.base_minor for g in found.taxes)
    assert found.tax_minor == sum(line.tax_minor for line in counting) == sum(g.tax_minor for g in found.taxes)
    assert found.total_minor == found.net_minor + found.tax_minor == sum(due.amount_minor for due in found.dues)
    by_key = {line.key: line for line in offer.lines}
    for group in found.taxes:
        tax = Tax(group.name, group.rate_bp) if group.name else None
        members = [line for line in counting if by_key[line.key].tax == tax]
        assert group.base_minor == sum(line.net_minor for line in members)
        assert group.tax_minor == sum(line.tax_minor for line in members)


@given(offers())
def test_nothing_is_further_than_a_unit_from_what_it_is_exactly(offer: Offer) -> None:
    """R33, R35: by fractions, and rounded by the decimal module."""
    found = price(offer)
    exact = {line.key: left_of(Fraction(line.quantity) * line.unit_price_minor, line.discounts) for line in offer.lines}
    counting = [line for line in found.lines if line.counts]
    for line in found.lines:
        if offer.rounding_per == "line" or not line.counts:
            assert line.amount_minor == rounded(exact[line.key], offer.rounding)
        assert abs(line.amount_minor - exact[line.key]) < 1
    if offer.rounding_per == "document":
        assert found.subtotal_minor == rounded(sum((exact[line.key] for line in counting), Fraction(0)), offer.rounding)
    subtotal = Fraction(found.subtotal_minor)
    assert found.after_minor == rounded(left_of(subtotal, offer.discounts), offer.rounding)
    for line in counting:
        fair = Fraction(found.discount_minor * line.amount_minor, subtotal or 1)
        assert abs(line.header_discount_minor - fair) < 1
        assert 0 <= abs(line.header_discount_minor) <= abs(line.amount_minor)
    by_key = {line.key: line for line in offer.lines}
    for line in found.lines:
        tax = by_key[line.key].tax
        rate = Fraction(tax.rate_bp if tax is not None else 0, 10_000)
        base = line.amount_minor - line.header_discount_minor
        fair_tax = base * rate / (1 + rate) if offer.tax_inclusive else base * rate
        assert abs(line.tax_minor - fair_tax) < 1
        if offer.rounding_per == "line" or not line.counts:
            assert line.tax_minor == rounded(fair_tax, offer.rounding)
    if offer.rounding_per == "document":
        for group in found.taxes:
            base = group.base_minor + (group.tax_minor if offer.tax_inclusive else 0)
            rate = Fraction(group.rate_bp, 10_000)
            fair_tax = base * rate / (1 + rate) if offer.tax_inclusive else base * rate
            assert group.tax_minor == rounded(fair_tax, offer.rounding)


@given(offers())
def test_a_discount_never_turns_into_a_surcharge(offer: Offer) -> None:
    """R35"""
    for line in price(offer).lines:
        sign = -1 if line.list_minor < 0 else 1
        assert 0 <= sign * line.discount_minor <= sign * line.list_minor


@given(offers(), st.randoms(use_true_random=False))
def test_neither_the_order_of_lines_nor_their_keys_change_a_total(offer: Offer, random: Random) -> None:
    """R35: and in another order, under the same keys, each line has the same amounts."""
    found = price(offer)
    shuffled = list(offer.lines)
    random.shuffle(shuffled)
    other = price(replaced(offer, {"lines": tuple(shuffled)}))
    assert sorted(other.lines, key=lambda line: line.key) == sorted(found.lines, key=lambda line: line.key)
    assert (totals(other), other.taxes, other.dues) == (totals(found), found.taxes, found.dues)
    assert sorted(other.sections, key=str) == sorted(found.sections, key=str)
    renamed = tuple(structs.replace(line, key=f"x{place}") for place, line in enumerate(shuffled))
    third = price(replaced(offer, {"lines": renamed}))
    assert (totals(third), third.taxes, third.dues) == (totals(found), found.taxes, found.dues)
    assert sorted(third.sections, key=str) == sorted(found.sections, key=str)


@given(
    st.integers(-(10**11), 10**11),
    st.integers(0, 30_000),
    st.sampled_from(("half_up", "half_even")),
    st.sampled_from(("line", "document")),
)
def test_prices_with_tax_round_trip(net: int, rate: int, rounding: str, per: str) -> None:
    """R35: shown with tax and taken apart again, a price is what it was; and the total is the price that was shown."""
    tax, how = Tax("VAT", rate), {"rounding": rounding, "rounding_per": per}
    shown = of(one(net, tax=tax), **how).total_minor
    back = of(one(shown, tax=tax), tax_inclusive=True, **how)
    assert (back.net_minor, back.total_minor) == (net, shown)


@given(offers(tax_inclusive=True, discounts=()))
def test_the_total_of_prices_with_tax_is_their_sum(offer: Offer) -> None:
    """R35"""
    found = price(offer)
    assert found.total_minor == found.subtotal_minor == sum(line.amount_minor for line in found.lines if line.counts)


@given(offers(discounts=(), deposit=None, instalments=()))
def test_a_credit_of_everything_takes_back_exactly_what_was_charged(offer: Offer) -> None:
    """R35: rounding is symmetric, by line to the cent of each."""
    plain = replaced(offer, {"lines": tuple(structs.replace(line, discounts=()) for line in offer.lines)})
    negated = tuple(structs.replace(line, unit_price_minor=-line.unit_price_minor) for line in plain.lines)
    charged, credited = price(plain), price(replaced(plain, {"lines": negated}))
    assert credited.subtotal_minor == -charged.subtotal_minor
    if offer.rounding_per == "line":
        assert totals(credited) == tuple(-amount for amount in totals(charged))


@given(offers())
def test_a_device_and_the_server_say_the_same_of_what_was_sent_between_them(offer: Offer) -> None:
    """R50: through JSON and back, the offer and what it comes to are the same; no figure is a float."""
    sent = msgspec.json.decode(msgspec.json.encode(offer), type=Offer)
    found = price(offer)
    assert price(sent) == found
    assert msgspec.json.decode(msgspec.json.encode(found), type=Priced) == found
    assert floats(msgspec.to_builtins(found)) == []


def floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [found for each in value.values() for found in floats(each)]
    if isinstance(value, list | tuple):
        return [found for each in value for found in floats(each)]
    return [value] if isinstance(value, float) else []


@given(st.sampled_from(sorted(MINOR_DIGITS)), offers())
def test_every_currency_prices_alike_in_its_minor_units(currency: str, offer: Offer) -> None:
    """R33"""
    found = price(offer)
    assert structs.replace(price(replaced(offer, {"currency": currency})), currency=offer.currency) == found


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
