"""What other rows forbid of a change, online and offline alike (R5, R18, R31).

An approved quota is read-only, and what one that was ever approved or closed measures, of whom and when stays, so that
versions and closed figures go on telling of what they were made for; of one owner, period, measure and filters there
is one quota; nobody is a member of two teams on one day; calendars fit together, and periods that quotas or closings
name stay as they are. Two changes that are fine alone may clash together, so one is looked at a time: quotas and
periods behind one advisory lock, people and calendars behind the organisation's. What a check has read of the store is
kept in `Door.known`, so that a file of a thousand quotas asks once for each batch.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, false, func, or_, select

from sfa.core import calendars
from sfa.core.errors import Refused
from sfa.core.periods import FiscalCalendars
from sfa.core.rules import QUOTA_FILTERS as FILTERS
from sfa.core.rules import QUOTA_OWNERS as OWNERS
from sfa.crm import paying, proposing
from sfa.crm.rivals import Rivals, rivals
from sfa.db import scope
from sfa.db.cells import Cell
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, closed_figures
from sfa.db.writes import Door

IDENTITY = (*OWNERS, "period_key", "measure", *FILTERS)
KEPT = (*IDENTITY, "currency")
QUOTAS_LOCK = 7_319_044_105  # an advisory lock of this database: one change of which quotas and periods there are
PERIOD_FIELDS = ("kind", "start_on", "end_on", "parent_key")
MEMBER = "member"
_QUOTAS, _PERIODS, _CLOSINGS = ROWS["quotas"], ROWS["fiscal_periods"], ROWS["period_closings"]
_CALENDARS = ROWS["fiscal_calendars"]
Identity = tuple[Any, ...]


def identity(row: Mapping[str, Any]) -> Identity:
    """What tells quotas apart."""
    return tuple(row.get(field) or None for field in IDENTITY)


# -- before a change -------------------------------------------------------------------------------------------------


def check_draft(cell: Cell, values: Mapping[str, Any] | None) -> None:
    """An approved quota is read-only (R5), for files and jobs too; None is its deletion."""
    if cell.entity != "quotas" or not cell.exists or cell.row["status"] != "approved":
        return
    changed = sorted(f for f, v in values.items() if cell.row[f] != v) if values is not None else []
    if values is None or changed:
        raise Refused("quota_approved", key=cell.key, fields=changed)


def check_free(door: Door, cell: Cell, values: Mapping[str, Any] | None) -> None:
    """The days of a period that something names stay, and what a quota is that was approved or closed; None is its
    deletion."""
    if cell.entity == "quotas":
        _check_kept(door, cell, values)
    proposing.check_free(door, cell, values)
    paying.check_kept(door, cell, values)
    if cell.entity != "fiscal_periods" or not cell.exists:
        return
    if values is None or any(cell.row[f] != values.get(f, cell.row[f]) for f in PERIOD_FIELDS):
        lock_quotas(door.connection)
        here = door.alike("quotas", ("period_key",), (cell.key,))
        if any(c.touched and c.exists for c in here) or in_use(door.connection, (cell.key,)):
            raise Refused("period_in_use", periods=[cell.key])


def _check_kept(door: Door, cell: Cell, values: Mapping[str, Any] | None) -> None:
    """Versions and closed figures (R2, R5, R45) tell of the quota as it was: it becomes no other one, not while it is a
    draft again nor as it comes back, and what a closing holds is not deleted."""
    if cell.rev == 0:
        return
    changed = [f for f, v in (values or {}).items() if f in KEPT and (cell.row[f] or None) != (v or None)]
    if values is not None and not changed:
        return
    if (changed and cell.row["approvals"]) or _is_closed(door, cell):
        raise Refused("quota_kept", key=cell.key, fields=sorted(changed))


def _is_closed(door: Door, cell: Cell) -> bool:
    """Whether a closing holds the quota; asked at once of all quotas whose periods are locked as its own is, so that no
    closing comes in between."""
    closed: dict[str, bool] = door.known.setdefault("closed_quotas", {})
    if cell.key not in closed:
        door.cell("fiscal_periods", cell.row["period_key"], "share")
        locked = {period.key for period in door.cells_of("fiscal_periods")}
        quotas = (c for c in door.cells_of("quotas") if c.rev)
        rows = {cell.key, *(quota.key for quota in quotas if quota.row["period_key"] in locked)}
        query = select(closed_figures.c.quota_key).where(among(closed_figures.c.quota_key, "keys"))
        found = set(door.connection.execute(query, {"keys": listed(door.connection, rows)}).scalars())
        closed.update((key, key in found) for key in rows)
    return closed[cell.key]


def in_use(connection: Connection, keys: Iterable[str] | None = None) -> set[str]:
    """The periods, of these or of all, that quotas or closings name."""
    found: set[str] = set()
    for table in (_QUOTAS, _CLOSINGS):
        query = select(table.c.period_key).where(~table.c.gone).distinct()
        if keys is None:
            found.update(connection.execute(query).scalars())
        else:
            bound = {"keys": listed(connection, keys)}
            found.update(connection.execute(query.where(among(table.c.period_key, "keys")), bound).scalars())
    return found


def lock_quotas(connection: Connection) -> None:
    """Until the transaction ends. SQLite has one writer anyway, and a rehearsal in a snapshot waits for nobody."""
    if connection.dialect.name == "postgresql":
        writing = func.current_setting("transaction_isolation") == "read committed"
        connection.execute(select(func.pg_advisory_xact_lock(QUOTAS_LOCK)).where(writing))


# -- after a change --------------------------------------------------------------------------------------------------


def check_written(door: Door, cell: Cell, before: Mapping[str, Any], sees: Callable[[Cell], bool]) -> None:
    """`before` is the row as it was; empty for one that is new or was deleted. `sees` says which rows the writer is
    told of (S13)."""
    match cell.entity:
        case "quotas":
            if not before or identity(before) != identity(cell.row):
                check_one(door, cell, sees)
        case "team_members":
            if any(before.get(f) != cell.row[f] for f in ("user_key", "team_key", "role", "valid_from", "valid_to")):
                check_membership(door, cell)
        case "fiscal_calendars":
            check_calendars(door)
        case "discount_limits" | "margin_floors":
            check_limit(door, cell)
        case "commission_assignments" | "commission_plans":
            paying.check_apart(door, cell, before)


def check_deleted(door: Door, cell: Cell) -> None:
    if cell.entity == "fiscal_calendars":
        check_calendars(door)


class Standing:
    """The quotas that are stored, by what tells them apart, of the owners and periods that were asked for; and which of
    those periods there are."""

    def __init__(self) -> None:
        self.keys: dict[Identity, set[str]] = {}
        self.periods: set[str] = set()
        self._read: set[tuple[str | None, ...]] = set()

    def read(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Behind the lock, so that what is found stands until the transaction ends."""
        missing = [row for row in rows if self._place(row) not in self._read]
        if not missing:
            return
        lock_quotas(connection)
        self._read.update(self._place(row) for row in missing)
        bound: dict[str, Any] = {"periods": listed(connection, sorted({str(row["period_key"]) for row in missing}))}
        owned = []
        for field in OWNERS:
            keys = sorted({row[field] for row in missing if row.get(field) is not None})
            if keys:
                bound[field] = listed(connection, keys)
                owned.append(among(_QUOTAS.c[field], field))
        query = select(_QUOTAS.c.key, *(_QUOTAS.c[field] for field in IDENTITY))
        query = query.where(~_QUOTAS.c.gone, among(_QUOTAS.c.period_key, "periods"), or_(false(), *owned))
        for key, *values in connection.execute(query, bound):
            self.keys.setdefault(tuple(value or None for value in values), set()).add(key)
        live = select(_PERIODS.c.key).where(~_PERIODS.c.gone, among(_PERIODS.c.key, "periods"))
        self.periods.update(connection.execute(live, {"periods": bound["periods"]}).scalars())

    @staticmethod
    def _place(row: Mapping[str, Any]) -> tuple[str | None, ...]:
        return (*(row.get(field) for field in OWNERS), row["period_key"])


