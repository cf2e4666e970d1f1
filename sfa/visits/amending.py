"""`visit.amend`: what a submitted visit says otherwise now, and why (R14). It appends and never changes the visit.

Amending a field to what it says already changes nothing, so that a repeated order happens once. The visit's row is
locked meanwhile, and a correction's key is made of the visit, the field and its number: two of one number cannot be.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from sfa.core.errors import Refused
from sfa.core.rules import broken, check_values
from sfa.crm import edits
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin
from sfa.visits.amendments import AMENDABLE, effective

ENTITY = "visit_amendments"


class Amend(Struct, frozen=True, forbid_unknown_fields=True):
    """`values`: field -> what it should say; `reason` is kept with each."""

    values: dict[str, Any]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


def amend(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Correct a submitted visit; whoever may change an open one may amend it."""
    try:
        asked = msgspec.convert(dict(arguments), Amend)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"visit.amend: {error}") from None
    if cell.gone:
        raise Refused("row_unknown", f"visit {cell.key} is deleted", entity="visits", key=cell.key)
    edits.check_rights(who, "visits", (), creating=False)
    edits.check_owned(door, who, cell)
    if not cell.row["submitted"]:
        raise Refused("visit_not_submitted", key=cell.key)
    for field in sorted(set(asked.values) - AMENDABLE):
        raise Refused("field_read_only", f"visits.{field[:100]} cannot be amended", field=field[:100])
    if not asked.reason.strip():
        raise Refused("command_invalid", "visit.amend: a reason says something")
    check_values("visits", asked.values)
    values = edits.follow_references(door, who, "visits", asked.values)
    rows = [c.row for c in door.load_where(ENTITY, "visit_key", (cell.key,)) if c.exists]
    before = effective(cell.row, rows)
    found = broken("visits", {**before, **values})
    if found is not None:
        raise Refused(found.code, found.text)
    for field in sorted(values):
        if before[field] != values[field]:
            ordinal = 1 + max((row["ordinal"] for row in rows if row["field"] == field), default=0)
            _append(door, who, cell, field, ordinal, (before[field], values[field], asked.reason), origin)


def _append(
    door: Door, who: Who, visit: Cell, field: str, ordinal: int, said: tuple[Any, Any, str], origin: Origin
) -> None:
    digest = sha256(f"{visit.key}/{field}".encode()).hexdigest()[:32]
    old, new, reason = said
    values = {
        "visit_key": visit.key,
        "author_key": who.user_key or visit.row["owner_key"],
        "amended_at": origin.at,
        "ordinal": ordinal,
        "field": field,
        "old": old,
        "new": new,
        "reason": reason,
    }
    check_values(ENTITY, values)
    door.put(door.cell(ENTITY, f"{digest}.{ordinal}"), values, origin, "visit.amend")


COMMANDS: dict[str, Command] = {"visit.amend": Command("visits", amend)}
