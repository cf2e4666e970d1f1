"""A merge undone within its time (S22): the loser comes back, and what went along with it.

The loser's row is there still, as it was merged; it lives again under its own key. Children that the merge moved and
that still lie at the survivor go back, once; what the survivor took to fill its gaps and nobody changed since, it gives
back. From then on the key leads nowhere: what devices still send about it lands on the loser. Whatever came by the
loser's key in between landed on the survivor, is listed by `landed`, and moves if the caller chooses it. What was spent
on a deal or visit is where that is, whenever it was written down.

A merge in the middle of a chain can be undone: what lay at the end of the chain goes back, keys that led through the
loser lead to it again. Gaps are given back by the row that took them, if it is still the survivor.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.fields import KEY_PATTERN
from sfa.core.shapes import SHAPES
from sfa.crm import edits, spending
from sfa.crm.duplicates import child_field, territory_of
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, history
from sfa.db.writes import Door, Origin

UNDO_DAYS_DEFAULT = 30
DAY_MS = 24 * 3600 * 1000
KIND = "unmerge"


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments: which merge, and what of that which landed since moves to the loser; `all` is all of it."""

    loser: Annotated[str, Meta(pattern=KEY_PATTERN)]
    fields: list[str] = []
    children: list[tuple[str, str]] = []
    all: bool = False


class LandedField(Struct, frozen=True):
    """A value that came by the loser's key. `stands`: the survivor still says it; `before` is what it said before."""

    field: str
    value: Any
    before: Any
    rev: int
    stands: bool
    author_key: str | None
    at: int


class LandedChild(Struct, frozen=True):
    """A row that named the loser and was laid under the survivor, where it still lies."""

    entity: str
    key: str
    author_key: str | None
    at: int


class Landed(Struct, frozen=True):
    fields: list[LandedField]
    children: list[LandedChild]


