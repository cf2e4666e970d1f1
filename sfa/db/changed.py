"""Whether a revision changed a field, asked in SQL of history's `changes`."""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import Boolean


class changed(ColumnElement[Any]):  # noqa: N801 - an operator, as SQLAlchemy names them
    """`changed(history.c.changes, "stage_key")`; the field is a name of the program's, never of a caller's."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - as in `among`
        ("column", InternalTraversal.dp_clauseelement),
        ("field", InternalTraversal.dp_string),
    ]
    type = Boolean()

    def __init__(self, column: Any, field: str) -> None:
        assert field.isidentifier(), field
        self.column, self.field = column, field


@compiles(changed, "sqlite")
def _changed_sqlite(element: changed, compiler: Any, **_: Any) -> str:
    return f"(json_type({compiler.process(element.column)}, '$.{element.field}') IS NOT NULL)"


@compiles(changed, "postgresql")
def _changed_postgresql(element: changed, compiler: Any, **_: Any) -> str:
    return f"(({compiler.process(element.column)} -> '{element.field}') IS NOT NULL)"
