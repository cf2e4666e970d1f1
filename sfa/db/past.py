"""What a row was, read off its history: the base against which an old edit is merged (S24)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from sfa.db.cells import Cell
from sfa.db.tables import history

# field -> [old, new], the device that made them, the revision, and the kind of change
Changes = tuple[dict[str, Any], str | None, int, str]


def changes_after(connection: Connection, cell: Cell, rev: int) -> list[Changes]:
    """The stored changes of a row after a revision, in order."""
    query = select(history.c.changes, history.c.device_key, history.c.rev, history.c.kind).where(
        history.c.entity == cell.entity, history.c.key == cell.key, history.c.rev > rev
    )
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query.order_by(history.c.rev))]


def value_on(device: str, now: Any, field: str, since: Sequence[Changes]) -> Any:
    """What a device held in a field before its edit: the value at the edit's base, with the device's own edits since.
    Of a list only what those edits added and removed counts. `now` is the value where nobody changed it since."""
    touched = [(changes[field], by) for changes, by, _, _ in since if field in changes]
    value = touched[0][0][0] if touched else now
    for (old, new), by in touched:
        if by == device:
            value = _edited(value or [], old or [], new) if isinstance(new, list) else new
    return value


def _edited(value: list[Any], old: list[Any], new: list[Any]) -> list[Any]:
    kept = [x for x in value if x in new or x not in old]
    return kept + [x for x in new if x not in old and x not in kept]
