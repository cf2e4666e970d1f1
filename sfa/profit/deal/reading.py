"""All that the P&L of one deal is made of, read in a fixed number of statements: none for a visit, a line or a credit.

Rows come as they are, with visits as their amendments left them (R14); what they amount to is decided by pure modules.
What counts before `as_of` is cut there by them too. Decides nothing about who may see what.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, and_, cast, func, or_, select

from sfa.core.credits import Cost
from sfa.core.days import start_of_ms
from sfa.core.entities import Rate
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, commission_entries, credited, deal_quote_lines, deal_quotes
from sfa.profit.dated import EffortRate, EffortRates
from sfa.profit.effort import OpenDays, Spent, days_of, open_days
from sfa.profit.rebates import Agreement, agreement_of
from sfa.quotas.conversion import Exchange

Row = Mapping[str, Any]
_DEALS, _LINES, _VISITS, _LEGS = (ROWS[e] for e in ("deals", "deal_lines", "visits", "travel_legs"))
_EXPENSES, _WORK, _CHARGES = (ROWS[e] for e in ("expenses", "work_entries", "deal_charges"))
_AMENDED, _PRODUCTS, _AGREEMENTS = (ROWS[e] for e in ("visit_amendments", "products", "rebate_agreements"))
KEYS_NAMED = 200
DAY_AT_MOST_MS = 50 * 3_600_000  # whatever a zone did to it; which day it was is decided row by row
TIMES = ("checked_in_at", "checked_out_at")
_LINE = ("key", "deal_key", "position", "product_key", "quantity", "unit_price_minor", "discount_bp")


class Quote(Struct, frozen=True):
    """What an offer said, frozen (R39): the rows of `deal_quotes` and `deal_quote_lines`."""

    head: Row
    lines: list[Row]

    def currencies(self) -> set[str | None]:
        of_lines = (line[name] for line in self.lines for name in ("list_currency", "cost_currency"))
        return {self.head["currency"], *of_lines}


class Credited(Struct, frozen=True):
    """What an end of a deal credited, or a reversal took back: without overlays, as one amount."""

    deal_key: str
    n: int
    reversal: bool
    at: int
    rated_at: int
    amount_minor: int | None
    currency: str | None


class Sources(Struct, frozen=True, kw_only=True):
    """`lines` are by deal: its own, and those of other deals where a rebate asks which products they were for."""

    zone: str
    deal_key: str
    deal: Row
    lines: Mapping[str, list[Row]]
    families: Mapping[str, str | None]
    prices: Mapping[str, list[Cost]]
    costs: Mapping[str, list[Cost]]
    credits: list[Row]
    charges: list[Row]
    agreements: list[Agreement]
    credited: Mapping[str, list[Credited]]  # by customer
    visits: list[Row]
    legs: list[Row]
    expenses: list[Row]
    work: list[Row]
    rates: EffortRates
    commissions: list[Row]
    spans: list[OpenDays]
    quote: Quote | None
    exchange: Exchange


def read_deal(
    connection: Connection, key: str, deal: Row, zone: str, as_of: int, currency: str | None = None
) -> Sources:
    """`deal` is the row of the deal `key`, which the caller may see. `currency` is what it is told in; null reads the
    rates of all."""
    credits_ = _rows(connection, select(credited).where(credited.c.deal_key == key, credited.c.at < as_of))
    accounts = sorted({a for a in (deal["account_key"], *(c["account_key"] for c in credits_)) if a})
    agreements = _agreements(connection, accounts)
    quote = _quote(connection, key, as_of)
    spent = read_spent(connection, key, deal, zone)
    sold = _credited(connection, agreements, zone, as_of)
    of_family = {c.deal_key for rows in sold.values() for c in rows} if any(a.family for a in agreements) else set()
    lines = _lines(connection, {key, *of_family})
    products = {line["product_key"] for of in lines.values() for line in of}
    products |= {row["product_key"] for row in (*spent.charges, *spent.expenses) if row["product_key"]}
    named, some = _one_of(connection, _PRODUCTS.c.key, products)
    families = select(_PRODUCTS.c.key, _PRODUCTS.c.family).where(named)
    prices, costs = (_dated(connection, entity, products) for entity in ("prices", "unit_costs"))
    commissions = _commissions(connection, key, as_of)
    rates = effort_rates(connection, {row["owner_key"] for row in (*spent.visits, *spent.legs, *spent.work)})
    met: set[str | None] = {deal["currency"], currency}
    met.update(row["currency"] for row in (*spent.charges, *spent.expenses, *commissions, *credits_))
    met.update(row["cost_currency"] for row in credits_)
    met.update(agreement.currency for agreement in agreements)
    met.update(rate.currency for rate in rates)
    met.update(credit.currency for of in sold.values() for credit in of)
    met.update(dated.currency for of in (*prices.values(), *costs.values()) for dated in of)
    met.update(quote.currencies() if quote is not None else ())
    return Sources(
        zone=zone,
        deal_key=key,
        deal=deal,
        lines=lines,
        families=dict(connection.execute(families, some).all()) if of_family else {},
        prices=prices,
        costs=costs,
        credits=credits_,
        charges=spent.charges,
        agreements=agreements,
        credited=sold,
        visits=spent.visits,
        legs=spent.legs,
        expenses=spent.expenses,
        work=spent.work,
        rates=EffortRates(rates),
        commissions=commissions,
        spans=spent.spans,
        quote=quote,
        exchange=Exchange(exchange_rates(connection, met if currency is not None else None), zone),
    )


def _rows(connection: Connection, query: Any, bound: Mapping[str, Any] | None = None) -> list[Row]:
    return [dict(row) for row in connection.execute(query, dict(bound or {})).mappings()]


def _live(connection: Connection, table: Any, *where: Any) -> list[Row]:
    return _rows(connection, select(table).where(~table.c.gone, *where).order_by(table.c.key))


class _Near(Struct, frozen=True):
    """A deal, its customer, and the days on which it was open: what names only the customer is no part of it before and
    after them."""

    key: str
    account: str | None
    from_on: str
    to_on: str | None
    zone: str

    def of(self, table: Any, *within: Any) -> Any:
        """What names the deal, or only its customer on those days."""
        if self.account is None:
            return table.c.deal_key == self.key
        shared = and_(table.c.deal_key.is_(None), table.c.account_key == self.account, *within)
        return or_(table.c.deal_key == self.key, shared)

    def days(self, column: Any) -> list[Any]:
        return [column >= self.from_on] + ([] if self.to_on is None else [column <= self.to_on])

    def instants(self, column: Any) -> list[Any]:
        since = [column >= start_of_ms(self.from_on, self.zone)]
        return since if self.to_on is None else [*since, column < start_of_ms(self.to_on, self.zone) + DAY_AT_MOST_MS]


def _one_of(connection: Connection, column: Any, keys: Iterable[str]) -> tuple[Any, dict[str, Any]]:
    """A condition and what is bound to it: few keys are named one by one, in a statement that is compiled once."""
    found = sorted(keys)
    if len(found) <= KEYS_NAMED:
        return column.in_(found), {}
    return among(column, "keys"), {"keys": listed(connection, found)}


# -- what was sold ---------------------------------------------------------------------------------------------------


def _lines(connection: Connection, deals: Iterable[str]) -> dict[str, list[Row]]:
    columns = (_LINES.c[name] for name in _LINE)
    named, bound = _one_of(connection, _LINES.c.deal_key, deals)
    query = select(*columns).where(named, ~_LINES.c.gone)
    found: dict[str, list[Row]] = {}
    for row in _rows(connection, query.order_by(_LINES.c.deal_key, _LINES.c.position, _LINES.c.key), bound):
        found.setdefault(row["deal_key"], []).append(row)
    return found


def _dated(connection: Connection, entity: str, products: Iterable[str]) -> dict[str, list[Cost]]:
    """Prices or unit costs, by product."""
    table = ROWS[entity].c
    named, bound = _one_of(connection, table.product_key, products)
    columns = (table[name] for name in Cost.__struct_fields__)
    found: dict[str, list[Cost]] = {}
    for row in connection.execute(select(*columns).where(named, ~table.gone), bound):
        found.setdefault(row.product_key, []).append(Cost(*row))
    return found


def _quote(connection: Connection, key: str, as_of: int) -> Quote | None:
    """The last one before that instant."""
    q, of = deal_quotes.c, deal_quote_lines.c
    query = select(deal_quotes).where(q.deal_key == key, q.quoted_at < as_of).order_by(q.number.desc()).limit(1)
    heads = _rows(connection, query)
    if not heads:
        return None
    lines = select(deal_quote_lines).where(of.deal_key == key, of.number == heads[0]["number"])
    return Quote(heads[0], _rows(connection, lines.order_by(of.position, of.line_key)))


def _agreements(connection: Connection, accounts: Sequence[str]) -> list[Agreement]:
    a = _AGREEMENTS.c
    query = select(_AGREEMENTS).where(a.account_key.in_(accounts), ~a.gone).order_by(a.key)
    return [agreement_of(row["key"], row) for row in _rows(connection, query)]


def _credited(
    connection: Connection, agreements: Sequence[Agreement], zone: str, as_of: int
) -> dict[str, list[Credited]]:
    """What customers with agreements were credited for within their days, and what was taken back of it since."""
    if not agreements:
        return {}
    c = credited.c
    start = start_of_ms(min(a.valid_from for a in agreements), zone)
    end = start_of_ms(max(a.valid_to for a in agreements), zone)
    names = (c.deal_key, c.n, c.reversal, c.at, c.rated_at)
    query = select(c.account_key, *names, cast(func.sum(c.amount_minor), BigInteger), c.currency).where(
        c.account_key.in_(sorted({a.account_key for a in agreements})),
        ~c.overlay,
        c.rated_at >= start,
        c.rated_at < end,
        c.at < as_of,
    )
    found: dict[str, list[Credited]] = {}
    for account, *said in connection.execute(query.group_by(c.account_key, *names, c.currency)):
        found.setdefault(account, []).append(Credited(*said))
    return found


def _commissions(connection: Connection, key: str, as_of: int) -> list[Row]:
    c = commission_entries.c
    plans = ROWS["commission_plans"]
    query = select(commission_entries, plans.c.measure).outerjoin(plans, plans.c.key == c.plan_key)
    query = query.where(c.deal_key == key, c.at < as_of)
    return _rows(connection, query.order_by(c.user_key, c.plan_key, c.period_key, c.number))


# -- what it took ----------------------------------------------------------------------------------------------------


def read_spent(connection: Connection, key: str, deal: Row, zone: str, *, served: bool = True) -> Spent:
    """Charges and expenses, and where it was `served` visits, ways and work too."""
    spans = _spans(connection, key, deal, zone)
    near = _Near(key, deal["account_key"], *days_of(key, spans), zone)
    return Spent(
        charges=_live(connection, _CHARGES, _CHARGES.c.deal_key == key),
        expenses=_expenses(connection, near),
        visits=_visits(connection, near) if served else [],
        legs=_legs(connection, near) if served else [],
        work=_live(connection, _WORK, near.of(_WORK, *near.days(_WORK.c.done_on))) if served else [],
        spans=spans,
    )


def _expenses(connection: Connection, near: _Near) -> list[Row]:
    """One that names no deal is of its visit's, also where the visit was given it later."""
    t, v = _EXPENSES.c, _VISITS.c
    of_visit = t.visit_key.in_(select(v.key).where(v.deal_key == near.key))
    query = select(_EXPENSES, v.deal_key.label("visit_deal")).outerjoin(_VISITS, v.key == t.visit_key)
    found = _rows(connection, query.where(~t.gone, or_(near.of(_EXPENSES, *near.days(t.spent_on)), of_visit)))
    told = [{**row, "deal_key": row["deal_key"] or row["visit_deal"]} for row in found]
    return sorted((row for row in told if row["deal_key"] in (None, near.key)), key=lambda row: str(row["key"]))


