"""The greater of several values in one row, in SQL: both databases know it by another name."""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class later_of(FunctionElement[int]):  # noqa: N801 - an operator, as SQLAlchemy names them
    """`later_of(one, other)`; none of them may be null, of which each database has an opinion of its own."""

    inherit_cache = True
    type = BigInteger()


@compiles(later_of, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **more: Any) -> str:
    return f"max({compiler.process(element.clauses, **more)})"


@compiles(later_of, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **more: Any) -> str:
    return f"greatest({compiler.process(element.clauses, **more)})"
