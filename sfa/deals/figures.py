"""The money of one deal: its lines, who shares it, what it earns. Pure, in whole minor units (R16, R33, R35, R36).

A line is quantity x price less its discount, exact; it is rounded once, by line or by document, by the method that the
answer names. Shares and cost are those of `sfa.core.credits`, so that a deal tells what a quota counts of it.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from sfa.core import money
from sfa.core.credits import Cost, Line, cost_of, cost_on, overlaid, shared_out, standing
from sfa.core.money import Rounding

PER = ("line", "document")


class Share(Struct, frozen=True):
    """`amount_minor` is null while the deal has no amount."""

    user_key: str
    share_bp: int
    amount_minor: int | None


class Lines(Struct, frozen=True):
    """`difference_minor` is the deal's amount less its lines; null where one of them is missing."""

    count: int
    per: str
    rounding: str
    total_minor: int
    difference_minor: int | None


class Unknown(Struct, frozen=True):
    """Why the cost of a product is not known: `no_cost` on that day, or a `currency` that is not the deal's."""

    product_key: str
    why: str


class Profit(Struct, frozen=True):
    """Of the lines at the costs of `cost_on`. Margin is profit over price, markup profit over cost; null where they
    cannot be computed, and `missing` says of which products nothing is known."""

    cost_on: str
    cost_minor: int | None
    profit_minor: int | None
    margin_bp: int | None
    markup_bp: int | None
    missing: list[Unknown]


def shares(row: Mapping[str, Any]) -> tuple[list[Share], list[Share]]:
    """-> (who shares the amount, who is credited beside it). Without splits it is the owner's."""
    end, amount = standing(row), row["amount_minor"]
    beside = overlaid(amount, end)
    return [Share(*part) for part in shared_out(amount, end)], [Share(*part) for part in sorted(beside)]


def exact(line: Mapping[str, Any]) -> Fraction:
    """Quantity x price less the discount."""
    price: int = line["unit_price_minor"]
    return Fraction(line["quantity"]) * price * money.remaining_share([line["discount_bp"]])


def total(lines: Sequence[Mapping[str, Any]], per: str = "line", rounding: Rounding = Rounding.HALF_UP) -> int:
    if per == "document":
        return money.rounded(sum(map(exact, lines), start=Fraction(0)), rounding)
    return sum(_rounded(line, rounding) for line in lines)


def _rounded(line: Mapping[str, Any], rounding: Rounding) -> int:
    quantity, discount_bp = str(line["quantity"]), line["discount_bp"]
    if quantity.isdecimal() and 0 <= discount_bp <= money.BP_WHOLE:  # without fractions: a snapshot asks of every line
        return money.apply_bp(int(quantity) * line["unit_price_minor"], money.BP_WHOLE - discount_bp, rounding)
    return money.rounded(exact(line), rounding)


def priced(
    lines: Sequence[Mapping[str, Any]], amount: int | None, per: str = "line", rounding: Rounding = Rounding.HALF_UP
) -> Lines:
    found = total(lines, per, rounding)
    return Lines(len(lines), per, rounding.value, found, amount - found if amount is not None and lines else None)


def profit(
    lines: Sequence[Mapping[str, Any]], price: int, currency: str | None, costs: Sequence[Mapping[str, Any]], day: str
) -> Profit:
    """`price` is the total of the lines; the cost is what the measure margin takes, rounded once over all lines. One
    cost that is not known, and nothing is computed: it is never zero."""
    dated: dict[str, list[Cost]] = {}
    for row in costs:
        dated.setdefault(row["product_key"], []).append(Cost(*(row[name] for name in Cost.__struct_fields__)))
    missing: list[Unknown] = []
    for product in sorted({line["product_key"] for line in lines}):
        found = cost_on(dated.get(product, ()), day)
        if found is None or found.currency != currency:
            missing.append(Unknown(product, "no_cost" if found is None else "currency"))
    whole = cost_of([Line(line["product_key"], line["quantity"]) for line in lines], dated, day)
    if missing or whole is None:
        return Profit(day, None, None, None, None, missing)
    cost, _ = whole
    return Profit(day, cost, price - cost, money.margin_bp(price, cost), money.markup_bp(price, cost), [])
