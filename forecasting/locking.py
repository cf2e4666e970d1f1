"""The lock of calls (R29): what stands for a lock that has come is locked, once, however many processes look.

Each lock of a running period is noted in `forecast_locks`, with its instant: a policy that changes later does not
change when earlier calls were due. Then, of each person and team, the call that was made last is `locked` and the
others are `replaced`. A run looks at what there is and not at what it did before, so one that comes late, or twice,
ends alike; a call that arrives after the run, made before the lock, says so itself (`sfa.crm.calling`).
"""

from collections.abc import Iterable
from itertools import groupby

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from sfa.core.errors import Refused
from sfa.core.forecast_cycles import COUNTS, LOCKED, REPLACED, SUBMITTED, Cycle, last_lock, lock_at
from sfa.crm.calling import ENTITY, NODES, latest, lock_calls, read_cycle
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, forecast_locks
from sfa.db.writes import Door, Origin

_CALLS, _PERIODS = ROWS[ENTITY], ROWS["fiscal_periods"]
_LOCKS = forecast_locks
Place = tuple[str, str]  # (period_key, due_on)


class Locked(Struct, frozen=True):
    """What a run did: locks that were noted, calls that were locked."""

    locks: int
    calls: int


def run(connection: Connection, now_ms: int) -> Locked:
    """One run, in one transaction."""
    lock_calls(connection)
    cycle = read_cycle(connection)
    waiting = _waiting(connection, cycle, now_ms)
    noted = _note(connection, {**_running(connection, cycle, now_ms), **waiting}, now_ms)
    return Locked(noted, _lock(connection, sorted(waiting), now_ms) if waiting else 0)


def _running(connection: Connection, cycle: Cycle, now_ms: int) -> dict[Place, int]:
    """The last lock that has been, of the periods that ran on its day."""
    lock = last_lock(cycle, now_ms)
    p = _PERIODS.c
    query = select(p.key).where(~p.gone, p.kind == cycle.period_kind, p.start_on <= lock.due_on, p.end_on > lock.due_on)
    return {(key, lock.due_on): lock.due_at for key in connection.execute(query).scalars()}


def _waiting(connection: Connection, cycle: Cycle, now_ms: int) -> dict[Place, int]:
    """The locks that have come and have calls that wait for them, those of an earlier policy too."""
    c, of = _CALLS.c, _LOCKS.c
    query = (
        select(c.period_key, c.due_on, of.due_at)
        .outerjoin(_LOCKS, (of.period_key == c.period_key) & (of.due_on == c.due_on))
        .where(~c.gone, c.status == SUBMITTED, c.due_on.is_not(None))
        .distinct()
    )
    found: dict[Place, int] = {}
    for period, on, noted in connection.execute(query):
        at = noted if noted is not None else _instant(cycle, on)
        if at is not None and at <= now_ms:
            found[period, on] = at
    return found


def _instant(cycle: Cycle, on: str) -> int | None:
    """When a lock of this day is, or None where nobody can say it."""
    try:
        return lock_at(cycle, on)
    except Refused:  # a day at the edge of the calendar, as a file may state it
        return None


def _note(connection: Connection, found: dict[Place, int], now_ms: int) -> int:
    periods = sorted({period for period, _ in found})
    of = _LOCKS.c
    known = {
        tuple(row) for row in connection.execute(select(of.period_key, of.due_on).where(of.period_key.in_(periods)))
    }
    rows = [
        {"period_key": period, "due_on": on, "due_at": at, "locked_at": now_ms}
        for (period, on), at in sorted(found.items())
        if (period, on) not in known
    ]
    if rows:
        connection.execute(insert(_LOCKS), rows)
    return len(rows)


def _lock(connection: Connection, places: Iterable[Place], now_ms: int) -> int:
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    locked = 0
    for period, on in places:
        c = _CALLS.c
        query = select(c.key).where(~c.gone, c.period_key == period, c.due_on == on, c.status.in_(COUNTS))
        keys = connection.execute(query.order_by(c.key)).scalars().all()
        door.load(ENTITY, keys)
        cells = sorted((door.cell(ENTITY, key) for key in keys), key=_node)
        for _, calls in groupby(cells, key=_node):
            locked += _settle(door, list(calls), origin)
    door.flush()
    return locked


def _node(cell: Cell) -> tuple[str, ...]:
    return tuple(cell.row[field] or "" for field in NODES)


def _settle(door: Door, calls: list[Cell], origin: Origin) -> int:
    """-> how many were locked now."""
    counts = latest(calls)
    for call in calls:
        status = LOCKED if call is counts else REPLACED
        if call.row["status"] != status:
            door.put(call, {"status": status}, origin, "lock")
    return int(counts.touched and counts.row["status"] == LOCKED)
