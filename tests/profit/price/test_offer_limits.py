"""R44, R49, R53: who must approve the prices of an offer, wherever that is asked."""

from typing import Any

import pytest

from sfa.core.pricing.values import Discount, Line, Offer, Tax
from sfa.profit.price.limits import NOBODY, UNKNOWN, highest
from sfa.profit.price.offer_limits import Listed, approvals

DAY = "2026-01-05"
LIMITS: list[dict[str, Any]] = [
    {"role": "rep", "family": None, "limit_bp": 1_000, "valid_from": "2026-01-01", "valid_to": None},
    {"role": "manager", "family": None, "limit_bp": 2_000, "valid_from": "2026-01-01", "valid_to": None},
    {"role": "director", "family": None, "limit_bp": 5_000, "valid_from": "2026-01-01", "valid_to": None},
    {"role": "admin", "family": None, "limit_bp": 5_000, "valid_from": "2026-01-01", "valid_to": None},
    {"role": "rep", "family": "pumps", "limit_bp": 0, "valid_from": "2026-01-01", "valid_to": None},
]
LISTED = {"a": Listed(10_000), "b": Listed(10_000, "pumps")}


def off(bp: int) -> tuple[Discount, ...]:
    return (Discount(share_bp=bp),)


def needed(*lines: Line, role: str = "rep", **values: Any) -> str | None:
    offer = Offer(currency="EUR", lines=lines, **values)
    return highest(approvals(offer, LISTED, LIMITS, DAY, role))


def line(key: str = "a", each: int = 10_000, **values: Any) -> Line:
    return Line(key=key, unit_price_minor=each, **values)


@pytest.mark.parametrize(("bp", "role"), [(1_000, None), (1_001, "manager"), (2_001, "director"), (5_001, NOBODY)])
def test_the_lowest_role_whose_limit_goes_so_far_approves(bp: int, role: str | None) -> None:
    assert needed(line(discounts=off(bp))) == role
    assert needed(line(), discounts=off(bp)) == role
    assert needed(line(each=10_000 - bp)) == role


def test_discounts_of_line_and_header_are_taken_together() -> None:
    """R35: 10 % then 5 % are 14.5 %."""
    assert needed(line(discounts=off(1_000)), discounts=off(500)) == "manager"


def test_a_limit_of_a_product_family_counts_for_its_products() -> None:
    assert needed(line("b", discounts=off(1))) == "manager"
    assert needed(line("a", discounts=off(1))) is None


def test_who_may_go_so_far_himself_needs_nobody() -> None:
    assert needed(line(discounts=off(2_000)), role="manager") is None
    assert needed(line(discounts=off(2_000)), role="rep") == "manager"


def test_rounding_to_a_minor_unit_asks_for_no_approval() -> None:
    """10 % of 336 is 33.6, and 302 are printed: more than 10 % off, and yet within the limit."""
    offer = Offer(currency="EUR", lines=(line(each=336, discounts=off(1_000)),))
    assert highest(approvals(offer, {"a": Listed(336)}, LIMITS, DAY, "rep")) is None


def test_a_credit_or_a_line_without_product_is_no_way_round_a_limit() -> None:
    assert needed(line(), line("free", each=-5_000)) == UNKNOWN
    assert needed(line(), line("free", each=0)) == UNKNOWN


def test_an_option_needs_its_approval_before_anybody_takes_it() -> None:
    assert needed(line(), line("b", optional=True, chosen=False, discounts=off(4_000))) == "director"


def test_a_discount_of_money_is_judged_by_what_the_buyer_may_leave_out() -> None:
    """10 % of both, and 20 % of what he cannot leave out."""
    offered = (line(), line("b", optional=True))
    assert needed(line(), line("b", each=10_001), discounts=(Discount(amount_minor=1_000),)) == "manager"  # of pumps
    assert needed(line(), discounts=(Discount(amount_minor=1_000),)) is None
    assert needed(*offered, discounts=(Discount(amount_minor=2_001),)) == "director"


def test_prices_with_tax_are_compared_without_it() -> None:
    vat = Tax("VAT", 2_100)
    assert needed(line(each=12_100, tax=vat), tax_inclusive=True) is None
    assert needed(line(each=10_000, tax=vat), tax_inclusive=True) == "manager"


def test_where_nobody_has_a_limit_nothing_needs_approval() -> None:
    offer = Offer(currency="EUR", lines=(line(discounts=off(9_000)), line("free")))
    assert highest(approvals(offer, LISTED, [], DAY, "rep")) is None
