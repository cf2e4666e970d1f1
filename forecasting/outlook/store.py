"""Runs and what they found, as they are kept: claimed by one process, taken over when it dies, ended once.

A run that is asked for twice on a day is one while it waits or works. Whoever works on it beats; each step asks whether
it is still his, so that a run that was cancelled, or taken over, stores nothing. The question is kept with the answer:
the same engine answers it again with the same bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
import zstandard
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from forecasting.outlook.past import ordinal
from forecasting.outlook.values import Answer, DealOutlook, NodeOutlook, Question, Score
from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.db import scope
from sfa.db.tables import outlook_found, outlook_runs

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
UNDER_WAY = (WAITING, RUNNING)
NODE, DEALS, SCORES, QUESTION, TREE, PARTS, WHERE = "node", "deals", "scores", "question", "tree", "parts", "where"
UNRATED = "unrated"
OF_DEALS = (DEALS, PARTS, WHERE, QUESTION)  # what is forgotten of old runs
STALE_MS = 90_000  # a process that has not beaten for so long is dead
TURNED_MS = 3_600_000  # a beat so far ahead is of a clock that was turned back since, and of a process that is dead
ATTEMPTS_MAX = 3
NEVER = 2**31 - 1  # no run has this number
WORKER_DIED = "worker_died"
MINUTE_MS, DAY_MS = 60_000, 86_400_000
KEPT_DAYS = 35  # after that deals and questions of one run a week are kept, the first of each; ranges are kept for ever
BATCH = 500
T = TypeVar("T")
_R, _F = outlook_runs.c, outlook_found.c
_encode = msgspec.json.Encoder().encode


class Run(Struct, frozen=True):
    """As the row is; instants are milliseconds, `progress` counts to 1,000."""

    number: int
    state: str
    as_of: str
    asked_at: int
    asked_by: str | None
    claimed_by: str | None
    beat_at: int | None
    began_at: int | None
    ended_at: int | None
    step: str | None
    progress: int
    attempts: int
    seq: int | None
    currency: str | None
    seed: int
    engine: str | None
    digest: str | None
    found_digest: str | None
    code: str | None
    learnt: dict[str, Any] | None


class Said(Struct, frozen=True):
    """Of what a question is: the local day, the clock's number, the currency."""

    as_of: str
    seq: int
    currency: str


class Packed(Struct, frozen=True):
    """A question or an answer as it is stored: made before the transaction, for others wait for that. `found` is what
    an answer says."""

    digest: str
    documents: list[tuple[str, str, bytes]]
    found: Answer | None = None


# -- asking -----------------------------------------------------------------------------------------------------------


def ask(connection: Connection, now_ms: int, as_of: str, asked_by: str | None = None) -> tuple[Run, bool]:
    """-> (the run that waits, which will be of the day on which somebody makes it; else that of this day that is being
    made, else a new one; whether it is new). Two that ask at once meet at the number, and the database tries the second
    again."""
    found = _one(connection, _R.state == WAITING) or _one(connection, _R.as_of == as_of, _R.state == RUNNING)
    if found is not None:
        return found, False
    number = (connection.execute(select(func.max(_R.number))).scalar() or 0) + 1
    row = {"number": number, "state": WAITING, "as_of": as_of, "asked_at": now_ms, "asked_by": asked_by}
    connection.execute(insert(outlook_runs), [{**row, "progress": 0, "attempts": 0, "seed": ordinal(as_of)}])
    return numbered(connection, number), True


def ask_daily(connection: Connection, now_ms: int, minute: int = 0) -> bool:
    """Today's, once, whatever comes of it, from a minute of the day on; none where one waits that nobody made yet."""
    today = scope.today(connection, now_ms)
    if now_ms - start_of_ms(today, scope.zone(connection)) < minute * MINUTE_MS:
        return False
    return _one(connection, _R.as_of == today) is None and ask(connection, now_ms, today)[1]


def cancel(connection: Connection, now_ms: int, number: int) -> Run:
    """Refuses `not_found`, and `run_ended` what is over, be it since this moment; what is cancelled already stays
    so."""
    if 0 < number < NEVER:
        mine = update(outlook_runs).where(_R.number == number, _R.state.in_(UNDER_WAY))
        connection.execute(mine.values(state=CANCELLED, ended_at=now_ms, claimed_by=None))
    found = numbered(connection, number)
    if found.state != CANCELLED:
        raise Refused("run_ended", f"the run is {found.state}", state=found.state)
    return found


# -- working ----------------------------------------------------------------------------------------------------------


