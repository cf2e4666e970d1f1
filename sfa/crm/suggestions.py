"""What the server suggests and a person decides: accepted or declined (S30).

Accepting the merge of a duplicate is the merge itself, under the rights of whoever accepts. A suggestion that came true
another way is simply accepted.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.errors import Refused
from sfa.crm import duplicates, edits
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin


def _open(cell: Cell) -> None:
    if cell.row["status"] != "open":
        status = cell.row["status"]
        raise Refused("conflict_closed", f"this suggestion was {status}", key=cell.key, settled=status)


def accept(door: Door, who: Who, cell: Cell, _arguments: Mapping[str, Any], origin: Origin) -> None:
    """Do what is suggested."""
    _open(cell)
    entity = cell.row["entity"]
    loser = edits.visible_survivor(door, who, entity, cell.row["row_key"])
    survivor = edits.visible_survivor(door, who, entity, cell.row["other_key"])
    # What is said about the loser moves with the merge; said here, it is one change of this row and not two.
    door.put(cell, {"status": "accepted", "row_key": survivor.key}, origin, "suggestion.accept")
    if loser.key != survivor.key:
        duplicates.merge(door, who, loser, {"into": survivor.key}, origin)


def decline(door: Door, who: Who, cell: Cell, _arguments: Mapping[str, Any], origin: Origin) -> None:
    """They are two, says who might have merged them; the pair is not suggested again."""
    _open(cell)
    target = edits.visible_survivor(door, who, cell.row["entity"], cell.row["row_key"])
    edits.check_rights(who, target.entity, (), creating=False)
    door.put(cell, {"status": "declined"}, origin, "suggestion.decline")
