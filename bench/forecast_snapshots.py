"""Snapshots of a large company (docs/forecast.md): what a day costs, what a year would weigh, how long a bridge takes.

The company of `bench.forecast`: 100,000 open deals, 1,000 nodes. Each day two in a hundred of the deals change their
amount, day, category or owner, and half of one in a hundred is closed while as many are made; rates change every day.
A year is reckoned from the growth of the file over these days. Times are of the processor.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, text, update

from bench.attainment import SYSTEM, insert_rows
from bench.forecast import CATEGORIES, DAY_MS, NOW, QUICK, Size, cpu_s, made, person
from forecasting import frozen, kept, moving, taking
from forecasting.moving import Asked
from forecasting.spots import EVERYTHING
from sfa.db.bulk import inserting
from sfa.db.database import Database, SqliteDatabase, open_database
from sfa.db.tables import ROWS, forecast_snapshots

FIRST, DAY, BRIDGE, NODE, READ = "the first", "a day", "a bridge, day to day", "a bridge of a team", "a roll-up's facts"
WEEK, YEAR_MB, DAY_KB = "a bridge, first to last", "a year, MB", "a day, KB"
DAYS = 6
CHANGED, CLOSED = 50, 200  # one in so many
_DEALS = ROWS["deals"]


def one_day(connection: Connection, size: Size, day: int) -> None:
    """What happens on a day."""
    choice = random.Random(day)
    some = choice.sample(range(size.deals), size.deals // CHANGED)
    rows = [
        {"of": f"d{n:06}", "amount": 10_000 + choice.randrange(10**6), "on": f"2026-03-{choice.randint(1, 28):02}",
         "judged": choice.choice(CATEGORIES), "owner": person(n % size.people)} for n in some
    ]  # fmt: skip
    change = update(_DEALS).where(_DEALS.c.key == bindparam("of"))
    names = {"amount_minor": "amount", "close_on": "on", "category": "judged", "owner_key": "owner"}
    connection.execute(change.values({field: bindparam(name) for field, name in names.items()}), rows)
    rate = {"key": f"r{day}", "base_currency": "USD", "quote_currency": "EUR", "rate": f"0.9{day}",
            "valid_from": f"2026-02-{16 + day}"}  # fmt: skip
    blank = {column.name: None for column in ROWS["rates"].c}
    inserting(ROWS["rates"]).run(connection, [{**blank, **SYSTEM, **rate}])
    closing = text("UPDATE deals SET closed_at = :at WHERE key = :of AND closed_at IS NULL")
    lost = choice.sample(range(size.deals), size.deals // CLOSED)
    connection.execute(closing, [{"at": NOW + day * DAY_MS, "of": f"d{n:06}"} for n in lost])


def more(database: Database, size: Size, day: int) -> None:
    """As many new deals as are closed on a day."""
    first = size.deals * 10 + day * size.deals
    insert_rows(
        database,
        _DEALS,
        (
            {**SYSTEM, "key": f"n{first + n:08}", "name": f"New {n}", "owner_key": person(n % size.people),
             "stage_key": "s1", "amount_minor": 5_000 + n, "currency": "EUR", "close_on": "2026-03-20",
             "splits": [], "overlays": [], "closings": []}
            for n in range(size.deals // CLOSED)
        ),
    )  # fmt: skip


def _spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def versions_bytes(connection: Connection) -> int:
    """What the tables of snapshots and their indexes take in a SQLite file."""
    names = "('forecast_versions', 'ix_forecast_versions_from_no', 'ix_forecast_versions_to_no', 'forecast_snapshots')"
    return int(connection.execute(text(f"SELECT sum(pgsize) FROM dbstat WHERE name IN {names}")).scalar_one())


def measured(folder: Path, size: Size) -> dict[str, float]:
    """Seconds of the processor by what was done, and the growth, in a new SQLite file."""
    database = open_database(f"sqlite:///{folder / 'snapshots.db'}", durable=False)
    assert isinstance(database, SqliteDatabase)
    try:
        made(database, size)
        found = {FIRST: _spent(lambda: database.write(taking.take, NOW))}
        first, days = database.read(versions_bytes), []
        for day in range(1, DAYS + 1):
            database.write(one_day, size, day)
            more(database, size, day)
            days.append(_spent(lambda at=NOW + day * DAY_MS: database.write(taking.take, at)))  # type: ignore[misc]
        grown = (database.read(versions_bytes) - first) / DAYS
        found[DAY] = sorted(days)[DAYS // 2]
        found[DAY_KB] = grown / 1_000
        found[YEAR_MB] = (first + 365 * grown) / 1_000_000
        last = database.read(lambda c: c.execute(text(f"SELECT max(taken_on) FROM {forecast_snapshots.name}")).scalar())
        before = database.read(lambda c: kept.numbered(c, DAYS).taken_on)
        found[BRIDGE] = cpu_s(lambda: bridged(database, before, str(last)), 3)
        found[WEEK] = cpu_s(lambda: bridged(database, "2026-02-16", str(last)), 3)
        found[NODE] = cpu_s(lambda: bridged(database, before, str(last), "team:t1"), 3)
        found[READ] = cpu_s(lambda: database.read(_read), 3)
        return found
    finally:
        database.close()


def bridged(database: Database, since: str, to: str, node: str = "company") -> int:
    def work(connection: Connection) -> Any:
        ends = moving.compared(connection, Asked(period="q1", since=since, to=to))
        return moving.bridged(connection, ends, node, EVERYTHING)[0]

    found = database.read(work)
    assert found.opening.deals
    assert found.moved
    return len(found.moved)


def _read(connection: Connection) -> int:
    return len(frozen.basis(connection, kept.numbered(connection, DAYS), "q1").facts)


__all__ = ["QUICK", "Size", "measured"]
