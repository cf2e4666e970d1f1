"""Many rows into one table by one prepared statement: the statement is compiled once, rows go to the driver as tuples.

SQLAlchemy Core renders the SQL, with casts and placeholders of the dialect; only its work per row is left out, which
costs more than the insert itself. Columns of type JSON are encoded here.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

_encode = msgspec.json.Encoder().encode


class Bulk:
    """One statement over named columns of a table."""

    def __init__(self, table: Table, columns: Sequence[str], build: Callable[[str], Any]) -> None:
        self._columns = tuple(columns)
        self._json = tuple(c for c in columns if c in table.c and isinstance(table.c[c].type, JSON))
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[str, ...]]] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run for each row; a row maps every column (and bound name) to its value."""
        if not rows:
            return
        sql, order = self._sql(connection)
        in_order = itemgetter(*order)
        json = self._json
        values = []
        for row in rows:
            if json:
                row = dict(row)
                for column in json:
                    value = row[column]
                    row[column] = None if value is None else _encode(value).decode()
            values.append(in_order(row))
        connection.exec_driver_sql(sql, values)

    def _sql(self, connection: Connection) -> tuple[str, tuple[str, ...]]:
        name = connection.dialect.name
        if name not in self._compiled:
            compiled = self._build(name).compile(dialect=connection.dialect, column_keys=list(self._columns))
            self._compiled[name] = (compiled.string, tuple(compiled.positiontup or ()))
        return self._compiled[name]


def inserting(table: Table) -> Bulk:
    names = [column.name for column in table.c]
    return Bulk(table, names, lambda _dialect: insert(table))


def updating(table: Table) -> Bulk:
    """Every column of the row whose key is `at_key`."""
    names = [column.name for column in table.c if column.name != "key"]
    statement = update(table).where(table.c.key == bindparam("at_key")).values({n: bindparam(n) for n in names})
    return Bulk(table, names, lambda _dialect: statement)


def upserting(table: Table, key: Sequence[str], replaced: Sequence[str], added: Sequence[str] = ()) -> Bulk:
    """Insert, or replace some columns of the row that has the key, and add to the numbers in others."""

    def build(dialect: str) -> Any:
        statement: Any = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
        return statement.on_conflict_do_update(
            index_elements=list(key),
            set_={c: statement.excluded[c] for c in replaced} | {c: table.c[c] + statement.excluded[c] for c in added},
        )

    return Bulk(table, [column.name for column in table.c], build)
