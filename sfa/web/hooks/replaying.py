"""What administrators see of deliveries and do with them: lists, a test event, sending again, and forgetting.

Whatever is sent again is the same event under the same `webhook-id`, byte by byte, with attempts to begin with anew.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, exists, insert, literal, or_, select, tuple_, update

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.db.outgoing import Event, body_of
from sfa.db.tables import webhook_deliveries, webhook_endpoints, webhook_events
from sfa.web.hooks.deliveries import DEAD, DELIVERED, DROPPED, QUEUED, SENDING, STATES
from sfa.web.hooks.endpoints import check_admin, seen

EVENT_CHARACTERS_MAX = 200
PAGE_DEFAULT, PAGE_MAX = 50, 200
TEST = "webhook.test"
DAY_MS = 24 * 3600 * 1000
DELIVERED_KEPT_MS, DEAD_KEPT_MS = 30 * DAY_MS, 90 * DAY_MS
INSTANT_MAX = 253_402_300_799_999
_W, _E, _D = webhook_endpoints.c, webhook_events.c, webhook_deliveries.c
_AGAIN = {"state": QUEUED, "attempts": 0, "problem": None, "ended_at": None, "claimed_by": None, "beat_at": None}


class Delivery(Struct, frozen=True, kw_only=True):
    """`event` is what receivers know as `webhook-id`; `status` what the endpoint answered last, `problem` what went
    wrong; instants are milliseconds."""

    event: str
    kind: str
    at: int
    state: str
    attempts: int
    due_at: int
    status: int | None
    problem: str | None
    last_at: int | None
    ended_at: int | None


class Deliveries(Struct, frozen=True):
    """The newest event first."""

    items: list[Delivery]
    next: str | None


class Wanted(Struct, frozen=True):
    state: str | None = None
    after: str | None = None
    limit: int = PAGE_DEFAULT


class Since(Struct, frozen=True, forbid_unknown_fields=True):
    """What happened from this instant on (ms)."""

    since: int


class Replayed(Struct, frozen=True):
    count: int


def page(connection: Connection, user_key: str, key: str, wanted: Wanted) -> Deliveries:
    check_admin(connection, user_key)
    if (wanted.state is not None and wanted.state not in STATES) or not 1 <= wanted.limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`state` is one of {', '.join(STATES)}, `limit` 1 to {PAGE_MAX}")
    known = select(_W.endpoint_key).where(_W.endpoint_key == key)
    if not is_key(key) or connection.execute(known).first() is None:
        raise Refused("not_found")
    query = _rows(key)
    if wanted.state is not None:
        query = query.where(_D.state == wanted.state)
    if wanted.after is not None:
        at, _, event = wanted.after.partition("~")
        query = query.where(tuple_(_E.at, _E.event_key) < tuple_(int(at), event))
    found = connection.execute(query.order_by(_E.at.desc(), _E.event_key.desc()).limit(wanted.limit + 1)).mappings()
    rows = [Delivery(**row) for row in found]
    shown = rows[: wanted.limit]
    return Deliveries(shown, f"{shown[-1].at}~{shown[-1].event}" if len(rows) > wanted.limit else None)


def test(connection: Connection, now_ms: int, user_key: str, key: str, event_key: str) -> Delivery:
    """An event for this endpoint alone, whatever kinds it wants."""
    _begin(connection, user_key, key)
    event = Event(kind=TEST, key=event_key, at=now_ms, data={"endpoint_key": key})
    row = {"event_key": event_key, "kind": TEST, "at": now_ms, "body": body_of(event)}
    connection.execute(insert(webhook_events), row)
    due = {"endpoint_key": key, "event_key": event_key, "state": QUEUED, "attempts": 0, "due_at": now_ms}
    connection.execute(insert(webhook_deliveries), due)
    return _one(connection, key, event_key)


def replay(connection: Connection, now_ms: int, user_key: str, key: str, event: str) -> Delivery:
    """One event again, however it ended; one that is just being posted, or waits, is sent anyway."""
    _begin(connection, user_key, key)
    if not 1 <= len(event) <= EVENT_CHARACTERS_MAX or not (event.isascii() and event.isprintable()):
        raise Refused("not_found")
    here = (_D.endpoint_key == key, _D.event_key == event, _D.state != SENDING)
    connection.execute(update(webhook_deliveries).where(*here).values(**_AGAIN, due_at=now_ms))
    return _one(connection, key, event)


def replay_since(connection: Connection, now_ms: int, user_key: str, key: str, since: int) -> Replayed:
    """Every event of its kinds from then on that the endpoint was not given: dead, dropped, and those that happened
    while it was off or not there yet."""
    if not 0 <= since <= INSTANT_MAX:
        raise Refused("request_invalid", "`since` is an instant in milliseconds")
    kinds = _begin(connection, user_key, key)
    then = select(_E.event_key).where(_E.at >= since)
    lost = (_D.endpoint_key == key, _D.state.in_((DEAD, DROPPED)), _D.event_key.in_(then))
    again = connection.execute(update(webhook_deliveries).where(*lost).values(**_AGAIN, due_at=now_ms)).rowcount
    given = exists().where(_D.endpoint_key == key, _D.event_key == _E.event_key)
    missed = select(literal(key), _E.event_key, literal(QUEUED), literal(0), literal(now_ms))
    missed = missed.where(_E.at >= since, _E.kind != TEST, ~given)
    if kinds:
        missed = missed.where(_E.kind.in_(kinds))
    columns = ["endpoint_key", "event_key", "state", "attempts", "due_at"]
    fresh = connection.execute(insert(webhook_deliveries).from_select(columns, missed)).rowcount
    return Replayed(again + fresh)


def forget(connection: Connection, now_ms: int) -> tuple[int, int]:
    """-> (deliveries, events): what was delivered 30 days ago, what was given up 90 days ago, and events that nobody
    has a delivery of any more and that are as old."""
    old = or_(
        (_D.state == DELIVERED) & (_D.ended_at < now_ms - DELIVERED_KEPT_MS),
        _D.state.in_((DEAD, DROPPED)) & (_D.ended_at < now_ms - DEAD_KEPT_MS),
    )
    ended = connection.execute(delete(webhook_deliveries).where(old)).rowcount
    named = exists().where(_D.event_key == _E.event_key)
    gone = delete(webhook_events).where(_E.at < now_ms - DELIVERED_KEPT_MS, ~named)
    return ended, connection.execute(gone).rowcount


def _begin(connection: Connection, user_key: str, key: str) -> list[str]:
    """The kinds that the endpoint wants; it is posted to at once, whatever it was paused for."""
    check_admin(connection, user_key)
    row = seen(connection, key)
    if not row["active"]:
        raise Refused("webhook_off")
    connection.execute(update(webhook_endpoints).where(_W.endpoint_key == key).values(paused_until=None))
    return list(row["kinds"])


def _rows(key: str) -> Any:
    said = [_D[name] for name in ("state", "attempts", "due_at", "status", "problem", "last_at", "ended_at")]
    query = select(_E.event_key.label("event"), _E.kind, _E.at, *said)
    return query.join(webhook_events, _E.event_key == _D.event_key).where(_D.endpoint_key == key)


def _one(connection: Connection, key: str, event: str) -> Delivery:
    row = connection.execute(_rows(key).where(_D.event_key == event)).mappings().first()
    if row is None:
        raise Refused("not_found")
    return Delivery(**row)
