"""Customers and what is done with them."""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.relations import CHANNEL
from sfa.core.entities.row import Row
from sfa.core.entities.visiting import People
from sfa.core.fields import (
    KEY_PATTERN,
    AccountRef,
    Body,
    ContactRef,
    Count,
    Currency,
    Day,
    DealRef,
    Instant,
    Minor,
    Name,
    Short,
    Tags,
    TerritoryRef,
    Text,
    UserRef,
    VisitRef,
)


class Account(Row, frozen=True, kw_only=True):
    """`tier_since` is the day on which the tier became what it is; null where that was before anybody noted it."""

    name: Name
    territory_key: TerritoryRef | None = None
    parent_key: AccountRef | None = None
    status: Annotated[str, Meta(pattern=r"^(prospect|customer|former)\Z")] = "prospect"
    tier: Annotated[str, Meta(pattern=r"^[A-D]\Z")] | None = None
    tier_since: Day | None = None
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
    preferred_channel: Annotated[str, Meta(pattern=CHANNEL)] | None = None
    active: bool = True
    external_id: Short | None = None


class Visit(Row, frozen=True, kw_only=True):
    """`verdict` and `distance_m` judge the check-in (R13). A `submitted` visit is read-only (R14). `plan_key` and
    `planned_on` name the plan and the local day that it comes from; `participants` went along and have it too."""

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
    visit_type: Short | None = None
    plan_key: Annotated[str, Meta(pattern=KEY_PATTERN)] | None = None
    planned_on: Day | None = None
    participants: People = []
    verdict: Annotated[str, Meta(pattern=r"^(in_range|out_of_range|unverifiable)\Z")] | None = None
    distance_m: Annotated[int, Meta(ge=0, le=10**8)] | None = None
    submitted: bool = False
    submitted_at: Instant | None = None
    checklist_key: Annotated[str, Meta(pattern=KEY_PATTERN)] | None = None
    answers: dict[str, Any] | None = None
    deal_key: DealRef | None = None


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
