"""The job that keeps `customer_values`: how each customer stands, why, and what would help most.

Over the last 365 days. It goes through the feed by number for the customers of which something changed (their rows,
deals, lines, charges, visits, ways, expenses, work, agreements), and through those that were judged longest ago, a
bounded batch of each in a run; how far it came is kept in the transaction of its work, so a run that dies is done again
and one that is done twice changes nothing. A change of rates, costs or settings concerns everybody: the table is gone
through again from its oldest rows, within a day for 200,000 customers.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, bindparam, delete, func, insert, select, text

from sfa.core.credits import day_of
from sfa.core.days import plus_days
from sfa.core.money import Rounding, rounded
from sfa.db import feed
from sfa.db.bulk import upserting
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited, customer_values, server_state
from sfa.profit.company.by import Span, asked_of, profits
from sfa.profit.company.customer import worth
from sfa.profit.company.lost import losses
from sfa.profit.company.report import missed
from sfa.profit.company.retaining import YEAR_DAYS, retention
from sfa.profit.company.standing import Habits, Verdict, verdict
from sfa.profit.company.surroundings import EVERYTHING, World, read_world
from sfa.profit.company.tallied import Missing, Tally

ACCOUNTS_MAX = 200  # judged in one run and transaction
WINDOW = 20_000  # numbers of the feed that are gone through in one run
POSITION = "customer_values_seq"
DAY_MS = 86_400_000
_ACCOUNTS, _DEALS, _VISITS = ROWS["accounts"], ROWS["deals"], ROWS["visits"]
OF_ACCOUNT = ("deals", "visits", "expenses", "work_entries", "rebate_agreements")
OF_DEAL = ("deal_lines", "deal_charges", "expenses", "work_entries")
OF_VISIT = ("travel_legs", "visit_amendments", "expenses")
_ENTITIES = sorted({"accounts", *OF_ACCOUNT, *OF_DEAL, *OF_VISIT})
_FEED = text(
    "SELECT DISTINCT f.entity, f.key FROM bucket_heads h CROSS JOIN feed f WHERE h.seq > :seq AND f.bucket = h.bucket "
    "AND f.seq > :seq AND f.seq <= :until AND f.entity IN :entities"
).bindparams(bindparam("entities", value=_ENTITIES, expanding=True))
_UPSERT = upserting(
    customer_values,
    ["account_key"],
    [column.name for column in customer_values.c if column.name != "account_key"],
)


class Judged(Struct, frozen=True):
    """What a run found: of `keys` those that exist have a row; it came to the number `reached` of the feed."""

    keys: list[str]
    rows: list[dict[str, Any]]
    reached: int


def judge(connection: Connection, now_ms: int) -> tuple[int, int]:
    """One run in one transaction, for a database that nobody else writes to; a server reads first (`sfa.app.jobs`)."""
    return keep(connection, look(connection, now_ms))


def look(connection: Connection, now_ms: int) -> Judged:
    """Judge in a snapshot; what commits meanwhile lies behind `reached`, and is the next run's."""
    changed, reached = _changed(connection)
    due = _due(connection, now_ms, ACCOUNTS_MAX - len(changed))
    keys = sorted({*changed, *due})
    return Judged(keys, judged(connection, keys, now_ms) if keys else [], reached)


def keep(connection: Connection, found: Judged) -> tuple[int, int]:
    """-> (customers judged, customers whose row changed)."""
    keys, rows = found.keys, found.rows
    gone = sorted(set(keys) - {row["account_key"] for row in rows})
    if gone:
        table = customer_values.c.account_key
        connection.execute(delete(customer_values).where(among(table, "keys")), {"keys": listed(connection, gone)})
    before = _stored(connection, keys)
    _UPSERT.run(connection, rows)
    _keep(connection, found.reached)
    different = sum(before.get(row["account_key"]) != _told(row) for row in rows)
    return len(keys), different


