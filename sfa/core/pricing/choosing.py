"""What the buyer makes of an offer: options taken or left, one of each group, quantities within their limits. Pure.

Prices, discounts and terms stay as they were offered. What comes out can be offered again: choosing twice the same is
choosing once. A choice that the offer does not leave is refused with `choice_invalid`, the `line`, and a `reason`, one
of `REASONS`.
"""

from typing import NoReturn

import msgspec
from msgspec import Struct, structs

from sfa.core.errors import Refused
from sfa.core.fields import Decimal18
from sfa.core.pricing.checking import checked, is_offered, steps_of
from sfa.core.pricing.exact import decimal, shortest
from sfa.core.pricing.values import Key, Line, Offer

REASONS: dict[str, str] = {
    "value": "a key or a quantity is not of its form",
    "line_unknown": "the offer has no such line",
    "line_fixed": "this line cannot be left out",
    "group_choice": "of a group exactly one line is chosen",
    "quantity_fixed": "the quantity of this line is as offered",
    "quantity_limits": "this quantity is not one of those that may be chosen",
}


class Choices(Struct, frozen=True):
    """Lines that are taken (true) or left (false), and quantities, both by line; what is not named stays. Taking one
    line of a group leaves the others."""

    lines: dict[Key, bool] = {}
    quantities: dict[Key, Decimal18] = {}


def choose(offer: Offer, choices: Choices) -> Offer:
    """The offer as chosen. Refuses `choice_invalid`, and `offer_invalid` for an offer that is none."""
    offer = checked(offer)
    try:
        choices = msgspec.convert(msgspec.to_builtins(choices), Choices)
    except msgspec.ValidationError as error:
        raise Refused("choice_invalid", str(error), reason="value", line=None) from None
    by_key = {line.key: line for line in offer.lines}
    for key in (*choices.lines, *choices.quantities):
        if key not in by_key:
            _refuse("line_unknown", key)
    groups = {by_key[key].group for key, is_taken in choices.lines.items() if is_taken} - {None}
    lines = tuple(_chosen(line, choices, groups) for line in offer.lines)
    taken: dict[str, int] = {}
    for line in lines:
        if line.group is not None:
            taken[line.group] = taken.get(line.group, 0) + line.chosen
    for line in lines:
        if line.group is not None and taken[line.group] != 1:
            _refuse("group_choice", line.key)
    return structs.replace(offer, lines=lines)


def _chosen(line: Line, choices: Choices, groups: set[str | None]) -> Line:
    is_taken = choices.lines.get(line.key)
    if line.group is not None:
        is_taken = bool(is_taken) if is_taken is not None or line.group in groups else line.chosen
    elif is_taken is None or not line.optional:
        if is_taken is False:
            _refuse("line_fixed", line.key)
        is_taken = line.chosen
    return structs.replace(line, chosen=is_taken, quantity=_quantity(line, choices))


def _quantity(line: Line, choices: Choices) -> str:
    text = choices.quantities.get(line.key)
    if text is None:
        return line.quantity
    wanted, steps = decimal(text), steps_of(line)
    if shortest(wanted) == shortest(decimal(line.quantity)):
        return line.quantity
    if steps is None:
        _refuse("quantity_fixed", line.key)
    if not is_offered(wanted, steps):
        _refuse("quantity_limits", line.key)
    return shortest(wanted)


def _refuse(reason: str, line: str) -> NoReturn:
    raise Refused("choice_invalid", f"line {line}: {REASONS[reason]}", reason=reason, line=line)
