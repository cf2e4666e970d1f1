"""The rows that a door holds, by entity and by what they say: a push of a thousand rows does not compare each with all.

An index of fields is made when it is first asked for and takes in every row that comes under the door or changes. It
keeps what rows said before as well and looks at what they say now, so it stays right when changes are undone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sfa.db.cells import Cell

Said = tuple[Any, ...]


def saying(row: Mapping[str, Any], fields: Iterable[str]) -> Said:
    """What a row says in these fields; an empty text, false and nothing are the same."""
    return tuple(row.get(field) or None for field in fields)


class Indexes:
    def __init__(self) -> None:
        self._of: dict[str, dict[str, Cell]] = {}
        self._by: dict[str, dict[tuple[str, ...], dict[Said, dict[str, Cell]]]] = {}

    def add(self, cell: Cell) -> None:
        """A row that came under the door or was changed there."""
        self._of.setdefault(cell.entity, {})[cell.key] = cell
        if cell.row:
            for fields, index in self._by.get(cell.entity, {}).items():
                index.setdefault(saying(cell.row, fields), {})[cell.key] = cell

    def of(self, entity: str) -> list[Cell]:
        return list(self._of.get(entity, {}).values())

    def alike(
        self, entity: str, fields: tuple[str, ...], said: Said, before: Iterable[tuple[Cell, tuple[Any, ...]]]
    ) -> list[Cell]:
        """Those whose fields say this; `before` are the states to which they may be undone, the row first."""
        indexes = self._by.setdefault(entity, {})
        if fields not in indexes:
            index = indexes[fields] = {}
            for cell, row in [(c, c.row) for c in self.of(entity)] + [(c, state[0]) for c, state in before]:
                if row and cell.entity == entity:
                    index.setdefault(saying(row, fields), {})[cell.key] = cell
        found = indexes[fields].get(said, {}).values()
        return [cell for cell in found if cell.row and saying(cell.row, fields) == said]
