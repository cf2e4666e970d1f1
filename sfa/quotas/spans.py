"""Which facts are read together: a stretch of time, and some people, some territories or everybody."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from sfa.db.prepared import listed

PART = 5_000


class Span(Struct, frozen=True, kw_only=True):
    """`cuts` are the first instants of the segments, the start among them: within one nobody changes holders and no
    period begins. `users` or `territories` None: all. `people` are those whose facts are asked for, however many."""

    start: int
    end: int
    cuts: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    users: tuple[str, ...] | None = None
    territories: tuple[str, ...] | None = None
    by_territory: bool = False
    with_tier: bool = False

    def start_of(self, place: int) -> int:
        """The first instant of a segment."""
        return self.cuts[place] if self.cuts else self.start


def each(connection: Connection, query: Select[Any], bound: Mapping[str, Any]) -> Iterator[Any]:
    """The rows of a query, fetched thousands at a time."""
    for part in connection.execute(query, bound).partitions(PART):
        yield from part


def bound_of(connection: Connection, span: Span) -> dict[str, Any]:
    """What `among(…, "users")` and `among(…, "territories")` are given."""
    found = {"users": span.users, "territories": span.territories}
    return {name: listed(connection, keys) for name, keys in found.items() if keys is not None}


class past_indexes(ColumnElement[Any]):  # noqa: N801 - an operator, as SQLAlchemy names them
    """The same column, for which SQLite looks at no index: where most of a table counts, one pass over it costs a third
    of as many look-ups by index. PostgreSQL knows by itself."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - as in `among`

    def __init__(self, column: Any) -> None:
        self.column = column
        self.type = column.type


@compiles(past_indexes)
def _as_it_is(element: past_indexes, compiler: Any, **_: Any) -> str:
    return str(compiler.process(element.column))


@compiles(past_indexes, "sqlite")
def _past_indexes(element: past_indexes, compiler: Any, **_: Any) -> str:
    return f"+{compiler.process(element.column)}"
