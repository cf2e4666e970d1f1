"""The rows of credits as they are stored: those that count, and those that were taken away and are kept aside.

A set of deals is read and written at once. Who is credited with what is decided by `sfa.db.credits`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from sqlalchemy import Connection, Table, delete, insert, select

from sfa.db.bulk import Bulk, inserting
from sfa.db.prepared import among, listed
from sfa.db.tables import credited, credited_quantities, kept_credits, kept_quantities, server_state

REBUILT = "credits_rebuilt"  # in `server_state`: where the clock stood when a rebuild last put something right
_TABLES: dict[bool, tuple[Table, Table]] = {
    False: (credited, credited_quantities),
    True: (kept_credits, kept_quantities),
}
_INSERTS: dict[str, Bulk] = {table.name: inserting(table) for pair in _TABLES.values() for table in pair}


class Rows(Struct):
    """Of one deal: credits and credited quantities, each a mapping of columns."""

    credits: list[dict[str, Any]] = field(default_factory=list)
    quantities: list[dict[str, Any]] = field(default_factory=list)

    def __iadd__(self, other: "Rows") -> "Rows":
        self.credits += other.credits
        self.quantities += other.quantities
        return self

    def where(self, holds: Callable[[Mapping[str, Any]], bool]) -> "Rows":
        return Rows([r for r in self.credits if holds(r)], [r for r in self.quantities if holds(r)])

    def of_end(self, n: int) -> "Rows":
        return self.where(lambda row: row["n"] == n)

    def unreversed(self) -> "Rows":
        return self.where(lambda row: not row["reversal"])

    def ends(self) -> set[int]:
        return {row["n"] for row in self.credits}

    def same(self, other: "Rows") -> bool:
        return _same(self.credits, other.credits, _TABLES[False][0]) and _same(
            self.quantities, other.quantities, _TABLES[False][1]
        )


class Stored(Struct):
    """Of one deal: what counts, and what is kept `aside`."""

    counts: Rows = field(default_factory=Rows)
    aside: Rows = field(default_factory=Rows)


def _same(one: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]], table: Table) -> bool:
    names = [column.name for column in table.c]
    return {tuple(row[c] for c in names) for row in one} == {tuple(row[c] for c in names) for row in other}


def read(connection: Connection, keys: Any) -> dict[str, Stored]:
    """Of these deals (`listed`), those that have any."""
    found: dict[str, Stored] = {}
    for is_aside, tables in _TABLES.items():
        for table, place in zip(tables, ("credits", "quantities"), strict=True):
            query = select(table).where(among(table.c.deal_key, "keys"))
            for row in connection.execute(query, {"keys": keys}).mappings():
                stored = found.setdefault(row["deal_key"], Stored())
                getattr(stored.aside if is_aside else stored.counts, place).append(dict(row))
    return found


def replace(connection: Connection, rows: Mapping[str, Rows], *, aside: bool) -> None:
    """Put these rows, by deal, in the place of all that the deals have there."""
    if not rows:
        return
    keys = {"keys": listed(connection, sorted(rows))}
    both: Sequence[list[dict[str, Any]]] = (
        [row for of in rows.values() for row in of.credits],
        [row for of in rows.values() for row in of.quantities],
    )
    for table, new in zip(_TABLES[aside], both, strict=True):
        connection.execute(delete(table).where(among(table.c.deal_key, "keys")), keys)
        _INSERTS[table.name].run(connection, new)


def note_rebuilt(connection: Connection, seq: int) -> None:
    """For who keeps something of credits: a rebuild leaves no history."""
    connection.execute(delete(server_state).where(server_state.c.name == REBUILT))
    connection.execute(insert(server_state), {"name": REBUILT, "value": str(seq).encode()})


def rebuilt_at(connection: Connection) -> int:
    """0: never."""
    found = connection.execute(select(server_state.c.value).where(server_state.c.name == REBUILT)).scalar()
    return int(found) if found is not None else 0