def standing(door: Door) -> Standing:
    found: Standing = door.known.setdefault("quotas", Standing())
    return found


def check_one(door: Door, cell: Cell, sees: Callable[[Cell], bool]) -> None:
    """One quota of one owner, period, measure and filters; its period is still there. The other's key is told to who
    sees it."""
    stored, mine = standing(door), identity(cell.row)
    stored.read(door.connection, (cell.row,))
    period = door.cell("fiscal_periods", cell.row["period_key"], "none")
    if not (period.exists if period.touched else period.key in stored.periods):
        text_ = f"quotas.period_key: there is no period {period.key}"
        raise Refused("reference_unknown", text_, field="period_key", key=period.key)
    others = {key for key in stored.keys.get(mine, ()) if not door.has_changed("quotas", key)}
    others |= {other.key for other in door.alike("quotas", IDENTITY, mine) if other.touched and other.exists}
    others.discard(cell.key)
    if others:
        told = [key for key in sorted(others) if sees(door.cell("quotas", key, "none"))]
        raise Refused("quota_twice", **({"key": told[0]} if told else {}))


def check_membership(door: Door, cell: Cell) -> None:
    """Nobody is a member of two teams on one day, nor twice of one; whom he manages is another matter (R18)."""
    if cell.row["role"] != MEMBER:
        return
    others = memberships(door).others(cell)
    met = [(on, key) for key, row in others.items() if (on := first_shared_day(cell.row, row)) is not None]
    if met:
        on, key = min(met)
        said = f"{cell.row['user_key']} is a member of {others[key]['team_key']} on {on}"
        raise Refused("membership_overlap", said, on=on, key=key, team=others[key]["team_key"])


