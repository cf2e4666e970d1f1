"""Merges at a screen: listed with the time left to undo them, told with what landed since, undone (S22).

A merge is shown to who sees both rows, the survivor and the place where the loser lay. The list is one question for
each of the two entities, by an index of (entity, merged_at, loser_key), the newest first.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, bindparam, select, tuple_

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm import edits, unmerging
from sfa.crm.commands import Command
from sfa.crm.decisions import PAGE_DEFAULT, PAGE_MAX
from sfa.crm.edits import Who
from sfa.crm.online import RowView, begin, person, shown
from sfa.crm.unmerging import Landed
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, history, redirects

ENTITIES = ("accounts", "contacts")


class MergeView(Struct, frozen=True):
    """`loser_key` leads to `survivor_key` and was merged into `into_key`, which may have been merged in its turn. It
    can be undone `until` that instant; `left_ms` is how long that is, 0 where it is over."""

    entity: str
    loser_key: str
    loser_name: str | None
    survivor_key: str
    into_key: str
    merged_at: int
    merged_by: str | None
    until: int
    left_ms: int


class MergeList(Struct, frozen=True):
    items: list[MergeView]
    next: str | None


class MergeTold(Struct, frozen=True):
    """`losing` is what the loser was; `children` moved with it; `landed` came by its key since."""

    merge: MergeView
    losing: dict[str, Any]
    children: list[list[str]]
    landed: Landed


class Undo(Struct, frozen=True, forbid_unknown_fields=True):
    """What of `landed` moves to the loser: some `fields`, some `children` (`[entity, key]`), or `all`."""

    fields: list[str] = []
    children: list[tuple[str, str]] = []
    all: bool = False


def page(
    connection: Connection, user_key: str, now_ms: int, entity: str | None, after: str | None, limit: int = PAGE_DEFAULT
) -> MergeList:
    if entity is not None and entity not in ENTITIES:
        raise Refused("request_invalid", f"merges are of {' and '.join(ENTITIES)}")
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} rows")
    who = person(connection, user_key)
    found: list[Any] = []
    for one in ENTITIES if entity is None else (entity,):
        query = _merges(one).order_by(redirects.c.merged_at.desc(), redirects.c.loser_key.desc()).limit(limit + 1)
        if after is not None:
            at, key = _place(after)
            place = tuple_(bindparam("at", at), bindparam("past", key))
            query = query.where(tuple_(redirects.c.merged_at, redirects.c.loser_key) < place)
        found += connection.execute(query, {"held": listed(connection, who.held or ())}).mappings().all()
    found.sort(key=lambda row: (row["merged_at"], row["loser_key"]), reverse=True)
    items = [_view(connection, row, now_ms) for row in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return MergeList(items, None if last is None else f"{last['merged_at']}.{last['loser_key']}")


def told(connection: Connection, user_key: str, now_ms: int, entity: str, loser: str) -> MergeTold:
    row = _one(connection, person(connection, user_key), entity, loser)
    if row is None:
        raise Refused("not_found")
    table = ROWS[entity]
    survivor = connection.execute(select(table).where(table.c.key == row["survivor_key"])).mappings().one()
    came = unmerging.landed(connection, entity, loser, dict(survivor), row["survivor_key"])
    return MergeTold(_view(connection, row, now_ms), row["losing"], row["children"], came)


def undo(
    connection: Connection,
    now_ms: int,
    user_key: str,
    entity: str,
    loser: str,
    asked: Undo,
    commands: Mapping[str, Command],
) -> RowView:
    """-> the loser, living again. Undone before: its row as it is."""
    screen = begin(connection, now_ms, user_key)
    if entity not in ENTITIES or not is_key(loser):
        raise Refused("not_found")
    lost = screen.door.cell(entity, loser)  # locked first: who merges or undoes it meanwhile is waited for
    row = _one(connection, screen.who, entity, loser)
    if row is None:
        if lost.exists and edits.is_visible(screen.door, screen.who, lost) and _was_undone(connection, entity, loser):
            return shown(lost)
        raise Refused("not_found")
    survivor = screen.door.cell(entity, row["survivor_key"])
    arguments = {"loser": loser, "fields": asked.fields, "children": asked.children, "all": asked.all}
    commands[f"{entity[:-1]}.unmerge"].act(screen.door, screen.who, survivor, arguments, screen.origin)
    screen.door.flush()
    return shown(lost)


def _merges(entity: str) -> Select[Any]:
    lives, lay = ROWS[entity].alias("lives"), ROWS[entity].alias("lay")
    return (
        select(redirects)
        .join(lives, lives.c.key == redirects.c.survivor_key)
        .join(lay, lay.c.key == redirects.c.loser_key)
        .where(redirects.c.entity == entity, lies_in(lives.c.buckets, "held"), lies_in(lay.c.buckets, "held"))
    )


def _one(connection: Connection, who: Who, entity: str, loser: str) -> Mapping[str, Any] | None:
    if entity not in ENTITIES or not is_key(loser):
        return None
    query = _merges(entity).where(redirects.c.loser_key == loser)
    found = connection.execute(query, {"held": listed(connection, who.held or ())}).mappings().first()
    return dict(found) if found is not None else None


def _was_undone(connection: Connection, entity: str, key: str) -> bool:
    mine = (history.c.entity == entity, history.c.key == key, history.c.kind == unmerging.KIND)
    return connection.execute(select(history.c.rev).where(*mine).limit(1)).scalar() is not None


def _view(connection: Connection, row: Mapping[str, Any], now_ms: int) -> MergeView:
    until = unmerging.undo_until(connection, row["merged_at"])
    return MergeView(
        row["entity"],
        row["loser_key"],
        row["losing"].get("name"),
        row["survivor_key"],
        row["into_key"] or row["survivor_key"],
        row["merged_at"],
        row["merged_by"],
        until,
        max(0, until - now_ms),
    )


def _place(after: str) -> tuple[int, str]:
    at, _, key = after.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= 15 and is_key(key)):
        raise Refused("request_invalid", "`after` is the `next` of another page")
    return int(at), key
