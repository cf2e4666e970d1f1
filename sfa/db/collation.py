"""Keys compare byte by byte on PostgreSQL, columns that name them by the database's locale. Where the two are compared
each side's way is said here, or no index would serve the question; SQLite compares bytes anyway."""

from typing import Any

from sqlalchemy import ColumnElement, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal


class as_key(ColumnElement[Any]):  # noqa: N801 - an operator, as SQLAlchemy names them
    """A column that names a row, to be compared with that row's key."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - as in `among`
    type = Text()
    collation = "C"

    def __init__(self, column: Any) -> None:
        self.column = column

    @property
    def _from_objects(self) -> Any:
        return self.column._from_objects


class as_name(as_key):  # noqa: N801
    """A row's key, to be compared with columns that name it."""

    inherit_cache = True
    collation = "default"


@compiles(as_key)
@compiles(as_name)
def _plain(element: as_key, compiler: Any, **_: Any) -> str:
    return str(compiler.process(element.column))


@compiles(as_key, "postgresql")
@compiles(as_name, "postgresql")
def _collated(element: as_key, compiler: Any, **_: Any) -> str:
    return f'({compiler.process(element.column)} COLLATE "{element.collation}")'
