"""A PostgreSQL database that one test after the other has: made once for each worker, and put back as it was.

A copy of a template costs a hundred milliseconds of the server, and its first connection as much again for its own
catalogue; putting rows back costs two. What only a new copy would undo gets one: a schema that was changed, statistics
that were gathered, a database that has grown. `opened` hands on the connections of the test before as well, which cost
twenty: as they are when new but for the statements they know, and only where that test closed its database in order.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from sfa.db.database import PostgresDatabase, open_database
from tests.postgres import Postgres

GROWN_BYTES = 48 << 20
LOG_BYTES = 8 << 20  # written by the whole server since the size was looked at: before, no database can have grown so
CATALOGUES = {
    "pg_class": "",
    "pg_attribute": "WHERE attrelid >= 16384",
    "pg_constraint": "",
    "pg_index": "",
    "pg_trigger": "",
    "pg_proc": "WHERE oid >= 16384",
    "pg_namespace": "",
}
# A catalogue row that was written or removed since is seen by its transaction or by the number of rows.
LOOK = " UNION ALL ".join(
    [
        *(f"SELECT count(*), min(age(xmin)) >= age($1::xid) FROM {name} {where}" for name, where in CATALOGUES.items()),
        "SELECT count(*), true FROM pg_statistic",
        "SELECT count(*), true FROM pg_db_role_setting",
    ]
)
LEAVE = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL($1::int[])"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
XID = "SELECT pg_current_xact_id()::xid"
LOG = "SELECT pg_current_wal_insert_lsn() - '0/0'"
Lines = tuple[asyncio.Runner, PostgresDatabase, list[int]]


class Kept:
    """`url()` is the database as its template was; nobody else may have it by then."""

    def __init__(self, server: Postgres, name: str, template: str) -> None:
        self._server, self._name, self._template = server, name, template
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None
        self._lines: Lines | None = None
        self._made_by = self._put_back_by = 0  # transactions
        self._as_made: list[Any] = []
        self._log_looked_at = 0

    def url(self) -> str:
        if not self._runner.run(self._was_put_back()):
            self._hang_up()
            self._server.drop(self._name)
            url = self._server.create(self._name, template=self._template)
            self._runner.run(self._keep(url))
        return self._server.url(self._name)

    @contextmanager
    def opened(self) -> Iterator[PostgresDatabase]:
        """What `url()` put back, open, and closed after the block, whether or not the block closed it."""
        database = open_database(self._server.url(self._name), durable=False)
        assert isinstance(database, PostgresDatabase)
        if self._lines is not None:
            database._runner, database._blocking, _ = self._lines
        try:
            yield database
        finally:
            self._lines = self._taken(database)
            database.close()

    def close(self) -> None:
        self._hang_up()
        self._runner.run(self._leave())
        self._runner.close()

    def _taken(self, database: PostgresDatabase) -> Lines | None:
        """The connections of a test that is over, or None where they were closed or something hangs on them."""
        runner, blocking = database._runner, database._blocking
        if runner is None or blocking is None:
            return None
        pids = runner.run(as_new(list(blocking._engines.values())))
        if pids is None:
            return None
        database._runner = database._blocking = None
        return runner, blocking, pids

    def _hang_up(self) -> None:
        if self._lines is not None:
            (runner, blocking, _), self._lines = self._lines, None
            runner.run(blocking.close_async())
            runner.close()

    async def _was_put_back(self) -> bool:
        if self._connection is None or not await self._is_alone(self._connection):
            return False
        if await self._connection.fetch(LOOK, self._made_by) == self._as_made and not await self._is_grown():
            self._put_back_by = await self._connection.fetchval("SELECT kept.put_back($1::xid)", self._put_back_by)
            return True
        await self._leave()
        return False

    async def _is_alone(self, connection: asyncpg.Connection) -> bool:
        """Whoever was left is gone; false where a test ended this connection too."""
        try:
            await connection.fetch(LEAVE, self._lines[2] if self._lines is not None else [])
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._leave()
            return False
        return True

    async def _is_grown(self) -> bool:
        assert self._connection is not None
        written = int(await self._connection.fetchval(LOG))
        if written - self._log_looked_at < LOG_BYTES:
            return False
        self._log_looked_at = written
        return int(await self._connection.fetchval("SELECT pg_database_size(current_database())")) > GROWN_BYTES

    async def _keep(self, url: str) -> None:
        """Copy aside every table that has rows, once."""
        self._connection = connection = await asyncpg.connect(url)
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("CREATE SCHEMA kept")
        steps = []
        for (name,) in await connection.fetch(TABLES):
            rows = await connection.fetchval(f'SELECT count(*) FROM public."{name}"')
            step = f'DELETE FROM public."{name}"'
            if rows:
                await connection.execute(f'CREATE TABLE kept."{name}" AS TABLE public."{name}"')
                as_it_was = f'SELECT count(*) = {rows} AND min(age(xmin)) >= age(last) FROM public."{name}"'
                step = f'IF NOT ({as_it_was}) THEN {step}; INSERT INTO public."{name}" TABLE kept."{name}"; END IF'
            steps.append(step)
        await connection.execute(
            "CREATE FUNCTION kept.put_back(last xid) RETURNS xid LANGUAGE plpgsql AS "
            f"$$ BEGIN {'; '.join(steps)}; RETURN pg_current_xact_id()::xid; END $$"
        )
        self._made_by = self._put_back_by = await connection.fetchval(XID)
        self._as_made = await connection.fetch(LOOK, self._made_by)
        self._log_looked_at = int(await connection.fetchval(LOG))

    async def _leave(self) -> None:
        if self._connection is not None:
            self._connection.terminate()  # a test may have ended it already, and said nothing
            self._connection = None
            await asyncio.sleep(0)  # the loop closes the socket


async def as_new(engines: list[AsyncEngine]) -> list[int] | None:
    """The server's processes behind them, without settings, locks and subscriptions of what they did."""
    pids = []
    for engine in engines:
        pool = cast(QueuePool, engine.pool)
        if pool.checkedout() or pool.checkedin() != 1:
            return None
        try:
            async with engine.connect() as connection:
                driver = cast(asyncpg.Connection, (await connection.get_raw_connection()).driver_connection)
                await driver.reset()
                pids.append(driver.get_server_pid())
        except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return None
    return pids
