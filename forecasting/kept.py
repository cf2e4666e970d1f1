"""Snapshots as they are kept (R27): a version of each document from one snapshot until before another.

A snapshot is read back as every version of its number, in the order in which its digest was taken: the same bytes,
whatever became of the rows since. Nothing here reads the rows themselves.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from forecasting.documents import (
    DEAL,
    DONE,
    KINDS,
    Deal,
    Firm,
    Named,
    Span,
    deal_read,
    digest_of,
    firm_read,
    named_read,
    span_read,
)
from sfa.core.errors import Refused
from sfa.core.exchange import Applied
from sfa.db.prepared import Prepared, among, listed
from sfa.db.tables import ROWS, credited, forecast_snapshots, forecast_versions

T = TypeVar("T")
READ_ROWS = 5_000  # held in memory at a time while a whole snapshot is read
NEVER = 2**31 - 1  # no snapshot has this number
_S, _V = forecast_snapshots.c, forecast_versions.c


class Snapshot(Struct, frozen=True):
    """What is said of a snapshot. `rates` are those of its day into `currency`, by currency; open deals in a currency
    that is `missing` could not be converted. `counted` says how many documents of each kind it holds, and how many
    versions it cost."""

    number: int
    taken_on: str
    taken_at: int
    seq: int
    currency: str
    rates: dict[str, Any]
    missing: list[str]
    counted: dict[str, int]
    digest: str

    def applied(self) -> dict[str, Applied]:
        return {currency: Applied(**rate) for currency, rate in self.rates.items()}


def newest(connection: Connection) -> Snapshot | None:
    return _one(connection, None)


def is_free(connection: Connection, day: str) -> bool:
    """Whether no snapshot was taken on a day."""
    return _one(connection, _S.taken_on == day) is None


def numbered(connection: Connection, number: int) -> Snapshot:
    """`not_found`."""
    found = _one(connection, _S.number == number)
    if found is None:
        raise Refused("not_found")
    return found


def as_of(connection: Connection, day: str) -> Snapshot:
    """The newest one that was taken on a day or before it; `forecast_snapshot_missing`."""
    found = _one(connection, _S.taken_on <= day)
    if found is None:
        raise Refused("forecast_snapshot_missing", f"no snapshot was taken on {day} or before", day=day)
    return found


def listing(connection: Connection, before: int | None, limit: int) -> list[Snapshot]:
    """The newest first, of lower numbers than `before`."""
    query = select(forecast_snapshots).order_by(_S.number.desc()).limit(limit)
    if before is not None:
        query = query.where(_S.number < before)
    return [Snapshot(**row) for row in connection.execute(query).mappings()]


def done_from(connection: Connection, start_on: str) -> int:
    """From which snapshot on deals that are done with may bring something to a period that begins on a day: what was
    done with before had all its credits before it."""
    found: int | None = connection.execute(select(func.min(_S.number)).where(_S.taken_on >= start_on)).scalar()
    return found if found is not None else NEVER


def _one(connection: Connection, where: ColumnElement[bool] | None) -> Snapshot | None:
    query = select(forecast_snapshots).order_by(_S.number.desc()).limit(1)
    row = connection.execute(query if where is None else query.where(where)).mappings().first()
    return Snapshot(**row) if row is not None else None


# -- documents --------------------------------------------------------------------------------------------------------


def standing(number: int) -> ColumnElement[bool]:
    return and_(_V.from_no <= number, or_(_V.to_no.is_(None), _V.to_no > number))


def documents(connection: Connection, number: int, kinds: Sequence[str] = KINDS) -> Iterator[tuple[str, str, str]]:
    """(kind, key, text) of a snapshot, by kind as named and key."""
    return chain.from_iterable(_of_kind(connection, kind, standing(number)) for kind in kinds)


def current(connection: Connection, kind: str) -> Iterator[tuple[str, str, str]]:
    """Those that stand in the newest snapshot."""
    return _of_kind(connection, kind, _V.to_no.is_(None))


def closed_or_credited() -> Select[Any]:
    """The keys of deals that are not yet kept as done with, and are closed, or have credits: those may be worth
    something else by a rate that is new, of a day that was to come."""
    deals = ROWS["deals"].c
    has_credits = exists().where(credited.c.deal_key == _V.key)
    query = select(_V.key).join_from(forecast_versions, ROWS["deals"], deals.key == _V.key)
    return query.where(_V.kind == DEAL, _V.to_no.is_(None), or_(deals.closed_at.is_not(None), has_credits))


def _of_kind(connection: Connection, kind: str, where: ColumnElement[bool]) -> Iterator[tuple[str, str, str]]:
    query = select(_V.key, _V.doc).where(_V.kind == kind, where).order_by(_V.key)
    for rows in connection.execute(query.execution_options(yield_per=READ_ROWS)).partitions():
        for key, text in rows:
            yield kind, key, text


def proven(connection: Connection, snapshot: Snapshot) -> bool:
    """Whether it is still the bytes that were taken."""
    return digest_of(documents(connection, snapshot.number)) == snapshot.digest


def people(connection: Connection, number: int) -> dict[str, Named]:
    return _named(connection, number, "user")


def teams(connection: Connection, number: int) -> dict[str, Named]:
    return _named(connection, number, "team")


def territories(connection: Connection, number: int) -> dict[str, Named]:
    return _named(connection, number, "territory")


def products(connection: Connection, number: int) -> dict[str, Named]:
    return _named(connection, number, "product")


def periods(connection: Connection, number: int) -> dict[str, Span]:
    return _read(connection, number, "period", span_read)


def firm(connection: Connection, number: int) -> Firm:
    (found,) = _read(connection, number, "organisation", firm_read).values()
    return found


def _named(connection: Connection, number: int, kind: str) -> dict[str, Named]:
    return _read(connection, number, kind, named_read)


def _read(connection: Connection, number: int, kind: str, read: Callable[[str], T]) -> dict[str, T]:
    return {key: read(text) for _, key, text in documents(connection, number, (kind,))}


# -- deals, of one snapshot or two ------------------------------------------------------------------------------------

Pair = tuple[str, Deal | None, Deal | None]
Row = tuple[str, int, int | None, str, str]  # key, from, until before, document, kind


def deals(connection: Connection, number: int, since: int | None) -> dict[str, Deal]:
    """key -> deal of a snapshot. Of those that are done with, those of which a version began with `done_from` or later
    (see `done_from`)."""
    query = select(_V.key, _V.doc).where(standing(number), _counting(since)).order_by(_V.key)
    return {key: deal_read(text) for key, text in connection.execute(query)}


def between(connection: Connection, was: int, now: int, since: int) -> tuple[list[Row], list[Row]]:
    """The versions that stand in one of two snapshots or in both -> (of deals that are the same in both, the others).
    Of those that are done with as in `deals`; they are among the others."""
    same: list[Row] = []
    others: list[Row] = []
    for row in _BETWEEN.rows(connection, was=was, now=now, since=since):
        is_same = row[1] <= was and (row[2] is None or row[2] > now) and row[4] == DEAL
        (same if is_same else others).append(row)
    return same, others


def pairs(connection: Connection, was: int, now: int, rows: Iterable[Row]) -> Iterator[Pair]:
    """(key, as it was, as it is) of each deal of these versions, by key; the same object twice where it did not
    change."""
    before: dict[str, Deal] = {}
    after: dict[str, Deal] = {}
    for key, from_no, to_no, text, _ in rows:
        deal = deal_read(text)
        if from_no <= was:
            before[key] = deal
        if to_no is None or to_no > now:
            after[key] = deal
    before.update(_others(connection, was, after.keys() - before.keys()))
    after.update(_others(connection, now, before.keys() - after.keys()))
    for key in sorted({*before, *after}):
        yield key, before.get(key), after.get(key)


def _between_query() -> Prepared:
    was, now, since = (bindparam(name, type_=Integer) for name in ("was", "now", "since"))
    reach = and_(_V.from_no <= now, or_(_V.to_no.is_(None), _V.to_no > was))
    stands = or_(_V.from_no <= was, _V.to_no.is_(None), _V.to_no > now)
    query = select(_V.key, _V.from_no, _V.to_no, _V.doc, _V.kind)
    return Prepared(query.where(reach, stands, or_(_V.kind == DEAL, and_(_V.kind == DONE, _V.from_no >= since))))


_BETWEEN = _between_query()  # the driver's own rows, of which there are many


def _counting(since: int | None) -> ColumnElement[bool]:
    if since is None:
        return _V.kind.in_((DEAL, DONE))
    return or_(_V.kind == DEAL, and_(_V.kind == DONE, _V.from_no >= since))


def _others(connection: Connection, number: int, keys: set[str]) -> dict[str, Deal]:
    """Those of some deals whose document was passed over at one end."""
    return some(connection, number, keys) if keys else {}


def some(connection: Connection, number: int, keys: Iterable[str]) -> dict[str, Deal]:
    """Deals of a snapshot by key, as far as it has them."""
    query = select(_V.key, _V.doc).where(_V.kind.in_((DEAL, DONE)), among(_V.key, "keys"), standing(number))
    rows = connection.execute(query, {"keys": listed(connection, sorted(keys))})
    return {key: deal_read(text) for key, text in rows}


# -- storing ----------------------------------------------------------------------------------------------------------

_END = (
    update(forecast_versions)
    .where(_V.kind == bindparam("of"), _V.key == bindparam("named"), _V.to_no.is_(None))
    .values(to_no=bindparam("until"))
)


def store(
    connection: Connection,
    snapshot: Snapshot,
    ended: Sequence[tuple[str, str]],
    begun: Sequence[tuple[str, str, str]],
) -> bool:
    """Keep a snapshot with the versions that it ends and begins; False where its day or number is taken already."""
    insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]
    values = {name: getattr(snapshot, name) for name in Snapshot.__struct_fields__}
    claimed = insert(forecast_snapshots).values(values).on_conflict_do_nothing().returning(_S.number)
    if connection.execute(claimed).first() is None:
        return False
    if ended:
        rows = [{"of": kind, "named": key, "until": snapshot.number} for kind, key in sorted(ended)]
        connection.execute(_END, rows)
    if begun:
        told = ({"kind": kind, "key": key, "from_no": snapshot.number, "doc": text} for kind, key, text in begun)
        connection.execute(forecast_versions.insert(), list(told))
    return True
