"""A target as text, and back: decimals of its currency, of its unit, or a count. Pure, for files, screens and devices.

A quota's `target` is an integer: minor units of its currency (revenue, margin), millionths of its unit (quantity), or a
count. `format_target` and `parse_target` are each other's inverse for every target. Measures never mix (R11).
"""

import re
from collections.abc import Mapping
from typing import Any

from sfa.core.errors import Refused
from sfa.core.fields import MONEY_MAX
from sfa.core.money import format_minor, parse_minor
from sfa.core.rules import MONEY_MEASURES

QUANTITY_DIGITS = 6  # millionths of a unit
PIECE = "piece"
_DECIMAL = re.compile(r"(-?)([0-9]{1,16})(?:\.([0-9]{1,9}))?")


def with_unit(row: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a change of a quota says, with the unit that follows: a quantity of neither unit nor product is counted in
    pieces, and another measure has neither. So devices that know neither field may still set quotas of every measure.
    `row` is the quota as it stands, empty for a new one."""
    said = {**row, **values}
    if said.get("measure") == "quantity":
        silent = said.get("unit") is None and said.get("product_key") is None
        return {**values, "unit": PIECE} if silent else dict(values)
    if row.get("measure") == "quantity":
        left = {f: None for f in ("unit", "product_key") if f not in values and row.get(f) is not None}
        return {**values, **left}
    return dict(values)


def parse_target(text: str, measure: str, currency: str | None) -> int:
    """`amount_invalid` for what is no number of that unit, `currency_unknown` where money has none."""
    if measure in MONEY_MEASURES:
        return parse_minor(text, currency or "")
    digits = QUANTITY_DIGITS if measure == "quantity" else 0
    found = _DECIMAL.fullmatch(text)
    if found is None or len(found[3] or "") > digits:
        wanted = f"a number with {digits} decimals at most" if digits else "a whole number"
        raise Refused("amount_invalid", f"{text[:40]!r} is not {wanted}", amount=text[:40])
    target = int(f"{found[1]}{found[2]}{(found[3] or '').ljust(digits, '0')}")
    if abs(target) > MONEY_MAX:
        raise Refused("amount_invalid", f"{text[:40]!r} is larger than the limit", amount=text[:40])
    return target


def format_target(target: int, measure: str, currency: str | None) -> str:
    """Plain decimal text: "-1250.50", "12.5", "40"."""
    if measure in MONEY_MEASURES and currency is not None:
        return format_minor(target, currency)
    if measure != "quantity":
        return str(target)
    whole, rest = divmod(abs(target), 10**QUANTITY_DIGITS)
    decimals = str(rest).rjust(QUANTITY_DIGITS, "0").rstrip("0")
    return f"{'-' if target < 0 else ''}{whole}{f'.{decimals}' if decimals else ''}"
