"""Quotas read with their periods, the target that counts, and the world around them: trees, memberships, rates.

The target is that of the version in force (R5). Everything is read in sets; nothing is decided about who may see it.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, select

from sfa.core.credits import day_of
from sfa.core.days import start_of_ms
from sfa.core.entities import Rate
from sfa.core.hierarchy import Edge
from sfa.db import scope
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.quotas.conversion import Exchange
from sfa.quotas.holders import Belongs, Holders
from sfa.quotas.measures import QuotaRow
from sfa.quotas.tallies import Version, in_force

KEYS_MAX = 400  # of more quotas than these every version is read: one pass costs less than as many look-ups
_QUOTAS, _PERIODS, _VERSIONS = ROWS["quotas"], ROWS["fiscal_periods"], ROWS["quota_versions"]
_OF_QUOTA = tuple(name for name in QuotaRow.__struct_fields__ if name in _QUOTAS.c and name != "key")


class World(Struct, frozen=True):
    zone: str
    holders: Holders
    exchange: Exchange


def read_world(connection: Connection, quotas: Sequence[QuotaRow], zone: str) -> World:
    """Trees, memberships and rates, as far as these quotas need them."""
    kinds = {quota.holder[0] for quota in quotas}
    members = _live(connection, "team_members", "user_key", "team_key") if "team" in kinds else ()
    teams = _live(connection, "team_edges", "team_key", "parent_key") if "team" in kinds else ()
    places = _live(connection, "territory_edges", "territory_key", "parent_key") if "territory" in kinds else ()
    rates: Sequence[Any] = ()
    if any(quota.is_money for quota in quotas):
        table = ROWS["rates"].c
        columns = (table.base_currency, table.quote_currency, table.rate, table.valid_from)
        rates = connection.execute(select(table.key, *columns).where(~table.gone)).all()
    return World(
        zone=zone,
        holders=Holders((Belongs(*m) for m in members), (Edge(*e) for e in teams), (Edge(*e) for e in places), zone),
        exchange=Exchange(((row[0], _rate(*row[1:])) for row in rates), zone),
    )


def _rate(base: str, quote: str, rate: str, valid_from: str) -> Rate:
    return Rate(base_currency=base, quote_currency=quote, rate=rate, valid_from=valid_from)


def _live(connection: Connection, entity: str, *columns: str) -> Sequence[Any]:
    table = ROWS[entity]
    dated = (*columns, "valid_from", "valid_to")
    return connection.execute(select(*(table.c[c] for c in dated)).where(~table.c.gone)).all()


def read_quotas(connection: Connection, *where: ColumnElement[bool]) -> list[QuotaRow]:
    """Live quotas with the bounds of their period, by key; conditions are on the tables `quotas` and `fiscal_periods`.
    The target is the row's own: `as_approved` takes that of a version."""
    zone = scope.zone(connection)
    p = _PERIODS.c
    query: Select[Any] = (
        select(_QUOTAS.c.key, *(_QUOTAS.c[f] for f in _OF_QUOTA), p.name, p.start_on, p.end_on)
        .join_from(_QUOTAS, _PERIODS, p.key == _QUOTAS.c.period_key)
        .where(~_QUOTAS.c.gone, *where)
        .order_by(_QUOTAS.c.key)
    )
    names = ("key", *_OF_QUOTA, "period_name", "start_on", "end_on")
    rows = connection.execute(query).all()
    bounds = {day: start_of_ms(day, zone) for day in {day for *_, start, end in rows for day in (start, end)}}
    return [
        QuotaRow(**dict(zip(names, row, strict=True)), start_at=bounds[row[-2]], end_at=bounds[row[-1]]) for row in rows
    ]


def as_approved(connection: Connection, quotas: Sequence[QuotaRow], as_of: int | None, zone: str) -> list[QuotaRow]:
    """The quotas with the target that counts (R5): see `in_force`, on the local day of `as_of`, at the latest (and for
    None) on the last day of the period; the row's own if none was ever approved."""
    approved = [quota.key for quota in quotas if quota.approvals]
    if not approved:
        return list(quotas)
    versions = _versions(connection, approved)
    day = None if as_of is None else day_of(as_of, zone)
    return [in_force(quota, versions.get(quota.key, ()), day) for quota in quotas]


def _versions(connection: Connection, keys: Sequence[str]) -> dict[str, list[Version]]:
    v = _VERSIONS.c
    query = select(v.quota_key, v.number, v.target, v.currency, v.valid_from).where(~v.gone)
    bound: dict[str, Any] = {}
    if len(keys) <= KEYS_MAX:
        query, bound = query.where(among(v.quota_key, "keys")), {"keys": listed(connection, keys)}
    found: dict[str, list[Version]] = {}
    for row in connection.execute(query.order_by(v.quota_key, v.number), bound) if keys else ():
        found.setdefault(row[0], []).append(Version(*row[1:]))
    return found
