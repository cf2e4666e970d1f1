"""A team's or territory's target beside those of its members and of what lies below it: two facts (R6, R18).

Promises: nothing is forced, the difference is shown. Who belonged to it for a part of the period is listed with his
days; his target counts as a whole in `sum` and by his days in `sum_by_days`. A target in another currency is listed and
not summed (R34). What the caller may not see is left out and said: then the sum is partial and there is no difference
(S13). Parts into which a quota was spread are summed beside it (R8).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, func, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.money import Rounding, rounded
from sfa.core.rules import QUOTA_FILTERS as FILTERS
from sfa.core.rules import QUOTA_OWNERS as OWNERS
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS

GROUPS = {"team_key": ("team_members", "team_edges"), "territory_key": ("territory_members", "territory_edges")}
_QUOTAS, _PERIODS = ROWS["quotas"], ROWS["fiscal_periods"]
Days = list[tuple[str, str]]


class Stretch(Struct, frozen=True):
    """The days [from_on, to_on)."""

    from_on: str
    to_on: str


class Belongs(Struct, frozen=True):
    """A person, team or territory that belongs to it on `days` days of the period. `quota_key` and `target` are null
    where there is no such quota, or (`visible` false) where the caller may not know; `counted` says whether it is
    in the sums."""

    entity: str
    key: str
    stretches: list[Stretch]
    days: int
    visible: bool
    quota_key: str | None
    target: int | None
    currency: str | None
    status: str | None
    counted: bool


class Parts(Struct, frozen=True):
    """The quotas of one kind of period into which it was spread, those that measure the same still (R11)."""

    kind: str
    count: int
    sum: int
    difference: int
    approved: int


class Mismatch(Struct, frozen=True):
    """Targets are in the quota's own unit. `difference` is the sum less the own target; null where the sum is partial,
    or where nobody belongs to it."""

    quota_key: str
    period_key: str
    measure: str
    target: int
    currency: str | None
    period_days: int
    members: list[Belongs]
    missing: int
    sum: int
    sum_by_days: int
    difference: int | None
    partial: bool
    parts: list[Parts]


def mismatch(connection: Connection, user_key: str, key: str) -> Mismatch:
    """`not_found` alike where there is no such quota and where the caller may not see it."""
    if not is_key(key):
        raise Refused("not_found")
    scope = person(connection, user_key).held or frozenset()
    held = listed(connection, scope)
    query = select(_QUOTAS).where(_QUOTAS.c.key == key, ~_QUOTAS.c.gone, lies_in(_QUOTAS.c.buckets, "held"))
    row = connection.execute(query, {"held": held}).mappings().first()
    if row is None:
        raise Refused("not_found")
    quota: dict[str, Any] = {str(field): value for field, value in row.items()}
    period = select(_PERIODS.c.start_on, _PERIODS.c.end_on).where(_PERIODS.c.key == quota["period_key"])
    span: tuple[str, str] = tuple(connection.execute(period).one())
    members = _members(connection, quota, span, scope, held)
    count = _days([span])
    counted = [(m.target or 0, m.days) for m in members if m.counted]
    whole = sum(target for target, _ in counted)
    by_days = sum((Fraction(target * days, count) for target, days in counted), start=Fraction(0))
    partial = any(not m.visible or (m.target is not None and not m.counted) for m in members)
    return Mismatch(
        quota_key=key,
        period_key=quota["period_key"],
        measure=quota["measure"],
        target=quota["target"],
        currency=quota["currency"],
        period_days=count,
        members=members,
        missing=sum(m.visible and m.quota_key is None for m in members),
        sum=whole,
        sum_by_days=rounded(by_days, Rounding.HALF_UP),
        difference=whole - quota["target"] if members and not partial else None,
        partial=partial,
        parts=_parts(connection, quota, held),
    )


def within(span: tuple[str, str], spans: Iterable[tuple[str, str | None]]) -> Days:
    """The days of dated rows that lie in a span, merged and in order."""
    found: Days = []
    for start, end in sorted((max(s, span[0]), min(e or span[1], span[1])) for s, e in spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _days(spans: Iterable[tuple[str, str]]) -> int:
    return sum((date.fromisoformat(end) - date.fromisoformat(start)).days for start, end in spans)


def _members(
    connection: Connection, quota: Mapping[str, Any], span: tuple[str, str], scope: frozenset[str], held: Any
) -> list[Belongs]:
    """Those who are members themselves, then what lies right below it. Who manages it is listed where he has a target
    of his own."""
    owner = next(field for field in OWNERS if quota[field] is not None)
    if owner not in GROUPS:
        return []
    people, edges = (ROWS[entity] for entity in GROUPS[owner])
    found: list[Belongs] = []
    for table, child, parent, field in (
        (people, "user_key", owner, "user_key"),
        (edges, owner, "parent_key", owner),
    ):
        query = select(table).where(table.c[parent] == quota[owner], ~table.c.gone, table.c.valid_from < span[1])
        dated: dict[str, list[tuple[str, str | None]]] = {}
        expected: set[str] = set()
        for dates in connection.execute(query).mappings():
            dated.setdefault(dates[child], []).append((dates["valid_from"], dates["valid_to"]))
            if dates.get("role") != "manager":
                expected.add(dates[child])
        stretches = {key: days for key, spans in sorted(dated.items()) if (days := within(span, spans))}
        own = _quotas_of(connection, quota, field, list(stretches), held)
        found += [
            _belongs(quota, field, key, days, own.get(key), scope)
            for key, days in stretches.items()
            if key in expected or key in own
        ]
    return found


def _quotas_of(
    connection: Connection, like: Mapping[str, Any], field: str, keys: list[str], held: Any
) -> dict[str, Mapping[str, Any]]:
    """owner -> his visible quota of the same period, measure and filters."""
    table = _QUOTAS.c
    query = select(_QUOTAS).where(
        among(table[field], "keys"),
        table.period_key == like["period_key"],
        table.measure == like["measure"],
        *(table[name].is_not_distinct_from(like[name]) for name in FILTERS),
        ~table.gone,
        lies_in(table.buckets, "held"),
    )
    bound = {"keys": listed(connection, keys), "held": held}
    return {row[field]: {**row} for row in connection.execute(query, bound).mappings()}


BUCKETS = {"user_key": "book", "team_key": "team", "territory_key": "territory"}
ENTITIES = {"user_key": "users", "team_key": "teams", "territory_key": "territories"}


def _belongs(
    quota: Mapping[str, Any], field: str, key: str, days: Days, own: Mapping[str, Any] | None, scope: frozenset[str]
) -> Belongs:
    visible = f"{BUCKETS[field]}:{key}" in scope or (field == "team_key" and f"manage:{key}" in scope)
    return Belongs(
        entity=ENTITIES[field],
        key=key,
        stretches=[Stretch(*stretch) for stretch in days],
        days=_days(days),
        visible=visible,
        quota_key=own["key"] if own is not None else None,
        target=own["target"] if own is not None else None,
        currency=own["currency"] if own is not None else None,
        status=own["status"] if own is not None else None,
        counted=own is not None and own["currency"] == quota["currency"],
    )


def _parts(connection: Connection, quota: Mapping[str, Any], held: Any) -> list[Parts]:
    table = _QUOTAS.c
    query = (
        select(_PERIODS.c.kind, table.status, func.count(), func.sum(table.target))
        .join(_PERIODS, _PERIODS.c.key == table.period_key)
        .where(table.spread_of == quota["key"], ~table.gone, lies_in(table.buckets, "held"))
        .where(table.measure == quota["measure"], table.currency.is_not_distinct_from(quota["currency"]))
        .where(*(table[name].is_not_distinct_from(quota[name]) for name in FILTERS))
        .group_by(_PERIODS.c.kind, table.status)
    )
    found: dict[str, list[int]] = {}
    for kind, status, count, total in connection.execute(query, {"held": held}):
        sums = found.setdefault(kind, [0, 0, 0])
        sums[0] += count
        sums[1] += int(total)
        sums[2] += count if status == "approved" else 0
    return [
        Parts(kind, count, total, total - quota["target"], approved)
        for kind, (count, total, approved) in sorted(found.items())
    ]