def judged(connection: Connection, accounts: Sequence[str], now_ms: int) -> list[dict[str, Any]]:
    """The rows of `customer_values` as they are due now, of these customers as far as they exist."""
    world = read_world(connection)
    today = day_of(now_ms, world.zone)
    span = Span(plus_days(today, -YEAR_DAYS), today)
    asked, _ = asked_of(connection, world, "customer", span, EVERYTHING, "month")
    asked = structs.replace(asked, accounts=frozenset(accounts))
    found = profits(connection, "customer", span, accounts=accounts, world=world).by_key
    years = profits(
        connection, "customer", Span(plus_days(today, -2 * YEAR_DAYS), today), accounts=accounts, world=world
    )
    lost: dict[str | None, list[Any]] = {}
    for loss in losses(connection, world, asked):
        lost.setdefault(loss.account_key, []).append(loss)
    habits, kept = _habits(connection, world, accounts, asked.start, asked.end), retention(connection, world, today)
    existing = select(_ACCOUNTS.c.key).where(among(_ACCOUNTS.c.key, "keys"), ~_ACCOUNTS.c.gone)
    rows = []
    for key in sorted(connection.execute(existing, {"keys": listed(connection, accounts)}).scalars()):
        earned = found.get(key, Tally()).earned()
        said = verdict(earned, habits.get(key, Habits(0)))
        life = worth(connection, world, years.by_key.get(key, Tally()), asked.end, kept)
        rows.append(
            {
                "account_key": key,
                "from_on": span.from_on,
                "to_on": span.to_on,
                "made_at": now_ms,
                "currency": world.currency,
                "revenue_minor": earned.invoice_minor,
                "cost_minor": earned.cost_minor,
                "profit_minor": earned.profit_minor,
                "lost_minor": missed(lost.get(key, ())).lost_minor,
                "value_minor": life.value_minor,
                **_said(said),
                "missing": [_missing(missing) for missing in earned.missing],
            }
        )
    return rows


def _said(said: Verdict) -> dict[str, Any]:
    return {"standing": said.standing, "reasons": said.reasons, "best_change": said.best_change}


def _missing(missing: Missing) -> dict[str, Any]:
    return {"code": missing.code, "kind": missing.kind, **missing.about}


# -- habits -----------------------------------------------------------------------------------------------------------


