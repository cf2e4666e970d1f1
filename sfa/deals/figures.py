"""The money of one deal: its lines, who shares it, what it earns. Pure, in whole minor units (R16, R33, R35, R36).

A line is quantity x price less its discount, exact; it is rounded once, by line or by document, by the method that the
answer names. Shares are allocated so that they sum to the cent; an overlay is a share of its own and in no sum.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from sfa.core import money
from sfa.core.access import holds_on
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
    amount = row["amount_minor"]
    splits = row["splits"] or [{"user_key": row["owner_key"], "share_bp": money.BP_WHOLE}]
    parts: Sequence[int | None] = [None] * len(splits)
    if amount is not None:
        parts = money.allocate(amount, [split["share_bp"] for split in splits])
    own = [Share(s["user_key"], s["share_bp"], part) for s, part in zip(splits, parts, strict=True)]
    beside = [
        Share(o["user_key"], o["share_bp"], _part(amount, o["share_bp"]))
        for o in sorted(row["overlays"] or (), key=lambda o: str(o["user_key"]))
    ]
    return own, beside


def _part(amount: int | None, share_bp: int) -> int | None:
    return None if amount is None else money.apply_bp(amount, share_bp, Rounding.HALF_UP)


def exact(line: Mapping[str, Any]) -> Fraction:
    """Quantity x price less the discount."""
    price: int = line["unit_price_minor"]
    return Fraction(line["quantity"]) * price * money.remaining_share([line["discount_bp"]])


def total(lines: Sequence[Mapping[str, Any]], per: str = "line", rounding: Rounding = Rounding.HALF_UP) -> int:
    if per == "document":
        return money.rounded(sum(map(exact, lines), start=Fraction(0)), rounding)
    return sum(money.rounded(exact(line), rounding) for line in lines)


def priced(
    lines: Sequence[Mapping[str, Any]], amount: int | None, per: str = "line", rounding: Rounding = Rounding.HALF_UP
) -> Lines:
    found = total(lines, per, rounding)
    return Lines(len(lines), per, rounding.value, found, amount - found if amount is not None and lines else None)


def cost_of(costs: Sequence[Mapping[str, Any]], product: str, day: str) -> Mapping[str, Any] | None:
    """The cost of a product on a day; of several the one that began last."""
    held = [c for c in costs if c["product_key"] == product and holds_on(c["valid_from"], c["valid_to"], day)]
    return max(held, key=lambda cost: str(cost["valid_from"]), default=None)


def profit(
    lines: Sequence[Mapping[str, Any]], price: int, currency: str | None, costs: Sequence[Mapping[str, Any]], day: str
) -> Profit:
    """`price` is the total of the lines. One cost that is not known, and nothing is computed: it is never zero."""
    missing: dict[str, Unknown] = {}
    cost = 0
    for line in lines:
        found = cost_of(costs, line["product_key"], day)
        if found is None or found["currency"] != currency:
            why = "no_cost" if found is None else "currency"
            missing[line["product_key"]] = Unknown(line["product_key"], why)
        else:
            cost += money.rounded(Fraction(line["quantity"]) * found["amount_minor"], Rounding.HALF_UP)
    if missing or not lines:
        return Profit(day, None, None, None, None, [missing[key] for key in sorted(missing)])
    return Profit(day, cost, price - cost, money.margin_bp(price, cost), money.markup_bp(price, cost), [])
