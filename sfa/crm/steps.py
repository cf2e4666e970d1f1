"""A row's way through its states at a screen: the transitions that a device shows before it syncs (S27, R53).

The rule is `sfa.core.rules`, the writing `sfa.crm.edits`, as in a push. A screen knows the state that stands, so there
is nothing to merge: what the state forbids is refused, and what it says already is done.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.errors import Refused
from sfa.core.rules import TRANSITIONS, transition
from sfa.core.shapes import SHAPES
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.looking import looking
from sfa.db.writes import Door, Origin


def step(door: Door, who: Who, cell: Cell, command: str, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Move the row by one of `TRANSITIONS`, or refuse it; asked twice it happens once."""
    rule = TRANSITIONS[command]
    edits.check_rights(who, cell.entity, (), creating=False)
    edits.check_owned(door, who, cell)
    done = transition(command, cell.row, arguments, origin.at, looking(door).on(cell.key))
    if all(cell.row[f] == done.values[f] for f in rule.agree):
        _again(door, who, cell, command, done.values, origin)
    elif done.illegal is not None:
        raise Refused("illegal_transition", f"{command}: {done.illegal}")
    else:
        edits.update(door, who, cell, done.values, origin, kind=command)


def stands(door: Door, cell: Cell, command: str, arguments: Mapping[str, Any], origin: Origin) -> bool:
    """Whether the row is already where the command leads."""
    done = transition(command, cell.row, arguments, origin.at, looking(door).on(cell.key))
    return all(cell.row[field] == done.values[field] for field in TRANSITIONS[command].agree)


def _again(door: Door, who: Who, cell: Cell, command: str, values: Mapping[str, Any], origin: Origin) -> None:
    """The row is there already and its times stand. What is said beside the state is an edit; what contradicts the way
    in which it got there is refused."""
    group_of = SHAPES[cell.entity].group_of
    state = group_of[TRANSITIONS[command].agree[0]]
    said = {f: v for f, v in values.items() if v not in (None, cell.row[f]) and not f.endswith("_at")}
    if any(group_of[f] == state for f in said):
        raise Refused("illegal_transition", f"{command}: the row is there already, and says otherwise how")
    if said:
        edits.update(door, who, cell, said, origin, kind=command)
