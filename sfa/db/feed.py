"""The feed: what changed, by bucket, numbered in commit order (S6, S7).

One entry per (bucket, entity, key); a write moves it to a new number and never appends. Its `doc` is ready-made JSON,
so a pull joins bytes and maps nothing. `take` is the last lock before commit; entries are written after it only.
Reading runs on prepared statements: `delta` after a position over the buckets that have news, `fill` by key inside one.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from heapq import merge as merge_sorted
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import BigInteger, Connection, bindparam, insert, literal_column, select, text, update

from sfa.core.errors import Refused
from sfa.core.registrations import check_active
from sfa.db import digests, prepared
from sfa.db.bulk import upserting
from sfa.db.cells import Cell
from sfa.db.prepared import Prepared, listed
from sfa.db.tables import bucket_heads, clock, clock_marks, feed

ENCODER = msgspec.json.Encoder()
NEWS_CHANNEL = "sfa_news"  # what PostgreSQL tells after a commit that advanced the clock
FEW_ROWS = 100  # of one bucket: read at once, without asking for numbers first


class Entry(NamedTuple):
    bucket: str
    entity: str
    key: str
    rev: int
    gone: bool
    doc: bytes


def live_doc(cell: Cell) -> bytes:
    return ENCODER.encode({"entity": cell.entity, "key": cell.key, "rev": cell.rev, "row": cell.row})


def gone_doc(cell: Cell) -> bytes:
    return ENCODER.encode({"entity": cell.entity, "key": cell.key, "rev": cell.rev, "gone": True})


def entries(cell: Cell, before: Sequence[str]) -> list[Entry]:
    """What the feed must say of a row that was changed or moved: gone where it no longer lies, the row where it does.
    `before` are the buckets in which devices knew it: none for a row that was deleted or aged already. A deleted or
    aged row is gone everywhere it lay; a row that only moved leaves buckets that it stays in alone."""
    after = () if cell.gone else cell.places
    leaves = [b for b in before if b not in after]
    gets = after if cell.touched else [b for b in after if b not in before]
    found: list[Entry] = []
    if leaves:
        doc = gone_doc(cell)
        found += [Entry(b, cell.entity, cell.key, cell.rev, True, doc) for b in leaves]
    if gets:
        doc = live_doc(cell)
        found += [Entry(b, cell.entity, cell.key, cell.rev, False, doc) for b in gets]
    return found


def take(connection: Connection, count: int) -> int:
    """Advance the clock by `count`; -> the last number taken. From here to the commit nobody else numbers anything.
    On PostgreSQL the same statement tells who listens, and they hear it once this transaction has committed (S9)."""
    statement = _TAKE_AND_TELL if connection.dialect.name == "postgresql" else _TAKE
    return int(statement.rows(connection, count=count)[0][0])


_COUNT: Any = bindparam("count", type_=BigInteger)
_FACE = Prepared(select(clock.c.seq, clock.c.epoch, clock.c.due_at).where(clock.c.id == 1))
_ADVANCE = update(clock).where(clock.c.id == 1).values(seq=clock.c.seq + _COUNT)
_TAKE = Prepared(_ADVANCE.returning(clock.c.seq))
_TAKE_AND_TELL = Prepared(_ADVANCE.returning(clock.c.seq, literal_column(f"pg_notify('{NEWS_CHANNEL}', '')")))


_ENTRIES = upserting(feed, ("bucket", "entity", "key"), ("seq", "rev", "gone", "doc"))  # `first` stays
_HEADS = upserting(bucket_heads, ("bucket",), ("seq",), ("live", "digest_high", "digest_low"))


def write(connection: Connection, found: Sequence[Entry], last: int) -> None:
    """Write entries under the numbers that end at `last`, and keep the sums of their buckets (S16)."""
    if found:
        write_numbered(connection, found, last, digests.changes(connection, found))


def write_numbered(connection: Connection, found: Sequence[Entry], last: int, sums: Mapping[str, digests.Sums]) -> None:
    """The same, where it is known what they change in the sums of their buckets."""
    rows, heads = [], {}
    for seq, (bucket, entity, key, rev, gone, doc) in enumerate(found, last - len(found) + 1):
        rows.append((bucket, entity, key, seq, seq, rev, gone, doc))
        heads[bucket] = seq
    rows.sort()  # as the table is clustered: a large write touches each page once
    _ENTRIES.run_values(connection, rows)
    _HEADS.run_values(connection, [(b, heads[b], (s := sums[b]).live, s.high, s.low) for b in sorted(heads)])


class Standing(NamedTuple):
    """Where the server stands for one user: read first in every pull, in its snapshot."""

    seq: int
    epoch: str
    horizon: int
    due_at: int | None
    scope_seq: int


# -- reading: plain SQL in both dialects, one prepared statement each ------------------------------------------------

_LIST = {"sqlite": "IN (SELECT value FROM json_each({}))", "postgresql": "= ANY({}::text[])"}
_MARK = {"sqlite": "?", "postgresql": "$"}


@cache
def _sql(dialect: str, name: str) -> str:
    def p(place: int) -> str:
        return f"{_MARK[dialect]}{place}"

    casts = {"sqlite": "", "postgresql": "::bigint"}[dialect]
    after = f"bucket = {p(1)} AND seq > {p(2)}{casts}"
    met = (
        f"(NOT gone OR EXISTS (SELECT 1 FROM scope_intervals i WHERE i.user_key = {p(4)} AND i.bucket = feed.bucket "
        "AND i.since_seq < feed.seq AND (i.until_seq IS NULL OR i.until_seq > feed.first)))"
    )
    return {
        "standing": "SELECT c.seq, c.epoch, c.horizon, c.due_at, s.seq, d.state "
        f"FROM clock c JOIN devices d ON d.key = {p(2)} AND d.user_key = {p(1)} "
        f"LEFT JOIN scope_users s ON s.user_key = d.user_key WHERE c.id = 1",
        "heads": f"SELECT bucket FROM bucket_heads WHERE bucket {_LIST[dialect].format(p(1))} AND seq > {p(2)}{casts}",
        "first": f"SELECT seq, doc FROM feed WHERE {after} ORDER BY seq LIMIT {p(3)}{casts}",
        "first_met": f"SELECT seq, doc FROM feed WHERE {after} AND {met} ORDER BY seq LIMIT {p(3)}{casts}",
        "seqs": f"SELECT seq FROM feed WHERE {after} ORDER BY seq LIMIT {p(3)}{casts}",
        "seqs_met": f"SELECT seq FROM feed WHERE {after} AND {met} ORDER BY seq LIMIT {p(3)}{casts}",
        "delta": f"SELECT seq, doc FROM feed WHERE {after} AND seq <= {p(3)}{casts} ORDER BY seq",
        "delta_met": f"SELECT seq, doc FROM feed WHERE {after} AND seq <= {p(3)}{casts} AND {met} ORDER BY seq",
        "deltas": "SELECT f.seq, f.bucket, f.doc FROM (SELECT h.bucket, s.seq FROM bucket_heads h "
        f"CROSS JOIN LATERAL (SELECT seq FROM feed WHERE bucket = h.bucket AND seq > {p(2)}{casts} "
        f"ORDER BY seq LIMIT {p(3)}{casts}) s WHERE h.bucket {_LIST[dialect].format(p(1))} AND h.seq > {p(2)}{casts} "
        f"ORDER BY s.seq LIMIT {p(3)}{casts}) first JOIN feed f ON f.bucket = first.bucket AND f.seq = first.seq "
        "ORDER BY f.seq",
        "fill": "SELECT entity, key, doc FROM feed "
        f"WHERE bucket = {p(1)} AND (entity, key) > ({p(2)}, {p(3)}) AND NOT gone "
        f"ORDER BY entity, key LIMIT {p(4)}{casts}",
    }[name]


def standing(connection: Connection, user_key: str, device_key: str) -> Standing:
    """Refuses a registration that is unknown, another user's or revoked."""
    rows = prepared.rows(connection, _sql(connection.dialect.name, "standing"), (user_key, device_key))
    if not rows:
        raise Refused("device_unknown")
    found = rows[0]
    check_active(found[5])
    return Standing(found[0], found[1], found[2], found[3], found[4] or 0)


