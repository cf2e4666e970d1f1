"""What is sold, for how much, and by which calendar and stages: data that a company sets."""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import (
    Count,
    Currency,
    Day,
    Decimal18,
    Instant,
    Minor,
    Name,
    PeriodRef,
    PipelineRef,
    ProductRef,
    Share,
    Short,
    Text,
    UserRef,
)


class Product(Row, frozen=True, kw_only=True):
    """Quantities are counted in its `unit`, and only those of one unit are summed (R11)."""

    name: Name
    family: Text | None = None
    sku: Short | None = None
    active: bool = True
    external_id: Short | None = None
    unit: Short = "piece"


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


class CalendarRule(Row, frozen=True, kw_only=True):
    """One way to cut fiscal years (R31), as `sfa.core.periods.FiscalCalendar` reads it. `since_year` is the first year
    under it; null only for the company's first calendar."""

    kind: Annotated[str, Meta(pattern=r"^(months|4-4-5|4-5-4|5-4-4|13-periods)\Z")] = "months"
    start_month: Annotated[int, Meta(ge=1, le=12)] = 1
    named_by: Annotated[str, Meta(pattern=r"^(start|end)\Z")] = "end"
    year_end: Annotated[str, Meta(pattern=r"^(last|nearest)\Z")] = "last"
    end_weekday: Annotated[int, Meta(ge=1, le=7)] = 6
    since_year: Annotated[int, Meta(ge=1900, le=2200)] | None = None


class PeriodClosing(Row, frozen=True, kw_only=True):
    """A period was closed (R2): figures were frozen at `closed_at`. Until `grace_until` the person in `again_key` may
    close once more, which makes the next `number`; the latest one counts, all are kept."""

    period_key: PeriodRef
    number: Count
    closed_at: Instant
    closed_by: UserRef
    grace_until: Instant | None = None
    again_key: UserRef | None = None
    reason: Text | None = None


class Pipeline(Row, frozen=True, kw_only=True):
    """A way in which deals are won; a company with one way needs none."""

    name: Name
    position: Count = 0
    active: bool = True
    external_id: Short | None = None


class Stage(Row, frozen=True, kw_only=True):
    """A step of one pipeline, or (null) of every one, for deals that enter it on the days [valid_from, valid_to).
    `exit_criteria` are what a deal must have before it goes on (`sfa.core.criteria`); a deal that stands longer than
    `stalled_days` in it is stalled."""

    name: Name
    position: Count = 0
    kind: Annotated[str, Meta(pattern=r"^(open|won|lost)\Z")] = "open"
    probability_bp: Share = 0
    category: Annotated[str, Meta(pattern=r"^(omitted|pipeline|best_case|commit|closed)\Z")] = "pipeline"
    external_id: Short | None = None
    pipeline_key: PipelineRef | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    exit_criteria: Annotated[list[dict[str, Any]], Meta(max_length=20)] = []
    stalled_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None


class LostReason(Row, frozen=True, kw_only=True):
    """Why deals are lost, in the company's words; some ask which competitor won."""

    name: Name
    position: Count = 0
    active: bool = True
    asks_competitor: bool = False


class Competitor(Row, frozen=True, kw_only=True):
    name: Name
    active: bool = True


class CreditRule(Row, frozen=True, kw_only=True):
    """At which event a deal that is won on the days [valid_from, valid_to) is credited (R9); without a rule when it is
    won."""

    event: Annotated[str, Meta(pattern=r"^(won|signed|invoiced)\Z")] = "won"
    valid_from: Day
    valid_to: Day | None = None
