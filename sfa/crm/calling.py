"""A call of a forecast as it is made, online and offline alike (R29): whose it is, for which lock, what it replaces.

The author says it himself, of himself or of a team that he managed on that day; the server says when it was made, for
which lock it is and whether it is late. Of a person or a team one call of a lock counts: the one that was made last,
whichever arrived first, so that two phones and two managers end alike everywhere. The others stay as `replaced`. Calls
and the lock of calls are looked at one transaction at a time.
Does not do: the locks that have come (`forecasting.locking`), reminders before them (`forecasting.reminding`).
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, func, select

from sfa.core.access import holds_on
from sfa.core.errors import Refused
from sfa.core.forecast_cycles import COUNTS, LOCKED, REPLACED, SUBMITTED, Cycle, cycle_of, due, next_lock
from sfa.core.periods import local_day
from sfa.db import scope
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, forecast_locks
from sfa.db.writes import Door, Origin

ENTITY = "forecast_calls"
CALLS_LOCK = 7_319_044_121  # an advisory lock of this database: one look at which call counts at a time
NODES = ("user_key", "team_key")
MANAGER = "manager"
_CALLS, _POLICIES, _CLOSINGS = ROWS[ENTITY], ROWS["forecast_policies"], ROWS["period_closings"]
_MEMBERS = ROWS["team_members"]


def lock_calls(connection: Connection) -> None:
    """Until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(CALLS_LOCK)))


def read_cycle(connection: Connection) -> Cycle:
    """The policy that counts now."""
    found = connection.execute(select(_POLICIES).where(~_POLICIES.c.gone).order_by(_POLICIES.c.key).limit(1)).mappings()
    return cycle_of({row["key"]: dict(row) for row in found}, scope.zone(connection))


def locks_been(connection: Connection, period_key: str) -> dict[str, int]:
    """day -> instant of the locks of a period that have been."""
    of = forecast_locks.c
    query = select(of.due_on, of.due_at).where(of.period_key == period_key)
    return {row.due_on: row.due_at for row in connection.execute(query)}


def managed_on(connection: Connection, user_key: str, day: str) -> list[str]:
    """The teams that somebody manages himself on a local day."""
    m = _MEMBERS.c
    query = select(m.team_key, m.valid_from, m.valid_to).where(~m.gone, m.user_key == user_key, m.role == MANAGER)
    return sorted({team for team, start, end in connection.execute(query) if holds_on(start, end, day)})


def completed(
    door: Door, user_key: str | None, entity: str, key: str, values: Mapping[str, Any], origin: Origin
) -> Mapping[str, Any]:
    """The values of a new call with what the server says of it; those of other entities as they are. `user_key` is who
    says so, None for a file that states what others said."""
    if entity != ENTITY:
        return values
    named = {field: values.get(field) for field in NODES}
    if (named["user_key"] is None) == (named["team_key"] is None):
        raise Refused("forecast_node_invalid")
    cycle = read_cycle(door.connection)
    if user_key is not None:
        _check_author(door.connection, user_key, values, named, local_day(origin.at, cycle.zone))
    lock_calls(door.connection)
    period = values["period_key"]
    been = locks_been(door.connection, period)
    found = due(
        cycle,
        door.cell("fiscal_periods", period, "share").row,
        values.get("due_on"),
        origin.at,
        origin.stored_at,
        been,
        closed=_is_closed(door, period),
    )
    said = {**values, **named, "due_on": found.lock.due_on, "called_at": origin.at, "status": found.status}
    if found.status == LOCKED and found.lock.due_on not in been:
        said["status"] = SUBMITTED  # the lock has come and was not noted yet: whoever notes it locks this one too
    if said["status"] in COUNTS and any(_is_later(other, origin.at, key) for other in _others(door, key, said)):
        said["status"] = REPLACED  # it was made before one that arrived before it
    return said


