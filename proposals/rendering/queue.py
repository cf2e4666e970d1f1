"""What is to be printed: asked for in the transaction that wants it, claimed by one process, ended once.

A document is printed once for its proposal: asked for again it is the same order, which is done already or goes on.
Whoever works on one beats; each step asks whether it is still his, so that one that was taken over stores nothing. The
order with the lowest `priority` comes first, and what has waited for `AGED_MS` has the lowest; among equals that of the
person who has waited longest since one of his was begun, so that who sends five hundred holds up nobody, and nothing
waits for ever. A process that dies loses nothing: another takes the order again, up to `ATTEMPTS_MAX` times.
"""

import msgspec
import zstandard
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, insert, or_, select, update

from proposals.document import Document, canonical, digest_of
from proposals.templates.template import Template
from sfa.core.errors import Refused
from sfa.db.tables import ROWS, proposal_renders

QUEUED, RENDERING, DONE, FAILED = "queued", "rendering", "done", "failed"
DRAFT, FINAL = "draft", "final"
WAITED_FOR, SENT = 0, 1  # priorities
AGED_MS = 60_000
# A process that has not beaten for so long is dead. Who judges has a clock of his own: a beat comes every five seconds,
# so clocks of two servers may differ by almost two minutes before one takes what the other still prints.
STALE_MS = 120_000
ATTEMPTS_MAX = 3
AGAIN_MS = 2_000  # after the first attempt; five times as long after the second
DRAFTS_WAITING_MAX = 50  # of one person
SERVED_MS = 600_000
KEPT_MS = 90 * 86_400_000  # how long it is told how an order ended
_R, _FILES = proposal_renders.c, ROWS["attachments"].c


class Asked(Struct, frozen=True, kw_only=True):
    """What a command wants printed. `name` is the file's; `kind` is draft or final."""

    proposal_key: str
    document: Document
    template: Template
    kind: str
    name: str
    asked_by: str | None
    priority: int = WAITED_FOR


class Printable(Struct, frozen=True, array_like=True):
    """What is kept of an order until it is done: the document's canonical JSON, and with what it is printed."""

    document: bytes
    template: Template


class Render(Struct, frozen=True, kw_only=True):
    """As the row is, without what is printed; instants are milliseconds."""

    proposal_key: str
    digest: str
    kind: str
    version: int
    state: str
    code: str | None
    problem: str | None
    priority: int
    name: str
    lines: int
    asked_at: int
    asked_by: str | None
    due_at: int
    claimed_by: str | None
    beat_at: int | None
    began_at: int | None
    ended_at: int | None
    attempts: int
    sha256: str | None
    size: int | None
    attachment_key: str | None

    @property
    def since(self) -> int:
        """From when on it is in its state."""
        when = {QUEUED: self.asked_at, RENDERING: self.began_at}.get(self.state, self.ended_at)
        return when if when is not None else self.asked_at


_COLUMNS = [_R[name] for name in Render.__struct_fields__]


# -- asking -----------------------------------------------------------------------------------------------------------


def ask(connection: Connection, now_ms: int, asked: Asked) -> Render:
    """The order, new or as it stands: one that is done is not printed again, one that failed begins anew. Drafts of the
    same proposal that nobody has begun are dropped, because this is a newer one. `render_queue_full` for a person whose
    drafts wait in large number; what is sent is always taken."""
    digest = digest_of(asked.document)
    here = (_R.proposal_key == asked.proposal_key, _R.digest == digest)
    found = _one(connection, *here)
    is_new = found is None or found.state == FAILED
    if is_new and asked.kind == DRAFT:
        _check_room(connection, asked)  # who is refused has changed nothing: the older one may be somebody else's
    older = delete(proposal_renders).where(
        _R.proposal_key == asked.proposal_key, _R.digest != digest, _R.kind == DRAFT, _R.state == QUEUED
    )
    connection.execute(older)
    if not is_new:
        sooner = update(proposal_renders).where(*here, _R.state == QUEUED, _R.priority > asked.priority)
        connection.execute(sooner.values(priority=asked.priority))
        connection.execute(update(proposal_renders).where(*here, _R.state == DONE).values(asked_at=now_ms))
        return read(connection, asked.proposal_key, digest)
    body = zstandard.ZstdCompressor(level=3).compress(
        msgspec.msgpack.encode(Printable(canonical(asked.document), asked.template))
    )
    row = {
        "state": QUEUED,
        "code": None,
        "problem": None,
        "attempts": 0,
        "body": body,
        "kind": asked.kind,
        "version": asked.document.version,
        "lines": len(asked.document.items),
        "name": asked.name,
        "priority": asked.priority,
        "asked_at": now_ms,
        "asked_by": asked.asked_by,
        "due_at": now_ms,
        **dict.fromkeys(("claimed_by", "beat_at", "began_at", "ended_at", "sha256", "size", "attachment_key")),
    }
    if found is not None:
        connection.execute(update(proposal_renders).where(*here).values(**row))
    else:
        connection.execute(insert(proposal_renders), {"proposal_key": asked.proposal_key, "digest": digest, **row})
    return read(connection, asked.proposal_key, digest)


