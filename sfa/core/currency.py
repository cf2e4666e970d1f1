"""Conversion with dated rates, stated or refused (R34).

Promises: the rate of a day is the latest one on or before it; a pair that is quoted the other way round is
used inversely and the answer says so; a missing rate refuses with `rate_missing` and never means 1.
Does not do: cross rates through a third currency (quote the pair you need), choice of the day (open deals:
the report date; closed deals: the rate frozen at close), fetching of rates.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction

import msgspec

from sfa.core.days import check_day
from sfa.core.entities import Rate
from sfa.core.errors import Refused
from sfa.core.money import Rounding, minor_digits, rounded

_RATE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")


class StatedRate(msgspec.Struct, frozen=True):
    """The rate that a conversion used: what a figure must show beside itself.

    `rate` is the quoted row. `inverse` says that it quotes the pair the other way round; None: one currency
    only.
    """

    rate: Rate | None
    inverse: bool
    factor: Fraction  # units of the target currency for one unit of the source, exact


class Conversion(msgspec.Struct, frozen=True):
    amount_minor: int
    currency: str
    stated: StatedRate


_SAME_CURRENCY = StatedRate(None, False, Fraction(1))


class Rates:
    """All known rates, ready for look-up. Refuses bad rows and two rates for one pair on one day."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._by_pair: dict[tuple[str, str], list[Rate]] = {}
        for rate in sorted(rates, key=lambda row: row.valid_from):
            _check_rate(rate)
            dated = self._by_pair.setdefault((rate.base_currency, rate.quote_currency), [])
            if dated and dated[-1].valid_from == rate.valid_from:
                pair = f"{rate.base_currency}/{rate.quote_currency}"
                raise Refused("field_invalid", f"{pair} has two rates from {rate.valid_from}", field="valid_from")
            dated.append(rate)

    def stated_on(self, from_currency: str, to_currency: str, on: str) -> StatedRate:
        """The rate in force on a day ("YYYY-MM-DD"), or `rate_missing`.

        Where both directions are quoted, the later row counts; of two rows of one day, the direct one.
        """
        check_day(on)
        minor_digits(from_currency)
        minor_digits(to_currency)
        if from_currency == to_currency:
            return _SAME_CURRENCY
        direct = self._latest(from_currency, to_currency, on)
        other = self._latest(to_currency, from_currency, on)
        if direct and (other is None or direct.valid_from >= other.valid_from):
            return StatedRate(direct, False, Fraction(direct.rate))
        if other:
            return StatedRate(other, True, 1 / Fraction(other.rate))
        raise Refused(
            "rate_missing",
            f"There is no rate from {from_currency} to {to_currency} on {on}",
            from_currency=from_currency,
            to_currency=to_currency,
            on=on,
        )

    def _latest(self, base: str, quote: str, on: str) -> Rate | None:
        dated = self._by_pair.get((base, quote), [])
        index = bisect_right(dated, on, key=lambda row: row.valid_from)
        return dated[index - 1] if index else None


def convert(
    amount_minor: int, from_currency: str, to_currency: str, on: str, rates: Rates, rounding: Rounding
) -> Conversion:
    """The amount in the other currency at the rate of the day, rounded once; one currency: the amount
    itself."""
    stated = rates.stated_on(from_currency, to_currency, on)
    shift = Fraction(10) ** (minor_digits(to_currency) - minor_digits(from_currency))
    return Conversion(rounded(amount_minor * stated.factor * shift, rounding), to_currency, stated)


def _check_rate(rate: Rate) -> None:
    check_day(rate.valid_from)
    minor_digits(rate.base_currency)
    minor_digits(rate.quote_currency)
    if rate.base_currency == rate.quote_currency:
        raise Refused("field_invalid", f"{rate.base_currency} needs no rate to itself", field="quote_currency")
    if not _RATE.fullmatch(rate.rate) or Fraction(rate.rate) == 0:
        raise Refused("field_invalid", f"{rate.rate[:40]!r} is no decimal text above zero", field="rate")