def memberships(door: Door) -> Rivals:
    """Who is a member of which teams, as stored; people and trees are looked at one change at a time."""
    return rivals(door, "team_members", ("user_key", "role"), scope.lock_organisation)


def check_limit(door: Door, cell: Cell) -> None:
    """A role has one limit, or one floor, for a family on a day: nobody need ask which of two counts."""
    found = rivals(door, cell.entity, ("role",), scope.lock_organisation).others(cell)
    family = cell.row["family"] or None
    alike = {key: row for key, row in found.items() if (row["family"] or None) == family}
    met = [(on, key) for key, row in alike.items() if (on := first_shared_day(cell.row, row)) is not None]
    if met:
        raise Refused("limit_twice", on=min(met)[0], key=min(met)[1])


def first_shared_day(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first day that lies in both of two dated rows, or None."""
    start = max(one["valid_from"], other["valid_from"])
    ends = [row["valid_to"] for row in (one, other) if row["valid_to"] is not None]
    return str(start) if all(start < end for end in ends) else None


# -- calendars -------------------------------------------------------------------------------------------------------


def check_calendars(door: Door) -> None:
    """The calendars as they are to be fit together, and no period that something names would get other days (R31)."""
    scope.lock_organisation(door.connection)
    lock_quotas(door.connection)
    stored = stored_calendars(door.connection)
    rows = dict(stored)
    for cell in door.cells_of("fiscal_calendars"):
        if cell.touched:
            rows.pop(cell.key, None)
            if cell.exists:
                rows[cell.key] = cell.row
    after = calendars.calendars_of(rows.values())
    try:
        before = calendars.calendars_of(stored.values())
    except Refused:  # what was stored by other means is put right
        return
    moved = sorted(_moved(door.connection, before, after))
    if moved:
        raise Refused("period_in_use", f"the calendar would move {', '.join(moved[:5])}", periods=moved[:100])


def stored_calendars(connection: Connection) -> dict[str, Mapping[str, Any]]:
    rows = connection.execute(select(_CALENDARS).where(~_CALENDARS.c.gone)).mappings()
    return {row["key"]: dict(row) for row in rows}


def _moved(connection: Connection, before: FiscalCalendars, after: FiscalCalendars) -> Iterable[str]:
    """The periods in use whose days are those of the calendars before, and not of those after."""
    used = {"keys": listed(connection, sorted(in_use(connection)))}
    query = select(_PERIODS.c.key, _PERIODS.c.start_on, _PERIODS.c.end_on).where(~_PERIODS.c.gone)
    for key, start_on, end_on in connection.execute(query.where(among(_PERIODS.c.key, "keys")), used):
        if calendars.days_of(before, key) == (start_on, end_on) != calendars.days_of(after, key):
            yield key