def _check_room(connection: Connection, asked: Asked) -> None:
    """Those of the same proposal make room for the new one."""
    others = (_R.asked_by == asked.asked_by, _R.proposal_key != asked.proposal_key)
    waiting = select(func.count()).where(*others, _R.kind == DRAFT, _R.state == QUEUED)
    if connection.execute(waiting).scalar_one() >= DRAFTS_WAITING_MAX:
        raise Refused("render_queue_full", f"{DRAFTS_WAITING_MAX} drafts of yours wait to be printed")


# -- working ----------------------------------------------------------------------------------------------------------


def is_free(now_ms: int) -> ColumnElement[bool]:
    """Whether an order may be claimed: it waits and is due, or its process is dead."""
    return or_(
        and_(_R.state == QUEUED, _R.due_at <= now_ms), and_(_R.state == RENDERING, _R.beat_at < now_ms - STALE_MS)
    )


def claim(connection: Connection, now_ms: int, me: str) -> tuple[Render, Printable] | None:
    """The order whose turn it is; None where there is none."""
    free = is_free(now_ms)
    served = (
        select(_R.asked_by, func.max(_R.began_at).label("at"))
        .where(_R.began_at > now_ms - SERVED_MS)
        .group_by(_R.asked_by)
        .subquery()
    )
    rank = case((_R.asked_at <= now_ms - AGED_MS, WAITED_FOR), else_=_R.priority)
    query = (
        select(_R.proposal_key, _R.digest, _R.body)
        .outerjoin(served, served.c.asked_by == _R.asked_by)
        .where(free, _R.attempts < ATTEMPTS_MAX)
        .order_by(rank, func.coalesce(served.c.at, 0), _R.asked_at, _R.proposal_key, _R.digest)
        .limit(1)
        .with_for_update(of=proposal_renders, skip_locked=True)
    )
    found = connection.execute(query).first()
    if found is None:
        return None
    mine = update(proposal_renders).where(_R.proposal_key == found.proposal_key, _R.digest == found.digest, free)
    said = {"state": RENDERING, "claimed_by": me, "beat_at": now_ms, "began_at": now_ms, "code": None, "problem": None}
    if not connection.execute(mine.values(**said, attempts=_R.attempts + 1)).rowcount:
        return None
    return read(connection, found.proposal_key, found.digest), unpacked(found.body)


def unpacked(body: bytes) -> Printable:
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(body), type=Printable)


def beat(connection: Connection, now_ms: int, render: Render) -> bool:
    """Whether the order is still that of who claimed it."""
    return put(connection, render, beat_at=now_ms)


def again(connection: Connection, now_ms: int, render: Render, code: str, problem: str) -> bool:
    """Leave it to be tried again, after a pause."""
    due_at = now_ms + AGAIN_MS * 5 ** (render.attempts - 1)
    return put(connection, render, state=QUEUED, claimed_by=None, due_at=due_at, code=code, problem=problem)


def give_back(connection: Connection, render: Render, code: str | None = None, problem: str | None = None) -> bool:
    """As if nobody had begun: the server stops, or cannot print at all."""
    said = {"state": QUEUED, "claimed_by": None, "attempts": render.attempts - 1}
    return put(connection, render, **said, code=code, problem=problem)


