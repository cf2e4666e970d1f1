"""Profit over a large company (docs/customers.md): 50,000 deals with their lines, 300,000 visits, 20,000 customers.

Rows and credits are made by arithmetic and inserted in bulk: what is measured is reading. Every twentieth deal is of
another currency and is converted for itself, every tenth is split, every third has payment terms, every fifth more is
lost; each person has an hour's rate of his own, which changes once. The floor is what the database takes to pass over
credits and visits once and group them by customer, in this run.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, text
from sqlalchemy.engine import make_url

from bench.attainment import DAY_MS, SYSTEM, insert_rows
from bench.subjects import Figures
from sfa.core.days import day_start_ms
from sfa.db.bulk import inserting
from sfa.db.database import Database
from sfa.db.migrations import upgrade_database
from sfa.db.tables import ROWS, credited
from sfa.profit.company import customers
from sfa.profit.company.by import DIMENSIONS, profits, span_of
from sfa.profit.company.report import Wanted, reported, whale_told
from sfa.profit.company.surroundings import EVERYTHING, read_world

TURNS = 3
YEAR = span_of("2026-01-01", "2027-01-01")
FLOOR = "floor: both tables once, by customer"
CUSTOMERS = "by customer"
LOST = "by customer, with what was lost, as JSON"


class Size(Struct, frozen=True):
    reps: int = 500
    accounts: int = 20_000
    deals: int = 50_000
    visits: int = 300_000
    products: int = 500

    @property
    def lost(self) -> int:
        return self.deals // 5


QUICK = Size(reps=50, accounts=2_000, deals=5_000, visits=30_000, products=100)


def made(database: Database, size: Size) -> None:
    """The company in an empty database."""
    upgrade_database(database)
    start = day_start_ms("2026-01-01", "UTC")
    database.write(_found, size)
    tables = {"accounts": _accounts(size), "deals": _deals(size, start), "deal_lines": _lines(size)}
    for entity, rows in {**tables, "visits": _visits(size, start)}.items():
        insert_rows(database, ROWS[entity], rows)
    insert_rows(database, credited, _credits(size, start))
    database.write(lambda connection: connection.execute(text("ANALYZE")))


def _found(connection: Connection, size: Size) -> None:
    def put(entity: str, rows: list[dict[str, Any]]) -> None:
        blank = {column.name: None for column in ROWS[entity].c}
        inserting(ROWS[entity]).run(connection, [{**blank, **SYSTEM, **row} for row in rows])

    about = {"zone": "Europe/Madrid", "currency": "EUR", "attribution": "linear", "attribution_days": 180}
    connection.execute(insert(ROWS["organisations"]), [{**SYSTEM, "key": "org", "name": "Company", **about}])
    put("rates", [{"key": "usd", "base_currency": "USD", "quote_currency": "EUR", "rate": "0.91",
                   "valid_from": "2025-01-01"}])  # fmt: skip
    put("stages", [{"key": kind, "name": kind, "kind": kind, "position": 1} for kind in ("won", "lost")])
    people = range(size.reps)
    put("users", [{"key": rep(n), "name": rep(n), "email": f"{n}@example.com", "role": "rep", "active": True}
                  for n in people])  # fmt: skip
    put("teams", [{"key": f"t{n}", "name": f"Team {n}"} for n in range(20)])
    put("team_members", [{"key": f"m{n}", "team_key": f"t{n % 20}", "user_key": rep(n), "role": "member",
                          "valid_from": "2025-01-01"} for n in people])  # fmt: skip
    put("territories", [{"key": f"x{n}", "name": f"Territory {n}"} for n in range(50)])
    put("products", [{"key": f"p{n}", "name": f"Product {n}", "unit": "piece", "active": True}
                     for n in range(size.products)])  # fmt: skip
    put("unit_costs", [{"key": f"c{n}", "product_key": f"p{n}", "amount_minor": 5_00 + n, "currency": "EUR",
                        "valid_from": "2025-01-01"} for n in range(size.products)])  # fmt: skip
    hours = [
        {"key": f"h{n}-{day}", "kind": "visit_hour", "user_key": rep(n), "amount_minor": 60_00 + n, "currency": "EUR",
         "valid_from": day} for n in people for day in ("2025-01-01", "2026-07-01")
    ]  # fmt: skip
    put("cost_rates", [*hours, {"key": "cap", "kind": "capital", "rate_bp": 800, "valid_from": "2025-01-01"}])
    months = [(f"2026-{n:02}-01", f"2026-{n + 1:02}-01" if n < 12 else "2027-01-01") for n in range(1, 13)]
    put("fiscal_periods", [{"key": start, "name": start, "kind": "month", "start_on": start, "end_on": end}
                           for start, end in months])  # fmt: skip


def rep(number: int) -> str:
    return f"rep-{number:04}"


def _accounts(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.accounts):
        row = {"key": f"a{n}", "name": f"Customer {n}", "status": "customer", "tags": [], "territory_key": f"x{n % 50}"}
        yield {**SYSTEM, **row}


def _at(n: int, start: int) -> int:
    return start + (n * 7_919 % 365) * DAY_MS + n * 104_729 % (10 * 3_600_000) + 7 * 3_600_000


def _money(n: int) -> dict[str, Any]:
    return {"amount_minor": 10_000 + n * 31 % 900_000, "currency": "USD" if n % 20 == 0 else "EUR"}


def _deals(size: Size, start: int) -> Iterator[dict[str, Any]]:
    for n in range(size.deals + size.lost):
        won = n < size.deals
        at = _at(n, start)
        row: dict[str, Any] = {
            "key": f"d{n:06}",
            "name": f"Deal {n}",
            "owner_key": rep(n % size.reps),
            "account_key": f"a{n % size.accounts}",
            "stage_key": "won" if won else "lost",
            "closed_at": at,
            "created_at": at - 40 * DAY_MS,
            "payment_days": 30 if n % 3 == 0 else None,
        }
        yield {**SYSTEM, **row, "splits": [], "overlays": [], "closings": [], **_money(n)}


def _lines(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(2 * (size.deals + size.lost)):
        row = {
            "key": f"l{n:06}",
            "deal_key": f"d{n // 2:06}",
            "product_key": f"p{n % size.products}",
            "position": n % 2,
        }
        yield {
            **SYSTEM,
            **row,
            "quantity": str(1 + n % 7),
            "unit_price_minor": 1_000 + n % 999,
            "discount_bp": n % 5 * 100,
        }


def _credits(size: Size, start: int) -> Iterator[dict[str, Any]]:
    for n in range(size.deals):
        at, money = _at(n, start), _money(n)
        row = {"deal_key": f"d{n:06}", "n": 1, "overlay": False, "reversal": False, "at": at, "rated_at": at}
        row |= {"event": "won", "account_key": f"a{n % size.accounts}", "territory_key": f"x{n % 50}"}
        cost = money["amount_minor"] * 6 // 10
        shares = [(n, 6_000), (n + 1, 4_000)] if n % 10 == 0 else [(n, 10_000)]
        for number, (who, share) in enumerate(shares):
            part = {"user_key": rep(who % size.reps), "owner": number == 0, "share_bp": share, **money}
            part |= {"amount_minor": money["amount_minor"] * share // 10_000, "cost_currency": "EUR"}
            yield {**row, **part, "cost_minor": cost * share // 10_000}


def _visits(size: Size, start: int) -> Iterator[dict[str, Any]]:
    for n in range(size.visits):
        at = _at(n, start)
        times = {"planned_at": at, "checked_in_at": at, "checked_out_at": at + (10 + n % 50) * 60_000}
        row = {"key": f"v{n:06}", "account_key": f"a{n % size.accounts}", "owner_key": rep(n % size.reps), **times}
        yield {**SYSTEM, **row, "status": "completed", "verdict": "in_range", "participants": [], "submitted": True}


# -- measuring --------------------------------------------------------------------------------------------------------


def measured(database: Database, url: str) -> Iterator[tuple[str, Figures]]:
    for dimension in DIMENSIONS:
        yield f"by {dimension}", _best(lambda d=dimension: len(database.read(profits, d, YEAR).by_key))  # type: ignore[misc]
    yield LOST, _best(lambda: len(msgspec.json.encode(database.read(_reported))))
    yield "the whale curve", _best(lambda: len(msgspec.json.encode(database.read(_whales))))
    yield "one customer", _best(lambda: len(database.read(profits, "total", YEAR, accounts=["a7"]).by_key))
    yield "a batch of the standing job", _best(lambda: database.read(_batch))
    yield FLOOR, _best(lambda: _floor(database, url))


def _reported(connection: Connection) -> Any:
    wanted = Wanted(YEAR.from_on, YEAR.to_on)
    return reported(connection, read_world(connection), "customer", YEAR, EVERYTHING, wanted, 100)


def _whales(connection: Connection) -> Any:
    world = read_world(connection)
    found = profits(connection, "customer", YEAR, world=world)
    return whale_told(connection, found, YEAR, world, EVERYTHING, 0, 100)


def _batch(connection: Connection) -> int:
    return len(customers.judged(connection, [f"a{n}" for n in range(customers.ACCOUNTS_MAX)], _NOW))


_NOW = day_start_ms("2027-01-01", "UTC")


def _best(work: Callable[[], int]) -> Figures:
    """CPU is of this process: all there is on SQLite."""
    times, cpu, count = [], [], 0
    for _ in range(TURNS):
        begun, used = time.perf_counter(), time.process_time()
        count = work()
        times.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
    return {"best_ms": round(min(times) * 1000, 1), "cpu_ms": round(min(cpu) * 1000, 1), "rows": count}


_PASSES = (
    "SELECT account_key, sum(amount_minor), sum(cost_minor) FROM credits GROUP BY account_key",
    "SELECT account_key, sum(checked_out_at - checked_in_at) FROM visits GROUP BY account_key",
)


def _floor(database: Database, url: str) -> int:
    if database.dialect == "sqlite":
        with closing(sqlite3.connect(make_url(url).database or "")) as raw:
            return sum(len(raw.execute(sql).fetchall()) for sql in _PASSES)
    return database.read(lambda connection: sum(len(connection.execute(text(sql)).all()) for sql in _PASSES))
