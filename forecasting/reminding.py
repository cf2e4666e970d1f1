"""Who owes a call is reminded before its lock, by a task (R29).

Once for each lock, from the policy's minutes before it on: everybody in a team with open money or a quota in the
running period, for himself, and everybody who manages a team, for that. Of a period each has one task, which comes
back with the next lock instead of lying beside it, to whoever owes the call: nobody keeps it to whom it was handed, or
who made a task of its key. A call finishes it (`sfa.crm.calling`). Who has called, or may not, is not reminded; what he
does to the task until the next lock is his own affair.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, String, cast, delete, insert, select

from sfa.core.access import holds_on, may_write
from sfa.core.forecast_cycles import COUNTS, Cycle, Lock, next_lock
from sfa.crm import edits
from sfa.crm.calling import ENTITY, MANAGER, lock_calls, read_cycle, reminder_key
from sfa.db.tables import ROWS, forecast_locks, server_state
from sfa.db.writes import Door, Origin

MINUTE_MS = 60_000
REMINDED = "forecast_reminded"  # in `server_state`: the last lock that people were reminded of
TITLE_MAX = 200


class Owed(Struct, frozen=True, order=True):
    """A call that somebody owes: of himself or of a team."""

    owner: str
    kind: str
    node: str


def run(connection: Connection, now_ms: int) -> int:
    """One run, in one transaction; -> how many people were reminded."""
    lock_calls(connection)
    cycle = read_cycle(connection)
    lock = next_lock(cycle, now_ms, _been(connection, cycle))
    if now_ms < lock.due_at - cycle.remind_minutes * MINUTE_MS or _reminded(connection) == lock.due_on:
        return 0
    door = Door(connection, now_ms)
    count = sum(_remind(door, period, lock, now_ms) for period in _running(connection, cycle, lock))
    door.flush()
    connection.execute(delete(server_state).where(server_state.c.name == REMINDED))
    connection.execute(insert(server_state), {"name": REMINDED, "value": lock.due_on.encode()})
    return count


def _reminded(connection: Connection) -> str | None:
    found = connection.execute(select(server_state.c.value).where(server_state.c.name == REMINDED)).scalar()
    return found.decode() if found is not None else None


def _been(connection: Connection, cycle: Cycle) -> dict[str, int]:
    """day -> instant of the locks that have been, of periods of the kind that is called for."""
    of, p = forecast_locks.c, ROWS["fiscal_periods"].c
    query = select(of.due_on, of.due_at).join(ROWS["fiscal_periods"], p.key == of.period_key)
    return {row.due_on: row.due_at for row in connection.execute(query.where(p.kind == cycle.period_kind))}


def _running(connection: Connection, cycle: Cycle, lock: Lock) -> list[dict[str, Any]]:
    p = ROWS["fiscal_periods"].c
    query = select(p.key, p.name, p.start_on, p.end_on).where(
        ~p.gone, p.kind == cycle.period_kind, p.start_on <= lock.due_on, p.end_on > lock.due_on
    )
    return [dict(row) for row in connection.execute(query.order_by(p.key)).mappings()]


def _remind(door: Door, period: dict[str, Any], lock: Lock, now_ms: int) -> int:
    called = _called(door.connection, period["key"], lock.due_on)
    owed = sorted(one for one in _owing(door.connection, period, lock.due_on) if (one.kind, one.node) not in called)
    keys = {one: reminder_key(period["key"], one.kind, one.node, one.owner) for one in owed}
    door.load("tasks", keys.values())
    names = _names(door.connection)
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    for one, key in keys.items():
        of = "" if one.kind == "user" else f" of {names.get(one.node, one.node)}"
        title = f"Call your forecast{of} for {period['name']}"[:TITLE_MAX]
        values = {"title": title, "due_on": lock.due_on, "owner_key": one.owner}
        cell = door.cell("tasks", key)
        if cell.rev == 0:
            edits.create(door, edits.TRUSTED, "tasks", key, values, origin)
        else:
            edits.update(door, edits.TRUSTED, cell, {**values, "done": False}, origin, kind="remind")
    return len(owed)


def _called(connection: Connection, period_key: str, due_on: str) -> set[tuple[str, str]]:
    c = ROWS[ENTITY].c
    query = select(c.user_key, c.team_key).where(
        ~c.gone, c.period_key == period_key, c.due_on == due_on, c.status.in_(COUNTS)
    )
    return {("user", user) if user is not None else ("team", team) for user, team in connection.execute(query)}


def _owing(connection: Connection, period: dict[str, Any], day: str) -> Iterator[Owed]:
    u, m = ROWS["users"].c, ROWS["team_members"].c
    people = connection.execute(select(u.key, u.role).where(~u.gone, u.active))
    callers = {key for key, role in people if may_write(role, ENTITY)}
    teams = set(connection.execute(select(ROWS["teams"].c.key).where(~ROWS["teams"].c.gone)).scalars())
    stays = connection.execute(select(m.user_key, m.team_key, m.role, m.valid_from, m.valid_to).where(~m.gone)).all()
    here = {(user, team, role) for user, team, role, start, end in stays if holds_on(start, end, day)}
    with_money = _with_money(connection, period)
    for user, team, role in here:
        if user in callers and team in teams:
            if role == MANAGER:
                yield Owed(user, "team", team)
            elif user in with_money:
                yield Owed(user, "user", user)


def _with_money(connection: Connection, period: dict[str, Any]) -> set[str]:
    """Who has part of an open deal that is expected until the period ends, or a quota in it."""
    d, s, q, p = ROWS["deals"].c, ROWS["stages"].c, ROWS["quotas"].c, ROWS["fiscal_periods"].c
    won_or_lost = select(s.key).where(s.kind != "open")
    here = (~d.gone, d.stage_key.not_in(won_or_lost), d.close_on < period["end_on"])
    found = set(connection.execute(select(d.owner_key).where(*here).distinct()).scalars())
    shared = select(d.splits).where(*here, cast(d.splits, String) != "[]")
    found |= {share["user_key"] for splits in connection.execute(shared).scalars() for share in splits or ()}
    running = (p.start_on < period["end_on"], p.end_on > period["start_on"], ~p.gone)
    quotas = select(q.user_key).join(ROWS["fiscal_periods"], p.key == q.period_key)
    return found | set(
        connection.execute(quotas.where(~q.gone, q.user_key.is_not(None), *running).distinct()).scalars()
    )


def _names(connection: Connection) -> dict[str, str]:
    t = ROWS["teams"].c
    return {row.key: row.name for row in connection.execute(select(t.key, t.name).where(~t.gone))}
