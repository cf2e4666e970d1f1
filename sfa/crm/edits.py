"""One row created, changed, deleted: the rules that hold online and offline alike (R53).

Each function checks rights, fields, references and the resulting row, then goes through the door. A refusal says
`row_unknown` both for what does not exist and for what the caller may not see (promise 4). They raise `Refused` and
change nothing then; the caller marks and undoes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import func, select

from sfa.core import access, deal_states
from sfa.core.entities import ENTITIES
from sfa.core.errors import Refused
from sfa.core.ids import check_key, is_key
from sfa.core.rules import Broken, broken, check_required, check_values
from sfa.core.shapes import PARENTS, SHAPES
from sfa.core.targets import with_unit
from sfa.crm import beside, buying, calling, open_visits, proposing, rates, rights, spending, stages, trees
from sfa.db import erasures, scope
from sfa.db.cells import Cell
from sfa.db.looking import looking
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin
from sfa.files import arrivals

UNIQUE = {"users": ("email",)}


class Who(Struct, frozen=True):
    """The acting person with the buckets held, read under the lock of this transaction. `held` None sees everything
    (imports and jobs)."""

    user_key: str | None
    role: str
    held: frozenset[str] | None


TRUSTED = Who(None, "admin", None)  # imports and jobs


def is_visible(door: Door, who: Who, cell: Cell) -> bool:
    """Whether any bucket of the row, deleted or not, is held."""
    if cell.rev == 0:
        return False
    return who.held is None or not who.held.isdisjoint(door.buckets(cell))


def visible_cell(door: Door, who: Who, entity: str, key: str) -> Cell:
    cell = door.cell(entity, key)
    if not is_visible(door, who, cell):
        raise Refused("row_unknown", f"there is no {entity} row {key!r} that you may see", entity=entity, key=key)
    return cell


def visible_survivor(door: Door, who: Who, entity: str, key: str) -> Cell:
    """The row that a key, merged or not, leads to; a refusal names the key that was asked for and no other."""
    cell = door.cell(entity, door.survivor(entity, key))
    if not is_visible(door, who, cell):
        raise Refused("row_unknown", f"there is no {entity} row {key!r} that you may see", entity=entity, key=key)
    return cell


def known_entity(entity: str) -> None:
    if entity not in ENTITIES:
        raise Refused("entity_unknown", f"there is no entity {entity[:100]!r}")


def check_rights(who: Who, entity: str, fields: Iterable[str], *, creating: bool) -> None:
    if who.held is not None and not access.may_write(who.role, entity):
        raise Refused("not_permitted", f"the role {who.role} may not write {entity}")
    found = access.forbidden_field(who.role, entity, fields, creating=creating)
    if found is not None:
        raise Refused(found[0], f"{entity}.{found[1]} cannot be set here", field=found[1])


def work_of(door: Door, cell: Cell) -> Cell:
    """Of what belongs to a deal the deal, else the row itself."""
    if cell.entity not in access.BELOW_DEALS:
        return cell
    place, field = PARENTS[cell.entity]
    if place == proposing.PROPOSALS:
        proposing.hold(door, cell.row[field])
    above = door.cell(place, cell.row[field], "share")
    return above if place == "deals" else work_of(door, above)


def check_owned(door: Door, who: Who, cell: Cell) -> None:
    """Work is changed by its owner, a split partner and the managers above; a deal's lines by who may change it."""
    if who.held is None:
        return
    work = work_of(door, cell)
    if not access.may_change_row(work.entity, work.row, who.held):
        raise Refused("not_permitted", f"this {cell.entity} row is somebody else's work")


def check_unlocked(who: Who, cell: Cell, values: Mapping[str, Any] | None = None) -> None:
    """A submitted visit is read-only (R14), and so is an approved quota (R5): what says the same again changes nothing;
    None is its deletion."""
    beside.check_draft(cell, values)
    if who.held is None or cell.entity != "visits" or not cell.row or not cell.row["submitted"]:
        return
    changed = sorted(f for f, v in values.items() if cell.row[f] != v) if values is not None else []
    if values is None or changed:
        raise Refused("visit_locked", key=cell.key, fields=changed)


