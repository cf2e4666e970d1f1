"""Writes and reads from a screen: one transaction through the same door, with the rights that stand in it (S8, R53).

The pattern of every online writer. A route hands a plain function to `Online.write`; it begins with `begin`, which
looks at the caller as he stands now and locks his scope as a push does, changes rows by the functions that the sync
calls (`sfa.crm.edits`, a command of `sfa.crm.commands`), and flushes the door. A refusal rolls everything back; live
news leave after the commit by themselves (S9).

What is asked twice happens once: an order names the state that it wants, a new row the key that its client made. So no
`Idempotency-Key` is needed. `rev` is the revision that the caller looked at (`If-Match`): of two people who decide at
once, one is told `rev_stale`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.rules import check_arguments
from sfa.crm.about import lock_first
from sfa.crm.commands import Command
from sfa.crm.edits import Who, is_visible
from sfa.db import feed, scope
from sfa.db.cells import Cell
from sfa.db.database import Database
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin

DUE_TRIES_MAX = 3
P = ParamSpec("P")
T = TypeVar("T")
_USERS = ROWS["users"]


class Online:
    """What a process keeps for its screens. Work is a function of a connection, the time and its own arguments."""

    def __init__(self, database: Database, clock: Clock, commands: Mapping[str, Command]) -> None:
        self.database, self.clock, self.commands = database, clock, commands

    async def write(self, work: Callable[Concatenate[Connection, int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction; assignments whose day has come are made effective first, as before a push (S11)."""
        now_ms = self.clock.now_ms()
        for _ in range(DUE_TRIES_MAX):
            try:
                return await self.database.write_async(work, now_ms, *args, **kwargs)
            except scope.Due:
                await self.database.write_async(scope.make_due, now_ms)
        raise Refused("server_busy", "assignments are being made effective: try again")

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One snapshot."""
        return await self.database.read_long_async(work, *args, **kwargs)

    async def reckon(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same of what takes long between its statements: nobody else waits for it."""
        return await self.database.read_apart_async(work, *args, **kwargs)


class Screen(Struct, frozen=True):
    """One online transaction: who writes, through which door, as whose words. History names no registration, so that
    whatever a phone has queued meets an online edit as somebody else's (S24)."""

    door: Door
    who: Who
    origin: Origin


class RowView(Struct, frozen=True):
    """A row as the sync sends it."""

    key: str
    rev: int
    row: dict[str, Any]


class Order(Struct, frozen=True):
    """A command on a row, asked for at a screen. `rev` is what the caller looked at; None asks for no comparison."""

    user_key: str
    command: str
    key: str
    arguments: dict[str, Any] = {}
    rev: int | None = None


# What a row's `status` says after a command that settles it.
SETTLES = {"restore": "restored", "dismiss": "dismissed", "accept": "accepted", "decline": "declined"}


def person(connection: Connection, user_key: str, *, writing: bool = False) -> Who:
    """The caller as he stands in this transaction, not as he was when he logged in."""
    held = scope.held_now(connection, user_key, locked=writing)
    query = select(_USERS.c.role, _USERS.c.active, _USERS.c.gone).where(_USERS.c.key == user_key)
    role, active, gone = connection.execute(query).one()
    if gone or not active:
        raise Refused("unauthenticated")
    return Who(user_key, role, held)


def begin(connection: Connection, now_ms: int, user_key: str) -> Screen:
    """Raises `scope.Due` as a push does."""
    due_at = feed.face(connection).due_at
    if due_at is not None and due_at <= now_ms:
        raise scope.Due
    who = person(connection, user_key, writing=True)
    return Screen(Door(connection, now_ms), who, Origin(author_key=user_key, at=now_ms, stored_at=now_ms))


def seen(screen: Screen, entity: str, key: str) -> Cell:
    """The row, locked; `not_found` alike where there is none and where the caller may not see it."""
    cell = screen.door.cell(entity, key) if is_key(key) else None
    if cell is None or not is_visible(screen.door, screen.who, cell):
        raise Refused("not_found")
    return cell


def check_rev(cell: Cell, rev: int | None) -> None:
    if rev is not None and cell.rev != rev:
        raise Refused("rev_stale", f"the row is at revision {cell.rev} now", rev=cell.rev)


def shown(cell: Cell) -> RowView:
    return RowView(cell.key, cell.rev, cell.row)


def order(connection: Connection, now_ms: int, asked: Order, commands: Mapping[str, Command]) -> RowView:
    """Run a command; -> the row after it. The same order again, whose answer was lost, is answered again."""
    command = commands[asked.command]
    check_arguments(asked.command, asked.arguments)
    screen = begin(connection, now_ms, asked.user_key)
    if is_key(asked.key):
        lock_first(screen.door, command.entity, asked.key)
    cell = seen(screen, command.entity, asked.key)
    if _is_done(cell, asked):
        return shown(cell)
    check_rev(cell, asked.rev)
    command.act(screen.door, screen.who, cell, asked.arguments, screen.origin)
    screen.door.flush()
    return shown(cell)


def _is_done(cell: Cell, asked: Order) -> bool:
    """Whether the row says already what the order wants: said by the caller, or by anybody if no `rev` is compared."""
    wanted = SETTLES.get(asked.command.partition(".")[2])
    if wanted is None or cell.row.get("status") != wanted:
        return False
    stamp = cell.stamps.get("status")
    return asked.rev in (None, cell.rev) or (stamp is not None and stamp[4] == asked.user_key)
