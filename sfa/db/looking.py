"""How a command sees other rows while it is taken: through the door, so as of this transaction."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from sfa.core.access import EVERYBODY
from sfa.core.transitions import Lookup
from sfa.db.tables import ROWS
from sfa.db.writes import Door


def looking(door: Door) -> Lookup:
    """Rows by their key; all of an entity only of what everybody has, once for each transaction."""
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

    return Lookup(one, every)
