"""Many rows into one table by one prepared statement: the statement is compiled once, rows go to the driver as tuples.

SQLAlchemy Core renders the SQL, with casts and placeholders of the dialect; only its work per row is left out, which
costs more than the insert itself.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

_encode = msgspec.json.Encoder().encode


class Bulk:
    """One statement over named columns of a table; `_columns` is the order in which it is given their values."""

    def __init__(self, table: Table, columns: Sequence[str], build: Callable[[str], Any], key: str = "key") -> None:
        """The table's key may be bound by another name than that of its column, as in an update."""
        self._columns = tuple(key if column == "key" else column for column in columns)
        self._set = [column for column in self._columns if column in table.c]
        self._json = tuple(p for p, c in enumerate(columns) if isinstance(table.c[c].type, JSON))
        self._build = build
        self._compiled: dict[str, tuple[str, Callable[[Any], Any] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run for each row; a row maps every column (and bound name) to its value."""
        in_order, json = itemgetter(*self._columns), self._json
        self.run_values(connection, [with_json(in_order(row), json) if json else in_order(row) for row in rows])

    def run_values(self, connection: Connection, values: Sequence[tuple[Any, ...]]) -> None:
        """Run for each tuple: the values of every column in the table's order, those of type JSON encoded already."""
        if not values:
            return
        sql, reordered = self._sql(connection)
        connection.exec_driver_sql(sql, list(values if reordered is None else map(reordered, values)))

    def _sql(self, connection: Connection) -> tuple[str, Callable[[Any], Any] | None]:
        name = connection.dialect.name
        if name not in self._compiled:
            compiled = self._build(name).compile(dialect=connection.dialect, column_keys=self._set)
            order = tuple(compiled.positiontup or ())
            same = order == self._columns
            self._compiled[name] = (
                compiled.string,
                None if same else itemgetter(*(self._columns.index(bound) for bound in order)),
            )
        return self._compiled[name]


def json_text(value: Any) -> str | None:
    """What a column of type JSON is bound to."""
    return None if value is None else _encode(value).decode()


def with_json(values: tuple[Any, ...], places: Sequence[int]) -> tuple[Any, ...]:
    """The values with those at these places encoded."""
    found = list(values)
    for place in places:
        if found[place] is not None:
            found[place] = _encode(found[place]).decode()
    return tuple(found)


def inserting(table: Table) -> Bulk:
    names = [column.name for column in table.c]
    return Bulk(table, names, lambda _dialect: insert(table))


def updating(table: Table) -> Bulk:
    """Every column of the row that has the key, which rows call `at_key`."""
    names = [column.name for column in table.c]
    set_to: dict[str, Any] = {name: bindparam(name) for name in names if name != "key"}
    statement = update(table).where(table.c.key == bindparam("at_key")).values(set_to)
    return Bulk(table, names, lambda _dialect: statement, "at_key")


def upserting(table: Table, key: Sequence[str], replaced: Sequence[str], added: Sequence[str] = ()) -> Bulk:
    """Insert, or replace some columns of the row that has the key, and add to the numbers in others."""

    def build(dialect: str) -> Any:
        statement: Any = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
        return statement.on_conflict_do_update(
            index_elements=list(key),
            set_={c: statement.excluded[c] for c in replaced} | {c: table.c[c] + statement.excluded[c] for c in added},
        )

    return Bulk(table, [column.name for column in table.c], build)
