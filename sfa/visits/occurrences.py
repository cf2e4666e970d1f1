"""A plan's visit that two make at once (S18, S26): the create that says again what the plan says is no edit.

A device that was offline expands the plan as it knew it; the server did the same, and perhaps a person has moved or
withdrawn that one visit since. What the create says of any version of the plan, or of the visit as it was first made,
is left out: nothing happens twice, and nobody's change is undone by it.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.writes import Door
from sfa.visits.recurrence import occurrence_key, visit_on


def edited(door: Door, cell: Cell, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a create of a row that exists says beside its plan; all of it, the same object, where there is no plan."""
    plan, day = said.get("plan_key"), said.get("planned_on")
    if cell.entity != "visits" or not isinstance(plan, str) or not isinstance(day, str):
        return said
    if occurrence_key(plan, day) != cell.key:
        return said
    known = _versions(door, plan, day)
    return {
        field: value
        for field, value in said.items()
        if field in cell.row
        and cell.row[field] != value
        and not any(version.get(field) == value for version in known)
        and door.first_value(cell, field) != value
    }


def _versions(door: Door, plan_key: str, day: str) -> list[dict[str, Any]]:
    """What each version of the plan made of the day, the newest first; a version that cannot be read made nothing."""
    cell = door.cell("visit_plans", plan_key, "none")
    if cell.rev == 0:
        return []
    row, found = dict(cell.row), []
    rows = [dict(row)]
    for changes, *_ in reversed(list(door.since(cell, 1))):
        row |= {field: old for field, (old, _new) in changes.items()}
        rows.append(dict(row))
    for version in rows:
        try:
            found.append(visit_on(plan_key, version, day))
        except (Refused, ValueError, TypeError):
            continue
    return found
