"""What one unit of each line is sold for at the worst that the buyer can make of the offer: exact, without tax. Pure.

It is what discount limits and price guides are held against (R49). A discount of so much money weighs more the less is
bought, so a line is taken at the least quantity that may be chosen, and its part of the header discounts beside the
cheapest choice that has this line in it: every option left, the cheapest of each group. Of lines that no buyer may
change, what is found is what `price` prints, but for its rounding.
"""

from collections.abc import Mapping
from fractions import Fraction

from sfa.core.money import BP_WHOLE
from sfa.core.pricing.checking import steps_of
from sfa.core.pricing.exact import Exact, decimal
from sfa.core.pricing.reckoning import line_left
from sfa.core.pricing.values import Discount, Line, Offer

ONE = Exact(1)


def unit_prices(offer: Offer) -> dict[str, Fraction]:
    """line -> minor units for one of it, of an offer that `price` takes; also of lines that do not count now."""
    least = {line.key: _least(line) for line in offer.lines}
    floor, groups = _cheapest(offer, least)
    found = {}
    for line in offer.lines:
        beside = floor
        if line.group is not None:
            beside += least[line.key] - groups[line.group]
        elif line.optional:
            beside += max(least[line.key], Fraction(0))
        unit = _unit(line) * _left_of(offer.discounts, beside)
        found[line.key] = unit * BP_WHOLE / (BP_WHOLE + _tax_bp(offer, line))
    return found


def left_by_credits(offer: Offer) -> dict[str, Fraction]:
    """line -> the share of its price that is left when what negative lines take off is spread over all that is sold
    beside them, at the worst that the buyer can make of it and without tax: 1 where nothing is taken off."""
    least = {line.key: _least(line) * BP_WHOLE / (BP_WHOLE + _tax_bp(offer, line)) for line in offer.lines}
    groups: dict[str, Fraction] = {}
    there: list[Fraction] = []
    for line in offer.lines:
        if line.group is not None:
            groups[line.group] = min(least[line.key], groups.get(line.group, least[line.key]))
        elif not line.optional or least[line.key] < 0:
            there.append(least[line.key])
    there += groups.values()
    sold, taken = sum(max(each, Fraction(0)) for each in there), sum(min(each, Fraction(0)) for each in there)
    found = {}
    for line in offer.lines:
        amount = least[line.key]
        other = groups[line.group] if line.group is not None else amount if not line.optional or amount < 0 else 0
        goods = sold + max(amount, Fraction(0)) - max(other, 0)
        credit = taken + min(amount, Fraction(0)) - min(other, 0)
        found[line.key] = Fraction(1) if not credit else max(Fraction(0), 1 + credit / goods) if goods else Fraction(0)
    return found


def _tax_bp(offer: Offer, line: Line) -> int:
    """What prices include of it."""
    return line.tax.rate_bp if line.tax is not None and offer.tax_inclusive else 0


def _quantities(line: Line) -> tuple[Exact, Exact]:
    """The least and the most that can be bought of it, as far as that is said."""
    steps, offered = steps_of(line), decimal(line.quantity)
    return (steps[0], steps[1] or offered) if steps is not None else (offered, offered)


def _least(line: Line) -> Fraction:
    """The smallest amount that the line can come to: of a credit, the most of it."""
    return min(_fraction(line_left(line, quantity, "")[1]) for quantity in _quantities(line))


def _unit(line: Line) -> Fraction:
    """One unit after the line's own discounts; of a line of which nothing is bought, as if it were one."""
    quantity = _quantities(line)[0]
    quantity = quantity if quantity.n else ONE
    return _fraction(line_left(line, quantity, "")[1]) / _fraction(quantity)


def _cheapest(offer: Offer, least: Mapping[str, Fraction]) -> tuple[Fraction, dict[str, Fraction]]:
    """(the smallest subtotal that can be chosen, the cheapest line of each group)."""
    groups: dict[str, Fraction] = {}
    floor = Fraction(0)
    for line in offer.lines:
        amount = least[line.key]
        if line.group is not None:
            groups[line.group] = min(amount, groups.get(line.group, amount))
        elif line.optional:
            floor += min(amount, Fraction(0))
        else:
            floor += amount
    return floor + sum(groups.values()), groups


def _left_of(discounts: tuple[Discount, ...], subtotal: Fraction) -> Fraction:
    """The share of a subtotal that header discounts leave; nothing, where they are more than it."""
    left, share = subtotal, Fraction(1)
    for discount in discounts:
        if discount.share_bp is not None:
            left *= Fraction(BP_WHOLE - discount.share_bp, BP_WHOLE)
            share *= Fraction(BP_WHOLE - discount.share_bp, BP_WHOLE)
        elif discount.amount_minor:
            left -= discount.amount_minor
            if left <= 0:
                return Fraction(0)
            share = left / subtotal
    return share


def _fraction(value: Exact) -> Fraction:
    return Fraction(value.n, 10**value.places)
