"""A merge that is undone takes back what it moved (S22), looked at from inside the transaction in which it happens.

Before the command runs, the children that the merge moved and that lie at the survivor are counted; after it each of
them must lie at the loser, keys that were merged into the loser must lead to it, and the survivor must not say any more
what it only took.
"""

from collections.abc import Mapping
from typing import Any

from sfa.crm import unmerging
from sfa.crm.commands import Command
from sfa.crm.duplicates import child_field
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin
from tests.simulation.failure import Failed


def watched(commands: Mapping[str, Command]) -> dict[str, Command]:
    """The commands, with those that undo merges looked at."""
    mine = {name: Command(c.entity, unmerge) for name, c in commands.items() if name.endswith(".unmerge")}
    return {**commands, **mine}


def unmerge(door: Door, who: Who, survivor: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    loser = str(arguments["loser"])
    led = door.redirects.leading_to(survivor.entity, survivor.key)
    row = led.get(loser)
    was = dict(door.cell(survivor.entity, loser).row)
    children = row["children"] if row is not None else ()
    fields = {(e, k): child_field(survivor.entity, e) for e, k in children if e != "suggestions"}
    there = [place for place, field in fields.items() if door.cell(*place).row[field] == survivor.key]
    unmerging.unmerge(door, who, survivor, arguments, origin)
    if row is None:
        return
    back = door.cell(survivor.entity, loser)
    if not back.exists or door.survivor(survivor.entity, loser) != loser:
        raise Failed("parted", f"{loser} was taken out of {survivor.key} and is not there")
    for place in there:
        if door.cell(*place).row[fields[place]] != loser:
            raise Failed("parted", f"{place} stays at {survivor.key}, although {loser} took it along")
    through = {key for key, other in led.items() if other["into_key"] == loser}
    if astray := {key for key in through if door.survivor(survivor.entity, key) != loser}:
        raise Failed("parted", f"{astray} was merged into {loser} and leads to {survivor.key}")
    kept = {f: v for f, v in was.items() if back.row[f] != v}
    if kept and not (arguments.get("all") or arguments.get("fields")):
        raise Failed("parted", f"{loser} came back without its own {kept}")
    for field, (old, new) in (row["filled"] or {}).items() if row["into_key"] == survivor.key else ():
        if not isinstance(new, list) and survivor.row[field] == new != old:
            raise Failed("parted", f"{survivor.key} keeps {field} {new!r}, which it took from {loser}")
