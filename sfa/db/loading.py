"""A bulk load in one transaction: one process writes, and what was killed or failed has left nothing.

`unhindered` takes the secondary indexes of growing tables away and builds each once at the end, which costs a sort
where keeping it would cost a page for every row; on SQLite it gives the writer room in memory, so that pages which
many rows share are written once. Unique indexes stay. Used by the seed only: others wait for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Index
from sqlalchemy.schema import CreateIndex, DropIndex

from sfa.db.cells import CHILDREN
from sfa.db.database import SQLITE_CACHE_KIB, SQLITE_MMAP_BYTES
from sfa.db.tables import METADATA
from sfa.db.tables.rows import LAYERED

CACHE_KIB = 256 * 1024
GROWING = frozenset({"accounts", "tasks", "feed", *LAYERED}) | {
    child for children in CHILDREN.values() for child, _ in children
}


def _indexes() -> list[Index]:
    found = [index for table in METADATA.tables.values() if table.name in GROWING for index in table.indexes]
    return sorted((index for index in found if not index.unique), key=lambda index: str(index.name))


@contextmanager
def unhindered(connection: Connection) -> Iterator[None]:
    """Within it many rows are written; indexes stand again after it. Where it fails its transaction must fail too."""
    _room(connection, CACHE_KIB, 0)  # all the room is the cache's: pages that are mapped as well are there twice
    try:
        drop_indexes(connection)
        yield
        for index in _indexes():
            connection.execute(CreateIndex(index))
    finally:
        _room(connection, SQLITE_CACHE_KIB, SQLITE_MMAP_BYTES)


def _room(connection: Connection, cache_kib: int, mmap_bytes: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{cache_kib}")
        connection.exec_driver_sql(f"PRAGMA mmap_size = {mmap_bytes}")


def drop_indexes(connection: Connection) -> None:
    for index in _indexes():
        connection.execute(DropIndex(index))
