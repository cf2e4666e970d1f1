"""All that the P&Ls of deals are made of, read in a fixed number of statements: none for a deal, a visit or a credit.

One deal is read as many are, so what proves many right proves what is told of one.

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
    return read_deals(connection, {key: deal}, zone, as_of, currency)[key]


def read_deals(
    connection: Connection, deals: Mapping[str, Row], zone: str, as_of: int, currency: str | None = None
) -> dict[str, Sources]:
    """The same of up to `KEYS_NAMED` deals; what they share (lines, prices, rates) is shared by their sources."""
    credits_ = _by_deal(_rows(connection, _of_deals(select(credited), credited.c, deals).where(credited.c.at < as_of)))
    customers = {key: _customers(deal, credits_.get(key, ())) for key, deal in deals.items()}
    agreements = _agreements(connection, {a for of in customers.values() for a in of})
    quotes = _quotes(connection, deals, as_of)
    spent = read_spents(connection, deals, zone)
    sold = _credited(connection, agreements, zone, as_of)
    of_family = {c.deal_key for rows in sold.values() for c in rows} if any(a.family for a in agreements) else set()
    lines = _lines(connection, {*deals, *of_family})
    products = {line["product_key"] for of in lines.values() for line in of}
    beside = [row for of in spent.values() for row in (*of.charges, *of.expenses)]
    products |= {row["product_key"] for row in beside if row["product_key"]}
    named, some = _one_of(connection, _PRODUCTS.c.key, products)
    families = select(_PRODUCTS.c.key, _PRODUCTS.c.family).where(named)
    prices, costs = (_dated(connection, entity, products) for entity in ("prices", "unit_costs"))
    commissions = _commissions(connection, deals, as_of)
    served = (row for of in spent.values() for row in (*of.visits, *of.legs, *of.work))
    rates = effort_rates(connection, {row["owner_key"] for row in served})
    met: set[str | None] = {currency, *(deal["currency"] for deal in deals.values())}
    met.update(row["currency"] for row in beside)
    met.update(row["currency"] for found in (commissions, credits_) for of in found.values() for row in of)
    met.update(row["cost_currency"] for of in credits_.values() for row in of)
    met.update(agreement.currency for agreement in agreements)
    met.update(rate.currency for rate in rates)
    met.update(credit.currency for of in sold.values() for credit in of)
    met.update(dated.currency for of in (*prices.values(), *costs.values()) for dated in of)
    met.update(code for quote in quotes.values() for code in quote.currencies())
    shared: dict[str, Any] = {
        "zone": zone,
        "lines": lines,
        "families": dict(connection.execute(families, some).all()) if of_family else {},
        "prices": prices,
        "costs": costs,
        "credited": sold,
        "rates": EffortRates(rates),
        "exchange": Exchange(exchange_rates(connection, met if currency is not None else None), zone),
    }
    return {
        key: Sources(
            **shared,
            deal_key=key,
            deal=deal,
            credits=credits_.get(key, []),
            charges=spent[key].charges,
            agreements=[a for a in agreements if a.account_key in customers[key]],
            visits=spent[key].visits,
            legs=spent[key].legs,
            expenses=spent[key].expenses,
            work=spent[key].work,
            commissions=commissions.get(key, []),
            spans=spent[key].spans,
            quote=quotes.get(key),
        )
        for key, deal in deals.items()
    }


def _customers(deal: Row, credits_: Iterable[Row]) -> set[str]:
    return {a for a in (deal["account_key"], *(c["account_key"] for c in credits_)) if a}


def _of_deals(query: Any, columns: Any, deals: Iterable[str]) -> Any:
    return query.where(columns.deal_key.in_(sorted(deals)))


def _by_deal(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["deal_key"], []).append(row)
    return found


def _rows(connection: Connection, query: Any, bound: Mapping[str, Any] | None = None) -> list[Row]:
    return [dict(row) for row in connection.execute(query, dict(bound or {})).mappings()]


def _live(connection: Connection, table: Any, *where: Any) -> list[Row]:
    return _rows(connection, select(table).where(~table.c.gone, *where).order_by(table.c.key))


class _Near(Struct, frozen=True):
    """Deals, their customers, and the days on which each was open: what names only the customer is no part of it before
    and after them."""

    deals: Mapping[str, Row]
    open: Mapping[str, tuple[str, str | None]]
    zone: str

    def of(self, table: Any, *within: Any) -> Any:
        """What names a deal, or only its customer on those days."""
        named = table.c.deal_key.in_(sorted(self.deals))
        accounts = sorted({deal["account_key"] for deal in self.deals.values() if deal["account_key"] is not None})
        if not accounts:
            return named
        return or_(named, and_(table.c.deal_key.is_(None), table.c.account_key.in_(accounts), *within))

    def _bounds(self) -> tuple[str, str | None]:
        until = [to for _, to in self.open.values() if to is not None]
        return min(since for since, _ in self.open.values()), max(until) if len(until) == len(self.open) else None

    def days(self, column: Any) -> list[Any]:
        since, until = self._bounds()
        return [column >= since] + ([] if until is None else [column <= until])

    def instants(self, column: Any) -> list[Any]:
        since, until = self._bounds()
        found = [column >= start_of_ms(since, self.zone)]
        return found if until is None else [*found, column < start_of_ms(until, self.zone) + DAY_AT_MOST_MS]

    def shared_out(self, rows: Iterable[Row]) -> dict[str, list[Row]]:
        """To the deal that a row names, or to all of its customer; which of them were open on its day is decided row by
        row."""
        by_account: dict[str | None, list[str]] = {}
        for key, deal in self.deals.items():
            by_account.setdefault(deal["account_key"], []).append(key)
        found: dict[str, list[Row]] = {key: [] for key in self.deals}
        for row in rows:
            of = [row["deal_key"]] if row["deal_key"] is not None else by_account.get(row["account_key"], [])
            for key in of:
                if key in found:
                    found[key].append(row)
        return found


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


def _quotes(connection: Connection, deals: Iterable[str], as_of: int) -> dict[str, Quote]:
    """The last one of each before that instant."""
    q, of = deal_quotes.c, deal_quote_lines.c
    last = _of_deals(select(q.deal_key, func.max(q.number).label("number")), q, deals).where(q.quoted_at < as_of)
    newest = last.group_by(q.deal_key).subquery()
    same = and_(q.deal_key == newest.c.deal_key, q.number == newest.c.number)
    heads = {row["deal_key"]: row for row in _rows(connection, select(deal_quotes).join(newest, same))}
    if not heads:
        return {}
    named = and_(of.deal_key == newest.c.deal_key, of.number == newest.c.number)
    lines = select(deal_quote_lines).join(newest, named).order_by(of.deal_key, of.position, of.line_key)
    rows = _by_deal(_rows(connection, lines))
    return {key: Quote(head, rows.get(key, [])) for key, head in heads.items()}


def _agreements(connection: Connection, accounts: Iterable[str]) -> list[Agreement]:
    a = _AGREEMENTS.c
    named, bound = _one_of(connection, a.account_key, accounts)
    rows = _rows(connection, select(_AGREEMENTS).where(named, ~a.gone).order_by(a.key), bound)
    return [agreement_of(row["key"], row) for row in rows]


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
    named, bound = _one_of(connection, c.account_key, {a.account_key for a in agreements})
    query = select(c.account_key, *names, cast(func.sum(c.amount_minor), BigInteger), c.currency).where(
        named,
        ~c.overlay,
        c.rated_at >= start,
        c.rated_at < end,
        c.at < as_of,
    )
    found: dict[str, list[Credited]] = {}
    for account, *said in connection.execute(query.group_by(c.account_key, *names, c.currency), bound):
        found.setdefault(account, []).append(Credited(*said))
    return found


def _commissions(connection: Connection, deals: Iterable[str], as_of: int) -> dict[str, list[Row]]:
    c = commission_entries.c
    plans = ROWS["commission_plans"]
    query = select(commission_entries, plans.c.measure).outerjoin(plans, plans.c.key == c.plan_key)
    query = _of_deals(query, c, deals).where(c.at < as_of)
    return _by_deal(_rows(connection, query.order_by(c.user_key, c.plan_key, c.period_key, c.number)))


# -- what it took ----------------------------------------------------------------------------------------------------


def read_spent(connection: Connection, key: str, deal: Row, zone: str, *, served: bool = True) -> Spent:
    """Charges and expenses, and where it was `served` visits, ways and work too."""
    return read_spents(connection, {key: deal}, zone, served=served)[key]


def read_spents(
    connection: Connection, deals: Mapping[str, Row], zone: str, *, served: bool = True
) -> dict[str, Spent]:
    spans = _spans(connection, deals, zone)
    near = _Near(deals, {key: days_of(key, spans[key]) for key in deals}, zone)
    charges = _by_deal(_live(connection, _CHARGES, _CHARGES.c.deal_key.in_(sorted(deals))))
    work = _live(connection, _WORK, near.of(_WORK, *near.days(_WORK.c.done_on))) if served else ()
    expenses, visits = near.shared_out(_expenses(connection, near)), _visits(connection, near) if served else ()
    visited, worked = near.shared_out(visits), near.shared_out(work)
    ways = near.shared_out(_legs(connection, near) if served else ())
    return {
        key: Spent(charges.get(key, []), expenses[key], visited[key], ways[key], worked[key], spans[key])
        for key in deals
    }


def _expenses(connection: Connection, near: _Near) -> list[Row]:
    """One that names no deal is of its visit's, also where the visit was given it later."""
    t, v = _EXPENSES.c, _VISITS.c
    of_visit = t.visit_key.in_(select(v.key).where(v.deal_key.in_(sorted(near.deals))))
    query = select(_EXPENSES, v.deal_key.label("visit_deal")).outerjoin(_VISITS, v.key == t.visit_key)
    query = query.where(~t.gone, or_(near.of(_EXPENSES, *near.days(t.spent_on)), of_visit)).order_by(t.key)
    return [{**row, "deal_key": row["deal_key"] or row["visit_deal"]} for row in _rows(connection, query)]


