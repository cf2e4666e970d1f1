"""The facts that profit is made of, and what each of them amounts to: pure, exact, the same in Python and in SQL.

An `Item` is one fact: so much money, of that kind, on that day, because of that row. Its amount is signed as it changes
the profit and was rounded once, by itself, half away from zero; whatever is told of deals, customers, products or the
company adds up such amounts and rounds nothing again, so all of it is the same money (R37, R38). What cannot be
computed has no amount and says why in `code`; it is never zero (R34).
Does not do: reading of rows, conversion between currencies, what is told to whom (`allowed` only says of which kind).
"""

from fractions import Fraction
from typing import Any, Literal

from msgspec import Struct

Side = Literal["quoted", "actual"]
Right = Literal["open", "own", "cost"]

# In the order of the waterfall (R38), with the total that stands after each step.
STEPS: dict[str, str] = {
    "list": "list",
    "discount": "invoice",
    "invoice": "invoice",
    "off_invoice": "pocket",
    "goods": "margin",
    "serve": "contribution",
    "commission": "profit",
}
TOTALS = ("list", "invoice", "pocket", "margin", "contribution", "profit")
OPEN_TOTALS = frozenset({"list", "invoice"})

HOUR_MS = 3_600_000
KILOMETRE_M = 1_000
HOUR_MINUTES = 60
YEAR_DAYS_BP = 365 * 10_000  # days of a year times basis points of a whole


class Kind(Struct, frozen=True):
    """`right` says who is told of it: everybody who sees the deal (`open`), also the person himself (`own`), or only
    who sees cost (`cost`, R45). `counts`: list and discounts only explain what the invoice is, so they do not."""

    step: str
    right: Right = "cost"
    counts: bool = True


KINDS: dict[str, Kind] = {
    "list": Kind("list", "open", counts=False),
    "discount": Kind("discount", "open", counts=False),
    "invoice": Kind("invoice", "open"),
    "rebate": Kind("off_invoice"),
    "freight": Kind("off_invoice"),
    "terms": Kind("off_invoice"),
    "samples": Kind("off_invoice"),
    "co_op": Kind("off_invoice"),
    "goods_return": Kind("off_invoice", "open"),
    "credit_note": Kind("off_invoice", "open"),
    "other": Kind("off_invoice"),
    "goods": Kind("goods"),
    "returned_goods": Kind("goods"),
    "visits": Kind("serve"),
    "travel": Kind("serve"),
    "work": Kind("serve"),
    "expenses": Kind("serve", "own"),
    "commission": Kind("commission", "own"),
}


class Item(Struct, frozen=True):
    """One fact. `amount_minor` is signed as it changes the profit (list, invoice and goods that came back are positive,
    what they cost is negative); null where it is not computable, and then `code` says why and `basis` of what.

    It counts at the instant `at`, on the local day `on`; money converts at the rate of `rated_at`, or of `at` where
    that is null (a reversal takes back what the credit was worth). `entity` and `row_key` name the source row,
    `user_key` whose it is, `basis` what was reckoned, in plain values.
    """

    kind: str
    step: str
    side: Side
    amount_minor: int | None
    currency: str
    on: str
    at: int
    entity: str
    row_key: str
    user_key: str | None
    product_key: str | None
    basis: dict[str, Any]
    code: str | None = None
    rated_at: int | None = None


class Part(Struct, frozen=True):
    """How an amount is a part: of what `of_minor` sum to, shared by `weights`, the one at `place`, less `less_minor`,
    times `sign`. All in the item's currency; in another, each of these amounts converts by itself."""

    of_minor: tuple[int, ...]
    weights: tuple[int, ...] | tuple[Fraction, ...]
    place: int
    less_minor: tuple[int, ...] = ()
    sign: int = 1


class PartItem(Item, frozen=True):
    """A fact that converts with what it is a part of; see `sfa.profit.converting`."""

    part: Part | None = None


def allowed(item: Item, user_key: str, *, sees_cost: bool) -> bool:
    """Whether a caller who sees the deal is told of this item (R45)."""
    right = KINDS[item.kind].right
    return sees_cost or right == "open" or (right == "own" and item.user_key == user_key)


# -- what a fact amounts to: whole minor units, half away from zero ----------------------------------------------------


def half_up(numerator: int | Fraction, denominator: int | Fraction) -> int:
    """The whole number nearest to a fraction; in SQL, for a numerator of zero or more, (2n + d) / (2d)."""
    size = (2 * (numerator if numerator >= 0 else -numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def visit_cost(ms: int, per_hour: int) -> int:
    """Time at a customer, at the price of an hour."""
    return half_up(ms * per_hour, HOUR_MS)


def travel_cost(metres: int, per_km: int) -> int:
    return half_up(metres * per_km, KILOMETRE_M)


def work_cost(minutes: int, per_hour: int) -> int:
    return half_up(minutes * per_hour, HOUR_MINUTES)


def terms_cost(amount: int, days: int, rate_bp: int) -> int:
    """Waiting `days` for an amount, at the capital rate of a year."""
    return half_up(amount * days * rate_bp, YEAR_DAYS_BP)