def _check_author(
    connection: Connection, user_key: str, values: Mapping[str, Any], named: Mapping[str, Any], day: str
) -> None:
    if values["author_key"] != user_key:
        raise Refused("not_permitted", "everybody makes his calls himself", field="author_key")
    if named["user_key"] not in (None, user_key):
        raise Refused("not_permitted", "a call is of yourself, or of a team that you manage", field="user_key")
    if named["team_key"] is not None and named["team_key"] not in managed_on(connection, user_key, day):
        raise Refused("not_permitted", "whoever manages a team himself calls for it", field="team_key")


def _is_closed(door: Door, period_key: str) -> bool:
    if any(cell.exists and cell.row["period_key"] == period_key for cell in door.cells_of("period_closings")):
        return True
    query = select(_CLOSINGS.c.key).where(_CLOSINGS.c.period_key == period_key, ~_CLOSINGS.c.gone).limit(1)
    return door.connection.execute(query).first() is not None


def _others(door: Door, key: str, said: Mapping[str, Any]) -> list[Cell]:
    """The other calls of the person or team for the same lock that may count, as of this transaction."""
    fields = ("period_key", "due_on", *NODES)
    query = select(_CALLS.c.key).where(~_CALLS.c.gone, _CALLS.c.status.in_(COUNTS))
    for field in fields:
        query = query.where(_CALLS.c[field] == said[field] if said[field] is not None else _CALLS.c[field].is_(None))
    door.load(ENTITY, door.connection.execute(query).scalars())
    here = door.alike(ENTITY, fields, tuple(said[field] for field in fields))
    return [cell for cell in here if cell.key != key and cell.exists and cell.row["status"] in COUNTS]


def _is_later(other: Cell, at: int, key: str) -> bool:
    return (other.row["called_at"] or 0, other.key) > (at, key)


def settle(door: Door, cell: Cell, origin: Origin) -> None:
    """After a new call: those that it takes the place of are replaced, and who was reminded of it is done."""
    if cell.entity != ENTITY:
        return
    origin = structs.replace(origin, device_key=None, n=None, device_at=None)  # what follows no phone has said
    if cell.row["status"] in COUNTS:
        for other in _others(door, cell.key, cell.row):
            door.put(other, {"status": REPLACED}, origin, "replace")
    if cell.row["status"] != REPLACED:
        _finish_reminder(door, cell, origin)


def latest(calls: Iterable[Cell]) -> Cell:
    """Of calls of one person or team for one lock, the one that counts."""
    return max(calls, key=lambda call: (call.row["called_at"] or 0, call.key))


# -- reminders --------------------------------------------------------------------------------------------------------


def reminder_key(period_key: str, kind: str, node: str, owner: str) -> str:
    """Of a person or team and a period there is one task for each who owes the call; it moves on from lock to lock."""
    return f"call-{sha256('/'.join((period_key, kind, node, owner)).encode()).hexdigest()[:40]}"


def _finish_reminder(door: Door, cell: Cell, origin: Origin) -> None:
    """The task of whoever owed it: of a team, of each of its managers. A call for a lock after the next one leaves that
    owed."""
    row, connection = cell.row, door.connection
    coming = next_lock(read_cycle(connection), origin.stored_at, locks_been(connection, row["period_key"]))
    if row["due_on"] > coming.due_on:
        return
    ahead = row["due_on"] >= scope.today(connection, origin.stored_at)
    if row["user_key"] is not None:
        keys = [reminder_key(row["period_key"], "user", row["user_key"], row["user_key"])]
    else:
        m, team = _MEMBERS.c, row["team_key"]
        query = select(m.user_key).where(~m.gone, m.team_key == team, m.role == MANAGER).distinct()
        owners = {*connection.execute(query).scalars(), row["author_key"]}
        keys = sorted(reminder_key(row["period_key"], "team", team, owner) for owner in owners)
    door.load("tasks", keys)
    for task in (door.cell("tasks", key) for key in keys):
        if task.exists and not task.row["done"] and (ahead or (task.row["due_on"] or "") <= row["due_on"]):
            door.put(task, {"done": True}, origin, "call")