def claim(connection: Connection, now_ms: int, me: str) -> Run | None:
    """The first run that waits, or whose process died; None where there is none. One that has killed several is given
    up."""
    is_dead = or_(_R.beat_at < now_ms - STALE_MS, _R.beat_at > now_ms + TURNED_MS)
    is_free = or_(_R.state == WAITING, (_R.state == RUNNING) & is_dead)
    for number in connection.execute(select(_R.number).where(is_free).order_by(_R.number)).scalars().all():
        given_up = update(outlook_runs).where(_R.number == number, is_free, _R.attempts >= ATTEMPTS_MAX)
        if connection.execute(given_up.values(state=FAILED, code=WORKER_DIED, ended_at=now_ms)).rowcount:
            continue
        mine = update(outlook_runs).where(_R.number == number, is_free)
        said = {"state": RUNNING, "claimed_by": me, "beat_at": now_ms, "began_at": now_ms, "progress": 0}
        if connection.execute(mine.values(**said, step=None, attempts=_R.attempts + 1)).rowcount:
            return numbered(connection, number)
    return None


def beat(connection: Connection, now_ms: int, number: int, me: str, step: str, progress: int) -> bool:
    """Whether the run is still mine."""
    return _mine(connection, number, me, beat_at=now_ms, step=step, progress=progress)


def began(connection: Connection, number: int, me: str, said: Said, question: Packed) -> bool:
    """The question is kept before it is answered; it is of the day on which it was read, for a run may wait."""
    read = {"as_of": said.as_of, "seq": said.seq, "currency": said.currency}
    if not _mine(connection, number, me, **read, digest=question.digest):
        return False
    connection.execute(delete(outlook_found).where(_F.number == number))
    _put(connection, number, question)
    return True


def finish(connection: Connection, now_ms: int, number: int, me: str, answer: Packed) -> bool:
    """What was found and that it is, in one transaction; nothing where the run is not mine any more."""
    assert answer.found is not None
    code, learnt = answer.found.code, answer.found.learnt
    said = {"state": DONE, "ended_at": now_ms, "progress": 1_000, "step": None, "code": code, "claimed_by": None}
    said |= {"engine": learnt.engine, "learnt": msgspec.to_builtins(learnt)} if learnt is not None else {}
    if not _mine(connection, number, me, **said, found_digest=answer.digest):
        return False
    _put(connection, number, answer)
    return True


def fail(connection: Connection, now_ms: int, number: int, me: str, code: str) -> bool:
    return _mine(connection, number, me, state=FAILED, ended_at=now_ms, code=code, claimed_by=None)


def _mine(connection: Connection, number: int, me: str, **said: Any) -> bool:
    mine = update(outlook_runs).where(_R.number == number, _R.state == RUNNING, _R.claimed_by == me)
    return connection.execute(mine.values(**said)).rowcount == 1


def _put(connection: Connection, number: int, packed: Packed) -> None:
    rows = [{"number": number, "kind": kind, "key": key, "doc": doc} for kind, key, doc in packed.documents]
    for start in range(0, len(rows), BATCH):
        connection.execute(insert(outlook_found), rows[start : start + BATCH])


# -- packing ----------------------------------------------------------------------------------------------------------


def packed_question(question: bytes, shared: Mapping[str, Mapping[str, int]] | None = None, unrated: int = 0) -> Packed:
    """`shared`: who has how much of open deals that are not one person's alone, of 10,000; `unrated`: how many deals
    and credits are in no figure, for want of a rate."""
    beside = [(PARTS, "", _encode(shared or {})), (UNRATED, "", _encode(unrated))]
    return _packed(question, [(QUESTION, "", question), *beside])


def packed_answer(answer: bytes) -> Packed:
    """`msgspec.ValidationError` for what is no answer."""
    found = msgspec.json.decode(answer, type=Answer)
    scores: dict[str, list[Score]] = {}
    for score in found.scores:
        scores.setdefault(score.node, []).append(score)
    documents = [(NODE, node.node, _encode(node)) for node in found.nodes]
    documents.append((TREE, "", _encode({node.node: node.above for node in found.nodes})))
    documents += [(DEALS, owner, _encode(deals)) for owner, deals in sorted(found.deals.items())]
    documents.append((WHERE, "", _encode({deal.key: owner for owner, of in found.deals.items() for deal in of})))
    documents += [(SCORES, node, _encode(of)) for node, of in sorted(scores.items())]
    return _packed(answer, documents, found)


def _packed(data: bytes, documents: Iterable[tuple[str, str, bytes]], found: Answer | None = None) -> Packed:
    packer = zstandard.ZstdCompressor(level=3)
    return Packed(digest_of(data), [(kind, key, packer.compress(doc)) for kind, key, doc in documents], found)


# -- reading ----------------------------------------------------------------------------------------------------------


