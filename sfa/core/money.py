"""Money as integers of minor units: currencies, named rounding, fair allocation, discounts, margins, text.

Promises: no float ever takes part (R33); an amount and its currency travel together; each rounding is named
where it happens and happens once, on the exact value; parts made by `allocate` sum to the whole (R16, R35).
Does not do: conversion between currencies (`currency`), the arithmetic of a whole document (the proposals'
pricing).
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TypeGuard

import msgspec

from sfa.core.errors import Refused
from sfa.core.fields import MONEY_MAX

Exact = int | Fraction | Decimal

BP_WHOLE = 10_000  # 100 % in basis points
_DECIMAL = re.compile(r"([+-]?)([0-9]{1,16})(?:\.([0-9]{1,9}))?")

# ISO 4217, active codes. Two digits unless a line below says otherwise.
_TWO_DIGITS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
    CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
    RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
    USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    ANG BGN CUC HRK SLL ZWL
"""  # the last row: withdrawn lately, still met in old records
_OTHER_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_DIGITS: dict[str, int] = dict.fromkeys(_TWO_DIGITS.split(), 2) | {
    code: digits for digits, codes in _OTHER_DIGITS.items() for code in codes.split()
}


class Rounding(StrEnum):
    """How an exact value becomes whole minor units. Both are symmetric: round(-x) is -round(x)."""

    HALF_UP = "half_up"  # halves away from zero: 2.5 -> 3, -2.5 -> -3
    HALF_EVEN = "half_even"  # halves to the even neighbour: 2.5 -> 2, 3.5 -> 4


def minor_digits(currency: str) -> int:
    """Decimal digits of the currency's minor unit (EUR 2, JPY 0, KWD 3), or `currency_unknown`."""
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise Refused("currency_unknown", f"{currency!r} is not a currency of ISO 4217", currency=currency)
    return digits


