"""Campaigns, their costs, and whom they touched: costs are for who sees cost (R45), touches lie with the customer."""

from sfa.core.entities.costing import AmountMinor
from sfa.core.entities.row import Row
from sfa.core.fields import AccountRef, CampaignRef, ContactRef, Currency, Day, Instant, Name, Short, Text


class Campaign(Row, frozen=True, kw_only=True):
    name: Name
    kind: Short | None = None
    start_on: Day
    end_on: Day | None = None
    active: bool = True
    external_id: Short | None = None


class CampaignCost(Row, frozen=True, kw_only=True):
    campaign_key: CampaignRef
    amount_minor: AmountMinor
    currency: Currency
    booked_on: Day
    text: Text | None = None
    external_id: Short | None = None


class CampaignTouch(Row, frozen=True, kw_only=True):
    """A customer was reached by a campaign."""

    campaign_key: CampaignRef
    account_key: AccountRef
    contact_key: ContactRef | None = None
    touched_at: Instant
    kind: Short | None = None
