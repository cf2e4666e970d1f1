"""Deals and targets."""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import (
    MONEY_MAX,
    AccountRef,
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
    Share,
    Short,
    StageRef,
    TeamRef,
    TerritoryRef,
    Text,
    UserRef,
)


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
