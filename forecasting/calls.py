"""Calls at a screen: who called what for which lock, what the caller may still name, and a call made (R29).

A caller sees the calls of his scope: his own, those of people and teams below him (S13). A call is the same create that
a phone sends (`sfa.crm.calling`), with what the roll-up said when it was made. Sent twice with its key it is one.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select, tuple_

from forecasting.reading import find_period
from sfa.core.access import may_write
from sfa.core.days import check_day, local_day
from sfa.core.errors import Refused
from sfa.core.forecast_cycles import COUNTS, Lock, next_lock
from sfa.core.ids import check_key, is_key
from sfa.crm import edits
from sfa.crm.calling import ENTITY, locks_been, managed_on, read_cycle
from sfa.crm.online import begin, person
from sfa.db.cells import Cell
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS

PAGE_DEFAULT, PAGE_MAX = 100, 500
STATUSES = ("submitted", "replaced", "locked", "late")
_CALLS = ROWS[ENTITY]
_Place = tuple[str, int, str]


class Call(Struct, frozen=True, kw_only=True):
    """A call as it stands; `node` is user:<key> or team:<key>. See `forecast_calls` for the rest."""

    key: str
    rev: int
    period_key: str
    node: str
    author_key: str
    due_on: str | None
    commit_minor: int
    likely_minor: int | None
    best_case_minor: int | None
    currency: str
    note: str | None
    based_on: dict[str, Any] | None
    called_at: int | None
    status: str


class Owed(Struct, frozen=True):
    """A node that the caller calls for; `call_key` is his or another manager's call that counts for the next lock, null
    while there is none."""

    node: str
    call_key: str | None


class Calls(Struct, frozen=True, kw_only=True):
    """A page of calls, the latest lock first. `lock` is the next one of the period, null after its last."""

    period_key: str
    lock: Lock | None
    yours: list[Owed]
    items: list[Call]
    next: str | None


class Wanted(Struct, frozen=True):
    """Which calls; None asks for all, of the period for the one that is running."""

    period_key: str | None = None
    node: str | None = None
    due_on: str | None = None
    status: str | None = None
    after: str | None = None
    limit: int = PAGE_DEFAULT


class CallSaid(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a call. `node` is the caller himself, `period_key` the one that is running, `due_on` the next lock
    and `currency` the company's unless it says so; `key` makes it one however often it is sent."""

    commit_minor: int
    likely_minor: int | None = None
    best_case_minor: int | None = None
    period_key: str | None = None
    node: str | None = None
    due_on: str | None = None
    currency: str | None = None
    note: str | None = None
    key: str | None = None


class Made(Struct, frozen=True):
    call: Call
    is_new: bool


# -- looking ----------------------------------------------------------------------------------------------------------


def listing(connection: Connection, now_ms: int, user_key: str, wanted: Wanted) -> Calls:
    """Refuses `request_invalid` and `period_unknown`."""
    who, cycle = person(connection, user_key), read_cycle(connection)
    if not 1 <= wanted.limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}")
    if wanted.status is not None and wanted.status not in STATUSES:
        raise Refused("request_invalid", f"`status` is one of {', '.join(STATUSES)}")
    day = local_day(now_ms, cycle.zone)
    period = find_period(connection, wanted.period_key, day, cycle.period_kind)
    coming = next_lock(cycle, now_ms, locks_been(connection, period.key))
    lock = coming if coming.due_on < period.end_on and period.kind == cycle.period_kind else None
    c, held = _CALLS.c, listed(connection, sorted(who.held or ()))
    on, made = func.coalesce(c.due_on, ""), func.coalesce(c.called_at, 0)
    query = select(_CALLS).where(~c.gone, lies_in(c.buckets, "held"), c.period_key == period.key)
    if wanted.node is not None:
        kind, key = node_of(wanted.node)
        query = query.where(c[f"{kind}_key"] == key)
    if wanted.due_on is not None:
        query = query.where(c.due_on == check_day(wanted.due_on))
    if wanted.status is not None:
        query = query.where(c.status == wanted.status)
    if wanted.after is not None:
        query = query.where(tuple_(on, made, c.key) < tuple_(*_place(wanted.after)))
    query = query.order_by(on.desc(), made.desc(), c.key.desc()).limit(wanted.limit + 1)
    rows = [dict(row) for row in connection.execute(query, {"held": held}).mappings()]
    page, more = rows[: wanted.limit], len(rows) > wanted.limit
    return Calls(
        period_key=period.key,
        lock=lock,
        yours=_yours(connection, user_key, who.role, period.key, lock, day),
        items=[_told(row["key"], row["rev"], row) for row in page],
        next=_next(page[-1]) if more else None,
    )


