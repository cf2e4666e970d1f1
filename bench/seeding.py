"""What a company costs that is made up, and what its rows cost alone.

Both write into a new database that is not durable, as `sfa seed` does. The floor is given every value ready for the
driver and writes the customers only: no customer is made, nothing is settled, encoded or indexed beyond the keys.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import make_url

from bench.subjects import Figures
from sfa.app.seed.company import make_company
from sfa.app.seed.made import Days, Dice
from sfa.app.seed.making import Order, sealed_batches
from sfa.app.seed.write import begin, seed
from sfa.core.profiles import profiles_of
from sfa.db.ageing import HISTORY_DAYS_DEFAULT
from sfa.db.database import open_database
from sfa.db.loading import drop_indexes
from sfa.db.migrations import upgrade_database
from sfa.db.sealed import Sealed
from sfa.db.storing import Values

TODAY, NUMBER, REPS = "2026-03-02", 1, 40


def seeded(url: str, accounts: int) -> Figures:
    """`sfa seed` into an empty database; CPU of this process and of the one that makes customers."""
    with closing(open_database(url, durable=False)) as database:
        upgrade_database(database)
        start, cpu = time.perf_counter(), _cpu()
        counts, _ = seed(database, reps=REPS, accounts=accounts, seed=NUMBER, today=TODAY, password_hash="x")
        wall, used = time.perf_counter() - start, _cpu() - cpu
    return _figures(counts.total(), wall, used)


def plain(url: str, accounts: int) -> Figures:
    """sqlite3 writes the same values into the same tables, in one transaction."""
    path, days = Path(make_url(url).database or ""), Days(TODAY)
    with closing(open_database(url, durable=False)) as database:
        upgrade_database(database)
        database.write(begin, make_company(REPS, days, Dice(NUMBER)), days.now_ms, "x")
        database.write(drop_indexes)
    order = Order(REPS, accounts, NUMBER, TODAY, profiles_of((), HISTORY_DAYS_DEFAULT))
    sealed = list(sealed_batches(order, apart=False))
    batches = [_by_table(batch) for batch in sealed]
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -262144"):
            raw.execute(f"PRAGMA {pragma}")
        start, cpu = time.perf_counter(), _cpu()
        raw.execute("BEGIN IMMEDIATE")
        for batch in batches:
            for table, values in batch:
                marks = ", ".join("?" * len(values[0]))
                raw.executemany(f'INSERT INTO "{table}" VALUES ({marks})', values)
        raw.execute("COMMIT")
        wall, used = time.perf_counter() - start, _cpu() - cpu
    return _figures(sum(sum(batch.counts.values()) for batch in sealed), wall, used)


def _by_table(batch: Sealed) -> list[tuple[str, list[Values]]]:
    """In the order of each table's key, as the product writes them."""
    feed = sorted((e.bucket, e.entity, e.key, 1, 1, e.rev, e.gone, e.doc) for e in batch.entries)
    history = [(*version, 1) for version in batch.versions]
    return [*batch.rows.items(), ("name_words", sorted(batch.words)), ("feed", feed), ("history", history)]


def _cpu() -> float:
    """Of this process and of those that ended."""
    return sum(os.times()[:4])


def _figures(rows: int, wall: float, used: float) -> Figures:
    return {
        "rows": rows,
        "rows_per_s": round(rows / wall),
        "wall_s": round(wall, 1),
        "cpu_us_a_row": round(used / rows * 1e6, 1),
    }
