"""Who wants no mail: reminders stopped by one click (RFC 8058), and consents that people withdrew.

The offer itself is what somebody asked for, so it needs no consent; but whoever withdrew his for the purpose
`proposals`, by mail or any channel, gets neither offers nor reminders. Reminders also end with `stop`, of this
proposal.
"""

from collections.abc import Collection

from sqlalchemy import Connection, func, or_, select

from proposals.buyer import links
from proposals.buyer.links import BUYER, Link
from proposals.delivery import outbox
from sfa.core.consent import may_contact
from sfa.crm.about import lock_first
from sfa.db import proposal_timeline as timeline
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import ROWS, redirects
from sfa.db.writes import Door, Origin

RECIPIENTS = "proposal_recipients"
PURPOSE, CHANNEL = "proposals", "email"
OPTED_OUT = "opted_out"
_C, _P, _R = ROWS["consents"].c, ROWS["contacts"].c, redirects.c


def stop(connection: Connection, now_ms: int, link: Link, visitor: Visitor) -> bool:
    """No more reminders to the link's recipient; -> whether that is new. Again it changes nothing; a link that is
    nobody's, or of the company's own people, has no reminders to stop. Refuses `not_found` of one that was revoked
    meanwhile."""
    if link.kind != BUYER or link.recipient_key is None:
        return False
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    lock_first(door, "proposals", link.proposal_key)
    door.cell("proposals", link.proposal_key)
    links.check_open(connection, link, now_ms)
    cell = door.cell(RECIPIENTS, link.recipient_key)
    if not cell.exists or cell.row["opted_out_at"] is not None:
        return False
    door.put(cell, {"opted_out_at": now_ms}, origin, "stop")
    door.flush()
    key, of = link.proposal_key, link.recipient_key
    timeline.note(connection, key, link.version, now_ms, timeline.OPTED_OUT, recipient_key=of, visitor=visitor)
    outbox.drop(connection, key, OPTED_OUT, recipient_key=of, kinds=frozenset({outbox.REMINDER}))
    return True


def withdrawn(connection: Connection, contacts: Collection[str], now_ms: int) -> set[str]:
    """Of these contacts, under whatever key they were merged, those who withdrew their consent to such mail."""
    wanted = sorted(set(contacts))
    if not wanted:
        return set()
    leads = (_R.entity == "contacts") & (_R.loser_key == _P.key)
    person = func.coalesce(_R.survivor_key, _P.key)
    query = (
        select(_P.key.label("contact"), *(_C[name] for name in ("key", *_FIELDS)))
        .select_from(ROWS["contacts"].outerjoin(redirects, leads).join(ROWS["consents"], _C.contact_key == person))
        .where(_P.key.in_(wanted), ~_C.gone, _C.purpose == PURPOSE, or_(_C.channel == CHANNEL, _C.channel == "any"))
    )
    said: dict[str, list[tuple[str, dict[str, object]]]] = {}
    for row in connection.execute(query).mappings():
        said.setdefault(row["contact"], []).append((row["key"], {name: row[name] for name in _FIELDS}))
    judged = {key: may_contact(rows, PURPOSE, CHANNEL, now_ms) for key, rows in said.items()}
    return {key for key, verdict in judged.items() if verdict.reason == "withdrawn"}


_FIELDS = ("purpose", "channel", "granted", "decided_at", "created_at")