def node_of(text: str) -> tuple[str, str]:
    """-> ("user" | "team", key)."""
    kind, _, key = text.partition(":")
    if kind not in ("user", "team") or not is_key(key):
        raise Refused("request_invalid", "`node` is user:<key> or team:<key>")
    return kind, key


def _yours(
    connection: Connection, user_key: str, role: str, period_key: str, lock: Lock | None, day: str
) -> list[Owed]:
    if not may_write(role, ENTITY) or lock is None:
        return []
    c = _CALLS.c
    query = select(c.key, c.user_key, c.team_key).where(
        ~c.gone, c.period_key == period_key, c.due_on == lock.due_on, c.status.in_(COUNTS)
    )
    nodes = [f"user:{user_key}", *(f"team:{team}" for team in managed_on(connection, user_key, day))]
    keys = {_node(dict(row)): row["key"] for row in connection.execute(query).mappings()}
    return [Owed(node, keys.get(node)) for node in nodes]


def _node(row: Mapping[str, Any]) -> str:
    return f"user:{row['user_key']}" if row["user_key"] is not None else f"team:{row['team_key']}"


def _told(key: str, rev: int, row: Mapping[str, Any]) -> Call:
    said = {name: row[name] for name in Call.__struct_fields__ if name not in ("key", "rev", "node")}
    return Call(key=key, rev=rev, node=_node(row), **said)


def _next(row: Mapping[str, Any]) -> str:
    return msgspec.json.encode((row["due_on"] or "", row["called_at"] or 0, row["key"])).decode()


def _place(text: str) -> _Place:
    try:
        found: _Place = msgspec.json.decode(text, type=_Place)
    except msgspec.DecodeError:
        raise Refused("request_invalid", "`after` is the `next` of another page of the same list") from None
    return found


# -- calling ----------------------------------------------------------------------------------------------------------


class Place(Struct, frozen=True):
    """Whom and what a call is about, once what was not said is filled in."""

    period_key: str
    node: str
    currency: str


def about(connection: Connection, now_ms: int, user_key: str, said: CallSaid) -> Place:
    """What a call will be about: asked before it is made, so that the roll-up can be told with it."""
    o = ROWS["organisations"].c
    currency = connection.execute(select(o.currency).where(~o.gone).order_by(o.key).limit(1)).scalar()
    cycle = read_cycle(connection)
    period = find_period(connection, said.period_key, local_day(now_ms, cycle.zone), cycle.period_kind)
    node = said.node if said.node is not None else f"user:{user_key}"
    node_of(node)
    return Place(period.key, node, said.currency if said.currency is not None else str(currency or "USD"))


def make(
    connection: Connection,
    now_ms: int,
    user_key: str,
    key: str,
    said: CallSaid,
    place: Place,
    based_on: Mapping[str, Any] | None,
) -> Made:
    """A new call, or the same one of this person where it came before; else `key_taken`."""
    screen = begin(connection, now_ms, user_key)
    check_key(key)
    kind, node = node_of(place.node)
    values: dict[str, Any] = {"period_key": place.period_key, f"{kind}_key": node, "currency": place.currency}
    values |= {f: getattr(said, f) for f in ("commit_minor", "likely_minor", "best_case_minor", "note")}
    if said.due_on is not None:
        values["due_on"] = said.due_on
    edits.check_rights(screen.who, ENTITY, (), creating=True)
    cell = screen.door.cell(ENTITY, key)
    if cell.rev:
        if _is_same(cell, user_key, values) and edits.is_visible(screen.door, screen.who, cell):
            return Made(_told(cell.key, cell.rev, cell.row), False)
        raise Refused("key_taken", key=key)
    values["based_on"] = dict(based_on) if based_on is not None else None
    cell = edits.create(screen.door, screen.who, ENTITY, key, values, screen.origin)
    screen.door.flush()
    return Made(_told(cell.key, cell.rev, cell.row), True)


def _is_same(cell: Cell, user_key: str, values: Mapping[str, Any]) -> bool:
    mine = cell.exists and cell.row["created_by"] == user_key
    return mine and all(cell.row[field] == value for field, value in values.items())
