"""Rows that say the same as another one, as of a transaction: what is stored, with what this transaction changed.

What is stored is read in sets behind a lock that the entity's rule names, so that it stands until the transaction ends;
whoever knows what a push is about reads it at once (`read`), and no rule asks for each row. It decides nothing: rules
say which rivals they refuse.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from sfa.db.alike import Said, saying
from sfa.db.cells import Cell
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.db.writes import Door

Lock = Callable[[Connection], None]


class Rivals:
    """The living rows of an entity by what they say in `fields`, all of which are texts."""

    def __init__(self, door: Door, entity: str, fields: tuple[str, ...], lock: Lock) -> None:
        self._door, self._entity, self._fields, self._lock = door, entity, fields, lock
        self._stored: dict[Said, dict[str, Mapping[str, Any]]] = {}
        self._read: set[Said] = set()

    def read(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Those that are stored and say what these rows say, in one query for all that were not read yet."""
        missing = {saying(row, self._fields) for row in rows} - self._read
        if not missing:
            return
        self._lock(self._door.connection)
        self._read |= missing
        table = ROWS[self._entity]
        query, bound = select(table).where(~table.c.gone), {}
        for place, field in enumerate(self._fields):
            query = query.where(among(table.c[field], field))
            bound[field] = listed(self._door.connection, sorted({said[place] for said in missing}))
        for found in self._door.connection.execute(query, bound).mappings():
            row = dict(found)
            said = saying(row, self._fields)
            if said in missing:
                self._stored.setdefault(said, {})[row["key"]] = row

    def others(self, cell: Cell) -> dict[str, Mapping[str, Any]]:
        """key -> row of the others that say what this one says."""
        self.read((cell.row,))
        said = saying(cell.row, self._fields)
        stored = self._stored.get(said, {})
        found = {key: row for key, row in stored.items() if not self._door.has_changed(self._entity, key)}
        here = self._door.alike(self._entity, self._fields, said)
        found |= {other.key: other.row for other in here if other.touched and other.exists}
        found.pop(cell.key, None)
        return found


def rivals(door: Door, entity: str, fields: tuple[str, ...], lock: Lock) -> Rivals:
    """Those of a transaction, kept until the door's flush."""
    found: Rivals = door.known.setdefault(entity, Rivals(door, entity, fields, lock))
    return found
