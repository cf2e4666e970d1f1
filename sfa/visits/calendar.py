"""A person's planned visits as a calendar feed (RFC 5545): who holds its address reads it, until that is revoked.

The address holds a token of 256 random bits; only its digest is stored, and making a new one ends the old one. A visit
is one event for ever (UID is its key, SEQUENCE its revision) at the wall clock of its plan's zone, or of the
organisation's; what was cancelled or deleted says so while it lies in the window, so that no calendar keeps it.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import icalendar
from msgspec import Struct
from sqlalchemy import Connection, case, delete, insert, select

from sfa.core.days import zone_of
from sfa.core.errors import Refused
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, calendar_tokens, feed

DAY_MS = 24 * 3600 * 1000
BACK_MS, AHEAD_MS = 30 * DAY_MS, 120 * DAY_MS
EVENTS_MAX = 2_000
MINUTES_DEFAULT = 60
TOKEN_BYTES = 32
SUFFIX = ".ics"
UNSEEN = "Visit"  # at a customer whom the person does not see
_USERS, _VISITS, _ACCOUNTS, _PLANS = (ROWS[entity] for entity in ("users", "visits", "accounts", "visit_plans"))


class CalendarAddress(Struct, frozen=True):
    """The path of the feed, told once: the token in it is not stored."""

    path: str


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def create(
    connection: Connection, now_ms: int, user_key: str, token: Callable[[int], str] = secrets.token_urlsafe
) -> CalendarAddress:
    """A new address; the one before is no longer good."""
    made = token(TOKEN_BYTES)
    revoke(connection, now_ms, user_key)
    connection.execute(insert(calendar_tokens), {"user_key": user_key, "digest": _digest(made), "created_at": now_ms})
    return CalendarAddress(f"/calendar/{made}{SUFFIX}")


def revoke(connection: Connection, _now_ms: int, user_key: str) -> None:
    connection.execute(delete(calendar_tokens).where(calendar_tokens.c.user_key == user_key))


def read(connection: Connection, name: str, now_ms: int) -> bytes:
    """The feed behind an address; `not_found` for one that was never given, was revoked, or whose person left."""
    query = (
        select(_USERS.c.key, _USERS.c.name)
        .join_from(calendar_tokens, _USERS, _USERS.c.key == calendar_tokens.c.user_key)
        .where(calendar_tokens.c.digest == _digest(name.removesuffix(SUFFIX)), ~_USERS.c.gone, _USERS.c.active)
    )
    found = connection.execute(query).first()
    if found is None or not name.endswith(SUFFIX):
        raise Refused("not_found")
    held = person(connection, found.key).held or frozenset()
    return written(_visits(connection, found.key, held, now_ms), found.name, scope.zone(connection), now_ms)


def _visits(connection: Connection, user_key: str, held: Collection[str], now_ms: int) -> list[Mapping[str, Any]]:
    """Own visits, and those that the person goes along to, as far as the person sees them today; names and places of
    customers that the person sees."""
    along = select(feed.c.key).where(feed.c.bucket == f"user:{user_key}", feed.c.entity == "visits", ~feed.c.gone)
    rows: dict[str, Mapping[str, Any]] = {}
    for mine in (_VISITS.c.owner_key == user_key, _VISITS.c.key.in_(along)):
        query = (
            select(_VISITS, *(_seen(column) for column in ("name", "street", "city")), _PLANS.c.zone.label("plan_zone"))
            .join_from(_VISITS, _ACCOUNTS, _ACCOUNTS.c.key == _VISITS.c.account_key)
            .outerjoin(_PLANS, _PLANS.c.key == _VISITS.c.plan_key)
            .where(mine, _VISITS.c.planned_at.between(now_ms - BACK_MS, now_ms + AHEAD_MS))
            .where(lies_in(_VISITS.c.buckets, "held"))
            .order_by(_VISITS.c.planned_at, _VISITS.c.key)
            .limit(EVENTS_MAX)
        )
        for row in connection.execute(query, {"held": listed(connection, held)}).mappings():
            if row["owner_key"] == user_key or user_key in (row["participants"] or ()):
                rows[row["key"]] = dict(row)
    return sorted(rows.values(), key=lambda row: (row["planned_at"], row["key"]))[:EVENTS_MAX]


def _seen(column: str) -> Any:
    """A field of the customer, null where the person does not see the customer."""
    return case((lies_in(_ACCOUNTS.c.buckets, "held"), _ACCOUNTS.c[column])).label(column)


def written(visits: Iterable[Mapping[str, Any]], name: str, zone: str, now_ms: int) -> bytes:
    """The file: the same visits give the same bytes."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Sales force automation//Visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"Visits of {name}")
    for visit in visits:
        calendar.add_component(_event(visit, visit["plan_zone"] or zone))
    today = _moment(now_ms).date()
    calendar.add_missing_timezones(date(today.year - 1, 1, 1), date(today.year + 2, 1, 1))
    return bytes(calendar.to_ical())


def _event(visit: Mapping[str, Any], zone: str) -> icalendar.Event:
    start = _moment(visit["planned_at"]).astimezone(zone_of(zone))
    changed = _moment(max((stamp[2] for stamp in visit["stamps"].values()), default=visit["created_at"] or 0))
    event = icalendar.Event()
    event.add("uid", f"{visit['key']}@visits")
    event.add("sequence", visit["rev"])
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("dtstart", start)
    event.add("duration", timedelta(minutes=visit["planned_minutes"] or MINUTES_DEFAULT))
    event.add("summary", visit["name"] or UNSEEN)
    event.add("status", "CANCELLED" if visit["gone"] or visit["status"] == "cancelled" else "CONFIRMED")
    for field, text in (("description", visit["purpose"]), ("location", _place(visit))):
        if text:
            event.add(field, text)
    return event


def _place(visit: Mapping[str, Any]) -> str:
    return ", ".join(part for part in (visit["street"], visit["city"]) if part)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)
