"""What a customer is worth: the margin multiple of Gupta and Lehmann. Pure.

S. Gupta and D. R. Lehmann, "Customers as Assets", Journal of Interactive Marketing 17 (1), 2003, and "Managing
Customers as Investments", 2005: the value is m x r / (1 + i - r), the sum over all years to come of a yearly margin m
that a customer stays to bring with probability r from each year to the next, discounted at i. It assumes that m, r and
i stay as they are, that customers leave alike whatever their age, that the margin of a year comes at its end, and that
the year that is over is not counted again. So it is a yardstick to compare customers by, and no forecast of one.

m is what the customer earned in the last whole years, by year; r is the company's (customers who bought in a year and
in the next, of all who bought in it), since one customer has no rate of its own; i is the capital rate. Where the
history is too small for that, the value is not computable and `code` says why.
"""

from fractions import Fraction

from msgspec import Struct

from sfa.core.money import BP_WHOLE, Rounding, ratio_bp, rounded

AT_RISK_MIN = 20  # customers who bought in a year, below which a rate of those who came back says nothing
MODEL = "gupta-lehmann"
SOURCE = "Gupta & Lehmann, Customers as Assets (2003): m * r / (1 + i - r)"


class Retention(Struct, frozen=True):
    """Of `at_risk` customers who bought in one year `kept` bought in the next."""

    at_risk: int
    kept: int

    @property
    def rate_bp(self) -> int | None:
        return ratio_bp(self.kept, self.at_risk)


class Lifetime(Struct, frozen=True):
    """`value_minor` null: not computable, because of `code`: history_too_small, capital_rate_missing, profit_missing or
    never_ends (everybody stays and money costs nothing)."""

    value_minor: int | None
    code: str | None
    margin_minor: int | None
    retention_bp: int | None
    discount_bp: int | None


def lifetime(
    profit_minor: int | None, years: int, retention: Retention, discount_bp: int | None, *, bought: bool = True
) -> Lifetime:
    """`profit_minor` was earned in `years` whole years, `bought`: something was credited in them."""
    margin = None if profit_minor is None or years < 1 else rounded(Fraction(profit_minor, years), Rounding.HALF_UP)
    known = margin, retention.rate_bp, discount_bp
    if years < 1 or retention.at_risk < AT_RISK_MIN or not bought:
        return Lifetime(None, "history_too_small", *known)
    if discount_bp is None:
        return Lifetime(None, "capital_rate_missing", *known)
    if profit_minor is None:
        return Lifetime(None, "profit_missing", *known)
    rate = Fraction(retention.kept, retention.at_risk)
    left = 1 + Fraction(discount_bp, BP_WHOLE) - rate
    if left <= 0:
        return Lifetime(None, "never_ends", *known)
    return Lifetime(rounded(Fraction(profit_minor, years) * rate / left, Rounding.HALF_UP), None, *known)
