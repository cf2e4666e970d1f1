"""What is booked beside the price: charges, expenses, work and commission, each in the period of its own day (R38).

Charges are shared by the splits of the end that stood when they were booked (R16), expenses and work are their
author's, commission is of who is paid. A return that says product and quantity gives their goods cost back, at the unit
cost of the day on which the deal was credited. Charges lie where the deal was credited, all else where the customer
lies today.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, null, select

from sfa.core.credits import End, day_of, ends_of
from sfa.core.days import start_of_ms
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, commission_entries, credited
from sfa.profit.company.fact_sums import Asked, Fact, Place, Source, Value, both, narrowed, parted, settled
from sfa.profit.company.surroundings import World
from sfa.profit.dated import credited_on, worth
from sfa.profit.items import work_cost
from sfa.quotas.spans import each

_ACCOUNTS, _DEALS, _VISITS = ROWS["accounts"], ROWS["deals"], ROWS["visits"]
_D = _DEALS.c
_OF_END = ("closed_at", "stage_key", "signed_at", "invoiced_at", "owner_key", "amount_minor", "currency", "splits")
Row = Mapping[str, Any]


# -- charges ----------------------------------------------------------------------------------------------------------


def charges(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """Charges booked on the days that are asked about, each person's part a fact."""
    t = ROWS["deal_charges"].c
    deal = [_D[f].label(f"d_{f}") for f in (*_OF_END, "closings", "overlays", "account_key")]
    query = select(t.key, t.deal_key, t.kind, t.amount_minor, t.currency, t.booked_on, t.product_key, t.quantity, *deal)
    query = query.add_columns(_ACCOUNTS.c.territory_key).join_from(ROWS["deal_charges"], _DEALS, _D.key == t.deal_key)
    query = query.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _D.account_key)
    query, bound = narrowed(connection, query, _D.account_key, t.deal_key, asked)
    found = connection.execute(query.where(~t.gone, *_within(t.booked_on, asked)).order_by(t.key), bound)
    rows = [dict(row) for row in found.mappings()]
    places = _credited(connection, world, sorted({row["deal_key"] for row in rows})) if rows else {}
    for row in rows:
        for fact in _charge_facts(world, row, places.get(row["deal_key"], {})):
            if asked.takes(fact):
                yield fact


def _charge_facts(world: World, row: Row, places: Mapping[str, str | None]) -> Iterator[Fact]:
    """`places`: days on which the deal was credited -> where it lay then."""
    at = start_of_ms(row["booked_on"], world.zone)
    stood = credited_on(places, row["booked_on"])
    territory = (places[stood] if stood is not None else None) or row["territory_key"]
    end = _end_on(row, at)
    shares = dict(end.splits)
    source = (territory, row["product_key"], row["deal_key"], "deal_charges", row["key"])
    place: Place = (at, at, row["d_account_key"], end.owner_key, *source)
    whole = Fact(row["kind"], -row["amount_minor"], row["currency"], *place)
    yield from parted(settled(world, whole), shares)
    if row["kind"] == "goods_return" and row["product_key"] and row["quantity"]:
        day = stood or row["booked_on"]
        cost = world.costs.unit_on(row["product_key"], day)
        back = worth(row["quantity"], cost.amount_minor) if cost is not None else None
        if cost is None or back is None:
            about = {"of": "goods", "product_key": row["product_key"], "on": day}
            yield Fact("returned_goods", None, "", *place, code="cost_missing", about=about)
        else:
            yield from parted(settled(world, Fact("returned_goods", back, cost.currency, *place)), shares)


def _end_on(row: Row, at: int) -> End:
    """The end that stood then, or the deal as it is."""
    deal = {field: row[f"d_{field}"] for field in (*_OF_END, "closings", "overlays")}
    standing = [
        end for end in ends_of(deal) if end.closed_at <= at and (end.reopened_at is None or at < end.reopened_at)
    ]
    if standing:
        return standing[-1]
    (now,) = ends_of({**deal, "closings": (), "closed_at": at})
    return now


