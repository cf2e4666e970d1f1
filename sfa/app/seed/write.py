"""The seed written through the one door: a customer is never parted, thousands of rows are one transaction.

The rows are trusted, so what `sfa.crm.edits` asks of people is not asked again here; a test holds every made row
against the same rules. Their keys are new, so no query looks for them: a key that is taken fails at its insert. The
company goes through the door's flush, its customers through `sfa.db.sealed`; a test proves that both write the same.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing

from sqlalchemy import Connection, insert, select

from sfa.app.seed.company import make_company
from sfa.app.seed.made import Days, Dice, Made
from sfa.app.seed.making import APART_FROM, BATCH_ROWS, Order, put, sealed_batches, without_collector
from sfa.core.errors import Refused
from sfa.core.profiles import Profiles
from sfa.db import feed, sealed
from sfa.db.ageing import read_profiles
from sfa.db.database import Database
from sfa.db.loading import unhindered
from sfa.db.tables import ROWS, credentials
from sfa.db.writes import Door

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
    batch_rows: int = BATCH_ROWS,
    after_batch: Callable[[int], None] | None = None,
) -> tuple[Counts, dict[str, str]]:
    """Fill an empty database -> (rows by entity, e-mail by user key). Every user has the password of that hash.
    `after_batch` is told the rows written so far. `key_taken` where there is a company already."""
    days = Days(today)
    company = make_company(reps, days, Dice(seed))
    database.write(_begin, company.rows, days.now_ms, list(company.emails), password_hash)
    profiles, after = database.read(_standing)
    order = Order(reps, accounts, seed, today, profiles, after, batch_rows)
    counts = Counter(row.entity for row in company.rows)
    making = sealed_batches(order, apart=accounts >= APART_FROM)
    with without_collector(), unhindered(database), closing(making):
        for batch in making:
            database.write(sealed.write, batch)
            counts.update(batch.counts)
            if after_batch is not None:
                after_batch(counts.total())
    return counts, company.emails


def _begin(connection: Connection, rows: list[Made], now_ms: int, users: list[str], password_hash: str) -> None:
    if connection.execute(select(ROWS["organisations"].c.key).limit(1)).first() is not None:
        raise Refused("key_taken", "The database holds a company already: seed a new one")
    door = Door(connection, now_ms)
    put(door, rows)
    door.flush()
    logins = [{"user_key": user, "password_hash": password_hash, "changed_at": now_ms} for user in users]
    connection.execute(insert(credentials), logins)


def _standing(connection: Connection) -> tuple[Profiles, int]:
    return read_profiles(connection), feed.face(connection).seq