def _habits(connection: Connection, world: World, accounts: Sequence[str], start: int, end: int) -> dict[str, Habits]:
    keys = {"keys": listed(connection, accounts)}
    v, c, d = _VISITS.c, credited.c, _DEALS.c
    visits = select(v.account_key, func.count()).where(
        among(v.account_key, "keys"), ~v.gone, v.status == "completed", v.checked_in_at >= start, v.checked_in_at < end
    )
    counts: dict[str, int] = dict(connection.execute(visits.group_by(v.account_key), keys).all())
    terms = select(c.account_key, d.payment_days, c.amount_minor).join_from(credited, _DEALS, d.key == c.deal_key)
    terms = terms.where(
        among(c.account_key, "keys"), ~c.overlay, ~c.reversal, c.at >= start, c.at < end, d.payment_days > 0,
        c.amount_minor > 0,
    )  # fmt: skip
    weighted: dict[str, tuple[int, int]] = {}
    for account, days, amount in connection.execute(terms, keys):
        size, total = weighted.get(account, (0, 0))
        weighted[account] = size + amount, total + days * amount
    days_of = {account: total // size for account, (size, total) in weighted.items()}
    prices = _listed(connection, world, accounts, start, end)
    return {key: Habits(counts.get(key, 0), *prices.get(key, (None, None)), days_of.get(key)) for key in accounts}


def _listed(
    connection: Connection, world: World, accounts: Sequence[str], start: int, end: int
) -> dict[str, tuple[int | None, int | None]]:
    """customer -> (what was sold by the list of its day, the norm of the company in basis points of it); of customers
    whose sales all have list prices in the company's currency. The norm is the guide of everything there is."""
    g = ROWS["price_guides"].c
    norm = connection.execute(
        select(g.norm_bp)
        .where(~g.gone, g.family.is_(None), g.segment.is_(None))
        .order_by(g.quantity_from, g.key)
        .limit(1)
    ).scalar()
    if norm is None:
        return {}
    t, p, c = ROWS["deal_lines"].c, ROWS["prices"].c, credited.c
    sold = select(c.account_key, c.deal_key, c.at, c.reversal).where(
        among(c.account_key, "keys"), ~c.overlay, c.owner, c.at >= start, c.at < end
    )
    rows = connection.execute(sold, {"keys": listed(connection, accounts)}).all()
    of = {"keys": listed(connection, sorted({row[1] for row in rows}))}
    lines: dict[str, list[tuple[str, str]]] = {}
    for deal, product, quantity in connection.execute(
        select(t.deal_key, t.product_key, t.quantity).where(among(t.deal_key, "keys"), ~t.gone), of
    ):
        lines.setdefault(deal, []).append((product, quantity))
    products = {"keys": listed(connection, sorted({product for of_ in lines.values() for product, _ in of_}))}
    prices: dict[str, list[Any]] = {}
    query = select(p.product_key, p.amount_minor, p.currency, p.valid_from, p.valid_to, p.key)
    for row in connection.execute(query.where(among(p.product_key, "keys"), ~p.gone), products):
        prices.setdefault(row[0], []).append(row)
    sums: dict[str, Fraction | None] = {}
    for account, deal, at, reversal in rows:
        day, total = day_of(at, world.zone), sums.get(account, Fraction(0))
        for product, quantity in lines.get(deal, ()):
            held = [r for r in prices.get(product, ()) if r[2] == world.currency and r[3] <= day < (r[4] or "9999-99")]
            if total is None or not held:
                total = None
                break
            value = Fraction(quantity) * max(held, key=lambda r: (r[3], r[5]))[1]
            total += -value if reversal else value
        sums[account] = total if lines.get(deal) else None
    return {account: (rounded(total, Rounding.HALF_UP), norm) for account, total in sums.items() if total is not None}


# -- which ------------------------------------------------------------------------------------------------------------


def _changed(connection: Connection) -> tuple[set[str], int]:
    """-> (the customers of the next window of the feed, how far it reaches). A window that concerns more of them than a
    run judges is made smaller."""
    seq, width = _position(connection), WINDOW
    head = feed.face(connection).seq  # before the feed is read: what commits now is next time's
    while True:
        until = min(head, seq + width)
        found = _concerned(connection, seq, until) if until > seq else set()
        if len(found) <= ACCOUNTS_MAX or width == 1:
            return found, until
        width = max(width // 4, 1)


def _concerned(connection: Connection, seq: int, until: int) -> set[str]:
    """The customers behind what changed in (seq, until], in a fixed number of statements."""
    by_entity: dict[str, set[str]] = {}
    for entity, key in connection.execute(_FEED, {"seq": seq, "until": until}):
        by_entity.setdefault(entity, set()).add(key)
    accounts, deals, visits = (set(by_entity.get(name, ())) for name in ("accounts", "deals", "visits"))
    for names, column, into in ((OF_DEAL, "deal_key", deals), (OF_VISIT, "visit_key", visits)):
        for entity in names:
            into |= _named(connection, entity, column, by_entity.get(entity, ()))
    by_entity["deals"], by_entity["visits"] = deals, visits
    for entity in OF_ACCOUNT:
        accounts |= _named(connection, entity, "account_key", by_entity.get(entity, ()))
    c = credited.c
    query = select(c.account_key).where(among(c.deal_key, "keys"), c.account_key.is_not(None))
    bound = {"keys": listed(connection, sorted(deals))}
    return accounts | (set(connection.execute(query, bound).scalars()) if deals else set())


def _named(connection: Connection, entity: str, column: str, keys: Any) -> set[str]:
    if not keys:
        return set()
    table = ROWS[entity].c
    query = select(table[column]).distinct().where(among(table.key, "keys"), table[column].is_not(None))
    return set(connection.execute(query, {"keys": listed(connection, sorted(keys))}).scalars())


def _due(connection: Connection, now_ms: int, room: int) -> list[str]:
    """Customers that were never judged, then those judged longest ago, a day and more."""
    if room <= 0:
        return []
    a, v = _ACCOUNTS.c, customer_values.c
    judged_ = select(v.account_key).where(v.account_key == a.key)
    never = select(a.key).where(~a.gone, ~judged_.exists()).order_by(a.key).limit(room)
    found = list(connection.execute(never).scalars())
    old = select(v.account_key).where(v.made_at < now_ms - DAY_MS).order_by(v.made_at, v.account_key)
    rest = room - len(found)
    return found + (list(connection.execute(old.limit(rest)).scalars()) if rest else [])


def _stored(connection: Connection, keys: Sequence[str]) -> dict[str, Any]:
    query = select(customer_values).where(among(customer_values.c.account_key, "keys"))
    rows = connection.execute(query, {"keys": listed(connection, keys)}).mappings()
    return {row["account_key"]: _told(dict(row)) for row in rows}


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says, whenever it was made."""
    return {name: value for name, value in row.items() if name not in ("made_at", "from_on", "to_on")}


def _position(connection: Connection) -> int:
    found = connection.execute(select(server_state.c.value).where(server_state.c.name == POSITION)).scalar()
    return int(found) if found else 0


def _keep(connection: Connection, seq: int) -> None:
    connection.execute(delete(server_state).where(server_state.c.name == POSITION))
    connection.execute(insert(server_state), {"name": POSITION, "value": str(seq).encode()})
