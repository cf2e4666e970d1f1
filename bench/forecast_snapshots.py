"""Snapshots of a large company (docs/forecast.md): what a day costs, what a year would weigh, how long a bridge takes.

The company of `bench.forecast`: 100,000 open deals, 1,000 nodes. Each day two in a hundred of the deals change their
amount, day, category or owner, and half of one in a hundred is closed while as many are made; rates change every day.
A year is reckoned from the growth of the file over these days. Times are of the processor.
"""

import random
import time
from collections.abc import Callable, Iterator

from sqlalchemy import Connection, bindparam, text, update

from bench.attainment import SYSTEM, insert_rows
from bench.forecast import CATEGORIES, DAY_MS, NOW, Size, best, person
from bench.subjects import Figures
from forecasting import frozen, kept, moving, taking
from forecasting.bridging import bridged
from forecasting.moving import Asked
from forecasting.spots import EVERYTHING
from sfa.db.bulk import inserting
from sfa.db.database import Database
from sfa.db.tables import ROWS

FIRST, DAY, GROWTH = "the first snapshot", "the snapshot of a day", "what snapshots weigh"
BRIDGE, WEEK, NODE = "a bridge, day to day", "a bridge, first to last", "a bridge of one team"
READ = "the facts of a snapshot"
DAYS, TURNS = 6, 3
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


def versions_bytes(connection: Connection) -> int:
    """What the tables of snapshots and their indexes take."""
    names = "'forecast_versions', 'ix_forecast_versions_from_no', 'ix_forecast_versions_to_no', 'forecast_snapshots'"
    if connection.dialect.name == "sqlite":
        query = f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({names})"
    else:
        query = "SELECT pg_total_relation_size('forecast_versions') + pg_total_relation_size('forecast_snapshots')"
    return int(connection.execute(text(query)).scalar_one())


def measured(database: Database, size: Size) -> Iterator[tuple[str, Figures]]:
    """Of the company that `bench.forecast.made` left in the database, which these days change."""
    yield FIRST, _timed(lambda: database.write(taking.take, NOW))
    first, days = database.read(versions_bytes), []
    for day in range(1, DAYS + 1):
        database.write(one_day, size, day)
        more(database, size, day)
        days.append(_timed(lambda at=NOW + day * DAY_MS: database.write(taking.take, at)))  # type: ignore[misc]
    yield DAY, sorted(days, key=lambda figures: figures["best_cpu_ms"])[DAYS // 2]
    grown = (database.read(versions_bytes) - first) / DAYS
    yield GROWTH, {"day_mb": round(grown / 1e6, 2), "year_mb": round((first + 365 * grown) / 1e6, 1)}
    dates = [database.read(kept.numbered, number).taken_on for number in (1, DAYS, DAYS + 1)]
    yield BRIDGE, best(TURNS, lambda: moved(database, dates[1], dates[2]))
    yield WEEK, best(TURNS, lambda: moved(database, dates[0], dates[2]))
    yield NODE, best(TURNS, lambda: moved(database, dates[1], dates[2], "team:t1"))
    yield READ, best(TURNS, lambda: database.read(_read))


def _timed(work: Callable[[], object]) -> Figures:
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    took, used = (time.perf_counter() - begun) * 1e3, (time.process_time() - cpu) * 1e3
    return {"best_ms": round(took, 2), "best_cpu_ms": round(used, 2)}


def moved(database: Database, since: str, to: str, node: str = "company") -> int:
    """-> how many deals moved."""

    def work(connection: Connection) -> int:
        ends = moving.compared(connection, Asked(period="q1", since=since, to=to))
        found = bridged(connection, ends, node, EVERYTHING).bridge
        assert found.opening.deals
        return len(found.moved)

    return database.read(work)


def _read(connection: Connection) -> int:
    return len(frozen.basis(connection, kept.numbered(connection, DAYS), "q1").facts)