class Face(NamedTuple):
    """What the clock shows to this transaction."""

    seq: int
    epoch: str
    due_at: int | None


def face(connection: Connection) -> Face:
    return Face(*_FACE.rows(connection)[0])


def heads_after(connection: Connection, buckets: Iterable[str], seq: int) -> list[str]:
    """The buckets among these that have entries after `seq`."""
    sql = _sql(connection.dialect.name, "heads")
    return [row[0] for row in prepared.rows(connection, sql, (listed(connection, buckets), seq))]


def news(
    connection: Connection, buckets: Iterable[str], seq: int, limit: int, met_by: Mapping[str, str]
) -> Iterable[tuple[int, str, bytes]]:
    """-> (seq, bucket, doc) of all these buckets after `seq`, in order: all, or at least the first `limit`. Of a bucket
    in `met_by`, tombstones only of rows whose time in the bucket overlaps an interval in which that user held it.
    PostgreSQL is asked in one question; SQLite bucket by bucket, which costs it microseconds: where one has much to
    tell, for numbers first and then for documents up to the last number that fits."""
    if connection.dialect.name == "postgresql" and not met_by:
        return prepared.rows(connection, _sql("postgresql", "deltas"), (list(buckets), seq, limit))
    found = heads_after(connection, buckets, seq)
    few = min(limit, FEW_ROWS)
    streams = [
        [(at, bucket, doc) for at, doc in _after(connection, "first", bucket, seq, few, met_by.get(bucket))]
        for bucket in found
    ]
    if all(len(stream) < few for stream in streams):
        return streams[0] if len(streams) == 1 else merge_sorted(*streams)
    numbers = sorted(
        row[0] for bucket in found for row in _after(connection, "seqs", bucket, seq, limit, met_by.get(bucket))
    )[:limit]
    if not numbers:
        return ()
    last = numbers[-1]
    streams = [
        [(at, bucket, doc) for at, doc in _after(connection, "delta", bucket, seq, last, met_by.get(bucket))]
        for bucket in found
    ]
    return streams[0] if len(streams) == 1 else merge_sorted(*streams)


