"""A part of a transaction that is undone with all that it stored, where it is refused: rows under the door and others.

What goes back to the savepoint also gives back the locks that were taken since (PostgreSQL). So rows that came under
the door meanwhile are locked again, and a transaction that somebody overtook in that moment is done anew from its start
(`Overtaken`). The part must not flush the door: rows that were changed before it would be undone as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sfa.core.errors import Refused
from sfa.db.cells import Cell, Lock, read_cells
from sfa.db.database import Overtaken
from sfa.db.writes import Door


@contextmanager
def undone_if_refused(door: Door) -> Iterator[None]:
    """Only `Refused` is dealt with: whatever else is raised ends the transaction."""
    mark, before = door.mark(), set(door._cells)
    point = door.connection.begin_nested()
    try:
        yield
    except Refused:
        door.undo_to(mark)
        point.rollback()
        if door.connection.dialect.name == "postgresql":
            _lock_again(door, before)
        raise
    point.commit()


def _lock_again(door: Door, before: set[tuple[str, str]]) -> None:
    """What was read by a row above it may have got others since, so it is read again when it is asked for."""
    door.read_below.clear()
    door.known.clear()
    door._teams_read.clear()
    locks: dict[tuple[str, Lock], list[Cell]] = {}
    for place, cell in sorted(door._cells.items()):
        if place not in before:
            locks.setdefault((cell.entity, "share" if place in door._weak else "update"), []).append(cell)
    for (entity, lock), cells in locks.items():
        found = read_cells(door.connection, entity, [cell.key for cell in cells], lock)
        stands = {cell.key: cell.rev for cell in found}
        if any(stands.get(cell.key, 0) != cell.rev for cell in cells):
            raise Overtaken