def _visits(connection: Connection, near: _Near) -> list[Row]:
    """Visits that took place, at the times that count after corrections (R14)."""
    v, a = _VISITS.c, _AMENDED.c
    columns = (v.key, v.owner_key, v.deal_key, *(v[name] for name in TIMES))
    corrected = v.key.in_(select(a.visit_key).where(a.field.in_(TIMES), ~a.gone))
    within = or_(and_(*near.instants(v.checked_in_at)), corrected)
    query = select(*columns).where(~v.gone, v.status == "completed", near.of(_VISITS, within))
    found = {row["key"]: dict(row) for row in _rows(connection, query.order_by(v.key))}
    named, bound = _one_of(connection, a.visit_key, found)
    changed = select(a.visit_key, a.field, a.new).where(named, a.field.in_(TIMES), ~a.gone)
    for visit, field, new in connection.execute(changed.order_by(a.visit_key, a.field, a.ordinal), bound):
        found[visit][field] = new
    return list(found.values())


def _legs(connection: Connection, near: _Near) -> list[Row]:
    """The ways to its visits, whatever became of them, whose length is known; each with the visit's deal."""
    leg, v = _LEGS.c, _VISITS.c
    columns = (leg.key, leg.owner_key, leg.started_at, leg.distance_m, leg.source, leg.visit_key, v.deal_key)
    query = select(*columns).join_from(_LEGS, _VISITS, v.key == leg.visit_key)
    of = near.of(_VISITS, *near.instants(leg.started_at))
    return _rows(connection, query.where(~leg.gone, ~v.gone, leg.distance_m.is_not(None), of).order_by(leg.key))


