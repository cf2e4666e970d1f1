"""What other systems are told: an event is kept in the transaction in which it happened, with what is to be delivered.

Delivering is `sfa.web.hooks`. An event has a key that follows from what happened, so that what is told twice is one.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from sfa.db.tables import webhook_deliveries, webhook_endpoints, webhook_events

KINDS = frozenset(
    {"proposal.sent", "proposal.opened", "proposal.question", "proposal.accepted", "proposal.declined"}
    | {"proposal.expired", "proposal.withdrawn", "proposal.sealed", "deal.won", "webhook.test"}
)
_W = webhook_endpoints.c


def emit(connection: Connection, kind: str, key: str, at: int, data: Mapping[str, Any]) -> bool:
    """Once for each key; -> whether it was new. `data` says keys and amounts that every reader may know: no cost, and
    of people no more than a key."""
    assert kind in KINDS
    known = select(webhook_events.c.event_key).where(webhook_events.c.event_key == key)
    if connection.execute(known).first() is not None:
        return False
    moment = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = msgspec.json.encode({"type": kind, "timestamp": moment, "data": dict(data)})
    connection.execute(insert(webhook_events), {"event_key": key, "kind": kind, "at": at, "body": body})
    wanted = connection.execute(select(_W.endpoint_key, _W.kinds).where(_W.active).order_by(_W.endpoint_key))
    rows = [
        {"endpoint_key": endpoint, "event_key": key, "state": "queued", "attempts": 0, "due_at": at}
        for endpoint, kinds in wanted
        if not kinds or kind in kinds
    ]
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
    return True
