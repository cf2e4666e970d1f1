"""What is to be sealed: rows of `proposal_answers`, claimed by one process, ended once, like what is printed.

Whoever works on one beats; each step asks whether it is still his. A process that dies loses nothing: another takes the
row again. What is tried in vain `ATTEMPTS_MAX` times is failed, until somebody orders it again (`sfa seal again`).
"""

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from sfa.core.errors import Refused
from sfa.db.tables import proposal_answers

QUEUED, SEALING, SEALED, FAILED = "queued", "sealing", "sealed", "failed"
STALE_MS = 120_000  # a beat comes every five seconds; clocks of two servers may differ by almost two minutes
ATTEMPTS_MAX = 5
AGAIN_MS, PAUSE_MS_MAX = 2_000, 600_000
_A = proposal_answers.c


class Claim(Struct, frozen=True, kw_only=True):
    """A row that this process works on; `document` is the canonical JSON of what was accepted, `digest` names it."""

    proposal_key: str
    version: int
    document: bytes
    digest: str
    attempts: int
    claimed_by: str


class Looked(Struct, frozen=True):
    """Whether a row may be claimed now, and when there may be another (ms)."""

    is_free: bool
    next_at: int | None


def is_free(now_ms: int) -> ColumnElement[bool]:
    waits = and_(_A.seal_state == QUEUED, or_(_A.due_at.is_(None), _A.due_at <= now_ms))
    return or_(waits, and_(_A.seal_state == SEALING, _A.beat_at < now_ms - STALE_MS))


def look(connection: Connection, now_ms: int) -> Looked:
    """In a short read: most commits have nothing to do with sealing."""
    found = connection.execute(select(_A.proposal_key).where(is_free(now_ms)).limit(1)).first()
    later = select(func.min(_A.due_at)).where(_A.seal_state == QUEUED, _A.due_at > now_ms)
    beaten = connection.execute(select(func.min(_A.beat_at)).where(_A.seal_state == SEALING)).scalar()
    times = [connection.execute(later).scalar(), beaten + STALE_MS + 1 if beaten is not None else None]
    return Looked(found is not None, min((when for when in times if when is not None), default=None))


def claim(connection: Connection, now_ms: int, me: str) -> Claim | None:
    """The row that has waited for longest; None where there is none. One whose process died each time is failed."""
    over = update(proposal_answers).where(is_free(now_ms), _A.seal_state == SEALING, _A.attempts >= ATTEMPTS_MAX)
    dead = {"seal_state": FAILED, "claimed_by": None, "beat_at": None, "code": "worker_died"}
    connection.execute(over.values(**dead, problem="its process died each time"))
    query = select(_A.proposal_key, _A.version).where(is_free(now_ms)).order_by(_A.at, _A.proposal_key, _A.version)
    found = connection.execute(query.limit(1).with_for_update(skip_locked=True)).first()
    if found is None:
        return None
    here = (_A.proposal_key == found.proposal_key, _A.version == found.version)
    said = {"seal_state": SEALING, "claimed_by": me, "beat_at": now_ms}
    mine = update(proposal_answers).where(*here, is_free(now_ms))
    if not connection.execute(mine.values(**said, attempts=_A.attempts + 1)).rowcount:
        return None
    columns = [_A[name] for name in Claim.__struct_fields__]
    row = connection.execute(select(*columns).where(*here)).mappings().one()
    return Claim(**{**row, "document": bytes(row["document"])})


def put(connection: Connection, claim: Claim, /, **said: object) -> bool:
    """Say something of a row that is still that of who claimed it; -> whether it is."""
    here = (_A.proposal_key == claim.proposal_key, _A.version == claim.version)
    mine = update(proposal_answers).where(*here, _A.seal_state == SEALING, _A.claimed_by == claim.claimed_by)
    return connection.execute(mine.values(**said)).rowcount == 1


def beat(connection: Connection, now_ms: int, claim: Claim) -> bool:
    return put(connection, claim, beat_at=now_ms)


def later(connection: Connection, claim: Claim, due_at: int, code: str, problem: str) -> bool:
    """Leave it as if nobody had begun: what it needs is not there yet."""
    said = {"seal_state": QUEUED, "claimed_by": None, "beat_at": None, "attempts": claim.attempts - 1}
    return put(connection, claim, **said, due_at=due_at, code=code, problem=problem[:500])


def give_back(connection: Connection, claim: Claim) -> bool:
    """The server stops."""
    said = {"seal_state": QUEUED, "claimed_by": None, "beat_at": None, "attempts": claim.attempts - 1}
    return put(connection, claim, **said)


def fail(connection: Connection, now_ms: int, claim: Claim, code: str, problem: str, is_last: bool) -> bool:
    """Tried in vain; once more after a pause that grows, or never."""
    pause = min(PAUSE_MS_MAX, AGAIN_MS * 5 ** (claim.attempts - 1))
    state = FAILED if is_last or claim.attempts >= ATTEMPTS_MAX else QUEUED
    said = {"seal_state": state, "claimed_by": None, "beat_at": None, "due_at": now_ms + pause}
    return put(connection, claim, **said, code=code, problem=problem[:500])


def again(connection: Connection, now_ms: int, proposal_key: str | None = None) -> int:
    """Order anew what failed, of one proposal or of all -> how many."""
    these = [_A.seal_state == FAILED]
    if proposal_key is not None:
        these.append(_A.proposal_key == proposal_key)
    said = {"seal_state": QUEUED, "attempts": 0, "due_at": now_ms, "code": None, "problem": None}
    return connection.execute(update(proposal_answers).where(*these).values(**said)).rowcount


def accepted_version(connection: Connection, proposal_key: str) -> int:
    """The version that was accepted, the newest of them. Refuses `not_found`."""
    query = select(func.max(_A.version)).where(_A.proposal_key == proposal_key, _A.document.is_not(None))
    found: int | None = connection.execute(query).scalar()
    if found is None:
        raise Refused("not_found", "no version of this proposal was accepted")
    return found


def name_files(connection: Connection, claim: Claim, **said: str) -> None:
    """Of a row that is sealed."""
    here = (_A.proposal_key == claim.proposal_key, _A.version == claim.version)
    connection.execute(update(proposal_answers).where(*here).values(**said))
