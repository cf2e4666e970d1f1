"""The seed written through the one door, in one transaction: there is a whole company or none.

The rows are trusted, so what `sfa.crm.edits` asks of people is not asked again here; a test holds every made row
against the same rules. Their keys are new, so no query looks for them: a key that is taken fails at its insert. The
company goes through the door's flush, its customers through `sfa.db.sealed`; a test proves that both write the same.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing

from sqlalchemy import Connection, insert, select

from sfa.app.seed.company import Company, make_company
from sfa.app.seed.made import Days, Dice
from sfa.app.seed.making import APART_FROM, BATCH_ROWS, Order, put, sealed_batches, without_collector
from sfa.core.errors import Refused
from sfa.db import commissions, sealed
from sfa.db import credits as crediting
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
    counts: Counts = Counter()

    def work(connection: Connection) -> None:
        counts.clear()  # PostgreSQL may have it done again
        begin(connection, company, days.now_ms, password_hash)
        counts.update(row.entity for row in company.rows)
        order = Order(reps, accounts, seed, today, read_profiles(connection), batch_rows)
        with unhindered(connection), closing(sealed_batches(order, apart=accounts >= APART_FROM)) as making:
            for batch in making:
                sealed.write(connection, batch)
                counts.update(batch.counts)
                if after_batch is not None:
                    after_batch(counts.total())
        crediting.rebuild(connection)
        commissions.rebuild(connection, days.now_ms)

    database.write(refuse_full)  # before it is had alone, and by the connection that has it then: no other stays open
    with without_collector(), database.alone():
        database.write(work)
    return counts, company.emails


def refuse_full(connection: Connection) -> None:
    if connection.execute(select(ROWS["organisations"].c.key).limit(1)).first() is not None:
        raise Refused("key_taken", "The database holds a company already: seed a new one")


def begin(connection: Connection, company: Company, now_ms: int, password_hash: str) -> None:
    """The company itself, which decides who sees what, by the door's flush."""
    refuse_full(connection)
    door = Door(connection, now_ms)
    put(door, company.rows)
    door.flush()
    logins = [{"user_key": user, "password_hash": password_hash, "changed_at": now_ms} for user in company.emails]
    connection.execute(insert(credentials), logins)
