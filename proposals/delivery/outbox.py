"""Mail that waits to be sent: asked for in the transaction that wants it, claimed by one process, ended once (R55).

What is asked for twice is one mail: its key follows from what it is about. Each has its Message-ID from the moment in
which it is asked for, so that a mail which was sent twice, because a process died between the mail server's word and
ours, is recognised as one by whoever gets it. What it says is made when it is sent, of the kept document.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from sfa.db.tables import mail_outbox

# To a buyer: the link, a reminder of it, what was answered to a question, that it is this one's turn to sign
# (`signed` with a recipient), what was accepted (`answered`). To the rep: a question, who signed (`signed` with a
# user), what was accepted or declined.
OFFER, REMINDER, QUESTION, ANSWER = "offer", "reminder", "question", "answer"
ANSWERED, DECLINED, SIGNED = "answered", "declined", "signed"
KINDS = frozenset({OFFER, REMINDER, QUESTION, ANSWER, ANSWERED, DECLINED, SIGNED})
QUEUED, SENDING, SENT, BOUNCED, FAILED, DROPPED = "queued", "sending", "sent", "bounced", "failed", "dropped"
WAITS = (QUEUED, SENDING)

STALE_MS = 120_000  # a process that has not beaten for so long is dead
ATTEMPTS_MAX = 12
FIRST_PAUSE_MS, PAUSE_MS_MAX = 30_000, 6 * 3_600_000
KEPT_TRYING_MS = 5 * 86_400_000  # what could not be sent for so long is of no use to anybody
_M = mail_outbox.c


class Mail(Struct, frozen=True, kw_only=True):
    """As the row is. `about` has what its text needs beside the document: `question_key` of a question or an answer,
    `name` of who signed or declined, `reason`."""

    mail_key: str
    kind: str
    proposal_key: str
    version: int
    recipient_key: str | None
    user_key: str | None
    ordinal: int
    to_address: str
    language: str
    about: dict[str, Any]
    state: str
    code: str | None
    problem: str | None
    attempts: int
    asked_at: int
    due_at: int
    claimed_by: str | None
    beat_at: int | None
    sent_at: int | None
    message_id: str | None


_COLUMNS = [_M[name] for name in Mail.__struct_fields__]


# -- asking -----------------------------------------------------------------------------------------------------------


def queue(
    connection: Connection,
    now_ms: int,
    *,
    kind: str,
    proposal_key: str,
    version: int,
    recipient_key: str | None = None,
    user_key: str | None = None,
    to: str,
    language: str,
    about: Mapping[str, Any] | None = None,
    ordinal: int = 1,
) -> None:
    """Ask for a mail; asked twice is once. Mails of one kind about one version to one person are told apart by
    `ordinal`, or by the question that they are about. Whoever asks holds the lock of the proposal's row."""
    assert kind in KINDS
    about = dict(about or {})
    who = recipient_key or user_key or to
    said = [kind, proposal_key, version, who, ordinal, about.get("question_key")]
    name = sha256(msgspec.json.encode(said)).hexdigest()[:40]
    key = f"mail-{name}"
    if connection.execute(select(_M.mail_key).where(_M.mail_key == key)).first() is not None:
        return
    row = {
        "mail_key": key,
        "kind": kind,
        "proposal_key": proposal_key,
        "version": version,
        "recipient_key": recipient_key,
        "user_key": user_key,
        "ordinal": ordinal,
        "to_address": to,
        "language": language,
        "about": about,
        "state": QUEUED,
        "attempts": 0,
        "asked_at": now_ms,
        "due_at": now_ms,
    }
    connection.execute(insert(mail_outbox), row)


def drop(
    connection: Connection,
    proposal_key: str,
    code: str,
    *,
    recipient_key: str | None = None,
    kinds: Collection[str] = KINDS,
) -> int:
    """What waits and shall not be sent any more, of one recipient or (null) of the proposal; -> how many. What is being
    sent this moment is left to whoever sends it."""
    these = [_M.proposal_key == proposal_key, _M.state == QUEUED, _M.kind.in_(sorted(kinds))]
    if recipient_key is not None:
        these.append(_M.recipient_key == recipient_key)
    return connection.execute(update(mail_outbox).where(*these).values(state=DROPPED, code=code)).rowcount