def follow_references(door: Door, who: Who, entity: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Every key named must be a row that the caller may see; merged keys lead to their survivor (S22)."""
    followed = dict(values)
    for field, target in SHAPES[entity].references.items():
        key = values.get(field)
        if key is None:
            continue
        cell = door.cell(target, key, "share")
        if cell.gone and (survivor := door.survivor(target, key)) != key:
            followed[field] = survivor
            cell = door.cell(target, survivor, "share")
        if not is_visible(door, who, cell) or (cell.gone and PARENTS.get(entity, ("", ""))[1] != field):
            raise Refused("reference_unknown", f"{entity}.{field} names no row that you may see", field=field, key=key)
    for key in followed.get("enclosures") or ():
        if not is_key(key) or not is_visible(door, who, file := door.cell("attachments", key, "share")) or file.gone:
            text = f"{entity}.enclosures names no file that you may see"
            raise Refused("reference_unknown", text, field="enclosures", key=key)
    named = [(f, share.get("user_key")) for f in ("splits", "overlays") for share in followed.get(f) or ()]
    named += [("participants", key) for key in followed.get("participants") or ()]
    for field, key in named:
        if is_key(key) and not door.cell("users", key, "share").exists:
            raise Refused("reference_unknown", f"{entity}.{field}: there is no user {key}", field=field, key=key)
    return followed


def through(entity: str, said: Mapping[str, Any], followed: Mapping[str, Any], origin: Origin) -> Origin:
    """The origin of values that named a merged row: history tells by which key they came (S22)."""
    for field in SHAPES[entity].references:
        if origin.via is None and said.get(field) is not None and said[field] != followed[field]:
            return structs.replace(origin, via=said[field])
    return origin


def revive_parent(door: Door, who: Who, cell: Cell, origin: Origin) -> None:
    """Restoring a child, or writing one, restores the deleted parents above it (S26)."""
    place = PARENTS.get(cell.entity)
    if place is None or not cell.row or cell.row.get(place[1]) is None:
        return
    parent = door.cell(place[0], cell.row[place[1]], "share")
    if parent.rev == 0 or not parent.gone:
        return
    erasures.refuse_erased(door.connection, parent)
    if not is_visible(door, who, parent) or not access.may_write(who.role, place[0]):
        raise Refused("parent_deleted", f"its {place[0]} row {parent.key!r} is deleted", key=parent.key)
    door.put(parent, {}, origin, "restore")
    if parent.entity == "visits":
        open_visits.settle_again(door, parent, parent.row, origin, "restore")
    revive_parent(door, who, parent, origin)


def check_row(door: Door, cell: Cell) -> Broken | None:
    """What makes the changed row contradict itself; what clashes with another row is refused at once."""
    found = broken(cell.entity, cell.row)
    if found is not None:
        return found
    for field in UNIQUE.get(cell.entity, ()):
        _check_unique(door, cell, field)
    if cell.entity in trees.TREES:
        trees.check(door, cell.entity)
    if cell.entity == "accounts" and cell.row["parent_key"] is not None:
        rights.check_no_cycle(door, cell)
    return None


def check_in_scope(door: Door, who: Who, cell: Cell) -> None:
    if not is_visible(door, who, cell):
        raise Refused("out_of_scope", f"you would not see this {cell.entity} row")


def _check_unique(door: Door, cell: Cell, field: str) -> None:
    table = ROWS[cell.entity]
    query = select(table.c.key).where(func.lower(table.c[field]) == str(cell.row[field]).lower(), ~table.c.gone)
    stored = set(door.connection.execute(query).scalars()) - {cell.key}
    here = (c for c in door.cells_of(cell.entity) if c.touched and c.exists and c is not cell)  # not stored yet
    if stored or any(str(c.row[field]).lower() == str(cell.row[field]).lower() for c in here):
        raise Refused("duplicate_email", f"{cell.row[field]} is in use", field=field)


def create(door: Door, who: Who, entity: str, key: str, values: Mapping[str, Any], origin: Origin) -> Cell:
    """A new row. An existing key is the caller's matter (`key_taken`, or merge as an update)."""
    known_entity(entity)
    check_key(key)
    check_rights(who, entity, values, creating=True)
    check_values(entity, values)
    owner = access.AUTHORED.get(entity)
    if owner is not None and owner not in values and who.user_key is not None:
        values = {**values, owner: who.user_key}
    check_required(entity, values)
    if entity == buying.ENTITY:
        door.cell("deals", values["deal_key"])  # nobody else adds a person meanwhile
    if entity in proposing.BELOW:
        proposing.hold(door, values["proposal_key"])
    followed = follow_references(door, who, entity, values)
    origin, values = through(entity, values, followed, origin), followed
    if owner is not None and who.held is not None and f"book:{values[owner]}" not in who.held:
        raise Refused("field_not_permitted", f"{entity}.{owner} must be you or one of your people", field=owner)
    if entity == "quotas":
        values = with_unit({}, values)
    values = proposing.completed(entity, {}, spending.completed(door, entity, {}, values))
    values = calling.completed(door, who.user_key if who.held is not None else None, entity, key, values, origin)
    if entity == "deals" and who.held is not None:
        values = deal_states.begun(values, origin.at, looking(door))
    if entity == "attachments":  # its bytes may have come before it
        values = {**values, **arrivals.found(door.connection, key, values)}
    cell = door.cell(entity, key)
    if entity == "accounts":
        values = _dated(door, {}, values, origin)
    door.put(cell, values, origin, "create")
    if entity in access.BELOW_DEALS:
        check_owned(door, who, cell)
    if entity == buying.ENTITY:
        buying.check(door, cell)
    if entity == "quotas" and who.held is not None:
        rights.check_sets_target(who.role, who.user_key, who.held, cell.row)
    proposing.check_new(door, cell)
    revive_parent(door, who, cell, origin)
    _finish(door, who, cell, {})
    proposing.follow(door, cell, origin, is_new=True)
    calling.settle(door, cell, origin)
    return cell


def _dated(door: Door, before: Mapping[str, Any], values: Mapping[str, Any], origin: Origin) -> Mapping[str, Any]:
    """Values that change a customer's tier say since when it has it: the local day of the edit."""
    if "tier" not in values or "tier_since" in values or values["tier"] == before.get("tier"):
        return values
    return {**values, "tier_since": scope.today(door.connection, origin.at)}


def _finish(door: Door, who: Who, cell: Cell, before: Mapping[str, Any]) -> None:
    found = check_row(door, cell)
    if found is not None:
        raise Refused(found.code, found.text, **found.details)
    rates.check_once(door, cell, before)
    check_in_scope(door, who, cell)  # first: what is refused for other rows' sake tells of them
    beside.check_written(door, cell, before, lambda other: is_visible(door, who, other))


def update(
    door: Door,
    who: Who,
    cell: Cell,
    values: Mapping[str, Any],
    origin: Origin,
    *,
    kind: str = "update",
    verbatim: Iterable[str] | None = None,
) -> None:
    """Write checked values; a deleted row comes back with them. A visit that is open then with another of its owner is
    asked about (R13)."""
    check_owned(door, who, cell)
    followed = follow_references(door, who, cell.entity, values)
    origin, values = through(cell.entity, values, followed, origin), followed
    if cell.entity == "quotas":
        values = with_unit(cell.row, values)
    values = proposing.completed(cell.entity, cell.row, spending.completed(door, cell.entity, cell.row, values))
    check_unlocked(who, cell, values)
    rights.check_change(door, who.role, who.user_key, who.held, cell, values)
    was_gone, before = cell.gone, cell.row
    beside.check_free(door, cell, values)
    stages.check_kind(door.connection, cell, values)
    erasures.refuse_erased(door.connection, cell)
    if cell.entity == "accounts":
        values = _dated(door, cell.row, values, origin)
    if cell.entity == "deals":
        values = {**values, **deal_states.handed_on(cell.row, values, looking(door))}
    door.put(cell, values, origin, kind, verbatim)
    spending.follow(door, cell, before, origin)
    if cell.entity in access.BELOW_DEALS and "deal_key" in values:
        check_owned(door, who, cell)  # the deal that it was moved to, too
    if cell.entity == buying.ENTITY and (was_gone or not {"deal_key", "contact_key"}.isdisjoint(values)):
        buying.check(door, cell)
    if was_gone or PARENTS.get(cell.entity, ("", ""))[1] in values:
        revive_parent(door, who, cell, origin)
    _finish(door, who, cell, {} if was_gone else before)
    proposing.follow(door, cell, origin, before, is_new=was_gone)
    if cell.entity == "visits" and kind not in open_visits.COMMANDS:
        decides = any(field in values and values[field] != before[field] for field in open_visits.DECIDE)
        if was_gone or decides:
            open_visits.settle_again(door, cell, before, origin, kind)


def imported(
    door: Door, entity: str, key: str, values: Mapping[str, Any], once: Mapping[str, Any], origin: Origin
) -> str:
    """A row as a trusted file states it -> `created`, `updated`, `unchanged`, or `deleted` for one that people deleted
    and that stays so. `once` is what a new row begins with; `values` are stated anew by every run. Values, references
    and the whole row are checked as ever, but the file may set what only commands set for people (`closed_at`)."""
    cell = door.cell(entity, key)
    if cell.gone:
        return "deleted"
    if entity == "deals" and cell.rev > 0:
        values = deal_states.stated(cell.row, values, origin.at, looking(door))
        values = {**values, **deal_states.handed_on(cell.row, values, looking(door))}
    stated = {**once, **values} if cell.rev == 0 else {f: v for f, v in values.items() if cell.row[f] != v}
    check_values(entity, stated)
    if cell.rev == 0:
        check_required(entity, stated)
    stated = follow_references(door, TRUSTED, entity, stated)
    if entity == "quotas":
        stated = with_unit(cell.row, stated)
    stated = dict(proposing.completed(entity, cell.row, spending.completed(door, entity, cell.row, stated)))
    if cell.rev > 0 and all(cell.row[f] == v for f, v in stated.items()):
        return "unchanged"
    outcome, before = "created" if cell.rev == 0 else "updated", cell.row
    beside.check_draft(cell, stated)
    beside.check_free(door, cell, stated)
    stages.check_kind(door.connection, cell, stated)
    if entity == "accounts":
        stated = dict(_dated(door, cell.row, stated, origin))
    door.put(cell, stated, origin, "import")
    spending.follow(door, cell, before, origin)
    revive_parent(door, TRUSTED, cell, origin)
    _finish(door, TRUSTED, cell, before)
    return outcome


def delete(door: Door, who: Who, cell: Cell, origin: Origin) -> None:
    """Mark a row deleted. Its children stay stored and keep their place; they leave devices with it only when they
    are deleted themselves."""
    check_rights(who, cell.entity, (), creating=False)
    check_owned(door, who, cell)
    rights.check_delete(who.role, who.user_key, who.held, cell)
    if cell.gone:
        return
    check_unlocked(who, cell)
    beside.check_free(door, cell, None)
    stages.check_unnamed(door, cell)
    door.delete(cell, origin)
    if cell.entity == "visits":
        open_visits.settle_again(door, cell, cell.row, origin, "update")
    if cell.entity in trees.TREES:
        trees.check(door, cell.entity)
    proposing.follow(door, cell, origin)
    beside.check_deleted(door, cell)
