"""Whose commission a change of plans, assignments, quotas, rates or periods may have changed (R41).

A scope says it as narrowly as is cheap to know: too wide costs time, and what is looked at in vain writes nothing.
Reads sets of what a transaction's history names; decides nothing about money.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from sfa.db.cells import Cell
from sfa.db.prepared import among, listed
from sfa.db.storing import Version
from sfa.db.tables import ROWS

_ASSIGNED, _QUOTAS, _PERIODS = ROWS["commission_assignments"].c, ROWS["quotas"].c, ROWS["fiscal_periods"].c
# Entities whose change may move credits into other periods, and the fields that do it (none named: each).
_OF_PERIODS = {
    "fiscal_periods": frozenset({"kind", "start_on", "end_on"}),
    "fiscal_calendars": frozenset[str](),
    "organisations": frozenset({"zone"}),
}
_SETTINGS = frozenset({"commission_plans", "commission_assignments", "quotas", "quota_versions", "rates", *_OF_PERIODS})
_NONE = (None, None)


class Scope(NamedTuple):
    """The credits of these people (None: of all) on the days from `from_on` to before `to_on`, in one of these
    currencies. `anew`: what their ledgers hold is looked at too."""

    users: frozenset[str] | None
    from_on: str | None = None
    to_on: str | None = None
    currencies: frozenset[str] | None = None
    anew: bool = False


EVERYTHING = Scope(None, anew=True)


def scopes_of(connection: Connection, cells: Mapping[tuple[str, str], Cell], entries: Sequence[Version]) -> list[Scope]:
    """Of a transaction's rows as they are at its end, and its history."""
    by_entity: dict[str, list[Version]] = {}
    for e in entries:
        if e.entity in _SETTINGS:
            by_entity.setdefault(e.entity, []).append(e)
    if not by_entity:
        return []
    if any(_moves_periods(e) for entity in _OF_PERIODS for e in by_entity.get(entity, ())):
        return [EVERYTHING]
    said = _Said(cells, by_entity)
    users = said.values("commission_assignments", "user_key")
    plans = {"keys": listed(connection, sorted({e.key for e in by_entity.get("commission_plans", ())}))}
    if "commission_plans" in by_entity:
        query = select(_ASSIGNED.user_key).where(among(_ASSIGNED.plan_key, "keys")).distinct()
        users |= set(connection.execute(query, plans).scalars())
    found = [Scope(frozenset(users), anew=True)] if users else []
    found += _of_quotas(connection, said)
    days = said.values("rates", "valid_from")
    if days:  # a later rate is another one, but nobody looks for it
        codes = said.values("rates", "base_currency") | said.values("rates", "quote_currency")
        found.append(Scope(None, min(days), currencies=frozenset(codes)))
    return found


def _moves_periods(entry: Version) -> bool:
    fields = _OF_PERIODS[entry.entity]
    if entry.entity == "organisations" and entry.kind == "create":
        return False
    return entry.kind in ("delete", "restore") or not fields or not fields.isdisjoint(entry.changes)


class _Said:
    """What rows of a transaction say in a field, and said before it."""

    def __init__(self, cells: Mapping[tuple[str, str], Cell], by_entity: Mapping[str, Iterable[Version]]) -> None:
        self.cells, self.by_entity = cells, by_entity

    def values(self, entity: str, name: str) -> set[str]:
        return {value for e in self.by_entity.get(entity, ()) for value in self.of(e, name)}

    def of(self, entry: Version, name: str) -> set[str]:
        row = self.cells[entry.entity, entry.key].row
        return {value for value in (row.get(name), *entry.changes.get(name, _NONE)) if value is not None}


def _of_quotas(connection: Connection, said: _Said) -> list[Scope]:
    """Quotas of people, and versions of such, by the days of their periods."""
    pairs: set[tuple[str, str]] = set()
    for e in said.by_entity.get("quotas", ()):
        pairs.update((user, period) for user in said.of(e, "user_key") for period in said.of(e, "period_key"))
    quotas = said.values("quota_versions", "quota_key")
    if quotas:
        query = select(_QUOTAS.user_key, _QUOTAS.period_key).where(among(_QUOTAS.key, "keys"))
        rows = connection.execute(query, {"keys": listed(connection, sorted(quotas))})
        pairs.update((row.user_key, row.period_key) for row in rows if row.user_key is not None)
    if not pairs:
        return []
    users: dict[str, set[str]] = {}
    for user, period in pairs:
        users.setdefault(period, set()).add(user)
    query = select(_PERIODS.key, _PERIODS.start_on, _PERIODS.end_on).where(among(_PERIODS.key, "keys"))
    rows = connection.execute(query.order_by(_PERIODS.key), {"keys": listed(connection, sorted(users))})
    return [Scope(frozenset(users[row.key]), row.start_on, row.end_on) for row in rows]
