"""One write by REST: a row created, changed, deleted or moved by a command, in one transaction (R53).

Who asks, and whether he may, is looked at inside it (`sfa.crm.online`); the rules are those of the push. `rev` is the
revision that was looked at, None compares nothing. Of a key that was merged, reads, changes and transitions go to the
survivor (S22). Twice is once: what stands already is answered without writing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.core.ids import check_key, is_key
from sfa.core.rules import TRANSITIONS, check_arguments, check_values
from sfa.crm import edits
from sfa.crm.about import lock_first
from sfa.crm.commands import Command
from sfa.crm.online import Screen, begin, check_rev, seen, shown
from sfa.crm.rest.repeats import Answer, Repeat, answered, keep
from sfa.crm.steps import step
from sfa.db.cells import Cell

Work = Callable[[Screen], Answer]


class Asked(Struct, frozen=True):
    """One request for a write: of whom, of which row, with what. `arguments` are fields, or those of a command."""

    user_key: str
    entity: str
    key: str
    arguments: Mapping[str, Any] = {}
    rev: int | None = None
    repeat: Repeat | None = None


def _once(connection: Connection, now_ms: int, asked: Asked, work: Work) -> Answer:
    screen = begin(connection, now_ms, asked.user_key)
    again = answered(connection, now_ms, asked.user_key, asked.repeat)
    if again is not None:
        return again
    answer = work(screen)
    screen.door.flush()
    return keep(connection, asked.user_key, asked.repeat, answer)


def _told(cell: Cell, status: int = 200) -> Answer:
    location = f"/api/{cell.entity}/{cell.key}" if status == 201 else None
    return Answer(status, msgspec.json.encode(shown(cell)), cell.rev, location)


def create(connection: Connection, now_ms: int, asked: Asked) -> Answer:
    """201 with the row; 200 where this person made it before and it still says the same. Else `key_taken`."""

    def work(screen: Screen) -> Answer:
        check_key(asked.key)
        edits.check_rights(screen.who, asked.entity, (), creating=True)
        cell = screen.door.cell(asked.entity, asked.key)
        if cell.rev == 0:
            return _told(
                edits.create(screen.door, screen.who, asked.entity, asked.key, asked.arguments, screen.origin), 201
            )
        mine = cell.exists and cell.row["created_by"] == asked.user_key
        if mine and edits.is_visible(screen.door, screen.who, cell) and _stands(cell, asked.arguments):
            return _told(cell)
        raise Refused("key_taken", key=asked.key)

    return _once(connection, now_ms, asked, work)


def _stands(cell: Cell, values: Mapping[str, Any]) -> bool:
    return all(field in cell.row and cell.row[field] == value for field, value in values.items())


def change(connection: Connection, now_ms: int, asked: Asked) -> Answer:
    """The fields that differ are written, with the rights to change them; the rest of what is said stands already."""

    def work(screen: Screen) -> Answer:
        cell = _living(screen, asked)
        check_rev(cell, asked.rev)
        check_values(asked.entity, asked.arguments)
        wanted = {field: value for field, value in asked.arguments.items() if cell.row[field] != value}
        edits.check_rights(screen.who, asked.entity, wanted, creating=False)
        if wanted:
            edits.update(screen.door, screen.who, cell, wanted, screen.origin)
        return _told(cell)

    return _once(connection, now_ms, asked, work)


def remove(connection: Connection, now_ms: int, asked: Asked) -> Answer:
    """Mark it deleted; what is deleted already is answered alike."""

    def work(screen: Screen) -> Answer:
        cell = seen(screen, asked.entity, asked.key)
        if cell.gone:
            _check_not_merged(screen, cell)
            return Answer(204)
        check_rev(cell, asked.rev)
        edits.delete(screen.door, screen.who, cell, screen.origin)
        return Answer(204)

    return _once(connection, now_ms, asked, work)


def command(connection: Connection, now_ms: int, asked: Asked, name: str, commands: Mapping[str, Command]) -> Answer:
    """A transition or a command of the row, with its arguments."""

    check_arguments(name, asked.arguments)

    def work(screen: Screen) -> Answer:
        if name in TRANSITIONS:
            cell = _living(screen, asked)
            check_rev(cell, asked.rev)
            step(screen.door, screen.who, cell, name, asked.arguments, screen.origin)
            return _told(cell)
        if is_key(asked.key):
            lock_first(screen.door, asked.entity, asked.key)
        cell = seen(screen, asked.entity, asked.key)
        check_rev(cell, asked.rev)
        _check_not_merged(screen, cell)
        commands[name].act(screen.door, screen.who, cell, asked.arguments, screen.origin)
        return _told(cell)

    return _once(connection, now_ms, asked, work)


def _living(screen: Screen, asked: Asked) -> Cell:
    """The row, or the one that it was merged into; `not_found` where it is deleted or out of sight."""
    cell = seen(screen, asked.entity, asked.key)
    if cell.gone:
        cell = seen(screen, asked.entity, screen.door.survivor(asked.entity, asked.key))
    if cell.gone:
        raise Refused("not_found")
    return cell


def _check_not_merged(screen: Screen, cell: Cell) -> None:
    if cell.gone and screen.door.survivor(cell.entity, cell.key) != cell.key:
        raise Refused("already_merged", key=cell.key)
