"""Short statements that run with every push or pull, compiled once for each dialect and run with no work per call.

On SQLite they go straight to the driver, whose own cache keeps them prepared; a call costs a microsecond where Core
takes ten and more. Rows come as the driver gives them: on SQLite JSON as text, truth as 0 or 1. The transaction is the
connection's; nothing here begins or ends one.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import NullType

_encode = msgspec.json.Encoder().encode


def rows(connection: Connection, sql: str, values: Sequence[Any]) -> Sequence[Any]:
    """Every row of one statement in the driver's own words."""
    if connection.dialect.name == "sqlite":
        raw: Any = connection.connection.driver_connection
        found: list[Any] = raw.execute(sql, values).fetchall()
        return found
    result = connection.exec_driver_sql(sql, tuple(values))
    return result.all() if result.returns_rows else ()


class among(ColumnElement[Any]):  # noqa: N801 - an operator, as SQLAlchemy names them
    """`among(column, "keys")`: the column is one of a list bound as one value, so that the statement stays the same."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - what tells one from another where statements are kept
        ("column", InternalTraversal.dp_clauseelement),
        ("bound", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, name: str) -> None:
        self.column = column
        self.bound: Any = bindparam(name)
        self.type = NullType()  # a Boolean would be compared with 1, past the index


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: Any, **_: Any) -> str:
    return f"{compiler.process(element.column)} IN (SELECT value FROM json_each({compiler.process(element.bound)}))"


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: Any, **_: Any) -> str:
    return f"{compiler.process(element.column)} = ANY(CAST({compiler.process(element.bound)} AS text[]))"


def listed(connection: Connection, values: Iterable[str]) -> Any:
    """A list as one bound value of the dialect."""
    return list(values) if connection.dialect.name == "postgresql" else _encode(list(values)).decode()


class Prepared:
    """A Core statement; `rows` is given its bound names, and a list of keys as `listed` makes it for `among`."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def rows(self, connection: Connection, **values: Any) -> Sequence[Any]:
        name = connection.dialect.name
        found = self._compiled.get(name)
        if found is None:
            compiled = self._statement.compile(dialect=connection.dialect)
            found = self._compiled[name] = (compiled.string, tuple(compiled.positiontup or ()), compiled.params)
        sql, order, constants = found
        every = {**constants, **values}
        return rows(connection, sql, [every[place] for place in order])
