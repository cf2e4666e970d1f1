"""How a command sees other rows while it is taken: through the door, so as of this transaction."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from sfa.core.access import EVERYBODY
from sfa.core.shapes import PARENTS
from sfa.core.transitions import Lookup
from sfa.db.cells import KEYS_PER_QUERY
from sfa.db.tables import ROWS
from sfa.db.writes import Door


def looking(door: Door) -> Lookup:
    """Rows by their key; all of an entity only of what everybody has, once for each transaction; what lies below the
    row that a command moves."""
    read: set[str] = set()

    def one(entity: str, key: str) -> Mapping[str, Any] | None:
        cell = door.cell(entity, key, "none")
        return cell.row if cell.exists else None

    def every(entity: str) -> Mapping[str, Mapping[str, Any]]:
        assert entity in EVERYBODY, f"{entity} may be any number of rows"
        if entity not in read:
            read.add(entity)
            key = ROWS[entity].c.key
            door.load(entity, door.connection.execute(select(key).where(~ROWS[entity].c.gone)).scalars(), "none")
        return {cell.key: cell.row for cell in door.cells_of(entity) if cell.exists}

    def under(entity: str, key: str) -> list[Mapping[str, Any]]:
        load_below(door, entity, (key,))
        found = {cell.key: cell.row for cell in door.alike(entity, (PARENTS[entity][1],), (key,)) if cell.exists}
        return [found[name] for name in sorted(found)]

    return Lookup(one, every, under)


def load_below(door: Door, entity: str, keys: Iterable[str]) -> None:
    """Bring what lies below these rows under the door, in one query for all that are not there yet. Whoever writes it
    shares the lock of the row above, which the caller has, so it is all that there is."""
    table, field = ROWS[entity], PARENTS[entity][1]
    wanted = sorted({key for key in keys if (entity, key) not in door.read_below})
    door.read_below.update((entity, key) for key in wanted)
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        here = table.c[field].in_(wanted[start : start + KEYS_PER_QUERY])
        door.load(entity, door.connection.execute(select(table.c.key).where(here, ~table.c.gone)).scalars(), "none")
