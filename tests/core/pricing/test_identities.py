"""R33, R35, R50: what holds of every offer, whatever is in it: held to fractions and to the decimal module."""

from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sfa.core.money import MINOR_DIGITS
from sfa.core.pricing import price
from sfa.core.pricing.values import Line, Offer, Priced, Tax
from tests.core.pricing.offers import left_of, offers, replaced, rounded


def totals(found: Priced) -> tuple[int, ...]:
    amounts = (found.subtotal_minor, found.discount_minor, found.after_minor)
    return (*amounts, found.net_minor, found.tax_minor, found.total_minor)


def one_line(minor: int, tax: Tax, **values: Any) -> Priced:
    return price(Offer(**({"currency": "EUR", "lines": (Line(key="a", unit_price_minor=minor, tax=tax),)} | values)))


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


def alike(found: Priced, lines: Sequence[Line]) -> list[tuple[object, ...]]:
    """What lines come to, without their names: keys decide only between those that are the same."""
    pairs = zip(found.lines, lines, strict=True)
    return sorted((line.amount_minor, line.header_discount_minor, line.tax_minor, str(of.tax)) for line, of in pairs)


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
    assert alike(third, renamed) == alike(found, offer.lines)
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
    shown = one_line(net, tax, **how).total_minor
    back = one_line(shown, tax, tax_inclusive=True, **how)
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
