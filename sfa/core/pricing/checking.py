"""What an offer must be before it is priced; whatever is not is refused with a reason and a place (R33). Pure.

`offer_invalid` says `reason`, one of `REASONS`, and `place`, where it is: a path like `lines[2].discounts[0]`. Values
that were never on a wire are held to the same limits as those that were.
"""

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from sfa.core.errors import Refused
from sfa.core.money import BP_WHOLE, minor_digits
from sfa.core.pricing.exact import Exact, decimal
from sfa.core.pricing.values import Deposit, Discount, Instalment, Line, Offer

LINES_MAX, DISCOUNTS_MAX, INSTALMENTS_MAX = 10_000, 20, 100
REASONS: dict[str, str] = {
    "value": "a value has the wrong type or breaks a limit",
    "too_many": "there are more of them than the limit",
    "too_large": "amounts come to more than can be kept",
    "key_twice": "two lines have one key",
    "discount_unclear": "a discount is a share or an amount, and not both",
    "discount_too_large": "a discount takes off more than is left",
    "group_choice": "of a group exactly one line is chosen",
    "group_optional": "a line is optional or one of a group, and not both",
    "quantity_limits": "the limits and the step do not leave the quantity that is offered, or a credit has no most",
    "deposit_unclear": "a deposit is a share or an amount, and not both",
    "deposit_too_large": "the deposit is more than the total",
    "instalments_total": "instalments total 100 %",
}


def refuse(reason: str, place: str, line: str | None = None) -> NoReturn:
    said = {"line": line} if line is not None else {}
    raise Refused("offer_invalid", f"{place}: {REASONS[reason]}", reason=reason, place=place, **said)


def checked(offer: Offer) -> Offer:
    """The offer, if it can be priced; what only its amounts tell is refused when they are reckoned."""
    for name, most in (("lines", LINES_MAX), ("discounts", DISCOUNTS_MAX), ("instalments", INSTALMENTS_MAX)):
        if len(getattr(offer, name)) > most:
            refuse("too_many", name)
    try:
        offer = msgspec.convert(msgspec.to_builtins(offer), Offer)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        place = path.rstrip("`").lstrip(".")
        raise Refused("offer_invalid", f"{place}: {text}", reason="value", place=place) from None
    minor_digits(offer.currency)
    _discounts(offer.discounts, "")
    _lines(offer.lines)
    _plan(offer.deposit, offer.instalments)
    return offer


def counts(line: Line) -> bool:
    """Whether it adds to totals: a line that nobody can leave out, or one that is chosen."""
    return line.chosen or not (line.optional or line.group is not None)


def steps_of(line: Line) -> tuple[Exact, Exact | None, Exact] | None:
    """(least, most, step) of the quantities that the buyer may choose, null where he may not. What is not said: a step
    of 1, and one step as the least; steps are counted from the least."""
    if line.quantity_min is None and line.quantity_max is None:
        return None
    step = decimal(line.quantity_step or "1")
    least = decimal(line.quantity_min) if line.quantity_min is not None else step
    return least, decimal(line.quantity_max) if line.quantity_max is not None else None, step


def is_offered(quantity: Exact, steps: tuple[Exact, Exact | None, Exact]) -> bool:
    """Whether the buyer may choose this quantity."""
    least, most, step = steps
    places = max(value.places for value in (quantity, least, step, most or step))
    above = quantity.at(places) - least.at(places)
    is_low_enough = most is None or quantity.at(places) <= most.at(places)
    return above >= 0 and is_low_enough and step.n > 0 and above % step.at(places) == 0


def _lines(lines: Sequence[Line]) -> None:
    keys: set[str] = set()
    groups: dict[str, int] = {}
    for index, line in enumerate(lines):
        place = f"lines[{index}]"
        if line.key in keys:
            refuse("key_twice", place, line.key)
        keys.add(line.key)
        if line.discounts:
            _discounts(line.discounts, f"{place}.", line.key)
        if line.group is not None:
            if line.optional:
                refuse("group_optional", place, line.key)
            groups[line.group] = groups.get(line.group, 0) + line.chosen
        steps = steps_of(line)
        if steps is not None and (
            not is_offered(decimal(line.quantity), steps) or (steps[1] is None and line.unit_price_minor < 0)
        ):
            refuse("quantity_limits", f"{place}.quantity", line.key)
    for group, chosen in groups.items():
        if chosen != 1:
            index, first = next((i, line) for i, line in enumerate(lines) if line.group == group)
            refuse("group_choice", f"lines[{index}].group", first.key)


def _discounts(discounts: Sequence[Discount], place: str, line: str | None = None) -> None:
    if len(discounts) > DISCOUNTS_MAX:
        refuse("too_many", f"{place}discounts", line)
    for index, discount in enumerate(discounts):
        if (discount.share_bp is None) == (discount.amount_minor is None):
            refuse("discount_unclear", f"{place}discounts[{index}]", line)


def _plan(deposit: Deposit | None, instalments: Sequence[Instalment]) -> None:
    if deposit is not None and (deposit.share_bp is None) == (deposit.amount_minor is None):
        refuse("deposit_unclear", "deposit")
    if instalments and sum(part.share_bp for part in instalments) != BP_WHOLE:
        refuse("instalments_total", "instalments")
