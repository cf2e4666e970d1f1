"""What a product is offered for on a day, and where a line lies beside it: pure, the same on server and device.

A price as basis points of the list price is exact until it is rounded once, half up; a line may also lie above the
list. Without a list price in the line's currency on that day nothing is said: it never means 100 % (R34).
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from sfa.core.money import BP_WHOLE, Rounding, rounded
from sfa.profit.items import half_up

RATIO_MAX = 100_000
Row = Mapping[str, Any]
Dated = tuple[str, str, str, int]  # valid_from, key, valid_to, amount


class DatedAmounts:
    """Amounts of products by currency and day (prices, or unit costs): of several the one that began last."""

    def __init__(self, rows: Iterable[tuple[str, Row]]) -> None:
        self._dated: dict[tuple[str, str], list[Dated]] = {}
        for key, row in rows:
            place = row["product_key"], row["currency"]
            dated = (row["valid_from"], key, row["valid_to"] or "9999", row["amount_minor"])
            self._dated.setdefault(place, []).append(dated)
        for found in self._dated.values():
            found.sort(reverse=True)

    def on(self, product: str, currency: str | None, day: str) -> int | None:
        """Of one unit, in minor units; None where there is none."""
        for valid_from, _, valid_to, amount in self._dated.get((product, currency or ""), ()):
            if valid_from <= day < valid_to:
                return amount
        return None


def scaled_price(line: Row) -> int:
    """What one unit is sold for after the line's discount: exact, in ten-thousandths of a minor unit."""
    price, discount = int(line["unit_price_minor"]), int(line["discount_bp"])
    return price * (BP_WHOLE - discount)


def in_deal(amount: int | None, totals: Iterable[tuple[str, int]]) -> Fraction:
    """What the lines of a deal are really sold for, of what they say themselves: a discount that is given through the
    deal's amount is one of every line. `totals` are (quantity, scaled price) of all of them. What an amount is more
    than its lines makes none of them dearer: a line's own discount was given. An amount that is the sum of the lines,
    rounded once or each by itself, changes nothing; of lines that sum to nothing no part can be said."""
    each = [Fraction(quantity) * scaled / BP_WHOLE for quantity, scaled in totals]
    exact = sum(each, Fraction(0))
    if amount is None or exact <= 0 or amount == rounded(exact, Rounding.HALF_UP):
        return Fraction(1)
    if amount == sum(rounded(total, Rounding.HALF_UP) for total in each):
        return Fraction(1)
    return min(amount / exact, Fraction(1))


def of_list_bp(scaled: int | Fraction, listed: int | Fraction | None) -> int | None:
    """A price (in ten-thousandths) as basis points of the list price; None where that is not known or nothing, or the
    price is out of all reason."""
    if listed is None or listed <= 0 or scaled < 0:
        return None
    found = half_up(scaled, listed)
    return found if found <= RATIO_MAX else None