def numbered(connection: Connection, number: int) -> Run:
    """`not_found`."""
    found = _one(connection, _R.number == number) if 0 < number < NEVER else None
    if found is None:
        raise Refused("not_found")
    return found


def newest(connection: Connection, day: str | None = None) -> Run | None:
    """The last run that came to its end, of a day or before it."""
    return _one(connection, _R.state == DONE, *(() if day is None else (_R.as_of <= day,)))


def listing(connection: Connection, before: int | None, limit: int) -> list[Run]:
    """The newest first, of lower numbers than `before`."""
    query = select(outlook_runs).order_by(_R.number.desc()).limit(limit)
    if before is not None:
        query = query.where(_R.number < min(max(before, 0), NEVER))
    return [Run(**row) for row in connection.execute(query).mappings()]


def under_way(connection: Connection) -> Run | None:
    return _one(connection, _R.state.in_(UNDER_WAY))


def tree(connection: Connection, number: int) -> dict[str, list[str]]:
    """Every node of a run with those above it, from the company down."""
    return _documents(connection, number, TREE, [""], dict[str, list[str]]).get("", {})


def nodes(connection: Connection, number: int, among: Iterable[str]) -> dict[str, NodeOutlook]:
    return _documents(connection, number, NODE, among, NodeOutlook)


def deals(connection: Connection, number: int, owners: Iterable[str]) -> dict[str, list[DealOutlook]]:
    """By owner."""
    return _documents(connection, number, DEALS, owners, list[DealOutlook])


def where(connection: Connection, number: int) -> dict[str, str] | None:
    """Each deal, with whom it is kept under in `deals`; None where the deals of the run are not kept any more."""
    return _documents(connection, number, WHERE, [""], dict[str, str]).get("")


def shared(connection: Connection, number: int) -> dict[str, dict[str, int]]:
    """Deals that are not one person's alone: who has how much of each, of 10,000."""
    return _documents(connection, number, PARTS, [""], dict[str, dict[str, int]]).get("", {})


def unrated(connection: Connection, number: int) -> int:
    """How many deals and credits of the company are in no figure of a run."""
    return _documents(connection, number, UNRATED, [""], int).get("", 0)


def scores(connection: Connection, number: int, among: Iterable[str]) -> dict[str, list[Score]]:
    return _documents(connection, number, SCORES, among, list[Score])


def question(connection: Connection, number: int) -> tuple[bytes, Question]:
    """What the run was asked: its bytes, and what they say. `not_found` where it is not kept any more."""
    query = select(_F.doc).where(_F.number == number, _F.kind == QUESTION)
    doc: bytes | None = connection.execute(query).scalar()
    if doc is None:
        raise Refused("not_found")
    data = zstandard.ZstdDecompressor().decompress(doc)
    return data, msgspec.json.decode(data, type=Question)


def _documents(connection: Connection, number: int, kind: str, keys: Iterable[str], of: type[T]) -> dict[str, T]:
    found: dict[str, T] = {}
    decoder, unpacker, wanted = msgspec.json.Decoder(of), zstandard.ZstdDecompressor(), sorted(set(keys))
    for start in range(0, len(wanted), BATCH):
        query = select(_F.key, _F.doc).where(
            _F.number == number, _F.kind == kind, _F.key.in_(wanted[start : start + BATCH])
        )
        for key, doc in connection.execute(query):
            found[key] = decoder.decode(unpacker.decompress(doc))
    return found


def _one(connection: Connection, *where: ColumnElement[bool]) -> Run | None:
    query = select(outlook_runs).where(*where).order_by(_R.number.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return Run(**row) if row is not None else None


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- forgetting -------------------------------------------------------------------------------------------------------


def forget(connection: Connection, now_ms: int) -> str:
    """Deals and questions of runs that ended long ago, but for the first good one of each week, and the last of all,
    which is told until there is another."""
    is_over = _R.state.in_((DONE, FAILED, CANCELLED)) & (_R.ended_at < now_ms - KEPT_DAYS * DAY_MS)
    is_kept = select(_F.number).where(_F.number == _R.number, _F.kind.in_(OF_DEALS)).exists()
    last, query = newest(connection), select(_R.number, _R.as_of, _R.state, _R.code).where(is_over, is_kept)
    weeks, old = set[int](), list[int]()
    for number, as_of, state, code in connection.execute(query.order_by(_R.number)).all():
        week = (ordinal(as_of) - 1) // 7  # Monday is the first of its days
        if state == DONE and code is None and week not in weeks:
            weeks.add(week)
        elif last is None or number != last.number:
            old.append(number)
    gone = delete(outlook_found).where(_F.number.in_(old), _F.kind.in_(OF_DEALS))
    return f"{connection.execute(gone).rowcount if old else 0} documents"
