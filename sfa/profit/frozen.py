"""What money was worth when an offer was made: the rates that a quote keeps, and figures that go by them (R39). Pure.

A quote keeps the capital rate of its day and, for each currency that its list prices and costs are in, the rate into
the currency of the offer. Rates that are corrected later change nothing that was said; what was not known then, and a
conversion into a third currency for a report, goes by today's rates of that day.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sfa.profit.dated import EffortRate
from sfa.quotas.conversion import Applied, Exchange, Missing

Row = Mapping[str, Any]


def kept(exchange: Exchange, currencies: Iterable[str | None], to: str, at: int) -> list[dict[str, Any]]:
    """The rates at an instant, as a quote keeps them."""
    found = []
    for currency in sorted({c for c in currencies if c is not None and c != to}):
        applied = exchange.applied(currency, to, at)
        if applied is not None:
            # Texts: a factor may be longer than a number of JSON is read back as.
            factor = {"numerator": str(applied.numerator), "denominator": str(applied.denominator)}
            said: dict[str, Any] = {"rate": applied.rate, "rate_on": applied.rate_on, "inverse": applied.inverse}
            found.append({"from": currency, "to": to, **said, **factor})
    return found


class Frozen(Exchange):
    """The rates of a quote before those of `live`."""

    def __init__(self, live: Exchange, rates: Sequence[Row]) -> None:
        self._live = live
        self._kept = {
            (r["from"], r["to"]): Applied(
                r["rate"], r["rate_on"], r["inverse"], int(r["numerator"]), int(r["denominator"])
            )
            for r in rates
        }

    def value(self, amount_minor: int, currency: str, to: str, at: int) -> tuple[int, Applied | None] | Missing:
        applied = self._kept.get((currency, to))
        if applied is None:
            return self._live.value(amount_minor, currency, to, at)
        return applied.value(amount_minor), applied

    def applied(self, currency: str, to: str, at: int) -> Applied | None:
        return self._kept.get((currency, to)) or self._live.applied(currency, to, at)


def capital(head: Row) -> list[EffortRate]:
    """The capital rate of a quote, as the only one there is."""
    if head["capital_bp"] is None:
        return []
    return [EffortRate(head["capital_key"], "capital", None, None, None, head["capital_bp"], "0001-01-01", None)]
