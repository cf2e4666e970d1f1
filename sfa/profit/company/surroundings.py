"""What profitability needs beside the facts: the company's currency and zone, rates, costs, and who may see what.

Read once for each question, in a handful of statements. A `Scope` says which customers and whose work a caller sees;
what belongs to no customer is seen with the work of the person (R30).
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from sfa.core.access import SEES_COST, SEES_EVERYTHING
from sfa.core.credits import Cost
from sfa.core.entities import Rate
from sfa.core.errors import Refused
from sfa.core.hierarchy import Edge
from sfa.crm.edits import Who
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.profit.company.rate_book import Costs, dated
from sfa.quotas.conversion import Exchange
from sfa.quotas.holders import Belongs, Holders

_ACCOUNTS = ROWS["accounts"]


class World(Struct, frozen=True):
    zone: str
    currency: str
    attribution: str
    attribution_days: int
    exchange: Exchange
    costs: Costs


class Scope(Struct, frozen=True):
    """None: every customer, everybody's work; else there is something that the caller does not see."""

    accounts: frozenset[str] | None = None
    people: frozenset[str] = frozenset()

    @property
    def partial(self) -> bool:
        return self.accounts is not None

    def where(self, account: Any, user: Any) -> list[ColumnElement[bool]]:
        if self.accounts is None:
            return []
        return [or_(among(account, "accounts"), and_(account.is_(None), among(user, "people")))]

    def bound(self, connection: Connection) -> dict[str, Any]:
        if self.accounts is None:
            return {}
        return {
            "accounts": listed(connection, sorted(self.accounts)),
            "people": listed(connection, sorted(self.people)),
        }

    def sees(self, account: str | None, user: str | None) -> bool:
        if self.accounts is None:
            return True
        return account in self.accounts if account is not None else user in self.people


EVERYTHING = Scope()


def read_world(connection: Connection) -> World:
    table = ROWS["organisations"].c
    columns = (table.zone, table.currency, table.attribution, table.attribution_days)
    found = connection.execute(select(*columns).where(~table.gone).order_by(table.key).limit(1)).first()
    zone, currency, attribution, days = found if found is not None else ("UTC", "USD", "linear", 180)
    return World(
        zone, currency, attribution or "linear", days or 180, read_exchange(connection, zone), _costs(connection, zone)
    )


def read_exchange(connection: Connection, zone: str) -> Exchange:
    r = ROWS["rates"].c
    rows = connection.execute(select(r.key, r.base_currency, r.quote_currency, r.rate, r.valid_from).where(~r.gone))
    return Exchange(
        (
            (key, Rate(base_currency=base, quote_currency=quote, rate=rate, valid_from=valid_from))
            for key, base, quote, rate, valid_from in rows
        ),
        zone,
    )


def _costs(connection: Connection, zone: str) -> Costs:
    rates, units = ROWS["cost_rates"], ROWS["unit_costs"].c
    found = [dated(dict(row)) for row in connection.execute(select(rates).where(~rates.c.gone)).mappings()]
    columns = (units[name] for name in Cost.__struct_fields__)
    dated_units = [Cost(*row) for row in connection.execute(select(*columns).where(~units.gone))]
    return Costs((rate for rate in found if rate is not None), dated_units, zone)


def read_holders(connection: Connection, zone: str) -> Holders:
    """Who is of which team when; only own teams are asked for, so the tree above them is not read."""
    m = ROWS["team_members"].c
    query = select(m.user_key, m.team_key, m.valid_from, m.valid_to).where(~m.gone)
    rows = connection.execute(query.order_by(m.valid_from.desc(), m.team_key)).all()
    none: tuple[Edge, ...] = ()
    return Holders((Belongs(*row) for row in rows), none, none, zone)


def scope_of(connection: Connection, who: Who) -> Scope:
    """What a role that sees cost may be told of; `not_permitted` for others (R45)."""
    if who.role not in SEES_COST:
        raise Refused("not_permitted", f"the role {who.role} does not see cost")
    if who.role in SEES_EVERYTHING or who.held is None:
        return EVERYTHING
    held = {"held": listed(connection, sorted(who.held))}
    seen = select(_ACCOUNTS.c.key).where(~_ACCOUNTS.c.gone, lies_in(_ACCOUNTS.c.buckets, "held"))
    keys = frozenset(connection.execute(seen, held).scalars())
    people = frozenset(bucket[5:] for bucket in who.held if bucket.startswith("book:"))
    users = ROWS["users"].c
    there = connection.execute(select(func.count()).select_from(_ACCOUNTS).where(~_ACCOUNTS.c.gone)).scalar()
    others = set(connection.execute(select(users.key).where(~users.gone)).scalars()) - people
    return EVERYTHING if there == len(keys) and not others else Scope(keys, people)
