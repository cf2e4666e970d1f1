"""What an offer comes to, to the minor unit: pure, and the same for a device, the server and the document (R33, R35).

A line is quantity times price less its discounts, exact: shares multiply, amounts come off in the order declared. By
`line` each line is rounded, and the tax of each; by `document` the sum of the lines is rounded once and each tax group
once, and the lines are parts of them. Header discounts are of the subtotal as it is printed, and are parted among the
lines that count by their amounts, so a credit line gives back its share. Tax is on what is left; where prices include
it, it is taken out of that, so the total is the prices.

A discount that takes off more than is left is refused, never capped: nobody gets for nothing, by an oversight, what was
to be sold. No total depends on the order of the lines or on their keys. Work is linear in lines, but for sorting.
"""

from collections.abc import Sequence

from msgspec import Struct

from sfa.core.fields import MONEY_MAX
from sfa.core.money import BP_WHOLE, allocate
from sfa.core.pricing.checking import checked, counts, refuse, steps_of
from sfa.core.pricing.exact import BP_PLACES, Exact, decimal, parted, rounded
from sfa.core.pricing.values import (
    Discount,
    Due,
    Line,
    Offer,
    Priced,
    PricedLine,
    SectionSum,
    TaxGroup,
)

DEPOSIT, INSTALMENT, BALANCE = "deposit", "instalment", "balance"
Taxed = tuple[str, int]  # name and rate of a group; no name: without tax


class _Sum(Struct):
    """A line while it is reckoned, first exact and then in whole units."""

    line: Line
    counts: bool
    listed: Exact
    left: Exact
    list_minor: int = 0
    amount: int = 0
    header: int = 0
    tax: int = 0

    @property
    def taxed(self) -> Taxed:
        tax = self.line.tax
        return (tax.name, tax.rate_bp) if tax is not None else ("", 0)

    @property
    def ties(self) -> tuple[str | int, ...]:
        """By what it is before by what it is called, so that keys decide of no total."""
        return *self.taxed, self.line.section or "", self.line.key


def price(offer: Offer) -> Priced:
    """Refuses `offer_invalid` (see `sfa.core.pricing.checking`) and `currency_unknown`.

    Lines are in the order of the offer. Sections are in the order in which lines name them, lines without one first.
    Tax groups go by falling rate; the one of lines without tax has no name, and is the last. Dues are the deposit, then
    the instalments; what no plan speaks of is one due more, the balance, on acceptance.
    """
    offer = checked(offer)
    sums = [_exact(line, index) for index, line in enumerate(offer.lines)]
    counting = [each for each in sums if each.counts]
    _round_lines(offer, sums, counting)
    if sum(abs(each.list_minor) for each in sums) > MONEY_MAX:
        refuse("too_large", "lines")
    subtotal = sum(each.amount for each in counting)
    discount = subtotal - after_header(offer.discounts, subtotal).rounded(offer.rounding)
    if discount:
        _part_header(discount, subtotal, counting)
    groups = _taxed(offer, sums, counting)
    lines = tuple(_told(each, is_inclusive=offer.tax_inclusive) for each in sums)
    if sum(abs(line.total_minor) for line in lines) > MONEY_MAX:
        refuse("too_large", "lines")
    net, tax = sum(group.base_minor for group in groups), sum(group.tax_minor for group in groups)
    return Priced(
        currency=offer.currency,
        lines=lines,
        sections=_sections(sums),
        subtotal_minor=subtotal,
        discount_minor=discount,
        after_minor=subtotal - discount,
        taxes=groups,
        net_minor=net,
        tax_minor=tax,
        total_minor=net + tax,
        dues=_dues(offer, net + tax),
    )


def after_discounts(value: Exact, discounts: Sequence[Discount], place: str, line: str | None = None) -> Exact:
    """What is left, exact. `offer_invalid` where an amount is more than what is left by those before it."""
    for index, discount in enumerate(discounts):
        if discount.share_bp is not None:
            value = value.times(BP_WHOLE - discount.share_bp, BP_PLACES)
        elif discount.amount_minor:
            if discount.amount_minor * 10**value.places > value.n:
                refuse("discount_too_large", f"{place}discounts[{index}]", line)
            value = value.less(discount.amount_minor)
    return value


def after_header(discounts: Sequence[Discount], subtotal: int) -> Exact:
    """What the header discounts leave of a subtotal, exact."""
    return after_discounts(Exact(subtotal), discounts, "")


def line_left(line: Line, quantity: Exact, place: str) -> tuple[Exact, Exact]:
    """(list, what is left of it by the line's own discounts), exact, for a quantity of it."""
    listed = quantity.times(line.unit_price_minor)
    return listed, after_discounts(listed, line.discounts, f"{place}.", line.key) if line.discounts else listed


