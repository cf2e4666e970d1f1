"""What other systems are told: an event is kept in the transaction in which it happened, with what is to be delivered.

Delivering is `sfa.web.hooks`. An event has a key that follows from what happened, so that what is told twice is one.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, select

from sfa.db.prepared import among, listed
from sfa.db.tables import webhook_deliveries, webhook_endpoints, webhook_events

KINDS = frozenset(
    {"proposal.sent", "proposal.opened", "proposal.question", "proposal.accepted", "proposal.declined"}
    | {"proposal.expired", "proposal.withdrawn", "proposal.sealed", "deal.won", "webhook.test"}
)
_W, _E = webhook_endpoints.c, webhook_events.c


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened. `data` says keys and amounts that every reader may know: no cost, and of people no more
    than a key."""

    kind: str
    key: str
    at: int
    data: Mapping[str, Any]


def emit(connection: Connection, kind: str, key: str, at: int, data: Mapping[str, Any]) -> bool:
    """Once for each key; -> whether it was new."""
    return emit_all(connection, [Event(kind=kind, key=key, at=at, data=data)]) == 1


def emit_all(connection: Connection, events: Sequence[Event]) -> int:
    """Each once for its key, with a delivery for every endpoint that is switched on and wants it; -> how many were
    new."""
    assert all(event.kind in KINDS for event in events)
    of = {event.key: event for event in events}
    known = select(_E.event_key).where(among(_E.event_key, "keys"))
    for key in connection.execute(known, {"keys": listed(connection, sorted(of))}).scalars():
        del of[key]
    if not of:
        return 0
    rows = [{"event_key": e.key, "kind": e.kind, "at": e.at, "body": body_of(e)} for e in of.values()]
    connection.execute(insert(webhook_events), rows)
    wanted = connection.execute(select(_W.endpoint_key, _W.kinds).where(_W.active).order_by(_W.endpoint_key)).all()
    due = [
        {"endpoint_key": endpoint, "event_key": e.key, "state": "queued", "attempts": 0, "due_at": e.at}
        for endpoint, kinds in wanted
        for e in of.values()
        if not kinds or e.kind in kinds
    ]
    if due:
        connection.execute(insert(webhook_deliveries), due)
    return len(of)


def body_of(event: Event) -> bytes:
    """What is posted, byte by byte the same each time."""
    moment = datetime.fromtimestamp(event.at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"type": event.kind, "timestamp": moment, "data": dict(event.data)})
