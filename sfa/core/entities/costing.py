"""What selling costs and what a price may be: rates of effort, charges beside a deal, expenses, work, rebates, limits.

`CostRate` and most charges are for who sees cost (R45); expenses and work are their author's, rebates lie with the
customer, limits and guides with everybody. A guide is made by a job out of the company's own prices and tells nothing
of cost.
"""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import (
    AccountRef,
    AttachmentRef,
    Count,
    Currency,
    Day,
    DealRef,
    Decimal18,
    ProductRef,
    Share,
    Short,
    Text,
    UserRef,
    VisitRef,
)

AmountMinor = Annotated[int, Meta(ge=0, le=10**15)]
Tiers = Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=20)]
RatioBp = Annotated[int, Meta(ge=0, le=100_000)]


class CostRate(Row, frozen=True, kw_only=True):
    """What effort costs (R40): `amount_minor` for an hour at a customer (`visit_hour`) or of other work (`work_hour`)
    or for a `kilometre`, of one person or (null) of all others; `rate_bp` of a year of waiting for money (`capital`).
    Counts on the days [valid_from, valid_to); of several the one of the person, then the one that began last."""

    kind: Annotated[str, Meta(pattern=r"^(visit_hour|work_hour|kilometre|capital)\Z")]
    user_key: UserRef | None = None
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None
    rate_bp: RatioBp | None = None
    valid_from: Day
    valid_to: Day | None = None


class DealCharge(Row, frozen=True, kw_only=True):
    """Money beside the price of a deal, in the period of `booked_on` and not in that of the deal: what it takes from
    the profit is positive. A `goods_return` that says product and quantity gives their goods cost back."""

    deal_key: DealRef
    kind: Annotated[str, Meta(pattern=r"^(rebate|freight|samples|co_op|goods_return|credit_note|other)\Z")]
    amount_minor: AmountMinor
    currency: Currency
    booked_on: Day
    product_key: ProductRef | None = None
    quantity: Decimal18 | None = None
    text: Text | None = None
    external_id: Short | None = None


class Expense(Row, frozen=True, kw_only=True):
    """What somebody spent on a customer or deal; `receipt_key` is the file of its receipt. A `sample` may say product
    and quantity instead of an amount: then it costs what they cost on that day."""

    owner_key: UserRef
    account_key: AccountRef | None = None
    deal_key: DealRef | None = None
    visit_key: VisitRef | None = None
    kind: Annotated[str, Meta(pattern=r"^(sample|travel|lodging|meal|gift|freight|other)\Z")]
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None
    spent_on: Day
    product_key: ProductRef | None = None
    quantity: Decimal18 | None = None
    text: Text | None = None
    receipt_key: AttachmentRef | None = None


class WorkEntry(Row, frozen=True, kw_only=True):
    """Minutes of work for a customer or deal that are no visit (R40)."""

    owner_key: UserRef
    account_key: AccountRef | None = None
    deal_key: DealRef | None = None
    kind: Annotated[str, Meta(pattern=r"^(proposal|preparation|service|other)\Z")] = "proposal"
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    done_on: Day
    text: Text | None = None


class RebateAgreement(Row, frozen=True, kw_only=True):
    """What a customer gets back of what it was credited for on the days [valid_from, valid_to): `tiers` are
    {from_minor, rate_bp}, `bands` pay each rate on its band, `whole` pays the rate that is reached on everything. A
    `family` narrows it to products of that family."""

    account_key: AccountRef
    family: Text | None = None
    mode: Annotated[str, Meta(pattern=r"^(bands|whole)\Z")] = "bands"
    tiers: Tiers
    currency: Currency
    valid_from: Day
    valid_to: Day


class DiscountLimit(Row, frozen=True, kw_only=True):
    """How far below the list price a role may go, for products of a family or (null) of all others; who goes further
    needs the approval of a role that may."""

    role: Annotated[str, Meta(pattern=r"^(rep|manager|director|finance|admin)\Z")]
    family: Text | None = None
    limit_bp: Share
    valid_from: Day
    valid_to: Day | None = None


class PriceGuide(Row, frozen=True, kw_only=True):
    """What the company got for products of a family, from a quantity on, in a segment, as basis points of the list
    price: `target_bp` what the better deals got, `norm_bp` the middle, `floor_bp` below which hardly any was. Made of
    `deals` won deals by a job; null says: of all."""

    family: Text | None = None
    segment: Short | None = None
    quantity_from: Decimal18 = "0"
    target_bp: RatioBp
    norm_bp: RatioBp
    floor_bp: RatioBp
    deals: Count
    made_on: Day