def unmerge(door: Door, who: Who, survivor: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Take `arguments["loser"]` out of the row again. By somebody else before: nothing happens."""
    choice = _choice(arguments)
    edits.check_rights(who, survivor.entity, (), creating=False)
    loser = door.cell(survivor.entity, choice.loser)
    row = door.redirects.leading_to(survivor.entity, survivor.key).get(loser.key)
    if row is None or survivor.gone:
        if loser.exists and edits.is_visible(door, who, loser) and _was_undone(door, loser):
            return
        raise Refused("merge_unknown", f"no {survivor.entity} row {loser.key!r} was merged into {survivor.key!r}")
    _check_time(door, row, origin)
    if who.role == "rep" and territory_of(door, loser) != territory_of(door, survivor):
        raise Refused("not_permitted", "this moves work between territories: a manager does it")
    came = landed(door.connection, survivor.entity, loser.key, survivor.row, survivor.key)
    fields, children = _chosen(choice, came)
    door.redirects.end(
        survivor.entity, loser.key, _through(door.redirects.leading_to(loser.entity, survivor.key), loser)
    )
    door.put(loser, {f.field: f.value for f in fields}, origin, KIND, verbatim=())
    edits.revive_parent(door, who, loser, origin)
    back = _given_back({**survivor.row, **{f.field: f.before for f in fields if f.stands}}, survivor, row)
    moving = [(entity, key) for entity, key in row["children"]] + [(c.entity, c.key) for c in children]
    if (survivor.entity, survivor.key) in moving and survivor.row.get("parent_key") is None:
        back["parent_key"] = loser.key  # it had lain below what was merged into it
    if back:
        door.put(survivor, back, msgspec.structs.replace(origin, via=loser.key), KIND, verbatim=())
    parted = _part(door, survivor, loser, origin)
    for entity, key in dict.fromkeys(moving):
        if (entity, key) not in parted:
            _move_back(door, survivor, loser, entity, key, origin)
    if loser.entity == "accounts":
        spending.settle(door, (survivor.key, loser.key), origin)
    for cell in (loser, survivor):
        found = edits.check_row(door, cell)
        if found is not None:
            raise Refused(found.code, found.text)
    edits.check_in_scope(door, who, loser)


def _choice(arguments: Mapping[str, Any]) -> Choice:
    try:
        return msgspec.convert(dict(arguments), Choice)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"undoing a merge takes loser, fields, children, all: {error}") from None


def undo_until(connection: Connection, merged_at: int) -> int:
    """The last instant at which a merge can be undone."""
    table = ROWS["organisations"]
    query = select(table.c.merge_undo_days).where(~table.c.gone).order_by(table.c.key).limit(1)
    days = connection.execute(query).scalar()
    return merged_at + (UNDO_DAYS_DEFAULT if days is None else int(days)) * DAY_MS


def _check_time(door: Door, row: Mapping[str, Any], origin: Origin) -> None:
    until = undo_until(door.connection, row["merged_at"])
    if origin.at > until:
        raise Refused("undo_too_late", merged_at=row["merged_at"], until=until)


def _was_undone(door: Door, loser: Cell) -> bool:
    return any(kind == KIND for _, _, _, kind in door.since(loser, 0))


def _through(led: Mapping[str, Mapping[str, Any]], loser: Cell) -> set[str]:
    """The keys that lead to the survivor through this one."""
    found: set[str] = set()
    for key in led:
        at: str | None = key
        passed: set[str] = set()
        while at is not None and at != loser.key and at not in passed:
            passed.add(at)
            at = led[at]["into_key"] if at in led else None
        if at == loser.key and key != loser.key:
            found.add(key)
    return found


def _given_back(left_with: dict[str, Any], survivor: Cell, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the survivor will say of what changes: without what it took to fill its gaps, where it still says that. (It
    took them only if nothing lies between the two.)"""
    back = {field: value for field, value in left_with.items() if survivor.row[field] != value}
    for field, (old, new) in (row["filled"] or {}).items() if row["into_key"] in (None, survivor.key) else ():
        stands = left_with[field]
        if isinstance(new, list):
            left = [x for x in stands if x in (old or []) or x not in new]
            back.update({field: left} if left != stands else {})
        elif stands == new:
            back[field] = old
    return back


def _move_back(door: Door, survivor: Cell, loser: Cell, entity: str, key: str, origin: Origin) -> None:
    child, field = door.cell(entity, key), child_field(loser.entity, entity)
    if child.row.get(field) == survivor.key:
        gone = child.gone
        door.put(child, {field: loser.key}, origin, KIND, verbatim=())
        child.gone = gone


# -- what landed in between -------------------------------------------------------------------------------------------


def landed(connection: Connection, entity: str, loser: str, survivor: Mapping[str, Any], key: str) -> Landed:
    """What came by the loser's key since it was merged, newest last. `survivor` is the row that it landed on."""
    table = history
    query = select(table).where(table.c.via == loser).order_by(table.c.stored_at, table.c.rev)
    fields: dict[str, LandedField] = {}
    named: dict[tuple[str, str], Any] = {}
    for entry in connection.execute(query).mappings():
        changes = entry["changes"] or {}
        if (entry["entity"], entry["key"]) == (entity, key) and entry["kind"] != KIND:
            for field, (old, new) in changes.items():
                before = fields[field].before if field in fields else old
                stands = survivor[field] == new
                fields[field] = LandedField(field, new, before, entry["rev"], stands, entry["author_key"], entry["at"])
        elif any(t == entity and f in changes for f, t in SHAPES[entry["entity"]].references.items()):
            named[entry["entity"], entry["key"]] = entry
    return Landed(list(fields.values()), _still_there(connection, entity, key, named))


def _still_there(
    connection: Connection, entity: str, key: str, named: Mapping[tuple[str, str], Any]
) -> list[LandedChild]:
    found: list[LandedChild] = []
    for child in sorted({place[0] for place in named}):
        table = ROWS[child]
        column = table.c[child_field(entity, child)]
        keys = [k for e, k in named if e == child]
        there = connection.execute(
            select(table.c.key).where(table.c.key.in_(keys), column == key).order_by(table.c.key)
        )
        for (at,) in there:
            entry = named[child, at]
            found.append(LandedChild(child, at, entry["author_key"], entry["at"]))
    return found


def _chosen(choice: Choice, came: Landed) -> tuple[list[LandedField], list[LandedChild]]:
    fields = [f for f in came.fields if choice.all or f.field in choice.fields]
    wanted = set(choice.children)
    children = [c for c in came.children if choice.all or (c.entity, c.key) in wanted]
    unknown = set(choice.fields) - {f.field for f in fields} or wanted - {(c.entity, c.key) for c in children}
    if unknown:
        raise Refused("command_invalid", f"nothing of this landed since the merge: {sorted(map(str, unknown))}")
    return fields, children


def _part(door: Door, survivor: Cell, loser: Cell, origin: Origin) -> set[tuple[str, str]]:
    """A suggestion that was accepted by this merge is declined by its undoing: they are two. -> those."""
    keys = (survivor.key, loser.key)
    found = [cell for field in ("row_key", "other_key") for cell in door.load_where("suggestions", field, keys)]
    parted: set[tuple[str, str]] = set()
    for cell in dict.fromkeys(found):
        row = cell.row
        if not cell.exists or (row["entity"], row["kind"], row["status"]) != (loser.entity, "duplicate", "accepted"):
            continue
        about, other = (door.survivor(loser.entity, str(door.first_value(cell, f))) for f in ("row_key", "other_key"))
        if about != other:
            door.put(cell, {"status": "declined", "row_key": about}, origin, KIND)
            parted.add((cell.entity, cell.key))
    return parted
