"""A bulk load into a new database: one process writes, nobody else reads, and a load that was killed is thrown away.

`unhindered` takes the secondary indexes of growing tables away and builds each once at the end, which costs a sort
where keeping it would cost a page for every row; on SQLite it gives the writer room in memory and lets hot pages be
copied to the file seldom. Unique indexes stay. Used by the seed only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Index
from sqlalchemy.schema import CreateIndex, DropIndex

from sfa.db.cells import CHILDREN
from sfa.db.database import Database
from sfa.db.tables import METADATA
from sfa.db.tables.rows import LAYERED

CACHE_KIB = 256 * 1024
CHECKPOINT_PAGES = 50_000  # 200 MB
GROWING = frozenset({"accounts", "tasks", "feed", "history", "name_words", *LAYERED}) | {
    child for children in CHILDREN.values() for child, _ in children
}


def _indexes() -> list[Index]:
    found = [index for table in METADATA.tables.values() if table.name in GROWING for index in table.indexes]
    return sorted((index for index in found if not index.unique), key=lambda index: str(index.name))


@contextmanager
def unhindered(database: Database) -> Iterator[None]:
    """Within it many rows are written; indexes stand again after it, also where it fails."""
    database.write(_without)
    try:
        yield
    finally:
        database.write(_with)


def _without(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    for index in _indexes():
        connection.execute(DropIndex(index))


def _with(connection: Connection) -> None:
    for index in _indexes():
        connection.execute(CreateIndex(index))
