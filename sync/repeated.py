"""The same repair brought again, by another copy or device of its author, or by another way (S2, S19).

It changes nothing, and its receipt tells what became of the first one: outcome, revision, conflicts and what landed
with it, as the first one's receipt says. A repair at a screen has no receipt of its own, nor has what landed because
something else was repaired; a receipt may be gone. Then it is told by the conflicts, which are named after the mutation
that met them, and by the row, as far as the caller sees it. Where that says nothing it is `merged`: look at the row.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from sfa.core.shapes import SHAPES
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.writes import Door
from sync import devices
from sync.devices import Registration
from sync.protocol import Mutation, Receipt

SCREEN = "screen"
LANDED = ("applied", "merged", "conflict")
MORE_PLACES = 2  # conflicts of one mutation: one for each group, one about the row, one about what was said beside it


def told(door: Door, who: Who, refusal: Cell, mutation: Mutation, made: Mapping[str, Receipt]) -> Receipt:
    """The receipt of a repair whose refusal was `repaired` before, with the same words. `made` are the receipts of this
    push, by the names of their mutations: they are not stored yet."""
    by = refusal.row["repaired_by"] or SCREEN
    first = made.get(by) or _stored(door, who, by)
    key = door.survivor(mutation.entity, mutation.key)
    own = _conflicts(door, mutation.entity, f"{refusal.row['device_key']}.{refusal.row['n']}")
    outcome = ((first.details or {}).get("again") or {}).get(refusal.key) if first is not None else None
    along = bool(own) or outcome is not None
    if first is not None and not along and first.key in (mutation.key, key):
        return structs.replace(first, n=mutation.n, digest="")
    if first is None and by != SCREEN:
        own += [conflict for conflict in _conflicts(door, mutation.entity, by) if conflict.row["row_key"] == key]
    cell = door.cell(mutation.entity, key)
    seen = edits.is_visible(door, who, cell)
    return Receipt(
        mutation.n,
        outcome if outcome in LANDED else _outcome(mutation, own, cell if seen else None),
        key=key if seen else mutation.key,
        rev=cell.rev if seen else 0,
        conflicts=[conflict.key for conflict in own],
    )


def _stored(door: Door, who: Who, by: str) -> Receipt | None:
    """The receipt of a mutation by its name, `device.n`, from the one row of its push."""
    device, _, n = by.rpartition(".")
    if not device or not n.isdigit():
        return None
    found = devices.read_receipts(door.connection, Registration(device, who.user_key or "", "", 0, 0, 0), [int(n)])
    receipt = found.get(int(n))
    return receipt if receipt is not None and receipt.outcome in LANDED else None


def _conflicts(door: Door, entity: str, name: str) -> list[Cell]:
    """The conflicts that are named after a mutation, in one query."""
    places = range(len(SHAPES[entity].groups) + MORE_PLACES)
    keys = [f"{name}.{place}" for place in places]
    door.load("conflicts", keys)
    return [cell for cell in (door.cell("conflicts", key) for key in keys) if cell.exists]


def _outcome(mutation: Mutation, conflicts: list[Cell], cell: Cell | None) -> str:
    if any(conflict.row["status"] != "closed" for conflict in conflicts):
        return "conflict"
    as_said = cell is not None and (mutation.kind not in ("create", "update") or _says(cell, mutation.set))
    return "applied" if as_said and not conflicts else "merged"


def _says(cell: Cell, said: Mapping[str, Any]) -> bool:
    return not cell.gone and all(field in cell.row and cell.row[field] == value for field, value in said.items())
