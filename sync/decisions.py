"""What was handed over, accepted or declined (S37).

Accepting applies the kept mutations by the same steps as a push: rights, merge on the revision that their author had,
state, conflicts. They stay the author's work, from his device and of his time, reviewed by whoever accepts. Whoever
accepts lends what he sees and may do, the author what is his own: a visit that he made is still his. All of them land
or none does, and once: the suggestion is locked, and not open any more; what a command of theirs had stored at once is
undone with the rest, so accepting is no part of a unit with others. `COMMANDS` are those of `sfa.crm` with these
two in the place of those that know duplicates only.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import func, select

from sfa.core.access import AUTHORED, BELOW_DEALS
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.shapes import PARENTS
from sfa.crm import commands, edits, suggestions
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.tables import history
from sfa.db.writes import Door, Origin
from sfa.profit.deal.quotes import COMMANDS as QUOTE_COMMANDS
from sfa.quotas import closing
from sfa.quotas.commands import COMMANDS as QUOTA_COMMANDS
from sfa.visits import amending
from sync.handover import has_decider, lies_in
from sync.numbers import Numbered
from sync.protocol import Mutation
from sync.take import Taker
from sync.versions import VERSIONS

REASON_MAX = 2_000


def _accept(
    work: Mapping[str, Command], door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin
) -> None:
    """Do what is suggested; handed-over mutations may be any of these commands."""
    if cell.row["kind"] != "handover":
        suggestions.accept(door, who, cell, arguments, origin)
        return
    _check_open(cell)
    if arguments:
        raise Refused("command_invalid", "accepting takes no arguments")
    _check_order(door, cell)
    for mutation, at in _kept(cell):
        own = _together(door, who, cell, mutation)
        until = _went_on(door, cell, mutation)
        taker = Taker(door, own, cell.row["device_key"], work, until=until)
        receipt = taker.take(Numbered(mutation.n, "", b"", mutation, None), _authored(cell, who, mutation, at, origin))
        if receipt.outcome == "refused":
            raise Refused(receipt.code or "", receipt.text or "", **(receipt.details or {}))
    _decide(door, who, cell, {"status": "accepted"}, origin, "suggestion.accept")


def decline(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """It shall not be, says who might have accepted it. `{"reason"}` is for its author, and may be left out."""
    if cell.row["kind"] != "handover":
        suggestions.decline(door, who, cell, arguments, origin)
        return
    _check_open(cell)
    reason = arguments.get("reason")
    if set(arguments) - {"reason"} or not isinstance(reason, str | None) or len(reason or "") > REASON_MAX:
        raise Refused("command_invalid", f'declining takes {{"reason": text}}, at most {REASON_MAX} characters')
    for mutation, _ in _kept(cell):
        edits.check_rights(who, mutation.entity, (), creating=False)
        place, field = PARENTS[mutation.entity] if mutation.entity in BELOW_DEALS else ("", "")
        above = mutation.set.get(field)
        work = door.cell(place, above) if is_key(above) else door.cell(mutation.entity, mutation.key)
        if work.rev:
            edits.check_owned(door, _together(door, who, cell, mutation), work)
    _decide(door, who, cell, {"status": "declined", "reason": reason}, origin, "suggestion.decline")


def _check_open(cell: Cell) -> None:
    if cell.row["status"] != "open":
        raise Refused("conflict_closed", f"this suggestion was {cell.row['status']}", key=cell.key)


def _check_order(door: Door, cell: Cell) -> None:
    after = cell.row["after_key"]
    if after is not None and door.cell("suggestions", after, "share").row.get("status") == "open":
        raise Refused("decide_first", key=after)


def _kept(cell: Cell) -> Iterator[tuple[Mutation, int]]:
    for kept in cell.row["mutations"]:
        yield VERSIONS.upward(msgspec.convert(kept["mutation"], Mutation)), kept["at"]


def _went_on(door: Door, cell: Cell, mutation: Mutation) -> int | None:
    """From which revision on its device, which may have got the row back, had changed it later than by this: those
    words are not older than these, and meet them as anybody's do (S24)."""
    of_row = (history.c.entity == mutation.entity, history.c.key == mutation.key)
    later = (history.c.device_key == cell.row["device_key"], history.c.n > mutation.n)
    return door.connection.execute(select(func.min(history.c.rev)).where(*of_row, *later)).scalar()


def _authored(cell: Cell, who: Who, mutation: Mutation, at: int, origin: Origin) -> Origin:
    """As the push would have said it."""
    row = cell.row
    return Origin(
        row["author_key"],
        at,
        origin.stored_at,
        row["device_key"],
        mutation.n,
        mutation.at,
        reviewed_by=who.user_key,
    )


def _together(door: Door, who: Who, cell: Cell, mutation: Mutation) -> Who:
    """The author, with the rights of whoever decides and with what was his own to do (S37 checked that then). Only for
    what whoever decides might have done himself: commands that ask who somebody is (R49) are not handed over."""
    author, anchor = cell.row["author_key"], (cell.row["entity"], cell.row["row_key"])
    if who.held is None:
        return Who(author, who.role, None)
    owner = mutation.set.get(AUTHORED.get(mutation.entity, "")) if mutation.kind == "create" else None
    held = {*who.held, f"user:{author}", f"book:{author}", f"book:{owner or author}"}
    if cell.row["also_in"] in who.held and not has_decider(door, lies_in(door, anchor), author):
        held |= lies_in(door, anchor)  # nobody works with it: his managers decide in his stead
    target = door.cell(mutation.entity, mutation.key)
    if target.gone and (key := door.survivor(target.entity, target.key)) != target.key:
        survivor = door.cell(target.entity, key)
        if not held.isdisjoint(door.buckets(survivor)):
            held |= set(door.buckets(target))  # merged since: by the old key to the row that it leads to (S22)
    return Who(author, who.role, frozenset(held))


def _decide(door: Door, who: Who, cell: Cell, said: dict[str, Any], origin: Origin, kind: str) -> None:
    """Both rows: the one that was decided on, and the one that tells its author."""
    said = {**said, "decided_by": who.user_key}
    door.put(cell, said, origin, kind)
    door.put(door.cell("handovers", cell.key), said, origin, kind)


WORK: dict[str, Command] = {
    **commands.COMMANDS,
    **amending.COMMANDS,
    **QUOTA_COMMANDS,
    **closing.COMMANDS,
    **QUOTE_COMMANDS,
}


def joined(more: Mapping[str, Command]) -> dict[str, Command]:
    """All of these and `more`, of a wing that this one does not know. What was handed over may be any that can be."""
    work = {**WORK, **more}
    handed = {name: command for name, command in work.items() if command.handed}
    decided = {
        "suggestion.accept": Command("suggestions", partial(_accept, handed), alone=True),
        "suggestion.decline": Command("suggestions", decline),
    }
    return {**work, **decided}


COMMANDS: dict[str, Command] = joined({})
