"""Who must approve the prices of an offer: discount limits, line by line (R44, R49, R53). Pure, for devices too.

A line is held against its list price at the worst that the buyer can make of the offer (`sfa.core.pricing.units`), so
that no choice of his needs an approval that was not given. A line without a product has no list price: that cannot be
said of it (`no_list_price`), and a credit line is one of these, lest a discount go by another name.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct

from sfa.core.money import BP_WHOLE
from sfa.core.pricing.units import unit_prices
from sfa.core.pricing.values import Offer
from sfa.profit.price.limits import Approval, Row, approval, limits_of


class Listed(Struct, frozen=True):
    """What a line's product is listed for, one unit in the offer's currency (null: not known), and its family."""

    minor: int | Fraction | None = None
    family: str | None = None


def approvals(
    offer: Offer, listed: Mapping[str, Listed], limits: Iterable[Row], day: str, author_role: str
) -> list[Approval]:
    """Of every line, in the order of the offer, of one that can be priced; `limits` are rows of discount_limits."""
    rows: Sequence[Row] = list(limits)
    by_family: dict[str | None, dict[str, int]] = {}
    units, found = unit_prices(offer), []
    for line in offer.lines:
        product = listed.get(line.key, Listed())
        if product.family not in by_family:
            by_family[product.family] = limits_of(rows, product.family, day)
        allowed = by_family[product.family]
        found.append(approval(line.key, units[line.key] * BP_WHOLE, product.minor, allowed, author_role))
    return found