def _visits(connection: Connection, near: _Near) -> list[Row]:
    """Visits that took place, at the times that count after corrections (R14)."""
    v, a = _VISITS.c, _AMENDED.c
    columns = (v.key, v.owner_key, v.deal_key, v.account_key, *(v[name] for name in TIMES))
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
    columns = (leg.key, leg.owner_key, leg.started_at, leg.distance_m, leg.source, leg.visit_key)
    query = select(*columns, v.deal_key, v.account_key).join_from(_LEGS, _VISITS, v.key == leg.visit_key)
    of = near.of(_VISITS, *near.instants(leg.started_at))
    return _rows(connection, query.where(~leg.gone, ~v.gone, leg.distance_m.is_not(None), of).order_by(leg.key))


def effort_rates(connection: Connection, owners: Iterable[str]) -> list[EffortRate]:
    """Those of everybody, and of these people."""
    table = ROWS["cost_rates"].c
    columns = (table[name] for name in EffortRate.__struct_fields__)
    own, bound = _one_of(connection, table.user_key, owners)
    query = select(*columns).where(~table.gone, or_(table.user_key.is_(None), own))
    return [EffortRate(*row) for row in connection.execute(query, bound)]


def _spans(connection: Connection, deals: Mapping[str, Row], zone: str) -> dict[str, list[OpenDays]]:
    """When each of the deals of each one's customer was open."""
    d = _DEALS.c
    accounts = sorted({deal["account_key"] for deal in deals.values() if deal["account_key"] is not None})
    query = select(d.account_key, d.key, d.opened_on, d.created_at, d.closed_at, d.closings)
    found: dict[str, list[OpenDays]] = {}
    for row in _rows(connection, query.where(d.account_key.in_(accounts), ~d.gone)) if accounts else ():
        found.setdefault(row["account_key"], []).extend(open_days(row["key"], row, zone))
    return {
        key: found[deal["account_key"]] if deal["account_key"] is not None else open_days(key, deal, zone)
        for key, deal in deals.items()
    }


def exchange_rates(connection: Connection, met: Iterable[str | None] | None) -> list[tuple[str, Rate]]:
    """Those between currencies that were met; of one alone there are none."""
    t = ROWS["rates"].c
    names = ("base_currency", "quote_currency", "rate", "valid_from")
    query = select(t.key, *(t[name] for name in names)).where(~t.gone)
    if met is not None:
        codes = sorted({code for code in met if code})
        query = query.where(t.base_currency.in_(codes), t.quote_currency.in_(codes))
    return [(key, Rate(**dict(zip(names, said, strict=True)))) for key, *said in connection.execute(query)]
