"""What sending and withdrawing a version does beside the version itself: who gets it, their mails, timeline, news.

Called in the transaction of the command, which holds the proposal's row; nothing is refused here. Who is to get it are
the recipients that people named; where they named none, the proposal's contact, if that one has an address. What a
recipient's row said of an older version is said of it no more.
"""

from hashlib import sha256

from sqlalchemy import select

from proposals.delivery import outbox
from proposals.document import Document
from proposals.lifecycle import SUPERSEDED
from sfa.crm.addressees import UNOPENED, UNSENT
from sfa.db import proposal_timeline as timeline
from sfa.db.cells import Cell
from sfa.db.looking import load_below
from sfa.db.outgoing import emit
from sfa.db.tables import proposal_versions
from sfa.db.writes import Door, Origin

RECIPIENTS = "proposal_recipients"
TO_DECIDE = frozenset({outbox.OFFER, outbox.REMINDER})  # of no use once there is nothing to decide
OVER, OLDER = "proposal_over", "proposal_superseded"


def sent(door: Door, cell: Cell, deal: Cell, document: Document, digest: str, origin: Origin) -> None:
    """A version was frozen: older ones are superseded, and a mail waits for each recipient."""
    connection, key, version, at, by = door.connection, cell.key, document.version, door.now_ms, origin.author_key
    v = proposal_versions.c
    ended = (v.proposal_key == key, v.status == SUPERSEDED, v.cause == f"version {version}")
    for older in connection.execute(select(v.version).where(*ended).order_by(v.version)).scalars().all():
        detail = {"by_version": version}
        timeline.note(connection, key, older, at, timeline.SUPERSEDED, user_key=by, detail=detail)
    outbox.drop(connection, key, OLDER, kinds=TO_DECIDE)
    people = recipients(door, key) or _of_contact(door, cell, origin)
    said = {"number": document.number, "digest": digest, "total_minor": document.priced.total_minor}
    said |= {"currency": document.currency, "valid_until": document.valid_until}
    told = [{"key": each.key, **{field: each.row[field] for field in ("role", "name", "email")}} for each in people]
    timeline.note(connection, key, version, at, timeline.SENT, user_key=by, detail={**said, "recipients": told})
    for each in people:
        _begin(door, each, origin)
        to, language = each.row["email"], each.row["language"] or document.language
        outbox.queue(
            connection,
            at,
            kind=outbox.OFFER,
            proposal_key=key,
            version=version,
            recipient_key=each.key,
            to=to,
            language=language,
        )
    data = {"proposal_key": key, "deal_key": deal.key, "version": version, **said}
    emit(connection, "proposal.sent", event_key("proposal.sent", key, version), at, data)


def withdrawn(door: Door, cell: Cell, version: int, origin: Origin, reason: str | None) -> None:
    """The version is offered no more."""
    connection, key, at = door.connection, cell.key, door.now_ms
    detail = {"reason": reason, "said_at": origin.at}
    timeline.note(connection, key, version, at, timeline.WITHDRAWN, user_key=origin.author_key, detail=detail)
    outbox.drop(connection, key, OVER, kinds=TO_DECIDE)
    data = {"proposal_key": key, "deal_key": cell.row["deal_key"], "version": version, "number": cell.row["number"]}
    emit(connection, "proposal.withdrawn", event_key("proposal.withdrawn", key, version), at, data)


def recipients(door: Door, key: str) -> list[Cell]:
    """In the order in which they sign; whoever asks holds the proposal's row."""
    load_below(door, RECIPIENTS, (key,))
    found = [c for c in door.alike(RECIPIENTS, ("proposal_key",), (key,)) if c.exists]
    return sorted(found, key=lambda c: (c.row["position"], c.key))


def event_key(kind: str, proposal_key: str, version: int) -> str:
    """Of an event that happens to a version once."""
    return f"ev-{sha256(f'{kind}:{proposal_key}:{version}'.encode()).hexdigest()[:40]}"


def _begin(door: Door, cell: Cell, origin: Origin) -> None:
    changed = {field: value for field, value in (UNSENT | UNOPENED).items() if cell.row[field] != value}
    if changed:
        door.put(cell, changed, origin, "proposal.send")


def _of_contact(door: Door, cell: Cell, origin: Origin) -> list[Cell]:
    key = cell.row["contact_key"]
    contact = door.cell("contacts", door.survivor("contacts", key), "share") if key is not None else None
    if contact is None or not contact.exists or not contact.row["email"]:
        return []
    name = sha256(f"{cell.key}:{contact.key}".encode()).hexdigest()[:40]
    made = door.cell(RECIPIENTS, f"pr-{name}")
    said = {"proposal_key": cell.key, "contact_key": contact.key}
    said |= {"name": contact.row["name"], "email": contact.row["email"], "role": "signer"}
    door.put(made, said, origin, "proposal.send")
    return [made]