def _after(connection: Connection, what: str, bucket: str, seq: int, bound: int, met_by: str | None) -> Sequence[Any]:
    """`bound` is how many numbers, or the last number, as the statement has it."""
    if met_by is not None:
        return prepared.rows(connection, _sql(connection.dialect.name, f"{what}_met"), (bucket, seq, bound, met_by))
    return prepared.rows(connection, _sql(connection.dialect.name, what), (bucket, seq, bound))


def fill(connection: Connection, bucket: str, after: tuple[str, str], limit: int) -> Sequence[Any]:
    """-> (entity, key, doc) of the live rows of a bucket after a key, in key order."""
    sql = _sql(connection.dialect.name, "fill")
    return prepared.rows(connection, sql, (bucket, *after, limit))


def mark(connection: Connection, now_ms: int) -> None:
    """Note where the clock stands, so that a later purge knows what was old."""
    connection.execute(insert(clock_marks), {"at": now_ms, "seq": face(connection).seq})


def purge_older_than(connection: Connection, instant: int) -> int:
    """Purge up to where the clock stood at an instant; -> the horizon (0 where nothing is that old)."""
    query = select(clock_marks.c.seq).where(clock_marks.c.at <= instant)
    seq = connection.execute(query.order_by(clock_marks.c.at.desc()).limit(1)).scalar() or 0
    if seq:
        purge(connection, seq)
    return int(seq)


def purge(connection: Connection, before_seq: int) -> None:
    """Forget tombstones and ended intervals up to `before_seq`; cursors older than that are reset (S15)."""
    found = {"seq": before_seq}
    connection.execute(text("DELETE FROM feed WHERE gone AND seq <= :seq"), found)
    connection.execute(text("DELETE FROM scope_intervals WHERE until_seq <= :seq"), found)
    connection.execute(update(clock).where(clock.c.id == 1, clock.c.horizon < before_seq).values(horizon=before_seq))
