"""What nobody answered until its last day was over: told so, a batch at a time (R47, R48).

Whether a version can be accepted is judged as it is accepted; this only says it to everybody else. The day is over in
the zone that is printed on the document, wherever the company counts its days by now. A version that the buyer has not
is not touched: under the proposals' locks it is looked at again, so of an answer and this the first one stands.
"""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, select, tuple_, update

from proposals.buyer import holding
from proposals.buyer.deciding import is_over
from proposals.buyer.holding import PROPOSALS
from proposals.delivery.sending import OVER, TO_DECIDE, event_key
from proposals.lifecycle import EXPIRED, WITH_BUYER
from sfa.core.days import local_day
from sfa.db import proposal_timeline as timeline
from sfa.db.outgoing import Event, emit_all
from sfa.db.tables import mail_outbox, proposal_answers, proposal_versions
from sfa.db.writes import Door, Origin

BATCH = 200
DOCUMENTS_AT_ONCE = 25  # they may be long
EASTMOST = "Pacific/Kiritimati"  # where days begin, and end, first
_V, _M = proposal_versions.c, mail_outbox.c
Place = tuple[str, int]


class _Printed(Struct, frozen=True):
    """Of a document what says when it is over."""

    zone: str
    valid_until: str


def expire(connection: Connection, now_ms: int, batch: int = BATCH) -> int:
    """-> how many were expired: those of one batch that were over first."""
    found = due(connection, now_ms, batch)
    if not found:
        return 0
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    holding.lock_many(door, (key for key, _ in found))
    still = _still_open(connection, found)
    if not still:
        return 0
    _end(connection, still, now_ms)
    for key, version in still:
        cell = door.cell(PROPOSALS, key)
        outcome = {"kind": EXPIRED, "version": version, "at": now_ms, "by": None, "reason": None, "total_minor": None}
        said: dict[str, Any] = {"outcome": outcome}
        if cell.row["status"] in WITH_BUYER and cell.row["version"] == version:
            said["status"] = EXPIRED  # one that is revised goes on as a draft
        door.put(cell, said, origin, "proposal.expired")
    timeline.note_each(connection, still, now_ms, timeline.EXPIRED)
    _tell(connection, door, still, now_ms)
    door.flush()
    return len(still)


def due(connection: Connection, now_ms: int, most: int) -> list[Place]:
    """Versions that the buyer still has and whose last day is over, at most so many. Read without locks."""
    found: list[Place] = []
    after: tuple[str, str, int] = ("", "", 0)
    latest = local_day(now_ms, EASTMOST)
    place = tuple_(_V.valid_until, _V.proposal_key, _V.version)
    query = select(_V.valid_until, _V.proposal_key, _V.version, _V.document)
    open_ = query.where(_V.status.in_(WITH_BUYER), _V.valid_until < latest)
    ordered = open_.order_by(_V.valid_until, _V.proposal_key, _V.version).limit(DOCUMENTS_AT_ONCE)
    while len(found) < most:
        rows = connection.execute(ordered.where(place > after)).all()
        for last, key, version, document in rows:
            printed = msgspec.json.decode(bytes(document), type=_Printed)
            if is_over(printed.valid_until, printed.zone, now_ms):
                found.append((key, version))
            after = (last, key, version)
        if len(rows) < DOCUMENTS_AT_ONCE:
            break
    return found[:most]


def _still_open(connection: Connection, found: list[Place]) -> list[Place]:
    here = (tuple_(_V.proposal_key, _V.version).in_(found), _V.status.in_(WITH_BUYER))
    return sorted(
        (key, version) for key, version in connection.execute(select(_V.proposal_key, _V.version).where(*here))
    )


def _end(connection: Connection, these: list[Place], now_ms: int) -> None:
    said = {"status": EXPIRED, "ended_at": now_ms, "cause": None}
    here = (tuple_(_V.proposal_key, _V.version).in_(these), _V.status.in_(WITH_BUYER))
    ended = connection.execute(update(proposal_versions).where(*here).values(**said)).rowcount
    assert ended == len(these)  # under their locks
    rows = [{"proposal_key": k, "version": n, "kind": EXPIRED, "at": now_ms, "attempts": 0} for k, n in these]
    connection.execute(insert(proposal_answers), rows)
    waits = (_M.proposal_key.in_([key for key, _ in these]), _M.state == "queued", _M.kind.in_(sorted(TO_DECIDE)))
    connection.execute(update(mail_outbox).where(*waits).values(state="dropped", code=OVER))


def _tell(connection: Connection, door: Door, these: list[Place], now_ms: int) -> None:
    events = []
    for key, version in these:
        row = door.cell(PROPOSALS, key).row
        data = {"proposal_key": key, "deal_key": row["deal_key"], "version": version, "number": row["number"]}
        events.append(
            Event(kind="proposal.expired", key=event_key("proposal.expired", key, version), at=now_ms, data=data)
        )
    emit_all(connection, events)
