"""Money of any currency in a quota's, at the rate of the local day of an instant (R34): pure, exact, looked up once.

A rate is found as `sfa.core.currency` finds it, for whole spans of instants at a time, so that a hundred thousand
amounts cost no look-up of a day each. A missing rate is answered as such and never means 1. Rows that are no rates (one
for a currency that does not exist) are passed over; of two for one pair and day the one with the larger key counts.
"""

from bisect import bisect_right
from collections.abc import Iterable

from msgspec import Struct

from sfa.core.credits import day_of
from sfa.core.currency import Rates
from sfa.core.days import start_of_ms
from sfa.core.entities import Rate
from sfa.core.errors import Refused
from sfa.core.money import minor_digits


class Missing(Struct, frozen=True, order=True, gc=False):
    """There is no rate from one currency to the other on that local day."""

    from_currency: str
    to_currency: str
    on: str


class Applied(Struct, frozen=True, gc=False):
    """The rate that was used: the quoted row's text and first day, and the exact factor between minor units."""

    rate: str
    rate_on: str
    inverse: bool
    numerator: int
    denominator: int

    def value(self, amount_minor: int) -> int:
        """Rounded once, half up, the same going up and down."""
        size, rest = divmod(abs(amount_minor) * self.numerator, self.denominator)
        size += 2 * rest >= self.denominator
        return size if amount_minor >= 0 else -size


class Exchange:
    """All rates, by (key, row), and the organisation's zone."""

    def __init__(self, rates: Iterable[tuple[str, Rate]], zone: str) -> None:
        self._zone = zone
        found: dict[tuple[str, str, str], Rate] = {}
        for _, rate in sorted(rates, key=lambda item: item[0]):
            if _is_usable(rate):
                found[rate.base_currency, rate.quote_currency, rate.valid_from] = rate
        self._rates = Rates(found.values())
        self._days: dict[frozenset[str], set[str]] = {}
        for base, quote, day in found:
            self._days.setdefault(frozenset((base, quote)), set()).add(day)
        self._spans: dict[tuple[str, str], tuple[list[int], list[Applied]]] = {}

    def value(self, amount_minor: int, currency: str, to: str, at: int) -> tuple[int, Applied | None] | Missing:
        """The amount in the other currency, rounded once, half up; None where it is the same currency."""
        if currency == to:
            return amount_minor, None
        applied = self.applied(currency, to, at)
        if applied is None:
            return Missing(currency, to, day_of(at, self._zone))
        return applied.value(amount_minor), applied

    def into(self, to: str) -> set[str]:
        """The currencies of which there is a rate to another, of whatever day."""
        return {currency for pair in self._days if to in pair for currency in pair - {to}}

    def applied(self, currency: str, to: str, at: int) -> Applied | None:
        """The rate in force at an instant."""
        starts, spans = self._spans.get((currency, to)) or self._span(currency, to)
        place = bisect_right(starts, at)
        return spans[place - 1] if place else None

    def _span(self, currency: str, to: str) -> tuple[list[int], list[Applied]]:
        days = sorted(self._days.get(frozenset((currency, to)), ()))
        starts, spans = [], []
        for day in days:
            stated = self._rates.stated_on(currency, to, day)
            assert stated.rate is not None
            shift = minor_digits(to) - minor_digits(currency)
            factor = stated.factor * (10**shift if shift >= 0 else 1) / (10**-shift if shift < 0 else 1)
            starts.append(start_of_ms(day, self._zone))
            spans.append(
                Applied(stated.rate.rate, stated.rate.valid_from, stated.inverse, factor.numerator, factor.denominator)
            )
        self._spans[currency, to] = starts, spans
        return starts, spans


def _is_usable(rate: Rate) -> bool:
    try:
        Rates([rate])
    except Refused:
        return False
    return True
