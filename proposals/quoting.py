"""What a proposal offers, as the deal's frozen quote knows it (R39): pure.

A quote has lines of products at a price with one discount. Discounts in steps, off the whole or in money become one
share of the price, to the basis point; `amount_minor` is the offer's own, without tax, to the minor unit.
"""

from collections.abc import Mapping
from fractions import Fraction

from proposals.drafting import Drawn
from sfa.core.money import BP_WHOLE, Rounding, rounded
from sfa.core.pricing import values
from sfa.core.pricing.units import unit_prices
from sfa.profit.deal.quotes import Line, Offer


def offer_of_deal(made: Drawn) -> Offer:
    """Of lines that count and are of a product; what else is offered is in the amount."""
    return quoted(made.offer, made.priced, products_of(made))


def products_of(made: Drawn) -> dict[str, str]:
    """line -> product, of all lines that are of one."""
    found = ((key, row["product_key"]) for key, row in made.lines.items())
    return {key: product for key, product in found if product is not None}


def quoted(offer: values.Offer, made: values.Priced, products: Mapping[str, str]) -> Offer:
    units, found = unit_prices(offer), []
    for place, (line, priced) in enumerate(zip(offer.lines, made.lines, strict=True)):
        product = products.get(line.key)
        if not priced.counts or product is None:
            continue
        rate = line.tax.rate_bp if line.tax is not None and offer.tax_inclusive else 0
        price = rounded(Fraction(line.unit_price_minor * BP_WHOLE, BP_WHOLE + rate), Rounding.HALF_UP)
        off = _share_off(units[line.key], price)
        found.append(Line(line.key, place, product, priced.quantity, price, off))
    return Offer(made.net_minor, offer.currency, _payment_days(made), tuple(found))


def _share_off(unit: Fraction, price: int) -> int:
    if price <= 0:
        return 0
    return min(BP_WHOLE, max(0, rounded((1 - unit / price) * BP_WHOLE, Rounding.HALF_UP)))


def _payment_days(made: values.Priced) -> int | None:
    """On average of what is due, weighted by amounts."""
    total = sum(due.amount_minor for due in made.dues)
    if not total:
        return None
    return rounded(Fraction(sum(d.amount_minor * d.due_days for d in made.dues), total), Rounding.HALF_UP)
