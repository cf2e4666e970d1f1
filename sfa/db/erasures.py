"""The ledger of erased people: who was erased, when and by whom, without any data of them. It outlives everything.

A row for each key that led to the person, so that nothing that still comes in under one of them is taken or kept.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, or_, select, update

from sfa.core.erasing import ENTITY, blanked_changes
from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.tables import erasures, history, likeness_blocks, redirects

KEYS_AT_ONCE = 200


def is_erased(connection: Connection, key: str) -> bool:
    query = select(erasures.c.key).where(erasures.c.entity == ENTITY, erasures.c.key == key)
    return connection.execute(query).scalar() is not None


def refuse_erased(connection: Connection, cell: Cell) -> None:
    """An erased person does not come back by an edit that was made before. Only deleted rows are looked up."""
    if cell.entity == ENTITY and cell.gone and is_erased(connection, cell.key):
        raise Refused("erased", key=cell.key)


def note(connection: Connection, keys: Iterable[str], survivor: str, at: int, by: str | None, reason: str) -> None:
    """What stands in the ledger stays as it is."""
    wanted = sorted(keys)
    known = set(
        connection.execute(
            select(erasures.c.key).where(erasures.c.entity == ENTITY, erasures.c.key.in_(wanted))
        ).scalars()
    )
    row = {"entity": ENTITY, "survivor_key": survivor, "erased_at": at, "erased_by": by, "reason": reason}
    new = [{**row, "key": key} for key in wanted if key not in known]
    if new:
        connection.execute(insert(erasures), new)


def blank_history(connection: Connection, entity: str, keys: Iterable[str]) -> None:
    """The one exception to history that is only added to: erasure wins over everything."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        part = wanted[start : start + KEYS_AT_ONCE]
        query = select(history.c.key, history.c.rev, history.c.changes)
        found = connection.execute(query.where(history.c.entity == entity, history.c.key.in_(part))).all()
        for key, rev, changes in found:
            left = blanked_changes(entity, changes)
            if left != changes:
                here = (history.c.entity == entity, history.c.key == key, history.c.rev == rev)
                connection.execute(update(history).where(*here).values(changes=left))


def forget(connection: Connection, keys: Iterable[str]) -> None:
    """What merging and the finder of duplicates kept: the merges of an erased person are not undone."""
    wanted = sorted(keys)
    named = or_(redirects.c.loser_key.in_(wanted), redirects.c.survivor_key.in_(wanted))
    connection.execute(delete(redirects).where(redirects.c.entity == ENTITY, named))
    blocks = (likeness_blocks.c.entity == ENTITY, likeness_blocks.c.key.in_(wanted))
    connection.execute(delete(likeness_blocks).where(*blocks))
