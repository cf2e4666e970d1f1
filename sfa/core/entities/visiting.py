"""Around visits: plans that repeat, the rules of a check-in, checklists, corrections, what was heard, the way there.

`Visit` itself is a row of `customers`. Plans and signals are somebody's work below a customer; policies, checklists and
cadence are the company's and lie with everybody; corrections lie with their visit, travel with its owner.
"""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import (
    KEY_PATTERN,
    AccountRef,
    ContactRef,
    Count,
    Currency,
    Day,
    Instant,
    Minor,
    Name,
    ProductRef,
    Short,
    Text,
    UserRef,
    VisitRef,
)

People = Annotated[list[Annotated[str, Meta(pattern=KEY_PATTERN)]], Meta(max_length=20)]
LocalTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
Minutes = Annotated[int, Meta(ge=1, le=1440)]


class VisitPlan(Row, frozen=True, kw_only=True):
    """Visits to a customer on the days of `rrule` (RFC 5545; null is one day, `valid_from`), at `start_time` by the
    clocks of `zone`, from `valid_from` until before `valid_to`, never on the days in `exceptions`."""

    owner_key: UserRef
    account_key: AccountRef
    contact_key: ContactRef | None = None
    visit_type: Short | None = None
    purpose: Text | None = None
    rrule: Text | None = None
    start_time: LocalTime
    zone: Short
    minutes: Minutes = 60
    valid_from: Day
    valid_to: Day | None = None
    exceptions: Annotated[list[Day], Meta(max_length=400)] = []
    participants: People = []


class VisitPolicy(Row, frozen=True, kw_only=True):
    """What a check-in must be, for visits of one type or (null) of all others. `hard` refuses what is out of range,
    `soft` marks it, `off` measures and judges nothing. Accuracy that is worse than `accuracy_max_m` proves nothing."""

    visit_type: Short | None = None
    radius_m: Annotated[int, Meta(ge=10, le=100_000)] = 200
    accuracy_max_m: Annotated[int, Meta(ge=5, le=10_000)] = 100
    geofence: Annotated[str, Meta(pattern=r"^(hard|soft|off)\Z")] = "soft"
    requires_checklist: bool = False
    auto_submit: bool = False
    valid_from: Day
    valid_to: Day | None = None


class ChecklistTemplate(Row, frozen=True, kw_only=True):
    """Questions of visits of one type or (null) of all others. A question is `{id, text, kind, required, choices}`:
    `kind` is yes_no, number, text or choice; `choices` are the answers of a choice."""

    name: Name
    visit_type: Short | None = None
    questions: Annotated[list[dict[str, Any]], Meta(max_length=100)] = []
    valid_from: Day
    valid_to: Day | None = None


class VisitAmendment(Row, frozen=True, kw_only=True):
    """One field of a submitted visit corrected (R14): appended, never changed. `ordinal` counts those of one field."""

    visit_key: VisitRef
    author_key: UserRef
    amended_at: Instant
    ordinal: Count
    field: Short
    old: Any = None
    new: Any = None
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


class Signal(Row, frozen=True, kw_only=True):
    """Something heard in the field that adds up for managers; `amount_minor` is what it is about, if money is."""

    account_key: AccountRef
    author_key: UserRef
    visit_key: VisitRef | None = None
    kind: Annotated[str, Meta(pattern=r"^(need|competitor|price|complaint|order_wish)\Z")]
    said_at: Instant
    product_key: ProductRef | None = None
    competitor: Short | None = None
    amount_minor: Minor | None = None
    currency: Currency | None = None
    text: Annotated[str, Meta(max_length=2000)] | None = None


class CadenceRule(Row, frozen=True, kw_only=True):
    """Customers of a tier are visited every so many days, working days (Monday to Friday) or weeks; `lead_days` before
    the due day a visit counts as due."""

    tier: Annotated[str, Meta(pattern=r"^[A-D]\Z")]
    every: Annotated[int, Meta(ge=1, le=1000)]
    unit: Annotated[str, Meta(pattern=r"^(day|working_day|week)\Z")] = "day"
    lead_days: Annotated[int, Meta(ge=0, le=365)] = 0
    valid_from: Day
    valid_to: Day | None = None


class TravelLeg(Row, frozen=True, kw_only=True):
    """One way to a visit (or home: null). `distance_m` is what the source proves; null proves nothing. A `gap` of a GPS
    track is `{from_at, to_at}` and stays a gap: nothing is interpolated."""

    owner_key: UserRef
    visit_key: VisitRef | None = None
    started_at: Instant
    ended_at: Instant
    source: Annotated[str, Meta(pattern=r"^(gps|odometer|estimate)\Z")]
    distance_m: Annotated[int, Meta(ge=0, le=5_000_000)] | None = None
    gaps: Annotated[list[dict[str, Any]], Meta(max_length=200)] = []
