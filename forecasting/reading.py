"""What is forecast now, read off the rows in a handful of statements, whatever the number of deals (R22, R55).

`read_world` answers what is around the deals, `read_raw` the deals of one period as the database has them. What they
say is made of them by `facts`, outside of any transaction. Nothing here decides who sees what, or reads a clock.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    null,
    or_,
    select,
)

from forecasting.answers import PeriodTold
from forecasting.plain import rest, sums_query
from forecasting.tree import Stay, Tree
from sfa.core.days import start_of_ms
from sfa.core.entities import Rate
from sfa.core.errors import Refused
from sfa.core.exchange import Exchange
from sfa.core.hierarchy import Edge
from sfa.core.ids import is_key
from sfa.db import feed, scope
from sfa.db.prepared import Prepared
from sfa.db.tables import ROWS, credited, forecast_snapshots
from sfa.profit.company.by_product import read_lines

SELLS = ("rep", "manager", "director")
_DEALS, _PERIODS = ROWS["deals"], ROWS["fiscal_periods"]


# -- the company ------------------------------------------------------------------------------------------------------


class World(Struct, frozen=True):
    """Everything around the deals: the day it is, people, trees, rates, and the rules by which people are asked."""

    seq: int
    zone: str
    today: str
    currency: str
    tree: Tree
    exchange: Exchange
    people: Mapping[str, tuple[str, bool, bool]]  # user -> (name, active, whether his role sells)
    teams: Mapping[str, str]
    period_kind: str
    shown: bool

    def works(self, user_key: str) -> bool:
        """Whether there is such a person and he has not left."""
        return user_key in self.people and self.people[user_key][1]


def read_world(connection: Connection, today: str | None = None, *, now_ms: int | None = None) -> World:
    """As of a local day, or of the day of an instant."""
    zone = scope.zone(connection)
    if today is None:
        assert now_ms is not None
        today = scope.today(connection, now_ms)
    stays = (
        Stay(user, team, role == "manager", since, until)
        for user, team, role, since, until in _live(
            connection, "team_members", "user_key", "team_key", "role", "valid_from", "valid_to"
        )
    )
    edges = {
        kind: [Edge(*row) for row in _live(connection, f"{kind}_edges", f"{kind}_key", "parent_key", *_DATED)]
        for kind in ("team", "territory")
    }
    rates = _live(connection, "rates", "key", "base_currency", "quote_currency", "rate", "valid_from")
    organisations = sorted(_live(connection, "organisations", "key", "currency"))
    policies = sorted(_live(connection, "forecast_policies", "key", "period_kind", "manager_figures"))
    return World(
        seq=feed.face(connection).seq,
        zone=zone,
        today=today,
        currency=organisations[0][1] if organisations else "EUR",
        tree=Tree(stays, edges["team"], edges["territory"]),
        exchange=Exchange(((key, _rate(*row)) for key, *row in rates), zone),
        people={
            key: (name, active, role in SELLS)
            for key, name, active, role in _live(connection, "users", "key", "name", "active", "role")
        },
        teams={row[0]: row[1] for row in _live(connection, "teams", "key", "name")},
        period_kind=policies[0][1] if policies else "quarter",
        shown=bool(policies) and policies[0][2] == "shown",
    )


_DATED = ("valid_from", "valid_to")


def _rate(base: str, quote: str, rate: str, valid_from: str) -> Rate:
    return Rate(base_currency=base, quote_currency=quote, rate=rate, valid_from=valid_from)


def _live(connection: Connection, entity: str, *columns: str) -> Sequence[Any]:
    table = ROWS[entity]
    return connection.execute(select(*(table.c[c] for c in columns)).where(~table.c.gone)).all()


def snapshot_of(connection: Connection, day: str) -> tuple[int, str] | None:
    """The number and currency of the newest snapshot that is not younger than a day."""
    s = forecast_snapshots.c
    query = select(s.number, s.currency).where(s.taken_on <= day).order_by(s.number.desc()).limit(1)
    found = connection.execute(query).first()
    return (found[0], found[1]) if found is not None else None


def find_period(connection: Connection, key: str | None, on: str, kind: str) -> PeriodTold:
    """The period of a key, or the one of a kind that holds a day; of several the first by key. Refuses
    `period_unknown`."""
    p = _PERIODS.c
    query = select(p.key, p.name, p.kind, p.start_on, p.end_on).where(~p.gone)
    if key is None:
        found = connection.execute(query.where(p.kind == kind, p.start_on <= on, p.end_on > on).order_by(p.key)).first()
        if found is None:
            raise Refused("period_unknown", f"no {kind} of the fiscal calendar holds {on}", day=on, kind=kind)
    else:
        found = connection.execute(query.where(p.key == key)).first() if is_key(key) else None
        if found is None:
            raise Refused("period_unknown", f"there is no fiscal period {key[:64]!r}", period_key=key[:64])
    return PeriodTold(*found)


# -- deals ------------------------------------------------------------------------------------------------------------


class Raw(Struct, frozen=True):
    """The rows of one period: open deals that may stand in it, the credits of its days, and what was won on them and is
    credited to nobody yet; and what is asked beside them
    by territory or product: the names of those, the lines of deals as (product, quantity, total). `summed` are plain
    deals (`forecasting.plain`) that are not in `open`, as (owner, bucket, amount, weighted, deals)."""

    open: Sequence[Any] = ()
    summed: Sequence[Any] = ()
    closed: Sequence[Any] = ()
    awaited: Sequence[Any] = ()
    stages: Sequence[Any] = ()
    named: Sequence[Any] = ()
    lines: Mapping[str, Sequence[tuple[str, int, int]]] = {}


def read_raw(
    connection: Connection, world: World, period: PeriodTold, by: str = "owner", *, summed_in: str | None = None
) -> Raw:
    """Every open deal; with `summed_in`, by owner, those that are plain in that currency summed."""
    stages = ROWS["stages"].c
    rows, sums = _open(connection, world, period, by, summed_in)
    return Raw(
        open=rows,
        summed=sums,
        closed=_closed(connection, world, period),
        awaited=_awaited(connection, world, period),
        stages=connection.execute(select(stages.key, stages.probability_bp, stages.category)).all(),
        named=_live(connection, _NAMED[by], "key", "name") if by in _NAMED else (),
        lines=read_lines(connection) if by == "product" else {},
    )


_NAMED = {"territory": "territories", "product": "products"}


def _open(
    connection: Connection, world: World, period: PeriodTold, by: str, summed_in: str | None
) -> tuple[Sequence[Any], Sequence[Any]]:
    """-> (key, owner, stage, amount, currency, category, day, splits, overlays, territory), splits and overlays as
    text, and what is summed."""
    if period.end_on <= world.today:
        return (), ()  # whose day was in it and is over has slipped into the period that is running
    is_running = period.start_on <= world.today
    days = {"end": period.end_on, **({} if is_running else {"start": period.start_on})}
    if summed_in is None or by != "owner":
        return _OPEN[by == "territory", is_running].rows(connection, **days), ()
    days["currency"] = summed_in
    return _REST[is_running].rows(connection, **days), _SUMS[is_running].rows(connection, today=world.today, **days)


def _dated(*, is_running: bool) -> ColumnElement[bool]:
    d = _DEALS.c
    until = d.close_on < bindparam("end", type_=Text)
    return or_(d.close_on.is_(None), until) if is_running else and_(until, d.close_on >= bindparam("start", type_=Text))


def _open_query(*more: ColumnElement[bool], with_territory: bool = False) -> Prepared:
    d, account = _DEALS.c, ROWS["accounts"].c
    columns = (d.key, d.owner_key, d.stage_key, d.amount_minor, d.currency, d.category, d.close_on)
    query = select(*columns, cast(d.splits, Text), cast(d.overlays, Text))
    if with_territory:
        query = query.add_columns(account.territory_key).outerjoin(ROWS["accounts"], account.key == d.account_key)
    else:
        query = query.add_columns(null())
    return Prepared(query.where(d.closed_at.is_(None), ~d.gone, *more))


# by (with territories, of the running period): the driver's own rows, of which there are many
_OPEN = {
    (with_territory, is_running): _open_query(_dated(is_running=is_running), with_territory=with_territory)
    for with_territory in (False, True)
    for is_running in (False, True)
}
_REST = {is_running: _open_query(_dated(is_running=is_running), rest()) for is_running in (False, True)}
_SUMS = {is_running: sums_query(_dated(is_running=is_running)) for is_running in (False, True)}


def _closed(connection: Connection, world: World, period: PeriodTold) -> Sequence[Any]:
    """(deal, person, overlay, at, rated at, territory, amount, currency): the same money that quotas count (R55)."""
    start, end = start_of_ms(period.start_on, world.zone), start_of_ms(period.end_on, world.zone)
    return _CLOSED.rows(connection, start=start, end=end)


def _closed_query() -> Prepared:
    c = credited.c
    amount = case((c.reversal, -c.amount_minor), else_=c.amount_minor)
    query = select(c.deal_key, c.user_key, c.overlay, c.at, c.rated_at, c.territory_key, amount, c.currency)
    start, end = (bindparam(name, type_=BigInteger) for name in ("start", "end"))
    return Prepared(query.where(c.at >= start, c.at < end))


_CLOSED = _closed_query()


def _awaited(connection: Connection, world: World, period: PeriodTold) -> Sequence[Any]:
    """(key, owner, stage, amount, currency, closed at, splits, overlays, territory) of deals that are won while the
    event that credits them has not happened (R17); only where a rule names another event than winning."""
    rules = ROWS["credit_rules"].c
    if connection.execute(select(rules.key).where(~rules.gone, rules.event != "won").limit(1)).first() is None:
        return ()
    start, end = start_of_ms(period.start_on, world.zone), start_of_ms(period.end_on, world.zone)
    return _AWAITED.rows(connection, start=start, end=end)


def _awaited_query() -> Prepared:
    d, account, stage = _DEALS.c, ROWS["accounts"].c, ROWS["stages"].c
    credit, reversed_ = credited.alias("credit"), credited.alias("reversed")
    taken_back = exists().where(
        reversed_.c.deal_key == credit.c.deal_key, reversed_.c.n == credit.c.n, reversed_.c.reversal
    )
    counts = exists().where(credit.c.deal_key == d.key, ~credit.c.reversal, ~taken_back)
    columns = (d.key, d.owner_key, d.stage_key, d.amount_minor, d.currency, d.closed_at)
    query = select(*columns, cast(d.splits, Text), cast(d.overlays, Text), account.territory_key)
    query = query.join(ROWS["stages"], stage.key == d.stage_key)
    query = query.outerjoin(ROWS["accounts"], account.key == d.account_key)
    start, end = (bindparam(name, type_=BigInteger) for name in ("start", "end"))
    return Prepared(query.where(d.closed_at >= start, d.closed_at < end, ~d.gone, stage.kind == "won", ~counts))


_AWAITED = _awaited_query()
