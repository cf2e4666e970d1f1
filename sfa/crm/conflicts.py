"""Conflicts and refusals as rows: written by the sync, settled by people (S1, S24, S26).

A conflict keeps what lost and what stood. Restoring puts the losing value back with one call; a conflict about a
deletion deletes the row then. What a restored value replaces is kept in a closed conflict of its own, so that it can be
restored in its turn. All of it, and dismissing, are ordinary edits with an author.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sfa.core import deal_states
from sfa.core.access import forbidden_field
from sfa.core.errors import Refused
from sfa.core.shapes import SHAPES
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.looking import looking
from sfa.db.writes import Door, Origin

DELETION = "gone"


def write(door: Door, key: str, values: Mapping[str, Any], origin: Origin) -> str:
    """A conflict row beside the row it is about; -> its key."""
    door.put(door.cell("conflicts", key), values, origin, "create")
    return key


def _unsettled(cell: Cell, *settled: str) -> None:
    if cell.row["status"] in settled:
        status = cell.row["status"]
        raise Refused("conflict_closed", f"this conflict was {status}", key=cell.key, settled=status)


def restore(door: Door, who: Who, cell: Cell, _arguments: Mapping[str, Any], origin: Origin) -> None:
    """Put the losing value back on the row, under the rules of an edit by the caller; a dismissed one too (S1)."""
    _unsettled(cell, "restored")
    row, key = cell.row, _next_key(cell)
    target = edits.visible_survivor(door, who, row["entity"], row["row_key"])
    door.put(cell, {"status": "restored"}, origin, "conflict.restore")  # first: so it is open no more (R13)
    if row["field_group"] == DELETION:
        edits.delete(door, who, target, origin)
    else:
        edits.check_rights(who, target.entity, (), creating=False)
        _check_decides(who, row)
        if locked := locked_fields(target.row, row):
            text = "the visit was submitted: dismiss the conflict, and amend the visit if it says what is wrong"
            raise Refused("visit_locked", text, key=target.key, fields=locked)
        losing = dict(row["losing"])
        if target.entity == "deals":
            losing = deal_states.restored(target.row, losing, origin.at, looking(door).on(target.key))
        replaced = {f: target.row[f] for f, v in losing.items() if target.row[f] != v}
        stamps = target.stamps
        edits.update(door, who, target, losing, origin, kind="restore")
        if any(value is not None for value in replaced.values()):
            write(door, key, _replaced(cell, target, replaced, stamps), origin)


def not_theirs(role: str, row: Mapping[str, Any]) -> str | None:
    """The field of a conflict that this role may not set: whoever may, decides (a customer's territory is a manager's).
    What only commands set, as a visit's status, is decided by whoever may change the row."""
    if row["field_group"] == DELETION:
        return None
    found = forbidden_field(role, row["entity"], row["losing"] or (), creating=False)
    return found[1] if found is not None and found[0] == "field_not_permitted" else None


def locked_fields(target: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """What restoring would change of a visit that was submitted, and so says what it says (R14): such a conflict can
    only be dismissed."""
    if row["entity"] != "visits" or not target["submitted"]:
        return []
    if row["field_group"] == DELETION:
        return [DELETION]
    return sorted(field for field, value in (row["losing"] or {}).items() if target[field] != value)


def _check_decides(who: Who, row: Mapping[str, Any]) -> None:
    field = not_theirs(who.role, row)
    if field is not None:
        raise Refused("field_not_permitted", f"{row['entity']}.{field} cannot be set by a {who.role}", field=field)


def _replaced(cell: Cell, target: Cell, losing: dict[str, Any], stamps: Mapping[str, list[Any]]) -> dict[str, Any]:
    """The conflict that keeps what stood until a person put another value back, and who had written it."""
    group = cell.row["field_group"]
    stamp = stamps.get(SHAPES[target.entity].group_of[next(iter(losing))])
    return {
        "entity": target.entity,
        "row_key": target.key,
        "field_group": group,
        "strategy": "person",
        "losing": losing,
        "standing": {field: target.row[field] for field in losing},
        "author_key": stamp[4] if stamp is not None else None,
        "device_key": stamp[3] if stamp is not None else None,
        "reason": "restored",
        "status": "closed",
    }


def _next_key(cell: Cell) -> str:
    """Of a bounded length, however often values are put back and forth."""
    return "back." + sha256(f"{cell.key}/{cell.rev}".encode()).hexdigest()[:32]


def dismiss(door: Door, who: Who, cell: Cell, _arguments: Mapping[str, Any], origin: Origin) -> None:
    """What stands is right, says who might have set it; the losing value stays readable."""
    _unsettled(cell, "restored", "dismissed")
    target = edits.visible_cell(door, who, cell.row["entity"], cell.row["row_key"])
    edits.check_rights(who, target.entity, (), creating=False)
    edits.check_owned(door, who, target)
    _check_decides(who, cell.row)
    door.put(cell, {"status": "dismissed"}, origin, "conflict.dismiss")


def dismiss_refusal(door: Door, _who: Who, cell: Cell, _arguments: Mapping[str, Any], origin: Origin) -> None:
    """The author needs the refused change no more; its content stays."""
    if cell.row["status"] == "repaired":
        raise Refused("conflict_closed", "this refusal was repaired", key=cell.key, settled="repaired")
    if cell.row["status"] == "open":
        door.put(cell, {"status": "dismissed"}, origin, "refusal.dismiss")