class Money(msgspec.Struct, frozen=True):
    """An amount of one currency. Adding another currency is refused with `rate_missing` (R34)."""

    amount_minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise Refused(
                "rate_missing",
                f"{self.currency} and {other.currency} cannot be summed without a stated rate",
                currencies=[self.currency, other.currency],
            )
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return self + -other

    def __str__(self) -> str:
        return f"{format_minor(self.amount_minor, self.currency)} {self.currency}"


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum, in `currency`; nothing at all sums to zero. Another currency among them: `rate_missing`."""
    return sum(amounts, start=Money(0, currency))


def exact(value: object) -> Fraction:
    """The value as a fraction. A float is a programming error, not something to round."""
    if isinstance(value, bool) or not isinstance(value, int | Fraction | Decimal):
        raise TypeError(f"money needs an exact number, not {type(value).__name__}")
    return Fraction(value)


def rounded(value: Exact, rounding: Rounding) -> int:
    """The whole number that the named rounding makes of an exact value."""
    fraction = exact(value)
    whole, rest = divmod(abs(fraction.numerator), fraction.denominator)
    twice = 2 * rest
    past_half = twice > fraction.denominator
    at_half = twice == fraction.denominator
    if past_half or (at_half and (rounding is Rounding.HALF_UP or whole % 2 == 1)):
        whole += 1
    return whole if fraction.numerator >= 0 else -whole


def allocate(total_minor: int, weights: Sequence[Exact]) -> list[int]:
    """Split a total by weights so that the parts sum exactly to it (largest remainder; ties go to the earlier
    one).

    Each part is within one minor unit of its exact share, and a weight of zero gets nothing. A negative total
    gives the negated parts of the positive one. `amount_invalid`: no weights, a negative weight, or only
    zeros.
    """
    shares: Sequence[int | Fraction] = weights if _are_whole(weights) else [exact(weight) for weight in weights]
    whole = sum(shares)
    if not shares or min(shares) < 0 or whole == 0:
        raise Refused("amount_invalid", "An amount needs weights of zero or more, not all zero, to be shared out")
    size = abs(total_minor)
    floors: list[int] = []
    rests: list[int | Fraction] = []
    for share in shares:
        floor, rest = divmod(size * share, whole)
        floors.append(int(floor))
        rests.append(rest)
    left = size - sum(floors)
    by_remainder = sorted(range(len(shares)), key=lambda index: (-rests[index], index))
    for index in by_remainder[:left]:
        floors[index] += 1
    return floors if total_minor >= 0 else [-part for part in floors]


def _are_whole(weights: Sequence[Exact]) -> TypeGuard[Sequence[int]]:
    """Plain integers, which need no fractions to be exact."""
    return all(type(weight) is int for weight in weights)


def apply_bp(amount_minor: int, share_bp: int, rounding: Rounding) -> int:
    """A share of an amount: 2,500 bp of 1.99 is 0.50 by half-up."""
    if rounding is Rounding.HALF_UP:  # without fractions: it is asked of every deal
        size = (2 * abs(amount_minor * share_bp) + BP_WHOLE) // (2 * BP_WHOLE)
        return size if amount_minor * share_bp >= 0 else -size
    return rounded(Fraction(amount_minor * share_bp, BP_WHOLE), rounding)


def remaining_share(discounts_bp: Sequence[int]) -> Fraction:
    """What stacked discounts leave of a price, exact: they multiply (R35), so 10 % then 5 % leave 85.5 %."""
    left = Fraction(1)
    for discount_bp in discounts_bp:
        if not 0 <= discount_bp <= BP_WHOLE:
            raise Refused("amount_invalid", "A discount lies between 0 and 100 %", discount_bp=discount_bp)
        left *= Fraction(BP_WHOLE - discount_bp, BP_WHOLE)
    return left


def discounted(amount_minor: int, discounts_bp: Sequence[int], rounding: Rounding) -> int:
    """The amount after all discounts, rounded once at the end: the order of percentages cannot matter."""
    return rounded(amount_minor * remaining_share(discounts_bp), rounding)


def ratio_bp(part: int, whole: int, rounding: Rounding = Rounding.HALF_UP) -> int | None:
    """`part / whole` in basis points; None means not computable (a whole of zero)."""
    return None if whole == 0 else rounded(Fraction(part * BP_WHOLE, whole), rounding)


def margin_bp(price_minor: int, cost_minor: int, rounding: Rounding = Rounding.HALF_UP) -> int | None:
    """Profit over price (R36), both of one currency; None when the price is zero."""
    return ratio_bp(price_minor - cost_minor, price_minor, rounding)


def markup_bp(price_minor: int, cost_minor: int, rounding: Rounding = Rounding.HALF_UP) -> int | None:
    """Profit over cost (R36), both of one currency; None when the cost is zero."""
    return ratio_bp(price_minor - cost_minor, cost_minor, rounding)


def parse_minor(text: str, currency: str) -> int:
    """Minor units of a decimal text such as "1250.5" or "-3"; the point is the decimal sign, nothing groups
    digits.

    `amount_invalid`: not of that form, more decimals than the currency has (even zeros: "1.000" is a thousand
    to some readers), or beyond `MONEY_MAX`. `currency_unknown` as in `minor_digits`.
    """
    digits = minor_digits(currency)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise Refused("amount_invalid", f"{text[:40]!r} is not a decimal number like 1250.50", amount=text[:40])
    sign, whole, decimals = match[1], match[2], match[3] or ""
    if len(decimals) > digits:
        raise Refused("amount_invalid", f"{currency} has {digits} decimals, {text!r} has more", amount=text)
    amount_minor = int(whole + decimals.ljust(digits, "0"))
    if amount_minor > MONEY_MAX:
        raise Refused("amount_invalid", f"{text!r} is larger than the limit", amount=text)
    return -amount_minor if sign == "-" else amount_minor


def format_minor(amount_minor: int, currency: str) -> str:
    """The plain decimal text of an amount ("-1250.50"), with all decimals of the currency; `parse_minor`
    reads it."""
    digits = minor_digits(currency)
    text = str(abs(amount_minor)).rjust(digits + 1, "0")
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"
