"""Plans become rows: a job makes the visits of a rolling horizon, and takes back what a changed plan no longer wants.

Which plans: those that the feed tells of since the last run, and those whose horizon has become short; a bounded batch
of each, and how far it came is kept in the transaction of its work. A visit that nobody touched follows its plan: it
moves with it, is withdrawn with it, and comes back with it. What a person has moved, checked in, deleted, noted on or
reported of stays as it is. Devices make the same rows offline by the same function (`sfa.visits.recurrence`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

from sfa.core.days import local_day, plus_days
from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.db import feed
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, plan_horizons, server_state
from sfa.db.writes import Door, Origin
from sfa.visits.recurrence import HORIZON_DAYS, visits_of

PLANS_MAX = 50  # in one run and transaction: a daily plan has HORIZON_DAYS visits
WINDOW = 20_000  # numbers of the feed that are gone through at once
WINDOWS_MAX = 20  # of them without a plan, in one run
POSITION = "plans_seq"
TOUCHES = (
    "notes",
    "signals",
    "travel_legs",
    "attachments",
    "expenses",
)  # whatever names a visit says that somebody worked with it
_CHANGED = text(
    "SELECT f.key, max(f.seq) FROM bucket_heads h CROSS JOIN feed f WHERE h.seq > :seq AND f.bucket = h.bucket "
    "AND f.seq > :seq AND f.seq <= :until AND f.entity = 'visit_plans' GROUP BY f.key ORDER BY 2, 1 LIMIT :limit"
)


def expand(connection: Connection, now_ms: int) -> tuple[int, int]:
    """One run; -> (plans looked at, visits made, moved, withdrawn or brought back)."""
    changed, reached = _changed(connection)
    wanted_until = plus_days(local_day(now_ms, "UTC"), HORIZON_DAYS)
    short = select(plan_horizons.c.plan_key).where(plan_horizons.c.done_until < wanted_until)
    due = connection.execute(short.order_by(plan_horizons.c.done_until).limit(PLANS_MAX)).scalars()
    keys = sorted(changed | set(due))
    made = _expand_plans(connection, keys, now_ms)
    _note(connection, keys, wanted_until, reached)
    return len(keys), made


def _changed(connection: Connection) -> tuple[set[str], int]:
    """-> the plans of the next batch, and the number up to which the feed was gone through. Numbers are used once, so a
    window of them holds a bounded number of entries."""
    head = feed.face(connection).seq  # before the feed is read: what commits now is next time's
    until = _position(connection)
    for _ in range(WINDOWS_MAX):
        seq, until = until, min(head, until + WINDOW)
        found = connection.execute(_CHANGED, {"seq": seq, "until": until, "limit": PLANS_MAX}).all()
        if found or until == head:
            reached = int(found[-1][1]) if len(found) == PLANS_MAX else until
            return {str(row[0]) for row in found}, reached
    return set(), until


def _expand_plans(connection: Connection, keys: list[str], now_ms: int) -> int:
    door = Door(connection, now_ms)
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    plans = _load_plans(door, keys)
    wanted = {plan.key: _wanted(door, plan, now_ms) for plan in plans}
    stored = _stored_ahead(connection, keys, plus_days(local_day(now_ms, "UTC"), -1))
    visits = {key for found in wanted.values() for key in found} | stored
    door.load("visits", visits)
    touched = _named_by_others(connection, visits)
    count = 0
    for plan in plans:
        mark = door.mark()
        try:
            count += _follow(door, plan, wanted[plan.key], touched, now_ms, origin)
        except Refused:  # one plan that no longer goes with the rest keeps nobody else's from being made
            door.undo_to(mark)
    door.flush()
    return count


def _load_plans(door: Door, keys: Iterable[str]) -> list[Cell]:
    """Ancestors before rows, as everybody locks them (S8)."""
    door.load("accounts", door.peek("visit_plans", "account_key", keys), "share")
    door.load("visit_plans", keys, "share")
    found = [door.cell("visit_plans", key, "share") for key in keys]
    door.load("users", {plan.row["owner_key"] for plan in found if plan.rev}, "share")
    return [plan for plan in found if plan.rev]


def _wanted(door: Door, plan: Cell, now_ms: int) -> dict[str, dict[str, Any]]:
    """key -> values of the visits that a plan wants from its local today on; none while nobody can do them."""
    owner = door.cell("users", plan.row["owner_key"], "share")
    account = door.cell("accounts", plan.row["account_key"], "share")
    if plan.gone or account.gone or not owner.exists or not owner.row["active"]:
        return {}
    row = plan.row if _has_contact(door, plan.row["contact_key"]) else {**plan.row, "contact_key": None}
    try:
        today = local_day(now_ms, plan.row["zone"])
        return visits_of(plan.key, row, today, plus_days(today, HORIZON_DAYS))
    except (Refused, OverflowError, ValueError):  # one plan that cannot be expanded stops no other
        return {}


def _has_contact(door: Door, key: str | None) -> bool:
    """A plan outlives the person who was to be met."""
    return key is None or door.cell("contacts", door.survivor("contacts", key), "share").exists


def _stored_ahead(connection: Connection, plans: list[str], from_on: str) -> set[str]:
    table = ROWS["visits"].c
    ahead = (table.plan_key.in_(plans), table.planned_on >= from_on, ~table.gone)
    return set(connection.execute(select(table.key).where(*ahead)).scalars())


def _named_by_others(connection: Connection, visits: set[str]) -> set[str]:
    found: set[str] = set()
    for entity in TOUCHES:
        table = ROWS[entity].c
        named = select(table.visit_key).where(table.visit_key.in_(sorted(visits)), ~table.gone)
        found.update(connection.execute(named).scalars())
    return found


def is_untouched(cell: Cell, plan: Mapping[str, Any]) -> bool:
    """Whether no person has changed it since it was made: by the plan, or by a device for the plan."""
    row = cell.row
    if row["status"] != "planned" or row["submitted"]:
        return False
    moved_along = {"account_key"} if row["account_key"] == plan["account_key"] else set()  # with a merged customer
    by_people = {group for group, stamp in cell.stamps.items() if stamp[0] > 1 and stamp[4] is not None}
    return not by_people - moved_along


def _follow(
    door: Door, plan: Cell, wanted: Mapping[str, dict[str, Any]], touched: set[str], now_ms: int, origin: Origin
) -> int:
    today, count = local_day(now_ms, plan.row["zone"]), 0
    for key, values in wanted.items():
        cell = door.cell("visits", key)
        free = key not in touched and is_untouched(cell, plan.row) if cell.rev else True
        if cell.rev == 0:
            edits.create(door, edits.TRUSTED, "visits", key, values, origin)
        elif not free or (cell.gone and cell.stamps["gone"][4] is not None):
            continue  # a person moved it, works with it, or deleted it
        elif cell.gone or any(cell.row[field] != value for field, value in values.items()):
            changed = {field: value for field, value in values.items() if cell.row[field] != value}
            edits.update(door, edits.TRUSTED, cell, changed, origin, kind="plan")
        else:
            continue
        count += 1
    for cell in door.cells_of("visits"):
        mine = cell.exists and cell.row["plan_key"] == plan.key and cell.key not in wanted
        if mine and cell.row["planned_on"] >= today and cell.key not in touched and is_untouched(cell, plan.row):
            edits.delete(door, edits.TRUSTED, cell, origin)
            count += 1
    return count


def _position(connection: Connection) -> int:
    found = connection.execute(select(server_state.c.value).where(server_state.c.name == POSITION)).scalar()
    return int(found) if found else 0


def _note(connection: Connection, keys: list[str], done_until: str, seq: int) -> None:
    connection.execute(delete(plan_horizons).where(plan_horizons.c.plan_key.in_(keys)))
    table = ROWS["visit_plans"].c
    living = connection.execute(select(table.key).where(table.key.in_(keys), ~table.gone)).scalars().all()
    if living:
        connection.execute(insert(plan_horizons), [{"plan_key": key, "done_until": done_until} for key in living])
    connection.execute(delete(server_state).where(server_state.c.name == POSITION))
    connection.execute(insert(server_state), {"name": POSITION, "value": str(seq).encode()})
