"""What a row is: one frozen Struct for each synced entity, both domain value and wire message.

A row's key, revision and deletion are not fields: they travel beside it. `ENTITIES` is the register;
`sfa.core.shapes` reads off it what other modules ask, and the types of fields are in `sfa.core.fields`.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from sfa.core.fields import (
    MONEY_MAX,
    AccountRef,
    Body,
    ContactRef,
    Count,
    Currency,
    Day,
    DealRef,
    Decimal18,
    Instant,
    Minor,
    Name,
    PeriodRef,
    ProductRef,
    ProfileDays,
    Share,
    Short,
    StageRef,
    Tags,
    TeamRef,
    TerritoryRef,
    Text,
    UserRef,
    VisitRef,
)


class Row(Struct, frozen=True, kw_only=True):
    """What every entity has; both fields are set by the server."""

    created_at: Instant | None = None
    created_by: UserRef | None = None


class Organisation(Row, frozen=True, kw_only=True):
    """`history_days`: how long visits, notes and closed deals stay on devices unless a `device_profiles` row says else;
    older ones are online only (S10). `merge_undo_days`: for how long a merge can be undone (S22)."""

    name: Name
    zone: Short = "UTC"
    currency: Currency = "USD"
    history_days: Annotated[int, Meta(ge=90, le=36_500)] = 548
    merge_undo_days: Annotated[int, Meta(ge=0, le=3_650)] = 30


class DeviceProfile(Row, frozen=True, kw_only=True):
    """How many days of visits, notes and closed deals the devices of a role carry; null is the organisation's
    `history_days`. Of several profiles of one role the one with the smallest key counts (S10)."""

    role: Annotated[str, Meta(pattern=r"^(rep|manager|director|finance|admin)\Z")]
    visit_days: ProfileDays | None = None
    note_days: ProfileDays | None = None
    deal_days: ProfileDays | None = None


class User(Row, frozen=True, kw_only=True):
    name: Name
    email: Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\Z")]
    role: Annotated[str, Meta(pattern=r"^(rep|manager|director|finance|admin)\Z")] = "rep"
    title: Text | None = None
    active: bool = True
    external_id: Short | None = None


class Team(Row, frozen=True, kw_only=True):
    name: Name
    external_id: Short | None = None


class TeamEdge(Row, frozen=True, kw_only=True):
    """`team_key` lies under `parent_key` from `valid_from` until before `valid_to`."""

    team_key: TeamRef
    parent_key: TeamRef | None = None
    valid_from: Day
    valid_to: Day | None = None


class TeamMember(Row, frozen=True, kw_only=True):
    team_key: TeamRef
    user_key: UserRef
    role: Annotated[str, Meta(pattern=r"^(member|manager)\Z")] = "member"
    valid_from: Day
    valid_to: Day | None = None


class Territory(Row, frozen=True, kw_only=True):
    name: Name
    external_id: Short | None = None


class TerritoryEdge(Row, frozen=True, kw_only=True):
    territory_key: TerritoryRef
    parent_key: TerritoryRef | None = None
    valid_from: Day
    valid_to: Day | None = None


class TerritoryMember(Row, frozen=True, kw_only=True):
    territory_key: TerritoryRef
    user_key: UserRef
    valid_from: Day
    valid_to: Day | None = None


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


class Account(Row, frozen=True, kw_only=True):
    name: Name
    territory_key: TerritoryRef | None = None
    parent_key: AccountRef | None = None
    status: Annotated[str, Meta(pattern=r"^(prospect|customer|former)\Z")] = "prospect"
    tier: Annotated[str, Meta(pattern=r"^[A-D]\Z")] | None = None
    industry: Short | None = None
    phone: Short | None = None
    email: Annotated[str, Meta(max_length=254)] | None = None
    website: Text | None = None
    street: Text | None = None
    postal_code: Short | None = None
    city: Short | None = None
    region: Short | None = None
    country: Short | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    employees: Count | None = None
    founded_year: Annotated[int, Meta(ge=0, le=9999)] | None = None
    revenue_minor: Minor | None = None
    revenue_currency: Currency | None = None
    tags: Tags = []
    external_id: Short | None = None


class AccountMember(Row, frozen=True, kw_only=True):
    """One person of the account team: the account, its contacts, visits and notes also lie in that person's bucket."""

    account_key: AccountRef
    user_key: UserRef


class Contact(Row, frozen=True, kw_only=True):
    account_key: AccountRef
    name: Name
    title: Text | None = None
    phone: Short | None = None
    mobile: Short | None = None
    email: Annotated[str, Meta(max_length=254)] | None = None
    language: Short | None = None
    active: bool = True
    external_id: Short | None = None


class Visit(Row, frozen=True, kw_only=True):
    account_key: AccountRef
    owner_key: UserRef
    contact_key: ContactRef | None = None
    purpose: Text | None = None
    planned_at: Instant | None = None
    planned_minutes: Annotated[int, Meta(ge=0, le=1440)] | None = None
    status: Annotated[str, Meta(pattern=r"^(planned|checked_in|completed|cancelled|no_show)\Z")] = "planned"
    checked_in_at: Instant | None = None
    checked_out_at: Instant | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    accuracy_m: Annotated[float, Meta(ge=0, le=10**7)] | None = None
    outcome: Text | None = None


