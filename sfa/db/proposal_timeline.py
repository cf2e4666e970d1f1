"""What happened with a proposal, in order, so that it can be proved: each event names the one before by its digest.

Nobody changes or takes out an event without breaking the chain from there on. Whoever adds one holds the lock of the
proposal's row, so that two do not become the same number.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, and_, func, insert, select

from sfa.db.tables import ROWS, proposal_events

BEGINNING = "0" * 64
SENT, MAILED, BOUNCED, OPENED, DOWNLOADED = "sent", "mailed", "bounced", "opened", "downloaded"
ASKED, ANSWERED, SIGNED, ACCEPTED, DECLINED = "asked", "answered", "signed", "accepted", "declined"
EXPIRED, WITHDRAWN, SUPERSEDED, SEALED = "expired", "withdrawn", "superseded", "sealed"
LINKED, REVOKED, OPTED_OUT = "linked", "revoked", "opted_out"
RECIPIENTS = "recipients"  # who signs what the buyer has was changed
KINDS = frozenset(
    {SENT, MAILED, BOUNCED, OPENED, DOWNLOADED, ASKED, ANSWERED, SIGNED, ACCEPTED, DECLINED}
    | {EXPIRED, WITHDRAWN, SUPERSEDED, SEALED, LINKED, REVOKED, OPTED_OUT, RECIPIENTS}
)
_E, _R = proposal_events.c, ROWS["proposal_recipients"].c


class Event(Struct, frozen=True, kw_only=True):
    """`recipient_key` did it, or it was done for that one; `user_key` is of the company's own people. `address` and
    `agent` are what the network and the browser said."""

    n: int
    version: int
    at: int
    kind: str
    recipient_key: str | None
    user_key: str | None
    address: str | None
    agent: str | None
    detail: bytes
    before: str
    digest: str


class Visitor(Struct, frozen=True):
    """Where a request came from: kept as evidence, and trusted with nothing."""

    address: str | None = None
    agent: str | None = None


_COLUMNS = [_E[name] for name in Event.__struct_fields__]


def note(
    connection: Connection,
    proposal_key: str,
    version: int,
    at: int,
    kind: str,
    *,
    recipient_key: str | None = None,
    user_key: str | None = None,
    visitor: Visitor | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Event:
    """Add an event; the proposal's row is locked. `detail` says the recipient's name as it is now, where it says no
    other: rows change. Whoever waited for the lock did it after who had it."""
    assert kind in KINDS
    told = dict(detail or {})
    if recipient_key is not None and "name" not in told:
        told["name"] = connection.execute(select(_R.name).where(_R.key == recipient_key)).scalar()
    query = select(_E.n, _E.digest, _E.at).where(_E.proposal_key == proposal_key).order_by(_E.n.desc()).limit(1)
    last, before, since = connection.execute(query).first() or (0, BEGINNING, at)
    visitor = visitor or Visitor()
    event = Event(
        n=last + 1,
        version=version,
        at=max(at, since),
        kind=kind,
        recipient_key=recipient_key,
        user_key=user_key,
        address=visitor.address,
        agent=visitor.agent,
        detail=msgspec.json.encode(told, order="deterministic"),
        before=before,
        digest="",
    )
    event = msgspec.structs.replace(event, digest=digest_of(proposal_key, event))
    connection.execute(insert(proposal_events), {"proposal_key": proposal_key, **msgspec.structs.asdict(event)})
    return event


def note_each(connection: Connection, of: Iterable[tuple[str, int]], at: int, kind: str) -> None:
    """The same event of (proposal, version)s that nobody in particular caused; their rows are locked."""
    assert kind in KINDS
    wanted = dict(of)
    newest = select(_E.proposal_key, func.max(_E.n).label("n")).where(_E.proposal_key.in_(wanted))
    ends = newest.group_by(_E.proposal_key).subquery()
    here = (_E.proposal_key == ends.c.proposal_key, _E.n == ends.c.n)
    query = select(_E.proposal_key, _E.n, _E.digest, _E.at).join(ends, and_(*here))
    last = {key: (n, digest, since) for key, n, digest, since in connection.execute(query)}
    rows = []
    for key, version in sorted(wanted.items()):
        n, before, since = last.get(key, (0, BEGINNING, at))
        event = Event(
            n=n + 1,
            version=version,
            at=max(at, since),
            kind=kind,
            recipient_key=None,
            user_key=None,
            address=None,
            agent=None,
            detail=b"{}",
            before=before,
            digest="",
        )
        event = msgspec.structs.replace(event, digest=digest_of(key, event))
        rows.append({"proposal_key": key, **msgspec.structs.asdict(event)})
    if rows:
        connection.execute(insert(proposal_events), rows)


def digest_of(proposal_key: str, event: Event) -> str:
    """SHA-256, hex, of [proposal, every field but the digest] as JSON."""
    said = [getattr(event, name) for name in Event.__struct_fields__ if name != "digest"]
    return sha256(
        msgspec.json.encode([proposal_key, *(v.decode() if isinstance(v, bytes) else v for v in said)])
    ).hexdigest()


def last_at(connection: Connection, proposal_key: str) -> int | None:
    """When the last event happened; None where nothing did."""
    query = select(_E.at).where(_E.proposal_key == proposal_key).order_by(_E.n.desc()).limit(1)
    at: int | None = connection.execute(query).scalar()
    return at


def events_of(connection: Connection, proposal_key: str) -> list[Event]:
    """In the order in which they happened."""
    query = select(*_COLUMNS).where(_E.proposal_key == proposal_key).order_by(_E.n)
    return [Event(**row) for row in connection.execute(query).mappings()]


def broken_at(proposal_key: str, events: list[Event]) -> int | None:
    """The number of the first event that does not follow from those before it; None where all do."""
    before = BEGINNING
    for number, event in enumerate(events, 1):
        if event.n != number or event.before != before or event.digest != digest_of(proposal_key, event):
            return number
        before = event.digest
    return None
