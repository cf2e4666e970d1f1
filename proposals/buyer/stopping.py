"""Somebody wants no more reminders: said once by the link of a recipient, it holds for every version."""

from sqlalchemy import Connection

from proposals.buyer.links import Link
from proposals.evidence import timeline
from proposals.evidence.timeline import Visitor
from sfa.crm.about import lock_first
from sfa.db.writes import Door, Origin


def opt_out(connection: Connection, now_ms: int, link: Link, visitor: Visitor) -> bool:
    """-> whether that is new. A link that was handed over is nobody's, and reminds nobody."""
    if link.recipient_key is None:
        return False
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    lock_first(door, "proposals", link.proposal_key)
    door.cell("proposals", link.proposal_key)
    recipient = door.cell("proposal_recipients", link.recipient_key)
    if not recipient.exists or recipient.row["opted_out_at"] is not None:
        return False
    door.put(recipient, {"opted_out_at": now_ms}, origin)
    door.flush()
    place = (link.proposal_key, link.version, now_ms, timeline.OPTED_OUT)
    timeline.note(connection, *place, recipient_key=link.recipient_key, visitor=visitor)
    return True
