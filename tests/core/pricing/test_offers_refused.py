"""What cannot be priced is refused, with a stable reason and the place; it is never capped, guessed or overflown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sfa.core.errors import Refused
from sfa.core.fields import MONEY_MAX
from sfa.core.pricing import price
from sfa.core.pricing.checking import DISCOUNTS_MAX, INSTALMENTS_MAX, LINES_MAX, REASONS
from sfa.core.pricing.values import Deposit, Discount, Instalment, Line, Offer, Tax
from tests.core.pricing.offers import offers, replaced

A = Line(key="a", unit_price_minor=10_000)
OFF = Discount(amount_minor=10_001)
MANY = (Discount(share_bp=1),) * (DISCOUNTS_MAX + 1)
FREE_QUANTITY = structs.replace(A, quantity="2", quantity_min="1", quantity_max="3")
HUGE = structs.replace(A, unit_price_minor=MONEY_MAX)
BELOW_ZERO = structs.replace(A, unit_price_minor=-100)


def a(**values: Any) -> dict[str, Any]:
    return {"lines": (structs.replace(A, **values),)}


def two(**values: Any) -> dict[str, Any]:
    return {"lines": (structs.replace(A, **values), structs.replace(A, **{"key": "b"} | values))}


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "two lines of one key": ("key_twice", "lines[1]", two(key="a")),
    "a key with a blank": ("value", "lines[0].key", a(key="a b")),
    "a quantity below zero": ("value", "lines[0].quantity", a(quantity="-1")),
    "a quantity in words": ("value", "lines[0].quantity", a(quantity="1e3")),
    "a price beyond the limit": ("value", "lines[0].unit_price_minor", a(unit_price_minor=MONEY_MAX + 1)),
    "a price beyond 64 bits": ("value", "lines[0].unit_price_minor", a(unit_price_minor=1 << 70)),
    "a float": ("value", "lines[0].unit_price_minor", a(unit_price_minor=1.5)),
    "text for a number": ("value", "lines[0].unit_price_minor", a(unit_price_minor="15")),
    "yes for a number": ("value", "lines[0].unit_price_minor", a(unit_price_minor=True)),
    "a share over 100 %": ("value", "lines[0].discounts[0].share_bp", a(discounts=(Discount(share_bp=10_001),))),
    "a discount that adds": ("value", "discounts[0].amount_minor", {"discounts": (Discount(amount_minor=-1),)}),
    "a tax below zero": ("value", "lines[0].tax.rate_bp", a(tax=Tax("VAT", -1))),
    "a tax without a name": ("value", "lines[0].tax.name", a(tax=Tax("", 1))),
    "a rounding nobody knows": ("value", "rounding", {"rounding": "half_down"}),
    "rounding per group": ("value", "rounding_per", {"rounding_per": "group"}),
    "a payment before acceptance": ("value", "instalments[0].due_days", {"instalments": (Instalment(10_000, -1),)}),
    "more discounts than can be read": ("too_many", "lines[0].discounts", a(discounts=MANY)),
    "more in the header": ("too_many", "discounts", {"discounts": MANY}),
    "more instalments": ("too_many", "instalments", {"instalments": (Instalment(0),) * (INSTALMENTS_MAX + 1)}),
    "one line too large": ("too_large", "lines", {"lines": (structs.replace(HUGE, quantity="1.0001"),)}),
    "lines too large together": ("too_large", "lines", {"lines": (HUGE, structs.replace(A, key="b"))}),
    "large ones that cancel out": (
        "too_large",
        "lines",
        {"lines": (HUGE, structs.replace(HUGE, key="b", unit_price_minor=-MONEY_MAX))},
    ),
    "too large with tax": ("too_large", "lines", {"lines": (structs.replace(HUGE, tax=Tax("VAT", 1)),)}),
    "a large option that is not chosen": (
        "too_large",
        "lines",
        {"lines": (A, structs.replace(HUGE, key="b", quantity="9", optional=True, chosen=False))},
    ),
    "share and amount": ("discount_unclear", "discounts[0]", {"discounts": (Discount(1, 1),)}),
    "neither": ("discount_unclear", "lines[0].discounts[0]", a(discounts=(Discount(),))),
    "more than the line": ("discount_too_large", "lines[0].discounts[0]", a(discounts=(OFF,))),
    "more than what is left of it": (
        "discount_too_large",
        "lines[0].discounts[1]",
        a(discounts=(Discount(share_bp=1), Discount(amount_minor=10_000))),
    ),
    "off a credit": ("discount_too_large", "lines[0].discounts[0]", a(unit_price_minor=-5, discounts=(OFF,))),
    "off nothing": ("discount_too_large", "lines[0].discounts[0]", a(quantity="0", discounts=(OFF,))),
    "more than the subtotal": ("discount_too_large", "discounts[0]", {"discounts": (OFF,)}),
    "more than the subtotal less its credit": (
        "discount_too_large",
        "discounts[0]",
        {"lines": (A, structs.replace(BELOW_ZERO, key="b")), "discounts": (Discount(amount_minor=9_901),)},
    ),
    "more than the least the buyer may choose": (
        "discount_too_large",
        "lines[0].discounts[0]",
        {"lines": (structs.replace(FREE_QUANTITY, discounts=(OFF,)),)},
    ),
    "a group without a choice": ("group_choice", "lines[0].group", two(group="g", chosen=False)),
    "a group with two": ("group_choice", "lines[0].group", two(group="g")),
    "one of a group, and optional": ("group_optional", "lines[0]", a(group="g", optional=True)),
    "a quantity below its least": ("quantity_limits", "lines[0].quantity", a(quantity_min="2")),
    "above its most": ("quantity_limits", "lines[0].quantity", a(quantity="3", quantity_max="2")),
    "between steps": ("quantity_limits", "lines[0].quantity", a(quantity="1.5", quantity_min="1")),
    "least above most": ("quantity_limits", "lines[0].quantity", a(quantity_min="3", quantity_max="1")),
    "no step at all": ("quantity_limits", "lines[0].quantity", a(quantity_max="3", quantity_step="0")),
    "any number of credits": ("quantity_limits", "lines[0].quantity", a(unit_price_minor=-1, quantity_min="1")),
    "a deposit of both kinds": ("deposit_unclear", "deposit", {"deposit": Deposit(1, 1)}),
    "a deposit of no kind": ("deposit_unclear", "deposit", {"deposit": Deposit()}),
    "a deposit over the total": ("deposit_too_large", "deposit", {"deposit": Deposit(amount_minor=10_001)}),
    "a deposit on a credit": (
        "deposit_too_large",
        "deposit",
        {"lines": (BELOW_ZERO,), "deposit": Deposit(amount_minor=1)},
    ),
    "99.99 % in parts": ("instalments_total", "instalments", {"instalments": (Instalment(3_333),) * 3}),
    "parts over 100 %": ("instalments_total", "instalments", {"instalments": (Instalment(5_001),) * 2}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_priced_is_refused_with_its_reason_and_place(name: str) -> None:
    """R33, R35"""
    reason, place, values = CASES[name]
    with pytest.raises(Refused) as refused:
        price(replaced(Offer(currency="EUR", lines=(A,)), values))
    details = refused.value.details
    assert (refused.value.code, details["reason"], details["place"]) == ("offer_invalid", reason, place)


def test_every_reason_is_met() -> None:
    assert {reason for reason, _, _ in CASES.values()} == REASONS.keys()


def test_a_refused_line_is_named_by_its_key() -> None:
    with pytest.raises(Refused) as refused:
        price(Offer(currency="EUR", lines=(A, structs.replace(A, key="b", discounts=(OFF,)))))
    assert refused.value.details["line"] == "b"


def test_more_lines_than_the_limit_are_refused_before_any_is_looked_at() -> None:
    with pytest.raises(Refused) as refused:
        price(Offer(currency="EUR", lines=(A,) * (LINES_MAX + 1)))
    assert (refused.value.details["reason"], refused.value.details["place"]) == ("too_many", "lines")


def test_a_currency_that_nobody_knows_is_refused() -> None:
    """R33"""
    with pytest.raises(Refused) as refused:
        price(Offer(currency="EUX", lines=(A,)))
    assert refused.value.code == "currency_unknown"


@given(offers(), st.integers(1, 10**9))
def test_a_discount_of_all_that_is_left_is_taken_and_of_one_unit_more_is_refused(offer: Offer, more: int) -> None:
    """R35: never capped."""
    found = price(replaced(offer, {"discounts": (), "deposit": None}))
    all_of_it = Discount(amount_minor=max(found.subtotal_minor, 0))
    if found.subtotal_minor >= 0:
        gone = price(replaced(offer, {"discounts": (all_of_it,), "deposit": None}))
        assert (gone.after_minor, gone.total_minor) == (0, 0)
    beyond = Discount(amount_minor=(all_of_it.amount_minor or 0) + more)
    with pytest.raises(Refused) as refused:
        price(replaced(offer, {"discounts": (beyond,), "deposit": None}))
    assert refused.value.details["reason"] == "discount_too_large"
