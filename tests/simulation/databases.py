"""The database that one seed after the other plays on: opened once, and brought back to the company at its start.

Opening and compiling statements costs more than a seed, so the `Database` is kept and its content is put back: by
SQLite's backup into the open file, or from copies of the tables in a schema beside them on PostgreSQL.
"""

import shutil
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from sfa.db.database import Database, open_database
from sfa.db.migrations import upgrade_database
from sfa.db.tables import METADATA
from tests.simulation import company


class Worlds(ABC):
    """Hands out the database as it was at the start."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def fresh(self) -> Database:
        self.database.probe = None
        self._reset()
        return self.database

    @abstractmethod
    def _reset(self) -> None: ...

    @abstractmethod
    def save(self) -> None:
        """A backup of the database as it is now; the one before it is forgotten."""

    @abstractmethod
    def restore(self) -> None:
        """The database as it was saved."""


class SqliteWorlds(Worlds):
    def __init__(self, folder: Path) -> None:
        self._start = folder / "start.db"
        start = open_database(f"sqlite:///{self._start}", durable=False)
        with closing(start):
            upgrade_database(start)
            start.write(company.build)
        with closing(sqlite3.connect(self._start)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        path = folder / "world.db"
        shutil.copy(self._start, path)
        self._source = sqlite3.connect(self._start)
        self._target = sqlite3.connect(path)
        self._backup = sqlite3.connect(":memory:")
        super().__init__(open_database(f"sqlite:///{path}", durable=False))

    def _reset(self) -> None:
        self._source.backup(self._target)

    def save(self) -> None:
        self._target.backup(self._backup)

    def restore(self) -> None:
        self._backup.backup(self._target)

    def close(self) -> None:
        self.database.close()
        self._source.close()
        self._target.close()
        self._backup.close()


class PostgresWorlds(Worlds):
    """On a database of its own, which is migrated if it is empty."""

    def __init__(self, url: str) -> None:
        super().__init__(open_database(url))
        upgrade_database(self.database)
        tables = METADATA.sorted_tables
        self._empty = "".join(f'DELETE FROM "{t.name}";' for t in reversed(tables))
        self._names = [t.name for t in tables]
        self.database.write(company.build)
        self.database.write(self._keep, "start")

    def _keep(self, connection: Connection, schema: str) -> None:
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        for name in self._names:
            connection.exec_driver_sql(f'CREATE TABLE {schema}."{name}" AS TABLE "{name}"')

    def _put_back(self, connection: Connection, schema: str) -> None:
        rows = "".join(f'INSERT INTO "{name}" SELECT * FROM {schema}."{name}";' for name in self._names)
        connection.exec_driver_sql(f"DO $$ BEGIN {self._empty} {rows} END $$")

    def _reset(self) -> None:
        self.database.write(self._put_back, "start")

    def save(self) -> None:
        self.database.write(self._keep, "saved")

    def restore(self) -> None:
        self.database.write(self._put_back, "saved")

    def close(self) -> None:
        self.database.close()


@contextmanager
def worlds_of(kind: str) -> Iterator[Worlds]:
    """`sqlite`, `postgresql` (a server of its own) or the URL of an empty PostgreSQL database."""
    folder = Path(tempfile.mkdtemp(prefix="sfa-sim-"))
    try:
        if kind == "sqlite":
            with closing(SqliteWorlds(folder)) as worlds:
                yield worlds
        elif kind == "postgresql":
            from tests.postgres import running_postgres  # the wheel is needed by this kind only

            with running_postgres(folder) as server, closing(PostgresWorlds(server.create("sim"))) as found:
                yield found
        else:
            with closing(PostgresWorlds(kind)) as found:
                yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
