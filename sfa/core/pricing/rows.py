"""The offer that a proposal's rows make: pure, the same on server and device (R50).

Rows were held to the values of pricing when they were written; what they are together (groups, amounts, a discount that
is more than what is left) is refused by `price`. Without instalments of its own, a proposal with `payment_days` is due
as one, after so many days.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from sfa.core.money import BP_WHOLE
from sfa.core.pricing.values import Deposit, Discount, Instalment, Line, Offer, Tax

Row = Mapping[str, Any]


def in_order(lines: Mapping[str, Row]) -> list[str]:
    """Keys of rows of proposal_lines as they are printed: by position, and by key where two say the same."""
    return sorted(lines, key=lambda key: (lines[key]["position"], key))


def offer_of(proposal: Row, lines: Mapping[str, Row]) -> Offer:
    """Of a row of proposals, and by key the rows of its lines."""
    instalments = msgspec.convert(proposal["instalments"], tuple[Instalment, ...])
    if not instalments and proposal["payment_days"]:
        instalments = (Instalment(BP_WHOLE, proposal["payment_days"]),)
    deposit = proposal["deposit"]
    return Offer(
        currency=proposal["currency"],
        lines=tuple(line_of(key, lines[key]) for key in in_order(lines)),
        discounts=_discounts(proposal),
        tax_inclusive=proposal["tax_inclusive"],
        rounding=proposal["rounding"],
        rounding_per=proposal["rounding_per"],
        deposit=msgspec.convert(deposit, Deposit) if deposit is not None else None,
        instalments=instalments,
    )


def line_of(key: str, row: Row) -> Line:
    return Line(
        key=key,
        section=row["section_key"],
        quantity=row["quantity"],
        unit_price_minor=row["unit_price_minor"],
        discounts=_discounts(row),
        tax=Tax(row["tax_name"], row["tax_rate_bp"]) if row["tax_name"] is not None else None,
        optional=row["optional"],
        group=row["group_key"],
        chosen=row["chosen"],
        quantity_min=row["quantity_min"],
        quantity_max=row["quantity_max"],
        quantity_step=row["quantity_step"],
    )


def _discounts(row: Row) -> tuple[Discount, ...]:
    return msgspec.convert(row["discounts"], tuple[Discount, ...])
