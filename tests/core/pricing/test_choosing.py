"""What a buyer makes of an offer stays within it, and its price is that of what is chosen."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sfa.core.errors import Refused
from sfa.core.pricing import Choices, choose, price
from sfa.core.pricing.choosing import REASONS
from sfa.core.pricing.units import unit_prices
from sfa.core.pricing.values import Discount, Line, Offer, Priced
from tests.core.pricing.offers import VAT, offers, replaced

HOUSE = Offer(
    currency="EUR",
    lines=(
        Line(key="house", unit_price_minor=100_000),
        Line(key="wood", unit_price_minor=20_000, group="floor"),
        Line(key="stone", unit_price_minor=50_000, group="floor", chosen=False),
        Line(key="pool", unit_price_minor=30_000, optional=True, chosen=False),
        Line(key="doors", unit_price_minor=1_000, quantity="4", quantity_min="2", quantity_max="10", quantity_step="2"),
        Line(key="wire", unit_price_minor=100, quantity="1.5", quantity_max="9", quantity_step="0.5"),
    ),
)
PLAIN = 124_150


def total(lines: dict[str, bool] | None = None, quantities: dict[str, str] | None = None) -> int:
    return price(choose(HOUSE, Choices(lines or {}, quantities or {}))).total_minor


def test_the_offer_is_chosen_as_it_was_made_where_nothing_is_said() -> None:
    assert total() == PLAIN


def test_an_option_is_taken_or_left() -> None:
    assert total({"pool": True}) == PLAIN + 30_000
    assert total({"pool": False}) == PLAIN


def test_taking_one_of_a_group_leaves_the_other() -> None:
    assert total({"stone": True}) == PLAIN + 30_000
    assert total({"stone": True, "wood": False}) == PLAIN + 30_000
    assert total({"wood": True}) == PLAIN


def test_quantities_go_in_steps_within_their_limits() -> None:
    """Counted from the least; where none is said, from one step on."""
    assert total(quantities={"doors": "10", "wire": "0.50"}) == PLAIN + 6_000 - 100
    assert total(quantities={"doors": "4.0"}) == PLAIN


def test_a_chosen_quantity_is_written_in_one_way() -> None:
    """So that equal choices have equal digests; the one that was offered stays as it was written."""
    found = {text: choose(HOUSE, Choices({}, {"doors": text})).lines[4].quantity for text in ("6", "06.00", "4.0")}
    assert found == {"6": "6", "06.00": "6", "4.0": "4"}


@pytest.mark.parametrize(
    ("reason", "line", "lines", "quantities"),
    [
        ("line_unknown", "cellar", {"cellar": True}, {}),
        ("line_unknown", "cellar", {}, {"cellar": "1"}),
        ("line_fixed", "house", {"house": False}, {}),
        ("group_choice", "wood", {"wood": False}, {}),
        ("group_choice", "wood", {"wood": True, "stone": True}, {}),
        ("quantity_fixed", "house", {}, {"house": "2"}),
        ("quantity_limits", "doors", {}, {"doors": "0"}),
        ("quantity_limits", "doors", {}, {"doors": "3"}),
        ("quantity_limits", "doors", {}, {"doors": "12"}),
        ("quantity_limits", "wire", {}, {"wire": "0"}),
        ("quantity_limits", "wire", {}, {"wire": "0.75"}),
        ("value", None, {}, {"doors": "-4"}),
        ("value", None, {}, {"doors": "1_0"}),
        ("value", None, {}, {"doors": "\u0664"}),
        ("value", None, {"not a key": True}, {}),
    ],
)
def test_a_choice_that_the_offer_does_not_leave_is_refused(
    reason: str, line: str | None, lines: dict[str, bool], quantities: dict[str, str]
) -> None:
    assert reason in REASONS
    with pytest.raises(Refused) as refused:
        choose(HOUSE, Choices(lines, quantities))
    details = refused.value.details
    assert (refused.value.code, details["reason"], details["line"]) == ("choice_invalid", reason, line)


@st.composite
def choices(draw: st.DrawFn, offer: Offer) -> Choices:
    """That the offer leaves."""
    lines = {line.key: draw(st.booleans()) for line in offer.lines if line.optional}
    group = [line.key for line in offer.lines if line.group is not None]
    if group:
        lines[draw(st.sampled_from(group))] = True
    quantities = {}
    for line in offer.lines:
        if line.quantity_min is not None and line.quantity_step is not None:
            steps = draw(st.integers(0, 20))
            chosen = Fraction(line.quantity_min) + steps * Fraction(line.quantity_step)
            quantities[line.key] = f"{float(chosen):.1f}"  # halves, so it is exact
    return Choices(lines, quantities)


@st.composite
def chosen(draw: st.DrawFn) -> tuple[Offer, Choices]:
    """An offer without deposit, and choices; header discounts of money are small beside what cannot be left out."""
    offer = draw(offers(deposit=None))
    return offer, draw(choices(offer))


@given(chosen())
def test_what_is_chosen_is_as_chosen_and_nothing_else_changes(made: tuple[Offer, Choices]) -> None:
    offer, wanted = made
    found = choose(offer, wanted)
    assert choose(found, wanted) == found
    assert choose(found, Choices()) == found
    for before, after in zip(offer.lines, found.lines, strict=True):
        assert structs.replace(after, chosen=before.chosen, quantity=before.quantity) == before
        if before.optional:
            assert after.chosen == wanted.lines[before.key]
        if before.group is not None:
            assert after.chosen == wanted.lines.get(before.key, False)
        if before.key in wanted.quantities:
            assert Fraction(after.quantity) == Fraction(wanted.quantities[before.key])


def priced(offer: Offer) -> Priced | None:
    """Nothing where the choice leaves less than a discount of money takes off."""
    try:
        return price(offer)
    except Refused as refused:
        if refused.details["reason"] != "discount_too_large":
            raise
        return None


@given(chosen())
def test_no_choice_makes_a_unit_cheaper_than_was_held_against_limits(made: tuple[Offer, Choices]) -> None:
    """R49: what was approved holds for everything that the buyer may make of it."""
    offer, wanted = made
    worst = unit_prices(offer)
    for one in (offer, choose(offer, wanted)):
        found = priced(one)
        if found is None:
            continue
        for line, made_ in zip(found.lines, one.lines, strict=True):
            quantity = Fraction(line.quantity)
            if line.counts and quantity and made_.unit_price_minor >= 0 and found.subtotal_minor > 0:
                assert line.net_minor / quantity > worst[line.key] - 3 / quantity  # each of three roundings is below 1


def test_a_discount_of_money_is_held_against_the_least_that_can_be_bought() -> None:
    """R49"""
    line = Line(
        key="a", unit_price_minor=1_000, quantity="10", quantity_min="2", discounts=(Discount(amount_minor=500),)
    )
    option = Line(key="b", unit_price_minor=8_000, optional=True)
    offer = Offer(currency="EUR", lines=(line, option), discounts=(Discount(amount_minor=300),))
    assert unit_prices(offer) == {
        "a": Fraction(1_500, 2) * Fraction(1_200, 1_500),
        "b": 8_000 * Fraction(9_200, 9_500),
    }


def test_one_of_a_group_is_held_against_limits_beside_itself_and_not_beside_the_cheapest() -> None:
    """R49: 500 off are half of the wood, and a tenth of the stone."""
    wood = Line(key="wood", unit_price_minor=1_000, group="floor")
    stone = Line(key="stone", unit_price_minor=5_000, group="floor", chosen=False)
    offer = Offer(currency="EUR", lines=(wood, stone), discounts=(Discount(amount_minor=500),))
    assert unit_prices(offer) == {"wood": 500, "stone": 4_500}


def test_prices_with_tax_are_held_against_limits_without_it() -> None:
    """R49"""
    offer = Offer(currency="EUR", lines=(Line(key="a", unit_price_minor=12_100, tax=VAT),), tax_inclusive=True)
    assert unit_prices(offer) == {"a": 10_000}
    assert unit_prices(replaced(offer, {"tax_inclusive": False})) == {"a": 12_100}
