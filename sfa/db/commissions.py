"""The ledger of commission, kept in the transaction that changes what it follows from (R41).

The door calls `keep_commissions` after credits; `rebuild` looks at everybody and appends what is lacking; `verify` says
it. All go through `_lacking`, so what the door kept is what a rebuild makes; but for wins that come after everything of
their period, which `commissions_next` adds at its end. Rows are appended and never changed: what follows no longer is
taken back by further rows. Sets of people, never a query for each; a transaction without credits,
plans, assignments, quotas of people, rates or periods costs a look at its history.

On PostgreSQL two writers for one person wait for each other (that covers each period, and the clawbacks that a period
sends into others), as do those who change plans and the like and everybody whose credits they decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, or_, select, text, union

from sfa.core.commission import Booked, Entry, due, entries_of
from sfa.core.days import start_of_ms
from sfa.db.bulk import inserting
from sfa.db.cells import Cell
from sfa.db.commission_scopes import EVERYTHING, Scope, scopes_of
from sfa.db.commissions_next import rows_ahead
from sfa.db.credits import Changed
from sfa.db.earnings import Reckoned, Unit, World, earned, read_assigned, read_world
from sfa.db.prepared import among, listed
from sfa.db.storing import Version
from sfa.db.tables import ROWS, commission_entries, credited

BATCH_PEOPLE = 100
SETTINGS_LOCK = 7_319_044_108
_INSERT = inserting(commission_entries)
_ENTRIES, _ASSIGNED = commission_entries.c, ROWS["commission_assignments"].c
_ORIGIN = func.coalesce(_ENTRIES.reverses_period, _ENTRIES.period_key)
_Stored = tuple[Booked, str]


class Difference(Struct, frozen=True):
    """A row that the ledger of a person, plan and period lacks."""

    user_key: str
    plan_key: str
    period_key: str
    kind: str
    deal_key: str | None
    amount_minor: int
    currency: str


# -- what is touched --------------------------------------------------------------------------------------------------


def keep_commissions(
    connection: Connection,
    cells: Mapping[tuple[str, str], Cell],
    entries: Sequence[Version],
    changed: Changed,
    now_ms: int,
) -> int:
    """Append what a transaction makes due, by the credits that it changed, the door's `cells` and its history; -> how
    many rows."""
    scopes = scopes_of(connection, cells, entries)
    if not changed.deals and not scopes:
        return 0
    alone = bool(scopes) and _anybody(connection)
    _lock_settings(connection, alone=alone)
    if scopes and not alone:  # nobody is paid, unless the first one came while this waited
        alone = _anybody(connection)
        if not alone:
            return 0
        _lock_settings(connection, alone=True)
    written = 0
    if changed.deals:
        if not alone:
            _lock_people(connection, {user for user, _ in changed.earned})
        written += _follow(connection, changed, now_ms, settled=not scopes)
    for scope in scopes:
        for users in _batches(connection, scope.users):
            written += _look(connection, users, scope, now_ms)
    return written


def _follow(connection: Connection, changed: Changed, now_ms: int, *, settled: bool) -> int:
    """What follows from credits that changed, by those that there are and by what the ledger holds of their deals.
    `settled`: nothing else changed, so what comes last is only added."""
    users = {user for user, _ in changed.earned}
    booked = _booked(connection, among(_ENTRIES.deal_key, "keys"), changed.deals)
    assigned = read_assigned(connection, users)
    paid = users & (assigned.keys() | {unit.user_key for unit in booked})
    if not paid:
        return 0
    world, written = read_world(connection, assigned), 0
    for batch in _batches(connection, frozenset(paid)):
        here = set(batch)
        units = {unit for user, at in changed.earned if user in here for unit in world.units(user, at)}
        played = {unit for unit in booked if unit.user_key in here}
        added = rows_ahead(connection, world, units - played, changed.deals) if settled else {}
        rows = [(unit, [(row, world.plans[unit.plan_key].currency) for row in of]) for unit, of in added.items()]
        written += _append(connection, world, rows, now_ms)
        written += _write(connection, world, (units | played) - added.keys(), now_ms)
    return written


def _look(connection: Connection, users: Sequence[str], scope: Scope, now_ms: int) -> int:
    world = read_world(connection, read_assigned(connection, users))
    return _write(connection, world, _units(connection, world, users, scope), now_ms)


def _units(connection: Connection, world: World, users: Sequence[str], scope: Scope) -> set[Unit]:
    """What a scope makes it necessary to look at of these people."""
    c, zone = credited.c, world.periods.zone
    who = [user for user in users if user in world.assigned]
    query = select(c.user_key, c.rated_at).where(among(c.user_key, "keys"), ~c.reversal).distinct()
    bound: dict[str, Any] = {"keys": listed(connection, who)}
    if scope.from_on is not None:
        query = query.where(c.at >= start_of_ms(scope.from_on, zone))
    if scope.to_on is not None:
        query = query.where(c.at < start_of_ms(scope.to_on, zone))
    if scope.currencies is not None:
        bound["codes"] = listed(connection, sorted(scope.currencies))
        query = query.where(or_(among(c.currency, "codes"), among(c.cost_currency, "codes")))
    found = connection.execute(query, bound) if who else ()
    units = {unit for user, at in found for unit in world.units(user, at)}
    return units | (_booked(connection, among(_ENTRIES.user_key, "keys"), users) if scope.anew else set())


def _booked(connection: Connection, where: ColumnElement[Any], keys: Iterable[str]) -> set[Unit]:
    """The units that have rows in the ledger."""
    query = select(_ENTRIES.user_key, _ENTRIES.plan_key, _ORIGIN).where(where).distinct()
    return {Unit(*row) for row in connection.execute(query, {"keys": listed(connection, sorted(keys))})}


# -- everybody --------------------------------------------------------------------------------------------------------


def rebuild(connection: Connection, now_ms: int, users: Iterable[str] | None = None) -> int:
    """Append what the ledgers of these people, or of all, lack -> how many rows. Where all is right nothing is written.
    Until the transaction ends nobody else is paid; a caller with many people passes parts (`people`)."""
    _lock_settings(connection, alone=True)
    written = 0
    for batch in _batches(connection, frozenset(users) if users is not None else None):
        written += _look(connection, batch, EVERYTHING, now_ms)
    return written


def verify(connection: Connection, users: Iterable[str] | None = None) -> list[Difference]:
    """What a rebuild would append; nothing is written. Read it in one snapshot."""
    found: list[Difference] = []
    for batch in _batches(connection, frozenset(users) if users is not None else None):
        world = read_world(connection, read_assigned(connection, batch))
        for unit, rows in _lacking(connection, world, _units(connection, world, batch, EVERYTHING)):
            for row, currency in rows:
                what = (row.entry.kind, row.entry.deal_key, row.entry.amount_minor, currency)
                found.append(Difference(unit.user_key, unit.plan_key, row.period_key, *what))
    return found


def people(connection: Connection, after: str = "", limit: int = BATCH_PEOPLE) -> list[str]:
    """The next keys, in their order, of people who have, had or were paid by a plan."""
    every = union(select(_ASSIGNED.user_key), select(_ENTRIES.user_key)).subquery()
    query = select(every.c.user_key).where(every.c.user_key > after).order_by(every.c.user_key).limit(limit)
    return list(connection.execute(query).scalars())


def _batches(connection: Connection, users: frozenset[str] | None) -> Iterable[list[str]]:
    if users is None:
        after = ""
        while batch := people(connection, after):
            yield batch
            after = batch[-1]
    else:
        ordered = sorted(users)
        yield from (ordered[start : start + BATCH_PEOPLE] for start in range(0, len(ordered), BATCH_PEOPLE))


# -- locks ------------------------------------------------------------------------------------------------------------


def _lock_settings(connection: Connection, *, alone: bool) -> None:
    if connection.dialect.name == "postgresql":
        call = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        connection.execute(text(f"SELECT {call}({SETTINGS_LOCK})"))


def _anybody(connection: Connection) -> bool:
    """Whether somebody has, had or was paid by a plan."""
    return bool(people(connection, limit=1))


def lock_plans(connection: Connection) -> None:
    """Until the transaction ends nobody is paid: for who looks at what plans have accrued before he changes them. A
    rehearsal in a snapshot waits for nobody."""
    if connection.dialect.name == "postgresql":
        writing = func.current_setting("transaction_isolation") == "read committed"
        connection.execute(select(func.pg_advisory_xact_lock(SETTINGS_LOCK)).where(writing))


def _lock_people(connection: Connection, users: Iterable[str]) -> None:
    """In the order of keys, and after the settings, so that no two writers wait for each other."""
    if connection.dialect.name == "postgresql":
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(k, 7320)) FROM unnest(CAST(:keys AS text[])) AS k"
        connection.execute(text(lock), {"keys": sorted(users)})


# -- bringing in line -------------------------------------------------------------------------------------------------


def _write(connection: Connection, world: World, units: Iterable[Unit], now_ms: int) -> int:
    return _append(connection, world, _lacking(connection, world, units), now_ms)


def _append(connection: Connection, world: World, lacking: Iterable[tuple[Unit, list[_Stored]]], now_ms: int) -> int:
    rows = [
        {
            "user_key": unit.user_key,
            "plan_key": unit.plan_key,
            "period_key": row.period_key,
            "number": row.number,
            "kind": row.entry.kind,
            "at": row.entry.at,
            "written_at": now_ms,
            "deal_key": row.entry.deal_key,
            "n": row.entry.n,
            "overlay": world.plans[unit.plan_key].overlay if unit.plan_key in world.plans else None,
            "basis_minor": row.entry.basis_minor,
            "rate_bp": row.entry.rate_bp,
            "amount_minor": row.entry.amount_minor,
            "currency": currency,
            "reverses_period": row.reverses_period,
            "reverses": row.reverses,
            "reason": row.entry.reason,
        }
        for unit, found in lacking
        for row, currency in found
    ]
    _INSERT.run(connection, rows)
    return len(rows)


def _lacking(connection: Connection, world: World, units: Iterable[Unit]) -> Iterable[tuple[Unit, list[_Stored]]]:
    """The rows that the ledger lacks of each unit, with their currency."""
    asked = sorted(set(units))
    if not asked:
        return
    reckoned = earned(connection, world, asked)
    wanted = {unit: _wanted(world, unit, reckoned[unit]) for unit in asked}
    kept = _ledger(connection, asked)
    last = _numbers(connection, wanted, kept)
    for unit in asked:
        stored, numbers = kept.get(unit, []), last.setdefault(unit[:2], {})
        by_currency: dict[str, list[Booked]] = {}
        for row, code in stored:
            by_currency.setdefault(code, []).append(row)
        if unit.plan_key in world.plans:
            by_currency.setdefault(world.plans[unit.plan_key].currency, [])
        lacking: list[_Stored] = []
        for code, rows in sorted(by_currency.items()):  # rows of a currency that is not the plan's are taken back in it
            right = unit.plan_key in world.plans and code == world.plans[unit.plan_key].currency
            for row in due(unit.period_key, wanted[unit] if right else [], rows, numbers):
                numbers[row.period_key] = max(row.number, numbers.get(row.period_key, 0))
                lacking.append((row, code))
        if lacking:
            yield unit, lacking


def _wanted(world: World, unit: Unit, reckoned: Reckoned) -> list[tuple[str, Entry]]:
    """The rows that there should be, with the period that each is booked in: its own, and that of a reopening."""
    if reckoned.terms is None:
        return []
    kind = world.plans[unit.plan_key].period
    found: list[tuple[str, Entry]] = []
    for entry in entries_of(reckoned.terms, reckoned.earned):
        span = world.periods.at(entry.at, kind)
        found.append((span.key if span is not None else unit.period_key, entry))
    return found


def _ledger(connection: Connection, units: Sequence[Unit]) -> dict[Unit, list[_Stored]]:
    """The rows of each unit, wherever they are booked, with their currency."""
    whose = (among(_ENTRIES.user_key, "users"), among(_ENTRIES.plan_key, "plans"))
    bound = {
        name: listed(connection, sorted({unit[place] for unit in units}))
        for place, name in enumerate(("users", "plans", "periods"))
    }
    asked = set(units)
    found: dict[Unit, dict[tuple[str, int], _Stored]] = {}
    for column in (_ENTRIES.period_key, _ENTRIES.reverses_period):  # each along its index
        query = select(commission_entries).where(*whose, among(column, "periods"))
        for row in connection.execute(query, bound).mappings():
            entry = Entry(**{name: row[name] for name in Entry.__struct_fields__})
            booked = Booked(row["period_key"], row["number"], entry, row["reverses_period"], row["reverses"])
            unit = Unit(row["user_key"], row["plan_key"], booked.origin)
            if unit in asked:
                found.setdefault(unit, {})[booked.period_key, booked.number] = booked, row["currency"]
    return {unit: [rows[place] for place in sorted(rows)] for unit, rows in found.items()}


def _numbers(
    connection: Connection, wanted: Mapping[Unit, Sequence[tuple[str, Entry]]], kept: Mapping[Unit, Sequence[_Stored]]
) -> dict[tuple[str, ...], dict[str, int]]:
    """(person, plan) -> the highest number of each period in which something may be booked."""
    periods = {period for rows in wanted.values() for period, _ in rows}
    periods |= {row.period_key for rows in kept.values() for row, _ in rows}
    e = _ENTRIES
    query = select(e.user_key, e.plan_key, e.period_key, func.max(e.number)).where(
        among(e.user_key, "users"), among(e.plan_key, "plans"), among(e.period_key, "periods")
    )
    bound = {
        "users": listed(connection, sorted({unit.user_key for unit in wanted})),
        "plans": listed(connection, sorted({unit.plan_key for unit in wanted})),
        "periods": listed(connection, sorted(periods)),
    }
    found: dict[tuple[str, ...], dict[str, int]] = {}
    rows = connection.execute(query.group_by(e.user_key, e.plan_key, e.period_key), bound)
    for user, plan, period, number in rows:
        found.setdefault((user, plan), {})[period] = number
    return found
