"""Where rows lie, asked in SQL: whether any bucket of a row is one of a list (S10)."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import NullType


class lies_in(ColumnElement[Any]):  # noqa: N801 - an operator, as SQLAlchemy names them
    """`lies_in(table.c.buckets, "held")`: one of the row's buckets is in the list bound under that name (`listed`)."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - as in `among`
        ("column", InternalTraversal.dp_clauseelement),
        ("bound", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, name: str) -> None:
        self.column = column
        self.bound: Any = bindparam(name)
        self.type = NullType()


@compiles(lies_in, "sqlite")
def _lies_in_sqlite(element: lies_in, compiler: Any, **_: Any) -> str:
    column, held = compiler.process(element.column), compiler.process(element.bound)
    return (
        f"EXISTS (SELECT 1 FROM json_each({column}) AS lies WHERE lies.value IN (SELECT value FROM json_each({held})))"
    )


@compiles(lies_in, "postgresql")
def _lies_in_postgresql(element: lies_in, compiler: Any, **_: Any) -> str:
    column, held = compiler.process(element.column), compiler.process(element.bound)
    return (
        f"EXISTS (SELECT 1 FROM json_array_elements_text({column}) AS lies (bucket) "
        f"WHERE lies.bucket = ANY(CAST({held} AS text[])))"
    )
