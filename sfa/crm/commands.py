"""The commands of the field work that are more than a transition: merging duplicates, settling conflicts.

`COMMANDS` is joined by `sync.decisions` with what is decided about hand-overs, and from there handed to the sync and to
REST, so that online and offline run the same function. Transitions (`deal.win`, `visit.check_in`, …) live in
`sfa.core.rules`, because a device shows their effect before it syncs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from sfa.crm import conflicts, duplicates, suggestions, unmerging
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin

Act = Callable[[Door, Who, Cell, Mapping[str, Any], Origin], None]


class Command(Struct, frozen=True):
    """`act` changes rows through the door, or raises `Refused` and the caller undoes. `alone`: it stores what it does
    at once, so it cannot be part of several, of which all land or none: of a unit or of a hand-over; what it stored is
    undone where it is refused then. `flushes`: it has all rows stored first, so that they count, and stores nothing
    before it may still be refused. Not `handed`: it is done by the rights of who asked for it or not at all (S37)."""

    entity: str
    act: Act
    alone: bool = False
    flushes: bool = False
    handed: bool = True


COMMANDS: dict[str, Command] = {
    "account.merge": Command("accounts", duplicates.merge),
    "contact.merge": Command("contacts", duplicates.merge),
    "account.unmerge": Command("accounts", unmerging.unmerge),
    "contact.unmerge": Command("contacts", unmerging.unmerge),
    "conflict.restore": Command("conflicts", conflicts.restore),
    "conflict.dismiss": Command("conflicts", conflicts.dismiss),
    "refusal.dismiss": Command("refusals", conflicts.dismiss_refusal),
    "suggestion.accept": Command("suggestions", suggestions.accept),
    "suggestion.decline": Command("suggestions", suggestions.decline),
}
