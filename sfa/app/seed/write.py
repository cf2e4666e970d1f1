"""The seed written through the one door: a customer is never parted, thousands of rows are one transaction.

The rows are trusted, so what `sfa.crm.edits` asks of people is not asked again here; a test holds every made row
against the same rules. Their keys are new, so no query looks for them: a key that is taken fails at its insert.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, insert, select

from sfa.app.seed.company import make_company
from sfa.app.seed.customers import Customers
from sfa.app.seed.made import Days, Dice, Made, key_maker
from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.database import Database
from sfa.db.loading import unhindered
from sfa.db.tables import ROWS, credentials
from sfa.db.writes import Door, Origin

BATCH_ROWS = 16_000
REPS_MAX, ACCOUNTS_MAX = 10_000, 2_000_000

Counts = Counter[str]


def seed(
    database: Database,
    *,
    reps: int,
    accounts: int,
    seed: int,
    today: str,
    password_hash: str,
    after_batch: Callable[[int], None] | None = None,
) -> tuple[Counts, dict[str, str]]:
    """Fill an empty database -> (rows by entity, e-mail by user key). Every user has the password of that hash.
    `after_batch` is told the rows written so far. `key_taken` where there is a company already."""
    days, dice = Days(today), Dice(seed)
    company = make_company(reps, days, dice)
    customers = Customers(company, accounts, days, dice, key_maker(seed, days))
    database.write(_begin, company.rows, days.now_ms, list(company.emails), password_hash)
    counts = Counter(row.entity for row in company.rows)
    with _without_collector(), unhindered(database):
        for batch in _batches(customers.make(number) for number in range(accounts)):
            database.write(_put, batch, days.now_ms)
            counts.update(row.entity for row in batch if row.kind == "create")
            if after_batch is not None:
                after_batch(counts.total())
    return counts, company.emails


@contextmanager
def _without_collector() -> Iterator[None]:
    """Rows make no cycles, and looking for some in a batch's half million values would cost a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _batches(customers: Iterable[list[Made]]) -> Iterator[list[Made]]:
    batch: list[Made] = []
    for rows in customers:
        batch += rows
        if len(batch) >= BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _begin(connection: Connection, rows: list[Made], now_ms: int, users: list[str], password_hash: str) -> None:
    if connection.execute(select(ROWS["organisations"].c.key).limit(1)).first() is not None:
        raise Refused("key_taken", "The database holds a company already: seed a new one")
    _put(connection, rows, now_ms)
    logins = [{"user_key": user, "password_hash": password_hash, "changed_at": now_ms} for user in users]
    connection.execute(insert(credentials), logins)


def _put(connection: Connection, rows: list[Made], now_ms: int) -> None:
    door = Door(connection, now_ms)
    cells: dict[tuple[str, str], Cell] = {}
    for row in rows:
        place = (row.entity, row.key)
        cell = cells.get(place)
        if cell is None:
            cell = cells[place] = Cell(*place)
        door.put(cell, row.values, Origin(author_key=row.author, at=row.at, stored_at=row.at), row.kind)
    door.flush()
