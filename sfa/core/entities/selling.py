"""Deals and targets."""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import (
    MONEY_MAX,
    AccountRef,
    CompetitorRef,
    ContactRef,
    Count,
    Currency,
    Day,
    DealRef,
    Decimal18,
    Instant,
    LostReasonRef,
    Minor,
    Name,
    PeriodRef,
    PipelineRef,
    ProductRef,
    QuotaRef,
    Share,
    Short,
    StageRef,
    TeamRef,
    TerritoryRef,
    Text,
    UserRef,
)

Shares = Annotated[list[dict[str, Any]], Meta(max_length=20)]
Category = Annotated[str, Meta(pattern=r"^(omitted|pipeline|best_case|likely|commit)\Z")]


class Deal(Row, frozen=True, kw_only=True):
    """`splits` share out its money and total 100 % with the owner, `overlays` credit others beside it (R16): each
    `{user_key, share_bp}`. `category` is somebody's judgement, null is that of the stage (R24). `closings` are earlier
    ends that were reversed (R21): `{stage_key, closed_at, signed_at, invoiced_at, event, reopened_at, owner_key,
    amount_minor, currency, splits, overlays, lost_reason, lost_reason_key, competitor_key}`; `event` is the one that
    credited it, null for none (R9)."""

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
    splits: Shares = []
    next_step: Text | None = None
    external_id: Short | None = None
    pipeline_key: PipelineRef | None = None
    overlays: Shares = []
    category: Category | None = None
    lost_reason_key: LostReasonRef | None = None
    competitor_key: CompetitorRef | None = None
    signed_at: Instant | None = None
    invoiced_at: Instant | None = None
    stage_since: Instant | None = None
    closings: Annotated[list[dict[str, Any]], Meta(max_length=50)] = []
    payment_days: Annotated[int, Meta(ge=0, le=3_650)] | None = None


class DealContact(Row, frozen=True, kw_only=True):
    """What a person has to do with the decision."""

    deal_key: DealRef
    contact_key: ContactRef
    role: Annotated[
        str, Meta(pattern=r"^(decision_maker|economic_buyer|champion|influencer|user|technical|legal|blocker|other)\Z")
    ] = "other"
    note: Text | None = None


class DealLine(Row, frozen=True, kw_only=True):
    deal_key: DealRef
    product_key: ProductRef
    position: Count = 0
    quantity: Decimal18 = "1"
    unit_price_minor: Minor = 0
    discount_bp: Share = 0


class Quota(Row, frozen=True, kw_only=True):
    """A target of one user, one team or one territory for one period, in money or in a count (R11). An approved one is
    read-only until it is a draft again (R5); `approvals` counts them. Contacts may be narrowed to a tier or a type of
    visit, quantities to a product, and say their `unit`; the `counts_*` say which visits count (R4). `overlay` counts
    overlay credit instead of shares. `spread_of` is the yearly quota of which it is a part (R8)."""

    user_key: UserRef | None = None
    team_key: TeamRef | None = None
    territory_key: TerritoryRef | None = None
    period_key: PeriodRef
    measure: Annotated[str, Meta(pattern=r"^(revenue|margin|quantity|total_contacts|unique_contacts|new_accounts)\Z")]
    target: Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
    currency: Currency | None = None
    unit: Short | None = None
    product_key: ProductRef | None = None
    account_tier: Annotated[str, Meta(pattern=r"^[A-D]\Z")] | None = None
    visit_type: Short | None = None
    counts_unverified: bool = True
    counts_out_of_range: bool = True
    counts_no_show: bool = False
    counts_cancelled: bool = False
    overlay: bool = False
    spread_of: QuotaRef | None = None
    status: Annotated[str, Meta(pattern=r"^(draft|approved)\Z")] = "draft"
    approvals: Count = 0


class QuotaVersion(Row, frozen=True, kw_only=True):
    """What was approved (R5), appended and never changed: `number` counts those of one quota. It counts for figures as
    of `valid_from` and later; the first one for earlier ones too."""

    quota_key: QuotaRef
    number: Count
    target: Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
    currency: Currency | None = None
    valid_from: Day
    approved_by: UserRef
    approved_at: Instant
    reason: Text | None = None


class QuotaChallenge(Row, frozen=True, kw_only=True):
    """Who is measured by a quota says that it is wrong; who sets it decides. Both stay (R5)."""

    quota_key: QuotaRef
    author_key: UserRef
    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    proposed: Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)] | None = None
    status: Annotated[str, Meta(pattern=r"^(open|accepted|declined)\Z")] = "open"
    answer: Annotated[str, Meta(max_length=2000)] | None = None
    decided_by: UserRef | None = None
    decided_at: Instant | None = None