# -- working ----------------------------------------------------------------------------------------------------------


def is_free(now_ms: int) -> ColumnElement[bool]:
    """Whether a mail may be claimed: it waits and is due, or its process is dead."""
    return or_(and_(_M.state == QUEUED, _M.due_at <= now_ms), and_(_M.state == SENDING, _M.beat_at < now_ms - STALE_MS))


def claim(connection: Connection, now_ms: int, me: str, message_id: str) -> Mail | None:
    """The mail that has waited longest; None where there is none. Its Message-ID is kept with it before the first try,
    and is the same at every other one."""
    free = is_free(now_ms)
    query = select(_M.mail_key).where(free).order_by(_M.due_at, _M.mail_key).limit(1)
    key = connection.execute(query.with_for_update(skip_locked=True)).scalar()
    if key is None:
        return None
    said = {
        "state": SENDING,
        "claimed_by": me,
        "beat_at": now_ms,
        "message_id": func.coalesce(_M.message_id, message_id),
    }
    mine = update(mail_outbox).where(_M.mail_key == key, free)
    if not connection.execute(mine.values(**said, attempts=_M.attempts + 1)).rowcount:
        return None
    return of_key(connection, key)


def beat(connection: Connection, now_ms: int, mail: Mail) -> bool:
    """Whether the mail is still that of who claimed it."""
    return put(connection, mail, beat_at=now_ms)


def again(connection: Connection, now_ms: int, mail: Mail, code: str, problem: str) -> bool:
    """Leave it to be tried again after a pause."""
    due_at = now_ms + pause_ms(mail.attempts)
    return put(connection, mail, state=QUEUED, claimed_by=None, due_at=due_at, code=code, problem=problem)


def give_back(connection: Connection, mail: Mail, due_at: int | None = None, code: str | None = None) -> bool:
    """As if nobody had begun: the server stops, or nobody can send now."""
    said = {"state": QUEUED, "claimed_by": None, "attempts": mail.attempts - 1, "code": code}
    return put(connection, mail, **said, due_at=mail.due_at if due_at is None else due_at)


def put(connection: Connection, mail: Mail, /, **said: object) -> bool:
    """Say something of a mail that is still that of who claimed it; -> whether it is."""
    mine = (_M.mail_key == mail.mail_key, _M.state == SENDING, _M.claimed_by == mail.claimed_by)
    return connection.execute(update(mail_outbox).where(*mine).values(**said)).rowcount == 1


def pause_ms(attempts: int) -> int:
    """How long nobody tries after so many tries (pure): half a minute, and each time three times as long, to six
    hours."""
    return int(min(FIRST_PAUSE_MS * 3 ** min(max(attempts - 1, 0), 20), PAUSE_MS_MAX))


def next_due(connection: Connection, now_ms: int) -> int | None:
    """When a mail may be claimed: now, or when the first becomes due, or its process is taken for dead."""
    due = connection.execute(select(func.min(_M.due_at)).where(_M.state == QUEUED)).scalar()
    beaten = connection.execute(select(func.min(_M.beat_at)).where(_M.state == SENDING)).scalar()
    times = [when for when in (due, beaten + STALE_MS + 1 if beaten is not None else None) if when is not None]
    return max(now_ms, min(times)) if times else None


# -- reading ----------------------------------------------------------------------------------------------------------


def of_key(connection: Connection, key: str) -> Mail | None:
    return _first(connection, _M.mail_key == key)


def of_message(connection: Connection, message_id: str) -> Mail | None:
    return _first(connection, _M.message_id == message_id)


def of_proposal(connection: Connection, proposal_key: str, most: int | None = None) -> list[Mail]:
    """The newest first."""
    query = select(*_COLUMNS).where(_M.proposal_key == proposal_key).order_by(_M.asked_at.desc(), _M.mail_key)
    return [Mail(**row) for row in connection.execute(query.limit(most)).mappings()]


def _first(connection: Connection, *where: ColumnElement[bool]) -> Mail | None:
    row = connection.execute(select(*_COLUMNS).where(*where).limit(1)).mappings().first()
    return Mail(**row) if row is not None else None
