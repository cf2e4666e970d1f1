"""Rows as the door holds them while it works: read in sets, changed in memory, written in sets.

A `Cell` is one row with its revision, stamps and buckets. Loading takes the locks of S8 on PostgreSQL (rows to be
changed FOR UPDATE, parents FOR SHARE, in key order); SQLite's single writer needs none.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection, Select, bindparam, select, tuple_

from sfa.core.shapes import SHAPES
from sfa.db.tables import ROWS

Lock = Literal["update", "share", "none"]
SYSTEM_COLUMNS = 6  # key, rev, gone, aged, stamps, buckets come before the fields
KEYS_PER_QUERY = 500

# Which rows take their buckets from a row of this entity, and by which column they name it.
CHILDREN: dict[str, tuple[tuple[str, str], ...]] = {
    "accounts": (
        ("account_members", "account_key"),
        ("contacts", "account_key"),
        ("visits", "account_key"),
        ("notes", "account_key"),
        ("deals", "account_key"),
    ),
    "deals": (("deal_lines", "deal_key"),),
}


class Cell:
    """One row under the door. `stored` is False until the row exists in its table."""

    __slots__ = (
        "aged",
        "buckets",
        "dirty",
        "entity",
        "gone",
        "key",
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
        self.aged = False  # too old for devices (S10)
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


@cache
def _by_key(entity: str, lock: Lock) -> Select[Any]:
    table = ROWS[entity]
    query = select(table).where(table.c.key.in_(bindparam("keys", expanding=True)))
    return _locked(query.order_by(table.c.key), lock)


@cache
def _by_column(entity: str, column: str) -> Select[Any]:
    table = ROWS[entity]
    query = select(table).where(table.c[column].in_(bindparam("keys", expanding=True)))
    return _locked(query.order_by(table.c.key), "update")


@cache
def _conflicts_of() -> Select[Any]:
    table = ROWS["conflicts"]
    pairs = tuple_(table.c.entity, table.c.row_key).in_(bindparam("pairs", expanding=True))
    return _locked(select(table).where(pairs).order_by(table.c.key), "update")


def _locked(query: Select[Any], lock: Lock) -> Select[Any]:
    if lock == "none":
        return query
    return query.with_for_update(read=lock == "share")


def _cells(connection: Connection, entity: str, query: Select[Any], values: dict[str, Any]) -> Iterator[Cell]:
    names = tuple(SHAPES[entity].types)
    for found in connection.execute(query, values):
        cell = Cell(entity, found[0])
        _, cell.rev, cell.gone, cell.aged, cell.stamps, buckets = found[:SYSTEM_COLUMNS]
        cell.buckets = tuple(buckets)
        cell.row = dict(zip(names, found[SYSTEM_COLUMNS:], strict=True))
        cell.stored, cell.was_gone = True, cell.gone
        yield cell


def read_cells(connection: Connection, entity: str, keys: Iterable[str], lock: Lock = "none") -> Iterator[Cell]:
    """The cells that exist among `keys`, deleted ones too."""
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        yield from _cells(connection, entity, _by_key(entity, lock), {"keys": wanted[start : start + KEYS_PER_QUERY]})


def read_children(connection: Connection, entity: str, keys: Iterable[str]) -> Iterator[Cell]:
    """Every row that takes its buckets from one of these, deleted ones too, with their conflicts."""
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        part = wanted[start : start + KEYS_PER_QUERY]
        for child, column in CHILDREN.get(entity, ()):
            yield from _cells(connection, child, _by_column(child, column), {"keys": part})
        yield from _cells(connection, "conflicts", _conflicts_of(), {"pairs": [(entity, key) for key in part]})


def read_where(connection: Connection, entity: str, column: str, keys: Iterable[str]) -> Iterator[Cell]:
    """The rows that name one of these keys in a column, deleted ones too, locked."""
    yield from _cells(connection, entity, _by_column(entity, column), {"keys": sorted(set(keys))})
