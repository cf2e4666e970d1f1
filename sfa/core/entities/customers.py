"""Customers and what is done with them."""

from typing import Annotated

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import (
    AccountRef,
    Body,
    ContactRef,
    Count,
    Currency,
    Day,
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
