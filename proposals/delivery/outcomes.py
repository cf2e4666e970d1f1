"""What came of a mail, said of it, of its recipient's row and on the timeline, in one transaction and once.

Whoever says it holds the proposal's row, as everybody who changes what belongs to it. A mail that is not that of who
sent it any more is left alone: somebody else says what came of it. The state of a recipient is of the version at hand,
and what the buyer did weighs more than what a mail server said.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, update

from proposals.delivery import outbox
from proposals.delivery.outbox import Mail
from sfa.crm.about import lock_first
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import mail_outbox
from sfa.db.writes import Door, Origin

RECIPIENTS = "proposal_recipients"
NEW, MAILED, BOUNCED = "new", "mailed", "bounced"
CODE_MAX = 100


def sent(connection: Connection, now_ms: int, mail: Mail) -> bool:
    """The mail server has it; -> whether that was mine to say."""
    door = _held(connection, now_ms, mail)
    done = {"state": outbox.SENT, "sent_at": now_ms, "claimed_by": None, "code": None, "problem": None}
    if not outbox.put(connection, mail, **done):
        return False
    if mail.recipient_key is not None:
        _say(door, mail, (NEW, BOUNCED), {"state": MAILED, "mailed_at": now_ms, "problem": None})
        detail = {"kind": mail.kind, "message_id": mail.message_id, "to": mail.to_address}
        _note(connection, now_ms, mail, timeline.MAILED, detail)
    door.flush()
    return True


def bounced(connection: Connection, now_ms: int, mail: Mail, code: str, problem: str) -> bool:
    """The address takes no mail: the server said so at once."""
    door = _held(connection, now_ms, mail)
    done = {"state": outbox.BOUNCED, "claimed_by": None, "code": code[:CODE_MAX], "problem": problem}
    if not outbox.put(connection, mail, **done):
        return False
    _bounce(door, mail, code)
    return True


def came_back(connection: Connection, now_ms: int, mail: Mail, code: str, problem: str) -> bool:
    """The same of a mail that was taken before and came back; -> whether it is new."""
    door = _held(connection, now_ms, mail)
    m = mail_outbox.c
    said = {"state": outbox.BOUNCED, "code": code[:CODE_MAX], "problem": problem}
    if not connection.execute(
        update(mail_outbox).where(m.mail_key == mail.mail_key, m.state == outbox.SENT).values(**said)
    ).rowcount:
        return False
    _bounce(door, mail, code)
    return True


def ended(connection: Connection, now_ms: int, mail: Mail, state: str, code: str, problem: str | None = None) -> bool:
    """It was dropped, or given up: the recipient's row says why."""
    door = _held(connection, now_ms, mail)
    if not outbox.put(connection, mail, state=state, claimed_by=None, code=code[:CODE_MAX], problem=problem):
        return False
    if mail.recipient_key is not None and mail.kind == outbox.OFFER:
        _say(door, mail, (NEW,), {"problem": code[:CODE_MAX]})
    door.flush()
    return True


def _held(connection: Connection, now_ms: int, mail: Mail) -> Door:
    door = Door(connection, now_ms)
    lock_first(door, "proposals", mail.proposal_key)
    door.cell("proposals", mail.proposal_key)
    return door


def _bounce(door: Door, mail: Mail, code: str) -> None:
    if mail.recipient_key is not None:
        _say(door, mail, (NEW, MAILED), {"state": BOUNCED, "problem": code[:CODE_MAX]})
        _note(door.connection, door.now_ms, mail, timeline.BOUNCED, {"kind": mail.kind, "code": code[:CODE_MAX]})
    door.flush()


def _say(door: Door, mail: Mail, states: tuple[str, ...], values: Mapping[str, Any]) -> None:
    """Of the recipient, while the row is about this version, has this address and is in one of these states."""
    cell, proposal = door.cell(RECIPIENTS, mail.recipient_key or ""), door.cell("proposals", mail.proposal_key)
    if not cell.exists or not proposal.exists or proposal.row["version"] != mail.version:
        return
    if cell.row["state"] not in states or cell.row["email"] != mail.to_address:
        return
    changed = {field: value for field, value in values.items() if cell.row[field] != value}
    if changed:
        origin = Origin(author_key=None, at=door.now_ms, stored_at=door.now_ms)
        door.put(cell, changed, origin, "mail")


def _note(connection: Connection, now_ms: int, mail: Mail, kind: str, detail: Mapping[str, Any]) -> None:
    key, version, of = mail.proposal_key, mail.version, mail.recipient_key
    timeline.note(connection, key, version, now_ms, kind, recipient_key=of, detail=detail)
