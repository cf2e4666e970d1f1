"""Running sums of what is live in each bucket (S16), kept beside the newest number in `bucket_heads`.

Whoever writes entries says what they change against those that stand, in the same transaction and after the clock was
taken, so that nobody else writes the feed meanwhile. The two halves of each part are summed apart, as signed 64-bit
numbers that two thousand million rows in one bucket do not fill. A purge takes tombstones only and changes no sum.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, text

from sfa.core.digests import HALF_BITS, BucketDigest, part, summed
from sfa.db import prepared
from sfa.db.prepared import listed

_LOW = (1 << HALF_BITS) - 1
_json = msgspec.json.Encoder().encode


class Told(Protocol):
    """What this module reads of a feed entry."""

    @property
    def bucket(self) -> str: ...
    @property
    def entity(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def rev(self) -> int: ...
    @property
    def gone(self) -> bool: ...


class Sums(Struct):
    """Of one bucket: how many rows, and the sums of the high and of the low halves of their parts."""

    live: int = 0
    high: int = 0
    low: int = 0

    def add(self, entity: str, key: str, rev: int, times: int = 1) -> None:
        found = part(entity, key, rev)
        self.live += times
        self.high += times * (found >> HALF_BITS)
        self.low += times * (found & _LOW)

    def digest(self) -> BucketDigest:
        return summed(self.live, (self.high << HALF_BITS) + self.low)


@cache
def _sql(dialect: str, name: str) -> str:
    lite = dialect == "sqlite"
    wanted = (
        "json_each(?) w CROSS JOIN feed f ON f.bucket = json_extract(w.value, '$[0]') "
        "AND f.entity = json_extract(w.value, '$[1]') AND f.key = json_extract(w.value, '$[2]')"
        if lite
        else "unnest($1::text[], $2::text[], $3::text[]) AS w (bucket, entity, key) "
        "JOIN feed f ON f.bucket = w.bucket AND f.entity = w.entity AND f.key = w.key"
    )
    held = "IN (SELECT value FROM json_each(?))" if lite else "= ANY($1::text[])"
    among = "IN (SELECT value FROM json_each(?))" if lite else "= ANY($2::text[])"
    return {
        "live": f"SELECT f.bucket, f.entity, f.key, f.rev FROM {wanted} WHERE NOT f.gone",
        "heads": "SELECT bucket, live, digest_high, digest_low FROM bucket_heads "
        f"WHERE bucket {held} AND live <> 0 ORDER BY bucket",
        "untold": f"SELECT bucket, entity, key, rev FROM feed WHERE bucket {held} AND entity {among} AND NOT gone",
    }[name]


def changes(connection: Connection, entries: Sequence[Told]) -> dict[str, Sums]:
    """What writing these entries changes in the sums of their buckets, against the entries that stand."""
    found = added(entries)
    for bucket, entity, key, rev in _standing(connection, entries):
        found[bucket].add(entity, key, rev, -1)
    return found


def added(entries: Iterable[Told]) -> dict[str, Sums]:
    """What these entries add by themselves: all there is to say where none of them stood before."""
    found: dict[str, Sums] = {}
    for e in entries:
        sums = found.get(e.bucket)
        if sums is None:
            sums = found[e.bucket] = Sums()
        if not e.gone:
            sums.add(e.entity, e.key, e.rev)
    return found


def _standing(connection: Connection, entries: Sequence[Told]) -> Sequence[Any]:
    """Those of these entries that are live before they are written anew, in one indexed read."""
    values: tuple[Any, ...]
    if connection.dialect.name == "sqlite":
        values = (_json([(e.bucket, e.entity, e.key) for e in entries]).decode(),)
    else:
        values = ([e.bucket for e in entries], [e.entity for e in entries], [e.key for e in entries])
    return prepared.rows(connection, _sql(connection.dialect.name, "live"), values)


def read(connection: Connection, buckets: Iterable[str], untold: Collection[str] = ()) -> dict[str, BucketDigest]:
    """The digests of those of these buckets that hold anything, without the rows of the entities in `untold`: what an
    old version of the contract is not told is taken away again, so that costs what there is of it."""
    name, wanted = connection.dialect.name, listed(connection, buckets)
    rows = prepared.rows(connection, _sql(name, "heads"), (wanted,))
    sums = {bucket: Sums(live, high, low) for bucket, live, high, low in rows}
    if untold:
        values = (wanted, listed(connection, sorted(untold)))
        for bucket, entity, key, rev in prepared.rows(connection, _sql(name, "untold"), values):
            sums[bucket].add(entity, key, rev, -1)
    return {bucket: found.digest() for bucket, found in sums.items() if found.live}


def recomputed(connection: Connection) -> dict[str, Sums]:
    """The sums as the entries themselves say, of every bucket that holds anything: reads the whole feed."""
    query = text("SELECT bucket, entity, key, rev FROM feed WHERE NOT gone ORDER BY bucket")
    found: dict[str, Sums] = {}
    for bucket, rows in groupby(connection.execute(query), key=lambda row: row[0]):
        sums = found[bucket] = Sums()
        for _, entity, key, rev in rows:
            sums.add(entity, key, rev)
    return found


def wrong(connection: Connection) -> dict[str, Sums]:
    """bucket -> what its sums must be, where they are not that; {} where the books are right."""
    query = text("SELECT bucket, live, digest_high, digest_low FROM bucket_heads")
    kept = {bucket: Sums(live, high, low) for bucket, live, high, low in connection.execute(query)}
    right = recomputed(connection)
    every = sorted(kept.keys() | right.keys())
    return {b: right.get(b, Sums()) for b in every if kept.get(b, Sums()) != right.get(b, Sums())}


def repair(connection: Connection) -> Mapping[str, Sums]:
    """Set what is wrong to what is right; -> what was wrong. Locks the clock, so that nobody writes meanwhile."""
    connection.execute(text("UPDATE clock SET seq = seq WHERE id = 1"))
    found = wrong(connection)
    query = text("UPDATE bucket_heads SET live = :live, digest_high = :high, digest_low = :low WHERE bucket = :bucket")
    for bucket, sums in found.items():
        connection.execute(query, {"bucket": bucket, **msgspec.structs.asdict(sums)})
    return found
