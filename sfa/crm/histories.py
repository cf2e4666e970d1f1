"""How a row came to be what it is, and what it was (R20, R54): told to whoever sees the row now.

Each version has its author, registration, that device's time, the corrected time and when the server took it. Rows of
history are only ever added. `as_of` rebuilds the row; of a deal its stage too, with the probability that it had then.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, or_, select

from sfa.core.entities import ENTITIES
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.replay import By, Step, Was, rebuilt
from sfa.core.shapes import SHAPES
from sfa.crm.of_oneself import not_of
from sfa.crm.online import person
from sfa.db.changed import changed
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, history

PAGE_DEFAULT = 50
PAGE_MAX = 200
REV_MAX = 2**53


class Version(Struct, frozen=True):
    """One revision: `changes` is field -> [old, new]. `via` is the merged key that the edit named, `reviewed_by` who
    accepted it for its author."""

    rev: int
    kind: str
    changes: dict[str, Any]
    author_key: str | None
    device_key: str | None
    device_at: int | None
    at: int
    stored_at: int
    via: str | None
    reviewed_by: str | None


class Versions(Struct, frozen=True):
    """The newest first; `next` is the `before` of the following page, null on the last one."""

    entity: str
    key: str
    items: list[Version]
    next: int | None


class RowWas(Struct, frozen=True):
    """`rev` is the revision that stood; `stage` is the deal's stage as it was then."""

    entity: str
    key: str
    as_of: int
    by: str
    rev: int
    gone: bool
    row: dict[str, Any]
    stage: dict[str, Any] | None = None


def versions(
    connection: Connection,
    caller: str,
    entity: str,
    key: str,
    fields: str | None = None,
    before: int | None = None,
    limit: int = PAGE_DEFAULT,
) -> Versions:
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} versions")
    if before is not None and not 0 <= before <= REV_MAX:
        raise Refused("request_invalid", "`before` is a revision, 0 to 2^53")
    _seen(connection, caller, entity, key)
    query = select(history).where(history.c.entity == entity, history.c.key == key)
    if fields is not None:
        names = fields.split(",")
        unknown = next((name for name in names if name not in SHAPES[entity].types), None)
        if unknown is not None:
            raise Refused("request_invalid", f"{entity} has no field {unknown[:100]!r}")
        query = query.where(or_(*(changed(history.c.changes, name) for name in names)))
    if before is not None:
        query = query.where(history.c.rev < before)
    rows = connection.execute(query.order_by(history.c.rev.desc()).limit(limit + 1)).mappings().all()
    items = [Version(**{name: row[name] for name in Version.__struct_fields__}) for row in rows[:limit]]
    return Versions(entity, key, items, items[-1].rev if len(rows) > limit else None)


def as_of(connection: Connection, caller: str, entity: str, key: str, at: int, by: str) -> RowWas:
    """The row as it was at an instant; `not_found` where it did not exist yet."""
    if by not in ("stored", "event"):
        raise Refused("request_invalid", "`by` is `stored` or `event`")
    row = _seen(connection, caller, entity, key)
    was = _rebuilt(connection, entity, key, row, at, "event" if by == "event" else "stored")
    if was is None:
        raise Refused("not_found")
    stage = None
    if entity == "deals":
        stage = _stage(connection, was.row["stage_key"], at, "event" if by == "event" else "stored")
    return RowWas(entity, key, at, by, was.rev, was.gone, was.row, stage)


def _seen(connection: Connection, caller: str, entity: str, key: str) -> Any:
    """The row, deleted or not; `not_found` alike where there is none and where the caller may not see it."""
    held = listed(connection, person(connection, caller).held or ())
    if entity not in ENTITIES or not is_key(key):
        raise Refused("not_found")
    table = ROWS[entity]
    query = select(table).where(table.c.key == key, lies_in(table.c.buckets, "held"))
    query = query.where(not_of(connection, entity, table.c, caller))
    found = connection.execute(query, {"held": held}).mappings().first()
    if found is None:
        raise Refused("not_found")
    return found


def _rebuilt(connection: Connection, entity: str, key: str, row: Any, at: int, by: By) -> Was | None:
    columns = (history.c[name] for name in Step.__struct_fields__)
    query = select(*columns).where(history.c.entity == entity, history.c.key == key).order_by(history.c.rev)
    steps = (Step(*found) for found in connection.execute(query))
    return rebuilt({field: row[field] for field in SHAPES[entity].types}, steps, at, by)


def _stage(connection: Connection, key: str, at: int, by: By) -> dict[str, Any] | None:
    """Everybody sees stages."""
    table = ROWS["stages"]
    row = connection.execute(select(table).where(table.c.key == key)).mappings().first()
    was = _rebuilt(connection, "stages", key, row, at, by) if row is not None else None
    return {"key": key, **was.row} if was is not None else None