def _exact(line: Line, index: int) -> _Sum:
    steps = steps_of(line)
    if steps is not None:  # so that no quantity the buyer may choose is refused later
        line_left(line, steps[0], f"lines[{index}]")
    listed, left = line_left(line, decimal(line.quantity), f"lines[{index}]")
    return _Sum(line, counts(line), listed, left)


def _round_lines(offer: Offer, sums: Sequence[_Sum], counting: Sequence[_Sum]) -> None:
    for each in sums:
        each.amount = each.left.rounded(offer.rounding)
        each.list_minor = each.listed.rounded(offer.rounding) if each.line.discounts else each.amount
    if offer.rounding_per == "line" or not counting:
        return
    places = max(each.left.places for each in counting)
    exact = [each.left.at(places) for each in counting]
    total = rounded(sum(exact), 10**places, offer.rounding)
    for each, amount in zip(counting, parted(total, exact, 10**places, [e.ties for e in counting]), strict=True):
        each.amount = amount
        each.list_minor = amount + _discount(each).rounded(offer.rounding)


def _discount(each: _Sum) -> Exact:
    places = max(each.listed.places, each.left.places)
    return Exact(each.listed.at(places) - each.left.at(places), places)


def _part_header(discount: int, subtotal: int, counting: Sequence[_Sum]) -> None:
    """Each part lies between zero and its line's amount: the discount lies between zero and the subtotal."""
    sign = 1 if subtotal > 0 else -1
    exact = [sign * discount * each.amount for each in counting]
    for each, part in zip(counting, parted(discount, exact, abs(subtotal), [e.ties for e in counting]), strict=True):
        each.header = part


def _taxed(offer: Offer, sums: Sequence[_Sum], counting: Sequence[_Sum]) -> tuple[TaxGroup, ...]:
    """Lines of one name and rate are a group. Of lines that do not count the tax is said, and summed nowhere."""
    for each in sums:
        each.tax = _tax_of(offer, each.amount - each.header, each.taxed[1])
    groups: dict[Taxed, list[_Sum]] = {}
    for each in counting:
        groups.setdefault(each.taxed, []).append(each)
    found = []
    for (name, rate), members in sorted(groups.items(), key=lambda group: (not group[0][0], -group[0][1], group[0])):
        bases = [each.amount - each.header for each in members]
        if offer.rounding_per == "document" and rate:
            whole = BP_WHOLE + rate if offer.tax_inclusive else BP_WHOLE
            exact = [base * rate for base in bases]
            parts = parted(_tax_of(offer, sum(bases), rate), exact, whole, [each.ties for each in members])
            for each, part in zip(members, parts, strict=True):
                each.tax = part
        tax = sum(each.tax for each in members)
        found.append(TaxGroup(name, rate, sum(bases) - (tax if offer.tax_inclusive else 0), tax))
    return tuple(found)


def _tax_of(offer: Offer, base: int, rate: int) -> int:
    """Of an amount that includes it, or that it comes on top of."""
    return rounded(base * rate, BP_WHOLE + rate if offer.tax_inclusive else BP_WHOLE, offer.rounding)


def _told(each: _Sum, *, is_inclusive: bool) -> PricedLine:
    base = each.amount - each.header
    net = base - each.tax if is_inclusive else base
    return PricedLine(
        key=each.line.key,
        section=each.line.section,
        quantity=each.line.quantity,
        counts=each.counts,
        list_minor=each.list_minor,
        discount_minor=each.list_minor - each.amount,
        amount_minor=each.amount,
        header_discount_minor=each.header,
        net_minor=net,
        tax_minor=each.tax,
        total_minor=net + each.tax,
    )


def _sections(sums: Sequence[_Sum]) -> tuple[SectionSum, ...]:
    found: dict[str | None, int] = {}
    for each in sums:
        found[each.line.section] = found.get(each.line.section, 0) + (each.amount if each.counts else 0)
    ordered = sorted(found.items(), key=lambda item: item[0] is not None)
    return tuple(SectionSum(section, amount) for section, amount in ordered)


def _dues(offer: Offer, total: int) -> tuple[Due, ...]:
    dues, left = [], total
    if offer.deposit is not None:
        share, amount = offer.deposit.share_bp, offer.deposit.amount_minor or 0
        if share is not None:
            amount = rounded(total * share, BP_WHOLE, offer.rounding)
        elif amount > max(total, 0):
            refuse("deposit_too_large", "deposit")
        dues.append(Due(DEPOSIT, amount, 0, ""))
        left -= amount
    if offer.instalments:
        parts = allocate(left, [part.share_bp for part in offer.instalments])
        plan = zip(offer.instalments, parts, strict=True)
        dues += [Due(INSTALMENT, amount, part.due_days, part.text) for part, amount in plan]
    elif left or not dues:
        dues.append(Due(BALANCE, left, 0, ""))
    return tuple(dues)