def effort_rates(connection: Connection, owners: Iterable[str]) -> list[EffortRate]:
    """Those of everybody, and of these people."""
    table = ROWS["cost_rates"].c
    columns = (table[name] for name in EffortRate.__struct_fields__)
    own, bound = _one_of(connection, table.user_key, owners)
    query = select(*columns).where(~table.gone, or_(table.user_key.is_(None), own))
    return [EffortRate(*row) for row in connection.execute(query, bound)]


def _spans(connection: Connection, key: str, deal: Row, zone: str) -> list[OpenDays]:
    """When each of the customer's deals was open."""
    d = _DEALS.c
    if deal["account_key"] is None:
        return open_days(key, deal, zone)
    query = select(d.key, d.opened_on, d.created_at, d.closed_at, d.closings)
    rows = _rows(connection, query.where(d.account_key == deal["account_key"], ~d.gone))
    return [span for row in rows for span in open_days(row["key"], row, zone)]


def exchange_rates(connection: Connection, met: Iterable[str | None] | None) -> list[tuple[str, Rate]]:
    """Those between currencies that were met; of one alone there are none."""
    t = ROWS["rates"].c
    names = ("base_currency", "quote_currency", "rate", "valid_from")
    query = select(t.key, *(t[name] for name in names)).where(~t.gone)
    if met is not None:
        codes = sorted({code for code in met if code})
        query = query.where(t.base_currency.in_(codes), t.quote_currency.in_(codes))
    return [(key, Rate(**dict(zip(names, said, strict=True)))) for key, *said in connection.execute(query)]
