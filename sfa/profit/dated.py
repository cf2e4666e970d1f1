"""Which dated price, cost or rate of effort counts on a day, and how a thing that is missing is named. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from sfa.core.credits import Cost, cost_on
from sfa.core.fields import MONEY_MAX
from sfa.core.money import Rounding, rounded

COST_MISSING, LIST_MISSING, AMOUNT_MISSING = "cost_missing", "list_missing", "amount_missing"


class EffortRate(Struct, frozen=True):
    """See `CostRate`."""

    key: str
    kind: str
    user_key: str | None
    amount_minor: int | None
    currency: str | None
    rate_bp: int | None
    valid_from: str
    valid_to: str | None


def rate_on(rates: Iterable[EffortRate], kind: str, user_key: str | None, day: str) -> EffortRate | None:
    """The rate of a kind on a day: that of the person, then that of everybody; of several the one that began last."""
    valid = [
        rate
        for rate in rates
        if rate.kind == kind
        and rate.user_key in (None, user_key)
        and rate.valid_from <= day < (rate.valid_to or "9999")
    ]
    return max(valid, key=lambda r: (r.user_key is not None, r.valid_from, r.key), default=None)


def price_on(prices: Sequence[Cost], currency: str | None, day: str) -> Cost | None:
    """The list price on a day: in the deal's currency where there is one."""
    return cost_on([p for p in prices if p.currency == currency], day) or cost_on(prices, day)


def costs_of(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, list[Cost]]:
    """Prices, or unit costs, by product."""
    found: dict[str, list[Cost]] = {}
    for key, row in rows:
        said = {name: row[name] for name in Cost.__struct_fields__ if name != "key"}
        found.setdefault(row["product_key"], []).append(Cost(key=key, **said))
    return found


def worth(quantity: str, unit_minor: int) -> int | None:
    """A quantity at the price of one unit, rounded once; None beyond what money may be."""
    total = Fraction(quantity) * unit_minor
    return None if abs(total) > MONEY_MAX else rounded(total, Rounding.HALF_UP)


def missing_of(basis: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a fact that is not computable lacks, as its basis names it."""
    found = basis.get("missing")
    return dict(found) if found is not None else None
