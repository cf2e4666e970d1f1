"""Which dated price, cost or rate of effort counts on a day, and how a thing that is missing is named. Pure."""

from bisect import bisect_right
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


def credited_on(days: Iterable[str], booked_on: str) -> str | None:
    """Of the days on which ends of a deal were credited, the one that stood when something was booked: the last one
    until then, or the first of all. Winning a deal again changes nothing that was booked before."""
    ordered = sorted(days)
    return next((day for day in reversed(ordered) if day <= booked_on), ordered[0] if ordered else None)


class EffortRates:
    """Rates of effort by kind and person, found by their first day."""

    def __init__(self, rates: Iterable[EffortRate]) -> None:
        self._dated: dict[tuple[str, str | None], tuple[list[str], list[EffortRate]]] = {}
        for rate in sorted(rates, key=lambda r: (r.valid_from, r.key)):
            starts, held = self._dated.setdefault((rate.kind, rate.user_key), ([], []))
            starts.append(rate.valid_from)
            held.append(rate)

    def on(self, kind: str, user_key: str | None, day: str) -> EffortRate | None:
        """The rate on a day: that of the person, then that of everybody; of several the one that began last."""
        own = self._of(kind, user_key, day)
        return own if own is not None or user_key is None else self._of(kind, None, day)

    def _of(self, kind: str, user_key: str | None, day: str) -> EffortRate | None:
        starts, held = self._dated.get((kind, user_key), ((), ()))
        for rate in reversed(held[: bisect_right(starts, day)]):
            if day < (rate.valid_to or "9999"):
                return rate
        return None


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