class Note(Row, frozen=True, kw_only=True):
    """A note on a visit, or on an account when `visit_key` is null."""

    account_key: AccountRef
    visit_key: VisitRef | None = None
    author_key: UserRef
    written_at: Instant | None = None
    body: Body = ""


class Task(Row, frozen=True, kw_only=True):
    owner_key: UserRef
    account_key: AccountRef | None = None
    title: Name
    due_on: Day | None = None
    done: bool = False


class Deal(Row, frozen=True, kw_only=True):
    name: Name
    owner_key: UserRef
    account_key: AccountRef | None = None
    contact_key: ContactRef | None = None
    stage_key: StageRef
    amount_minor: Minor | None = None
    currency: Currency | None = None
    opened_on: Day | None = None
    close_on: Day | None = None
    closed_at: Instant | None = None
    lost_reason: Text | None = None
    splits: Annotated[list[dict[str, Any]], Meta(max_length=20)] = []
    next_step: Text | None = None
    external_id: Short | None = None


class DealLine(Row, frozen=True, kw_only=True):
    deal_key: DealRef
    product_key: ProductRef
    position: Count = 0
    quantity: Decimal18 = "1"
    unit_price_minor: Minor = 0
    discount_bp: Share = 0


class Quota(Row, frozen=True, kw_only=True):
    """A target of one user, one team or one territory for one period, in money or in a count (R11)."""

    user_key: UserRef | None = None
    team_key: TeamRef | None = None
    territory_key: TerritoryRef | None = None
    period_key: PeriodRef
    measure: Annotated[str, Meta(pattern=r"^(revenue|margin|quantity|total_contacts|unique_contacts|new_accounts)\Z")]
    target: Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
    currency: Currency | None = None


class Refusal(Row, frozen=True, kw_only=True):
    """A mutation that was refused, kept whole where its author can repair it (S19). `details` are those of its receipt:
    which field, which key. `repairs_key`: it tried to repair that one. `repaired_with`: the key and `set` that landed,
    `repaired_by` its mutation (`device.n`) or `screen`."""

    author_key: UserRef
    device_key: Short
    n: Count
    entity: Short
    row_key: Short
    kind: Short
    code: Short
    text: Annotated[str, Meta(max_length=2000)]
    depends_on_n: Count | None = None
    mutation: Any = None
    status: Annotated[str, Meta(pattern=r"^(open|repaired|dismissed)\Z")] = "open"
    repairs_key: Short | None = None
    repaired_by: Short | None = None
    repaired_with: Any = None
    details: Any = None


class Conflict(Row, frozen=True, kw_only=True):
    """Two edits of one meaning met: what stands, what lost and who wrote it. `open` asks for a decision,
    `closed` was decided by the strategy, `restored` and `dismissed` by a person. The losing value is never deleted."""

    entity: Short
    row_key: Short
    field_group: Short
    strategy: Short
    losing: Any = None
    standing: Any = None
    author_key: UserRef | None = None
    device_key: Short | None = None
    n: Count | None = None
    reason: Short = "concurrent"
    status: Annotated[str, Meta(pattern=r"^(open|closed|restored|dismissed)\Z")] = "open"


class Suggestion(Row, frozen=True, kw_only=True):
    """A person decides: is it a `duplicate` of `other_key` (S30)? Does a `handover` (S37) land, `{"mutation", "at"}` of
    the row or of what is new below it? `after_key` is decided first, `also_in` says where else it lies."""

    entity: Short
    row_key: Short
    other_key: Short
    kind: Annotated[str, Meta(pattern=r"^(duplicate|handover)\Z")]
    score_bp: Share
    reasons: Annotated[list[Short], Meta(max_length=20)] = []
    status: Annotated[str, Meta(pattern=r"^(open|accepted|declined|withdrawn)\Z")] = "open"
    author_key: UserRef | None = None
    device_key: Short | None = None
    mutations: Any = None
    also_in: Short | None = None
    after_key: Short | None = None
    reason: Annotated[str, Meta(max_length=2000)] | None = None
    decided_by: UserRef | None = None


class Handover(Row, frozen=True, kw_only=True):
    """What its author sees of a hand-over, under the key of its suggestion: what he sent, and what was decided."""

    author_key: UserRef
    device_key: Short
    n: Count
    entity: Short
    row_key: Short
    kind: Short
    mutations: Any = None
    status: Annotated[str, Meta(pattern=r"^(open|accepted|declined)\Z")] = "open"
    reason: Annotated[str, Meta(max_length=2000)] | None = None
    decided_by: UserRef | None = None


ENTITIES: dict[str, type[Row]] = {
    "organisations": Organisation,
    "device_profiles": DeviceProfile,
    "users": User,
    "teams": Team,
    "team_edges": TeamEdge,
    "team_members": TeamMember,
    "territories": Territory,
    "territory_edges": TerritoryEdge,
    "territory_members": TerritoryMember,
    "products": Product,
    "prices": Price,
    "unit_costs": UnitCost,
    "currencies": CurrencyUnit,
    "rates": Rate,
    "fiscal_periods": FiscalPeriod,
    "stages": Stage,
    "accounts": Account,
    "account_members": AccountMember,
    "contacts": Contact,
    "visits": Visit,
    "notes": Note,
    "tasks": Task,
    "deals": Deal,
    "deal_lines": DealLine,
    "quotas": Quota,
    "refusals": Refusal,
    "conflicts": Conflict,
    "suggestions": Suggestion,
    "handovers": Handover,
}