def given_up(connection: Connection, now_ms: int) -> list[Render]:
    """Orders that have ended their process too often, or lost it, to be failed; each is claimed by nobody."""
    dead = and_(_R.state == RENDERING, _R.beat_at < now_ms - STALE_MS, _R.attempts >= ATTEMPTS_MAX)
    query = select(*_COLUMNS).where(dead).order_by(_R.proposal_key).limit(100)
    return [_render(row) for row in connection.execute(query.with_for_update(skip_locked=True)).mappings()]


def put(connection: Connection, render: Render, /, **said: object) -> bool:
    """Say something of an order that is still that of who claimed it; -> whether it is."""
    mine = (_R.proposal_key == render.proposal_key, _R.digest == render.digest, _R.state == RENDERING)
    claimed = _R.claimed_by == render.claimed_by
    return connection.execute(update(proposal_renders).where(*mine, claimed).values(**said)).rowcount == 1


def name_file(connection: Connection, render: Render, key: str) -> None:
    """Of an order that is done."""
    here = (_R.proposal_key == render.proposal_key, _R.digest == render.digest)
    connection.execute(update(proposal_renders).where(*here).values(attachment_key=key))


def free(connection: Connection, now_ms: int) -> tuple[bool, bool]:
    """(whether an order may be claimed, whether one is to be given up)"""
    over = (_R.attempts >= ATTEMPTS_MAX).label("over")
    found = {bool(each) for each in connection.execute(select(over).where(is_free(now_ms)).distinct()).scalars()}
    return False in found, True in found


def mark_waiting(connection: Connection, code: str, problem: str) -> list[Render]:
    """Say of every order that waits why it does; -> those that did not say so yet, some hundred at a time."""
    unsaid = (_R.state == QUEUED, or_(_R.code.is_(None), _R.code != code))
    query = select(*_COLUMNS).where(*unsaid).order_by(_R.asked_at).limit(200).with_for_update(skip_locked=True)
    marked = [_render(row) for row in connection.execute(query).mappings()]
    for render in marked:
        here = (_R.proposal_key == render.proposal_key, _R.digest == render.digest)
        connection.execute(update(proposal_renders).where(*here).values(code=code, problem=problem))
    return marked


def next_due(connection: Connection, now_ms: int) -> int | None:
    """When an order may be claimed that may not be now."""
    later = select(func.min(_R.due_at)).where(_R.state == QUEUED, _R.due_at > now_ms)
    lost = select(func.min(_R.beat_at)).where(_R.state == RENDERING)
    at, beaten = connection.execute(later).scalar(), connection.execute(lost).scalar()
    times = [when for when in (at, beaten + STALE_MS + 1 if beaten is not None else None) if when is not None]
    return min(times, default=None)


# -- reading ----------------------------------------------------------------------------------------------------------


def read(connection: Connection, proposal_key: str, digest: str) -> Render:
    """`render_missing`."""
    found = _one(connection, _R.proposal_key == proposal_key, _R.digest == digest)
    if found is None:
        raise Refused("render_missing")
    return found


def newest(connection: Connection, proposal_key: str) -> Render | None:
    """Of a proposal, what was asked for last."""
    return _one(connection, _R.proposal_key == proposal_key)


def _one(connection: Connection, *where: ColumnElement[bool]) -> Render | None:
    last = (_R.asked_at.desc(), _R.kind == DRAFT, _R.digest)  # of one instant, what is sent comes after its draft
    query = select(*_COLUMNS).where(*where).order_by(*last).limit(1)
    row = connection.execute(query).mappings().first()
    return _render(row) if row is not None else None


def _render(row: object) -> Render:
    return msgspec.convert(row, Render)


# -- forgetting -------------------------------------------------------------------------------------------------------


def forget(connection: Connection, now_ms: int, kept_ms: int = KEPT_MS) -> int:
    """How drafts ended long ago; -> how many. What was sent is remembered, and so is a draft while its file is there:
    the next one of the proposal takes its place."""
    file = exists().where(_FILES.key == _R.attachment_key, ~_FILES.gone)
    old = (_R.kind == DRAFT, _R.state.in_((DONE, FAILED)), _R.ended_at < now_ms - kept_ms, ~file)
    return connection.execute(delete(proposal_renders).where(*old)).rowcount
