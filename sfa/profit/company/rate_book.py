"""What effort and goods cost on a day: dated rates (R40) and unit costs (R39), looked up in Python and joined in SQL.

Of several rates that hold on a day the one of the person counts, then the one that began last, then the larger key.
`spans` says the same as stretches of instants that do not overlap, for a join; a test holds both to each other.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from sfa.core.credits import Cost, cost_on
from sfa.core.days import ENDLESS, start_of_ms

KINDS = ("visit_hour", "work_hour", "kilometre", "capital")


class Dated(Struct, frozen=True):
    """A row of `cost_rates`: `value` is minor units of `currency`, of capital (no currency) basis points of a year."""

    key: str
    kind: str
    user_key: str | None
    value: int
    currency: str | None
    valid_from: str
    valid_to: str | None


class Span(Struct, frozen=True):
    """The rate that counts within [start, end), by instants of the organisation's zone."""

    start: int
    end: int
    value: int
    currency: str | None
    key: str


class Costs:
    """All rates of effort and capital, and all unit costs, ready for look-up."""

    def __init__(self, rates: Iterable[Dated], units: Iterable[Cost], zone: str) -> None:
        self.zone = zone
        self._rates: dict[str, list[Dated]] = {kind: [] for kind in KINDS}
        for rate in rates:
            self._rates[rate.kind].append(rate)
        self._units: dict[str, list[Cost]] = {}
        for cost in units:
            self._units.setdefault(cost.product_key, []).append(cost)
        self._spans: dict[tuple[str, str | None], tuple[list[int], list[Span]]] = {}
        self._personal: dict[str, set[str]] = {
            kind: {rate.user_key for rate in of if rate.user_key is not None} for kind, of in self._rates.items()
        }

    def rate_on(self, kind: str, user: str | None, day: str) -> Dated | None:
        """The rate of a person on a local day."""
        return rate_on(self._rates[kind], user, day)

    def rate_at(self, kind: str, user: str | None, at: int) -> Span | None:
        """The same at an instant."""
        starts, spans = self._stretches(kind, user if user in self._personal[kind] else None)
        place = bisect_right(starts, at)
        if not place or at >= spans[place - 1].end:
            return None
        return spans[place - 1]

    def personal(self, kind: str) -> list[str]:
        """Whoever has a rate of his own."""
        return sorted(self._personal[kind])

    def spans(self, kind: str, user: str | None) -> Sequence[Span]:
        """The stretches of one person, or (None) of whoever has no rate of his own; in order."""
        return self._stretches(kind, user)[1]

    def unit_on(self, product: str, day: str) -> Cost | None:
        return cost_on(self._units.get(product, ()), day)

    def of_product(self, product: str) -> Sequence[Cost]:
        return self._units.get(product, ())

    @property
    def units(self) -> Mapping[str, Sequence[Cost]]:
        return self._units

    def _stretches(self, kind: str, user: str | None) -> tuple[list[int], list[Span]]:
        found = self._spans.get((kind, user))
        if found is None:
            rates = [r for r in self._rates[kind] if r.user_key in (None, user)]
            days: list[str | None] = [*sorted({d for r in rates for d in (r.valid_from, r.valid_to) if d is not None})]
            spans = []
            for day, until in pairwise([*days, None]):
                assert day is not None
                held = rate_on(rates, user, day)
                if held is not None:
                    end = ENDLESS if until is None else start_of_ms(until, self.zone)
                    spans.append(Span(start_of_ms(day, self.zone), end, held.value, held.currency, held.key))
            found = self._spans[kind, user] = [span.start for span in spans], spans
        return found


def rate_on(rates: Iterable[Dated], user: str | None, day: str) -> Dated | None:
    held = [r for r in rates if r.user_key in (None, user) and r.valid_from <= day < (r.valid_to or "9999-99")]
    return max(held, key=lambda r: (r.user_key is not None, r.valid_from, r.key), default=None)


def dated(row: Mapping[str, Any]) -> Dated | None:
    """A row of `cost_rates`; None where it says no amount (or, of capital, no share)."""
    capital = row["kind"] == "capital"
    value, currency = (row["rate_bp"], None) if capital else (row["amount_minor"], row["currency"])
    if value is None or (currency is None and not capital):
        return None
    return Dated(row["key"], row["kind"], row["user_key"], value, currency, row["valid_from"], row["valid_to"])
