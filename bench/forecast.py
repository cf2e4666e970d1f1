"""The roll-up of a large company (docs/forecast.md): 100,000 open deals of 900 people in 100 teams, one quarter.

Rows are made by arithmetic and inserted in bulk: what is measured is reading, reckoning and answering. Every tenth deal
is split, every twentieth is of another currency. *Cold* is a roll-up that nobody has made yet, whole, as a director is
told it; *warm* the same question again. The floor is what the database takes to hand over every row in this run; *cold*
has it sum most of them.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, text

from bench.attainment import SYSTEM, insert_rows
from bench.subjects import Figures
from forecasting.facts import basis_of
from forecasting.ledger import ledger
from forecasting.reading import find_period, read_raw, read_world
from forecasting.rollup import Asked, rolled
from forecasting.service import Forecasts, Wanted
from sfa.core.clock import VirtualClock
from sfa.crm.online import Online
from sfa.db.bulk import inserting
from sfa.db.database import Database, open_database
from sfa.db.migrations import upgrade_database
from sfa.db.tables import ROWS, credited

NOW = 1_771_200_000_000  # 2026-02-16
DAY_MS = 86_400_000
CATEGORIES = ("commit", "likely", "best_case", "pipeline", "omitted", None)
COLD, WARM, FLOOR = "cold, the whole tree", "warm, the same again", "floor: the rows alone"
TURNS, WARM_TURNS = 5, 20


class Size(Struct, frozen=True):
    """Nodes are the people, the teams and the company."""

    people: int = 899
    teams: int = 100
    deals: int = 100_000
    closed: int = 20_000


QUICK = Size(people=89, teams=10, deals=10_000, closed=2_000)


def made(database: Database, size: Size) -> None:
    """The company in an empty database."""
    upgrade_database(database)
    database.write(_founded, size)
    insert_rows(database, ROWS["deals"], _deals(size))
    insert_rows(database, credited, _credits(size))
    database.write(lambda connection: connection.execute(text("ANALYZE")))


def person(n: int) -> str:
    return f"rep-{n:04}"


def _founded(connection: Connection, size: Size) -> None:
    def put(entity: str, *rows: dict[str, Any]) -> None:
        blank = {column.name: None for column in ROWS[entity].c}
        inserting(ROWS[entity]).run(connection, [{**blank, **SYSTEM, **row} for row in rows])

    since = {"valid_from": "2025-01-01"}
    put("organisations", {"key": "org", "name": "Company", "zone": "Europe/Madrid", "currency": "EUR"})
    put("fiscal_periods", {"key": "q1", "name": "Q1", "kind": "quarter", "start_on": "2026-01-01",
                           "end_on": "2026-04-01"})  # fmt: skip
    put("rates", {"key": "r", "base_currency": "USD", "quote_currency": "EUR", "rate": "0.91",
                  "valid_from": "2025-01-01"})  # fmt: skip
    put("stages", *({"key": f"s{n}", "name": f"S{n}", "position": n, "kind": "open", "probability_bp": 1_000 * n,
                     "category": "pipeline", "exit_criteria": []} for n in range(1, 9)))  # fmt: skip
    put("users", *({"key": person(n), "name": person(n), "email": f"{person(n)}@example.com", "role": "rep",
                    "active": True} for n in range(size.people)))  # fmt: skip
    put("users", {"key": "fay", "name": "Fay", "email": "fay@example.com", "role": "finance", "active": True})
    put("teams", *({"key": f"t{n}", "name": f"Team {n}"} for n in range(size.teams)))
    put("team_edges", *({"key": f"e{n}", "team_key": f"t{n}", "parent_key": f"t{(n - 1) // 5}" if n else None, **since}
                        for n in range(size.teams)))  # fmt: skip
    put("team_members", *({"key": f"m{n}", "team_key": f"t{n % size.teams}", "user_key": person(n), **since,
                           "role": "manager" if n < size.teams else "member"} for n in range(size.people)))  # fmt: skip


def _deals(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.deals):
        owner, other = person(n % size.people), person((n * 7 + 1) % size.people)
        halves = [{"user_key": owner, "share_bp": 6_000}, {"user_key": other, "share_bp": 4_000}]
        yield {
            **SYSTEM,
            "key": f"d{n:06}",
            "name": f"Deal {n}",
            "owner_key": owner,
            "stage_key": f"s{n % 8 + 1}",
            "amount_minor": 10_000 + n * 37 % 1_000_000,
            "currency": "USD" if n % 20 == 0 else "EUR",
            "close_on": f"2026-{n % 3 + 1:02}-{n % 28 + 1:02}",
            "category": CATEGORIES[n % len(CATEGORIES)],
            "splits": halves if n % 10 == 0 and owner != other else [],
            "overlays": [],
            "closings": [],
        }


def _credits(size: Size) -> Iterator[dict[str, Any]]:
    start = NOW - 40 * DAY_MS
    for n in range(size.closed):
        at = start + n * 977 % (40 * 86_400) * 1000
        yield {"deal_key": f"c{n:06}", "n": 1, "user_key": person(n % size.people), "overlay": False, "reversal": False,
               "at": at, "rated_at": at, "event": "won", "owner": True, "share_bp": 10_000,
               "amount_minor": 5_000 + n * 91 % 500_000, "currency": "EUR"}  # fmt: skip


# -- measuring --------------------------------------------------------------------------------------------------------


def measured(database: Database, url: str) -> Iterator[tuple[str, Figures]]:
    """Of the company that `made` left in the database."""
    yield COLD, best(TURNS, lambda: database.read(cold))
    yield WARM, asyncio.run(_warm(url))
    yield FLOOR, best(TURNS, lambda: database.read(floor))


def cold(connection: Connection) -> int:
    """All of it, from rows to bytes -> how many nodes."""
    world = read_world(connection, now_ms=NOW)
    period = find_period(connection, "q1", world.today, world.period_kind)
    basis = basis_of(read_raw(connection, world, period, summed_in=world.currency), world, period)
    found = rolled(basis, ledger(basis.facts, sums=basis.sums), Asked())
    msgspec.json.encode(found)
    return len(found.nodes)


def floor(connection: Connection) -> int:
    """The rows of the quarter, handed over."""
    world = read_world(connection, now_ms=NOW)
    period = find_period(connection, "q1", world.today, world.period_kind)
    raw = read_raw(connection, world, period)
    return len(raw.open) + len(raw.closed)


async def _warm(url: str) -> Figures:
    """On an event loop, as a server answers."""
    database = open_database(url)
    try:
        return await _asked_again(database)
    finally:
        await database.close_async()


async def _asked_again(database: Database) -> Figures:
    forecasts = Forecasts(Online(database, VirtualClock(NOW), {}))
    await forecasts.rollup("fay", Wanted(period="q1"))
    times, used, count = [], [], 0
    for _ in range(WARM_TURNS):
        begun, cpu = time.perf_counter(), time.process_time()
        found, warm = await forecasts.rollup("fay", Wanted(period="q1"))
        msgspec.json.encode(found)
        times.append((time.perf_counter() - begun) * 1e3)
        used.append((time.process_time() - cpu) * 1e3)
        assert warm
        count = len(found.nodes)
    return _figures(count, times, used)


def best(turns: int, work: Callable[[], int]) -> Figures:
    """The least of some turns, after one that warms up."""
    count, times, used = work(), [], []
    for _ in range(turns):
        begun, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - begun) * 1e3)
        used.append((time.process_time() - cpu) * 1e3)
    return _figures(count, times, used)


def _figures(count: int, times: list[float], used: list[float]) -> Figures:
    return {
        "answers": count,
        "best_ms": round(min(times), 2),
        "median_ms": round(sorted(times)[len(times) // 2], 2),
        "best_cpu_ms": round(min(used), 2),
    }
