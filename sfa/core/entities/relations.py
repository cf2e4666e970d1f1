"""What is known of a customer's people beyond their names: what they need, when they were called, what they allow."""

from typing import Annotated

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import AccountRef, ContactRef, Day, DealRef, Instant, ProductRef, Short, Text, UserRef

CHANNEL = r"^(email|phone|sms|post|visit|messenger)\Z"
CONSENT_CHANNEL = r"^(any|email|phone|sms|post|visit|messenger)\Z"


class CustomerNeed(Row, frozen=True, kw_only=True):
    """What a customer, or one person there, needs or does not need: a product, a text, or both; from `valid_from` until
    before `valid_to`."""

    account_key: AccountRef
    contact_key: ContactRef | None = None
    kind: Annotated[str, Meta(pattern=r"^(need|non_need)\Z")] = "need"
    product_key: ProductRef | None = None
    text: Text | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


class Call(Row, frozen=True, kw_only=True):
    """A telephone or video call. `minutes` null: nobody answered, or nobody said."""

    account_key: AccountRef
    contact_key: ContactRef | None = None
    deal_key: DealRef | None = None
    owner_key: UserRef
    direction: Annotated[str, Meta(pattern=r"^(in|out)\Z")] = "out"
    called_at: Instant | None = None
    minutes: Annotated[int, Meta(ge=0, le=1440)] | None = None
    outcome: Text | None = None


class Consent(Row, frozen=True, kw_only=True):
    """What a person allowed or withdrew, for one purpose and one channel or `any`. Never changed or deleted: the latest
    one counts, and without one nothing is allowed. `evidence` says where that can be seen."""

    contact_key: ContactRef
    purpose: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
    channel: Annotated[str, Meta(pattern=CONSENT_CHANNEL)] = "any"
    granted: bool
    decided_at: Instant | None = None
    source: Short | None = None
    evidence: Text | None = None