def _credited(connection: Connection, world: World, deals: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """deal -> the days on which its ends were credited, and the territory of each."""
    c = credited.c
    query = select(c.deal_key, c.territory_key, c.rated_at).where(among(c.deal_key, "keys"), ~c.overlay, ~c.reversal)
    found: dict[str, dict[str, str | None]] = {}
    ordered = query.order_by(c.deal_key, c.n, c.user_key)
    for deal, territory, at in connection.execute(ordered, {"keys": listed(connection, deals)}):
        found.setdefault(deal, {})[day_of(at, world.zone)] = territory
    return found


# -- expenses and work ------------------------------------------------------------------------------------------------


def expenses(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """Samples and what else was spent; of the customer that the row names, or its visit's, or its deal's."""
    t = ROWS["expenses"].c
    account = func.coalesce(t.account_key, _VISITS.c.account_key, _D.account_key)
    deal = func.coalesce(t.deal_key, _VISITS.c.deal_key)
    query = select(t.key, t.owner_key, t.kind, t.amount_minor, t.currency, t.spent_on, t.product_key, t.quantity)
    query = query.add_columns(account.label("account"), deal.label("deal"), _ACCOUNTS.c.territory_key.label("place"))
    query = query.select_from(ROWS["expenses"]).outerjoin(_VISITS, _VISITS.c.key == t.visit_key)
    query = query.outerjoin(_DEALS, _D.key == deal).outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == account)
    query, bound = narrowed(connection, query, account, deal, asked)
    for row in each(connection, query.where(~t.gone, *_within(t.spent_on, asked)), bound):
        fact = settled(world, _expense(world, row))
        if asked.takes(fact):
            yield fact


def _expense(world: World, row: Any) -> Fact:
    at = start_of_ms(row.spent_on, world.zone)
    place: Place = (at, at, row.account, row.owner_key, row.place, row.product_key, row.deal, "expenses", row.key)
    kind = "samples" if row.kind == "sample" else "expenses"
    if row.amount_minor is not None and row.currency is not None:
        return Fact(kind, -row.amount_minor, row.currency, *place)
    cost = world.costs.unit_on(row.product_key, row.spent_on) if row.product_key else None
    quantity = row.quantity or "1"
    spent = worth(quantity, cost.amount_minor) if cost is not None else None
    if cost is None or spent is None:
        about = {"of": "sample" if kind == "samples" else "expense", "expense_key": row.key, "on": row.spent_on}
        return Fact(kind, None, "", *place, "cost_missing", about)
    about = {"quantity": quantity, "unit_minor": cost.amount_minor, "cost_key": cost.key}
    return Fact(kind, -spent, cost.currency, *place, None, about)


def work(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """Minutes of other work, at the rate of their day."""
    t = ROWS["work_entries"].c
    account = func.coalesce(t.account_key, _D.account_key)
    query = select(t.key, t.owner_key, t.minutes, t.done_on, t.deal_key, account.label("account"))
    query = query.add_columns(_ACCOUNTS.c.territory_key.label("place")).select_from(ROWS["work_entries"])
    query = query.outerjoin(_DEALS, _D.key == t.deal_key).outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == account)
    query, bound = narrowed(connection, query, account, t.deal_key, asked)
    for row in each(connection, query.where(~t.gone, *_within(t.done_on, asked)), bound):
        at = start_of_ms(row.done_on, world.zone)
        place: Place = (at, at, row.account, row.owner_key, row.place, None, row.deal_key, "work_entries", row.key)
        rate = world.costs.rate_on("work_hour", row.owner_key, row.done_on)
        if rate is None or rate.currency is None:
            about: dict[str, Any] = {"of": "work_hour", "user_key": row.owner_key, "on": row.done_on}
            fact = Fact("work", None, "", *place, "cost_missing", about)
        else:
            about = {"minutes": row.minutes, "rate_minor": rate.value, "rate_key": rate.key}
            fact = Fact("work", -work_cost(row.minutes, rate.value), rate.currency, *place, None, about)
        if asked.takes(fact):
            yield settled(world, fact)


def _within(column: Any, asked: Asked) -> list[ColumnElement[bool]]:
    return [column >= asked.from_on, column < asked.to_on]


# -- commission -------------------------------------------------------------------------------------------------------


def commission_source(_connection: Connection, world: World, asked: Asked) -> Source:
    """The ledger of commission (R41): of the customer of the deal, where there is one. What takes back is converted at
    the rate of what it takes back."""
    e, taken = commission_entries.c, commission_entries.alias("taken").c
    accrued_at = select(taken.at).where(taken.user_key == e.user_key, taken.plan_key == e.plan_key)
    accrued_at = accrued_at.where(taken.period_key == e.reverses_period, taken.number == e.reverses)
    from_: Any = commission_entries.outerjoin(_DEALS, _D.key == e.deal_key)
    territory: Any = null()
    if "territory" in asked.by:
        from_ = from_.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _D.account_key)
        last = select(credited.c.territory_key).where(credited.c.deal_key == e.deal_key, ~credited.c.overlay)
        last = last.order_by(credited.c.n.desc(), credited.c.user_key).limit(1)
        territory = func.coalesce(last.scalar_subquery(), _ACCOUNTS.c.territory_key)
    columns = {"account": _D.account_key, "user": e.user_key, "territory": territory, "product": null()}
    return Source(
        from_=from_,
        where=[],
        columns={**columns, "deal": e.deal_key},
        at=e.at,
        values={"commission": Value(-e.amount_minor, both(e.currency == world.currency))},
        raw=[
            e.user_key,
            e.plan_key,
            e.period_key,
            e.number,
            e.at,
            e.amount_minor,
            e.currency,
            e.deal_key,
            _D.account_key,
            territory.label("territory"),
            func.coalesce(accrued_at.scalar_subquery(), e.at).label("rated_at"),
        ],
        valued=_commission,
    )


def _commission(_world: World, row: Any) -> Iterator[Fact]:
    user, plan, period, number, at, amount, currency, deal, account, territory, rated = row
    key = f"{user}/{plan}/{period}/{number}"
    place: Place = (at, rated, account, user, territory, None, deal, "commission_entries", key)
    yield Fact("commission", -amount, currency, *place)
