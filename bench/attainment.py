"""Attainment over a large company (docs/attainment.md): 1,000 reps, twelve months, 200,000 deals, 500,000 visits.

Rows and credits are made by arithmetic and inserted in bulk: what is measured is reading. Each rep has a revenue quota
and one of contacts in each month, each of a hundred teams and the company too; every twentieth deal is of another
currency and is converted for itself, every tenth is split. The floor is what the database takes to pass over the same
two tables once and group them by person, in this run.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, insert, text
from sqlalchemy.engine import make_url

from bench.subjects import Figures
from sfa.core.days import day_start_ms
from sfa.db.bulk import inserting
from sfa.db.database import Database
from sfa.db.migrations import upgrade_database
from sfa.db.tables import ROWS, credited
from sfa.quotas import engine

BATCH = 20_000
TURNS = 5
ONE_REP_TURNS = 50
DAY_MS = 86_400_000
MONTHS = [(f"2026-{n:02}-01", f"2026-{n + 1:02}-01" if n < 12 else "2027-01-01") for n in range(1, 13)]
EVERY_PERIOD = "all quotas, twelve months"
ONE_REP = "one rep's own, twelve months"
FLOOR = "floor: both tables once, by person"


class Size(Struct, frozen=True):
    reps: int = 1_000
    teams: int = 100
    accounts: int = 20_000
    deals: int = 200_000
    visits: int = 500_000


QUICK = Size(reps=100, teams=10, accounts=2_000, deals=20_000, visits=50_000)
SYSTEM: dict[str, Any] = {"rev": 1, "gone": False, "aged": False, "stamps": {}, "buckets": ["all"], "created_at": 0}


def made(database: Database, size: Size) -> None:
    """The company in an empty database."""
    upgrade_database(database)
    start = day_start_ms("2026-01-01", "UTC")
    database.write(_found, size)
    for entity, rows in (
        ("accounts", _accounts(size)),
        ("deals", _deals(size, start)),
        ("visits", _visits(size, start)),
    ):
        insert_rows(database, ROWS[entity], rows)
    insert_rows(database, credited, _credits(size, start))
    database.write(lambda connection: connection.execute(text("ANALYZE")))


def insert_rows(database: Database, table: Any, rows: Iterator[Mapping[str, Any]]) -> None:
    bulk, blank = inserting(table), {column.name: None for column in table.c}
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append({**blank, **row})
        if len(batch) == BATCH:
            database.write(bulk.run, batch)
            batch = []
    database.write(bulk.run, batch)


def _found(connection: Connection, size: Size) -> None:
    def put(entity: str, *rows: dict[str, Any]) -> None:
        for row in rows:
            connection.execute(insert(ROWS[entity]), [{**SYSTEM, **row}])

    put("organisations", {"key": "org", "name": "Company", "zone": "Europe/Madrid", "currency": "EUR"})
    put("rates", *({"key": f"r{n}", "base_currency": "USD", "quote_currency": "EUR", "rate": f"0.9{n:02}",
                    "valid_from": month} for n, (month, _) in enumerate(MONTHS)))  # fmt: skip
    since = {"valid_from": "2025-01-01"}
    put("team_edges", {"key": "top", "team_key": "top", **since})
    put("team_edges", *({"key": f"t{n}", "team_key": f"t{n}", "parent_key": "top", **since} for n in range(size.teams)))
    members = ({"key": f"m{n}", "team_key": f"t{n % size.teams}", "user_key": rep(n)} for n in range(size.reps))
    put("team_members", *({**member, "role": "member", **since} for member in members))
    for number, (start_on, end_on) in enumerate(MONTHS):
        month = f"P{number:02}"
        put("fiscal_periods", {"key": month, "name": month, "kind": "month", "start_on": start_on, "end_on": end_on})
        owners = [{"user_key": rep(n)} for n in range(size.reps)]
        owners += [{"team_key": key} for key in ("top", *(f"t{n}" for n in range(size.teams)))]
        rows: list[dict[str, Any]] = []
        for owner in owners:
            (whose,) = owner.values()
            about = {**SYSTEM, "period_key": month, "target": 1_000_00, **_COUNTS, **owner}
            rows.append({**about, "key": f"r-{whose}-{month}", "measure": "revenue", "currency": "EUR"})
            rows.append({**about, "key": f"c-{whose}-{month}", "measure": "total_contacts"})
        blank = {column.name: None for column in ROWS["quotas"].c}
        inserting(ROWS["quotas"]).run(connection, [{**blank, **row} for row in rows])


_COUNTS: dict[str, Any] = {"counts_unverified": True, "counts_out_of_range": True, "counts_no_show": False}
_COUNTS |= {"counts_cancelled": False, "overlay": False, "approvals": 0, "status": "draft"}


def rep(number: int) -> str:
    return f"rep-{number:04}"


def _accounts(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.accounts):
        yield {
            **SYSTEM,
            "key": f"a{n}",
            "name": f"Customer {n}",
            "status": "customer",
            "tags": [],
            "tier": "ABCD"[n % 4],
        }


def _at(n: int, start: int) -> int:
    """An instant of the year, spread by arithmetic."""
    return start + (n * 7_919 % 365) * DAY_MS + n * 104_729 % (10 * 3_600_000) + 7 * 3_600_000


def _money(n: int) -> dict[str, Any]:
    return {"amount_minor": 10_000 + n * 31 % 900_000, "currency": "USD" if n % 20 == 0 else "EUR"}


def _deals(size: Size, start: int) -> Iterator[dict[str, Any]]:
    for n in range(size.deals):
        row = {
            "key": f"d{n:06}",
            "name": f"Deal {n}",
            "owner_key": rep(n % size.reps),
            "account_key": f"a{n % size.accounts}",
        }
        won = {"stage_key": "won", "closed_at": _at(n, start), "splits": [], "overlays": [], "closings": []}
        yield {**SYSTEM, **row, **won, **_money(n)}


def _credits(size: Size, start: int) -> Iterator[dict[str, Any]]:
    for n in range(size.deals):
        row: dict[str, Any] = {
            "deal_key": f"d{n:06}",
            "n": 1,
            "overlay": False,
            "reversal": False,
            "at": _at(n, start),
            "rated_at": _at(n, start),
            "event": "won",
        }
        row |= {"account_key": f"a{n % size.accounts}", **_money(n)}
        shares = [(n, 6_000), (n + 1, 4_000)] if n % 10 == 0 else [(n, 10_000)]
        for number, (who, share) in enumerate(shares):
            part = {"user_key": rep(who % size.reps), "owner": number == 0, "share_bp": share}
            yield {**row, **part, "amount_minor": row["amount_minor"] * share // 10_000}


def _visits(size: Size, start: int) -> Iterator[dict[str, Any]]:
    for n in range(size.visits):
        at = _at(n, start)
        state: dict[str, Any] = {
            "status": "completed" if n % 12 else "no_show",
            "verdict": ("in_range", "unverifiable", None)[n % 3],
        }
        dated: dict[str, Any] = {
            "planned_at": at,
            "checked_in_at": at if n % 12 else None,
            "participants": [],
            "submitted": True,
        }
        yield {
            **SYSTEM,
            "key": f"v{n:06}",
            "account_key": f"a{n % size.accounts}",
            "owner_key": rep(n % size.reps),
            **state,
            **dated,
        }


# -- measuring --------------------------------------------------------------------------------------------------------


def measured(database: Database, url: str) -> Iterator[tuple[str, Figures]]:
    quotas = database.read(engine.read_quotas)
    yield EVERY_PERIOD, _best(TURNS, lambda: len(database.read(engine.figures, quotas, None)))

    def own(connection: Connection) -> int:
        mine = engine.read_quotas(connection, ROWS["quotas"].c.user_key == rep(7))
        return len(engine.figures(connection, mine, None))

    yield ONE_REP, _best(ONE_REP_TURNS, lambda: database.read(own))
    yield FLOOR, _best(TURNS, lambda: _floor(database, url))


def _best(turns: int, work: Callable[[], int]) -> Figures:
    """The least of some turns, after one that warms up."""
    count, times, used = work(), [], []
    for _ in range(turns):
        begun, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - begun) * 1e3)
        used.append((time.process_time() - cpu) * 1e3)
    return {
        "answers": count,
        "best_ms": round(min(times), 2),
        "median_ms": round(sorted(times)[len(times) // 2], 2),
        "best_cpu_ms": round(min(used), 2),
    }


_FLOORS = (
    "SELECT user_key, sum(amount_minor) FROM credits GROUP BY user_key",
    "SELECT owner_key, count(*) FROM visits WHERE NOT gone AND status = 'completed' GROUP BY owner_key",
)


def _floor(database: Database, url: str) -> int:
    if database.dialect == "sqlite":
        with closing(sqlite3.connect(Path(make_url(url).database or ""))) as raw:
            raw.execute("PRAGMA mmap_size = 1073741824")
            return sum(len(raw.execute(sql).fetchall()) for sql in _FLOORS)
    return database.read(lambda connection: sum(len(connection.execute(text(sql)).all()) for sql in _FLOORS))
