"""What credits leave of the prices beside them: never more than any choice of the buyer would (R49)."""

from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.pricing.units import left_by_credits
from sfa.core.pricing.values import Line, Offer, Tax


@st.composite
def offers(draw: Any) -> Offer:
    """Up to five lines; some are credits, optional, or alternatives."""
    made = []
    for n in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["plain", "optional", "g", "h"]))
        tax = draw(st.sampled_from([None, Tax("VAT", 2_100)]))
        said = {"optional": kind == "optional", "group": kind if len(kind) == 1 else None, "tax": tax}
        price = draw(st.integers(-200, 300))
        made.append(Line(key=f"l{n}", quantity=str(draw(st.integers(1, 4))), unit_price_minor=price, **said))
    return Offer(currency="EUR", lines=tuple(made), tax_inclusive=draw(st.booleans()))


def amount(offer: Offer, line: Line) -> Fraction:
    rate = line.tax.rate_bp if line.tax is not None and offer.tax_inclusive else 0
    return Fraction(line.quantity) * line.unit_price_minor * 10_000 / (10_000 + rate)


def choices(offer: Offer) -> list[list[Line]]:
    """All that the buyer can make of it."""
    groups: dict[str, list[Line]] = {}
    for line in offer.lines:
        if line.group is not None:
            groups.setdefault(line.group, []).append(line)
    free = [line for line in offer.lines if line.optional]
    fixed = [line for line in offer.lines if not line.optional and line.group is None]
    taken = [[[line], []] for line in free] + [[[line] for line in group] for group in groups.values()]
    return [[*fixed, *(line for part in each for line in part)] for each in product(*taken)]


@given(offers())
def test_what_is_left_is_the_least_of_all_choices(offer: Offer) -> None:
    """R49: of each line that is sold, beside whatever else the buyer takes or leaves."""
    found = left_by_credits(offer)
    for line in offer.lines:
        assert 0 <= found[line.key] <= 1
        if amount(offer, line) <= 0:
            continue
        shares = []
        for choice in (choice for choice in choices(offer) if line in choice):
            goods = sum(max(amount(offer, each), Fraction(0)) for each in choice)
            shares.append(max(Fraction(0), sum(amount(offer, each) for each in choice) / goods))
        assert found[line.key] == min(shares)


def test_without_a_credit_all_is_left() -> None:
    offer = Offer(currency="EUR", lines=(Line(key="a", unit_price_minor=5), Line(key="b", unit_price_minor=0)))
    assert left_by_credits(offer) == {"a": 1, "b": 1}
    nothing = Offer(currency="EUR", lines=(Line(key="a", unit_price_minor=0), Line(key="b", unit_price_minor=-1)))
    assert left_by_credits(nothing) == {"a": 0, "b": 0}
