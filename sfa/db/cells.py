"""Rows as the door holds them while it works: read in sets, changed in memory, written in sets.

A `Cell` is one row with its revision, stamps and buckets. Loading takes the locks of S8 on PostgreSQL (rows to be
changed FOR UPDATE, parents FOR SHARE, in key order); SQLite's single writer needs none.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Literal

import msgspec
from sqlalchemy import JSON, Boolean, Connection, Select, bindparam, select

from sfa.core.layers import places
from sfa.core.shapes import ABOUT_PAIRS, ABOUT_ROWS, PARENTS, SHAPES
from sfa.db.prepared import Prepared, among, listed
from sfa.db.tables import ROWS
from sfa.db.tables.rows import LAYERED

Lock = Literal["update", "share", "none"]
SYSTEM_COLUMNS = 6  # key, rev, gone, aged, stamps, buckets come before the fields, and layers where rows have them
KEYS_PER_QUERY = 500

# Which rows take their buckets from a row of this entity, and by which column they name it.
CHILDREN: dict[str, tuple[tuple[str, str], ...]] = {
    "accounts": (
        ("account_members", "account_key"),
        ("contacts", "account_key"),
        ("visits", "account_key"),
        ("visit_plans", "account_key"),
        ("signals", "account_key"),
        ("notes", "account_key"),
        ("attachments", "account_key"),
        ("customer_needs", "account_key"),
        ("calls", "account_key"),
        ("rebate_agreements", "account_key"),
        ("campaign_touches", "account_key"),
        ("deals", "account_key"),
    ),
    "contacts": (("consents", "contact_key"),),
    "visits": (("visit_amendments", "visit_key"),),
    "deals": (
        ("deal_lines", "deal_key"),
        ("deal_contacts", "deal_key"),
        ("deal_charges", "deal_key"),
        ("proposals", "deal_key"),
        ("attachments", "deal_key"),
    ),
    "proposals": (
        ("proposal_lines", "proposal_key"),
        ("proposal_recipients", "proposal_key"),
        ("proposal_questions", "proposal_key"),
    ),
    "quotas": (("quota_versions", "quota_key"), ("quota_challenges", "quota_key")),
}


class Cell:
    """One row under the door. `stored` is False until the row exists in its table."""

    __slots__ = (
        "buckets",
        "dirty",
        "entity",
        "gone",
        "key",
        "layers",
        "moved",
        "rev",
        "row",
        "stamps",
        "stored",
        "touched",
        "was_gone",
    )

    def __init__(self, entity: str, key: str) -> None:
        self.entity, self.key = entity, key
        self.row: dict[str, Any] = {}
        self.rev = 0
        self.gone = False
        self.layers: tuple[str, ...] | None = None  # in which layers of its buckets; () is too old for all (S10)
        self.stamps: dict[str, list[Any]] = {}
        self.buckets: tuple[str, ...] = ()
        self.stored = False
        self.dirty = False  # to be written to its table
        self.moved = False  # its buckets may have changed
        self.touched = False  # changed by this transaction
        self.was_gone = False  # deleted before this transaction: no device is told of it again

    @property
    def exists(self) -> bool:
        return self.rev > 0 and not self.gone

    @property
    def aged(self) -> bool:
        return self.layers == ()

    @property
    def places(self) -> tuple[str, ...]:
        """Where devices find it, unless it is deleted."""
        return places(self.buckets, self.layers)

    def state(self) -> tuple[Any, ...]:
        return (
            self.row,
            self.rev,
            self.gone,
            self.stamps,
            self.buckets,
            self.dirty,
            self.moved,
            self.touched,
        )

    def restore(self, state: tuple[Any, ...]) -> None:
        self.row, self.rev, self.gone, self.stamps, self.buckets, self.dirty, self.moved, self.touched = state


def parents_of(cell: Cell) -> tuple[tuple[str, str], ...]:
    """The rows from which it takes its buckets: none, one, or the two of a pair; a hand-over is about one."""
    if not cell.row:
        return ()
    if cell.entity in ABOUT_ROWS:
        keys = (cell.row["row_key"], cell.row["other_key"] if cell.entity in ABOUT_PAIRS else None)
        return tuple((cell.row["entity"], key) for key in dict.fromkeys(keys) if key)
    if cell.entity == "attachments" and cell.row.get("proposal_key") and cell.row["deal_key"]:
        return (("deals", cell.row["deal_key"]),)  # a proposal printed is seen by who sees the deal
    target, field = PARENTS.get(cell.entity, ("", ""))
    return ((target, cell.row[field]),) if target and cell.row.get(field) is not None else ()


def of_pair(cell: Cell) -> bool:
    """Whether it lies only where two rows lie. Whoever moves either of them locks it: it is the lock (S8)."""
    return cell.entity in ABOUT_PAIRS and cell.row.get("other_key") is not None


@cache
def _by_key(entity: str, lock: Lock) -> Prepared:
    table = ROWS[entity]
    return Prepared(_locked(select(table).where(among(table.c.key, "keys")).order_by(table.c.key), lock))


@cache
def _by_column(entity: str, column: str) -> Prepared:
    table = ROWS[entity]
    return Prepared(_locked(select(table).where(among(table.c[column], "keys")).order_by(table.c.key), "update"))


@cache
def _column(entity: str, column: str) -> Prepared:
    table = ROWS[entity]
    return Prepared(select(table.c[column]).where(among(table.c.key, "keys")).distinct())


@cache
def _decoders(entity: str, dialect: str) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    """(place, what turns the driver's value into the row's), for the columns that need it: none on PostgreSQL, whose
    driver answers JSON decoded and truth as truth."""
    if dialect == "postgresql":
        return ()
    kinds = [(place, column.type) for place, column in enumerate(ROWS[entity].c)]
    json = [(place, _of_json) for place, kind in kinds if isinstance(kind, JSON)]
    return (*json, *((place, bool) for place, kind in kinds if isinstance(kind, Boolean)))


def _of_json(value: Any) -> Any:
    """SQLite keeps a number that is the whole of a JSON value as a number, and answers that."""
    return msgspec.json.decode(value) if isinstance(value, str) else value


@cache
def _told_about(entity: str, column: str) -> Prepared:
    table = ROWS[entity]
    about = (table.c.entity == bindparam("of"), among(table.c[column], "keys"))
    return Prepared(_locked(select(table).where(*about).order_by(table.c.key), "update"))


def _locked(query: Select[Any], lock: Lock) -> Select[Any]:
    if lock == "none":
        return query
    return query.with_for_update(read=lock == "share")


def _cells(connection: Connection, entity: str, rows: Iterable[Any]) -> Iterator[Cell]:
    names, decoders = tuple(SHAPES[entity].types), _decoders(entity, connection.dialect.name)
    system = SYSTEM_COLUMNS + (entity in LAYERED)
    for raw in rows:
        found = list(raw)
        for place, decode in decoders:
            if found[place] is not None:
                found[place] = decode(found[place])
        cell = Cell(entity, found[0])
        _, cell.rev, cell.gone, aged, cell.stamps, buckets = found[:SYSTEM_COLUMNS]
        cell.buckets = tuple(buckets)
        layers = found[SYSTEM_COLUMNS] if system > SYSTEM_COLUMNS else None
        cell.layers = () if aged else tuple(layers.split(",")) if layers else None
        cell.row = dict(zip(names, found[system:], strict=True))
        cell.stored, cell.was_gone = True, cell.gone
        yield cell


def read_cells(connection: Connection, entity: str, keys: Iterable[str], lock: Lock = "none") -> Iterator[Cell]:
    """The cells that exist among `keys`, deleted ones too."""
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        keys_here = listed(connection, wanted[start : start + KEYS_PER_QUERY])
        yield from _cells(connection, entity, _by_key(entity, lock).rows(connection, keys=keys_here))


def read_column(connection: Connection, entity: str, column: str, keys: Iterable[str]) -> set[Any]:
    """What these rows hold in a text column, read without a lock."""
    return {row[0] for row in _column(entity, column).rows(connection, keys=listed(connection, sorted(keys)))}


def read_children(connection: Connection, entity: str, keys: Iterable[str]) -> Iterator[Cell]:
    """Every row that takes its buckets from one of these, deleted ones too, with their conflicts and suggestions."""
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        part = wanted[start : start + KEYS_PER_QUERY]
        for child, column in CHILDREN.get(entity, ()):
            rows = _by_column(child, column).rows(connection, keys=listed(connection, part))
            yield from _cells(connection, child, rows)
        for about in ABOUT_ROWS:
            for column in ("row_key", "other_key") if about in ABOUT_PAIRS else ("row_key",):
                rows = _told_about(about, column).rows(connection, of=entity, keys=listed(connection, part))
                yield from _cells(connection, about, rows)


def read_where(connection: Connection, entity: str, column: str, keys: Iterable[str]) -> Iterator[Cell]:
    """The rows that name one of these keys in a column, deleted ones too, locked."""
    found = _by_column(entity, column).rows(connection, keys=listed(connection, sorted(set(keys))))
    yield from _cells(connection, entity, found)
