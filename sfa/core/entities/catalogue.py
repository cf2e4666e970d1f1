"""What is sold, for how much, and by which calendar and stages: data that a company sets."""

from typing import Annotated

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import Count, Currency, Day, Decimal18, Minor, Name, PeriodRef, ProductRef, Share, Short, Text


class Product(Row, frozen=True, kw_only=True):
    name: Name
    family: Text | None = None
    sku: Short | None = None
    active: bool = True
    external_id: Short | None = None


class Price(Row, frozen=True, kw_only=True):
    product_key: ProductRef
    amount_minor: Minor
    currency: Currency
    valid_from: Day
    valid_to: Day | None = None


class UnitCost(Row, frozen=True, kw_only=True):
    """Apart from prices and in a bucket of its own, so that no path can leak it (S10, R45)."""

    product_key: ProductRef
    amount_minor: Minor
    currency: Currency
    valid_from: Day
    valid_to: Day | None = None


class CurrencyUnit(Row, frozen=True, kw_only=True):
    code: Currency
    name: Name
    minor_digits: Annotated[int, Meta(ge=0, le=4)] = 2


class Rate(Row, frozen=True, kw_only=True):
    """1 `base_currency` = `rate` `quote_currency` from `valid_from` until the next rate of the pair."""

    base_currency: Currency
    quote_currency: Currency
    rate: Decimal18
    valid_from: Day


class FiscalPeriod(Row, frozen=True, kw_only=True):
    """A half-open span of local days `[start_on, end_on)` of the organisation (R31)."""

    name: Name
    kind: Annotated[str, Meta(pattern=r"^(year|quarter|month|period)\Z")]
    start_on: Day
    end_on: Day
    parent_key: PeriodRef | None = None


class Stage(Row, frozen=True, kw_only=True):
    name: Name
    position: Count = 0
    kind: Annotated[str, Meta(pattern=r"^(open|won|lost)\Z")] = "open"
    probability_bp: Share = 0
    category: Annotated[str, Meta(pattern=r"^(omitted|pipeline|best_case|commit|closed)\Z")] = "pipeline"
    external_id: Short | None = None
