"""Two rows for one customer or one person: merging them (S22, S30).

The survivor keeps its values and takes those that it lacks; children move to it once; the loser's key leads to the
survivor for ever, and chains are flattened. What the loser was is kept with the redirect.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.errors import Refused
from sfa.core.ids import check_key
from sfa.core.shapes import ABOUT_ROWS, SHAPES
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin

# Who names a merged row, beside the rows that lie under it.
NAMED_BY = {
    "accounts": (
        ("tasks", "account_key"),
        ("accounts", "parent_key"),
        ("expenses", "account_key"),
        ("work_entries", "account_key"),
    ),
    "contacts": tuple(
        (e, "contact_key")
        for e in (
            *("visits", "visit_plans", "deals", "deal_contacts", "proposals"),
            *("customer_needs", "calls", "consents", "campaign_touches"),
        )
    ),
}
NEVER_TAKEN = frozenset({"created_at", "created_by", "territory_key", "parent_key", "status", "external_id", "tags"})


def merge(door: Door, who: Who, loser: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Merge the row into `arguments["into"]`."""
    into = arguments.get("into")
    if not isinstance(into, str) or set(arguments) != {"into"}:
        raise Refused("command_invalid", 'merging takes {"into": key}')
    check_key(into)
    survivor = edits.visible_survivor(door, who, loser.entity, into)
    if survivor.key == loser.key or survivor.gone or loser.gone:
        raise Refused("merge_invalid", "a row is merged into another, living one", key=loser.key, into=into)
    edits.check_rights(who, loser.entity, (), creating=False)
    if who.role == "rep" and territory_of(door, loser) != territory_of(door, survivor):
        raise Refused("not_permitted", "merging customers of two territories moves work: a manager does it")
    was = dict(loser.row)
    filled = _fill_gaps(door, who, loser, survivor, origin)
    moved = _move_children(door, loser, survivor, origin)
    door.delete(loser, origin, "merge")
    loser.row = was
    door.redirect(loser, survivor, moved, filled, origin)


def territory_of(door: Door, cell: Cell) -> str | None:
    """Of a customer, or of a contact's customer."""
    account = cell if cell.entity == "accounts" else door.cell("accounts", cell.row["account_key"], "share")
    found: str | None = account.row["territory_key"]
    return found


def _fill_gaps(door: Door, who: Who, loser: Cell, survivor: Cell, origin: Origin) -> dict[str, Any]:
    """-> field -> [old, new] of what the survivor took. Whole groups only: half an address is worse than none."""
    shape = SHAPES[loser.entity]
    taken: dict[str, Any] = {}
    for fields in shape.groups.values():
        if not NEVER_TAKEN.isdisjoint(fields) or any(survivor.row[f] is not None for f in fields):
            continue
        if any(loser.row[f] is not None for f in fields):
            taken.update({f: loser.row[f] for f in fields if loser.row[f] is not None or f == "tier_since"})
    if "tags" in shape.types and (new := [t for t in loser.row["tags"] if t not in survivor.row["tags"]]):
        taken["tags"] = survivor.row["tags"] + new
    before = {field: survivor.row[field] for field in taken}
    if taken:
        edits.update(door, who, survivor, taken, origin, kind="merge", verbatim=())
    return {field: [old, survivor.row[field]] for field, old in before.items()}


def child_field(entity: str, child: str) -> str:
    """By which column a row names the customer or contact that it goes along with."""
    return "row_key" if child in ABOUT_ROWS else dict(NAMED_BY.get(entity, ())).get(child, "account_key")


def _move_children(door: Door, loser: Cell, survivor: Cell, origin: Origin) -> list[list[str]]:
    moved: list[list[str]] = []
    named = dict(NAMED_BY.get(loser.entity, ()))
    children = door.load_children(loser.entity, (loser.key,))
    children += [c for e, f in named.items() for c in door.load_where(e, f, (loser.key,)) if c not in children]
    for child in children:
        field = child_field(loser.entity, child.entity)
        if child.row.get(field) != loser.key:
            continue
        gone = child.gone
        own_parent = child.key == survivor.key and field == "parent_key"
        door.put(child, {field: None if own_parent else survivor.key}, origin, "merge", verbatim=())
        child.gone = gone
        moved.append([child.entity, child.key])
    return moved
