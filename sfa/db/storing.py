"""Cells and versions as the values that their tables take: built without a database, written in sets.

`write` and `write_versions` are the last steps of the door; `values` and `version_values` say what they write. Values
are in the order of a table's columns, with JSON encoded; numbers of the clock are put to them when they are written.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import JSON, Connection

from sfa.core.shapes import SHAPES
from sfa.db.bulk import inserting, json_text, updating, with_json
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, history
from sfa.db.tables.rows import LAYERED

Values = tuple[Any, ...]


class Version(NamedTuple):
    """One revision of a row as the history keeps it (R54): the columns of that table, before the last, its number."""

    entity: str
    key: str
    rev: int
    kind: str
    changes: dict[str, Any]
    author_key: str | None
    device_key: str | None
    n: int | None
    device_at: int | None
    at: int
    stored_at: int
    via: str | None
    reviewed_by: str | None


def values(cell: Cell) -> Values:
    """A row with what every table has beside its fields."""
    in_order, json = _FIELDS[cell.entity]
    fields: Values = in_order(cell.row)
    if json:
        fields = with_json(fields, json)
    layers = cell.layers
    system = (cell.key, cell.rev, cell.gone, layers == (), json_text(cell.stamps), json_text(cell.buckets))
    if cell.entity in LAYERED:
        return (*system, ",".join(layers) if layers else None, *fields)
    return system + fields


def by_entity(cells: Iterable[Cell]) -> dict[str, list[Values]]:
    """Parents first."""
    found: dict[str, list[Values]] = {}
    for cell in cells:
        found.setdefault(cell.entity, []).append(values(cell))
    return {entity: found[entity] for entity in _PARENTS_FIRST if entity in found}


def write(connection: Connection, cells: Sequence[Cell]) -> None:
    """Insert the rows that are new and replace those that are stored."""
    new = by_entity(cell for cell in cells if not cell.stored)
    old = by_entity(cell for cell in cells if cell.stored)
    for entity in _PARENTS_FIRST:
        if entity in new:
            insert(connection, entity, new[entity])
        if entity in old:
            _UPDATES[entity].run_values(connection, old[entity])


def insert(connection: Connection, entity: str, rows: Sequence[Values]) -> None:
    _INSERTS[entity].run_values(connection, rows)


def version_values(versions: Iterable[Version]) -> list[Values]:
    """All but the number of the clock from which they stand."""
    return [(*v[:4], json_text(v.changes), *v[5:]) for v in versions]


def write_versions(connection: Connection, rows: Iterable[Values], seq: int) -> None:
    _HISTORY.run_values(connection, [(*row, seq) for row in rows])


_FIELDS = {
    entity: (
        itemgetter(*shape.types),
        tuple(place for place, name in enumerate(shape.types) if isinstance(ROWS[entity].c[name].type, JSON)),
    )
    for entity, shape in SHAPES.items()
}
_PARENTS_FIRST = ("accounts", "deals", *(e for e in ROWS if e not in ("accounts", "deals")))
_INSERTS = {entity: inserting(table) for entity, table in ROWS.items()}
_UPDATES = {entity: updating(table) for entity, table in ROWS.items()}
_HISTORY = inserting(history)
