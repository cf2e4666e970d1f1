"""A PostgreSQL database that one test after the other has: made once for each worker, and put back as it was.

A copy of a template costs a hundred milliseconds of the server, and its first connection as much again for its own
catalogue; putting rows back costs ten. What only a new copy would undo gets one: a schema that was changed, statistics
that were gathered, a database that has grown.
"""

import asyncio
from typing import Any

import asyncpg

from tests.postgres import Postgres, ended

GROWN_BYTES = 48 << 20
CATALOGUES = ("pg_class", "pg_attribute", "pg_constraint", "pg_index", "pg_trigger", "pg_proc", "pg_namespace")
# A catalogue row that was written or removed since is seen by its transaction or by the number of rows.
WRITTEN = " UNION ALL ".join(f"SELECT count(*), max(xmin::text::bigint) FROM {name}" for name in CATALOGUES)
LOOK = f"""{WRITTEN}
UNION ALL SELECT count(*), 0 FROM pg_statistic
UNION ALL SELECT count(*), 0 FROM pg_db_role_setting
UNION ALL SELECT greatest(pg_database_size(current_database()), {GROWN_BYTES}), 0"""
LEAVE = ended("current_database()")
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"


class Kept:
    """`url()` is the database as its template was; nobody else may have it by then."""

    def __init__(self, server: Postgres, name: str, template: str) -> None:
        self._server, self._name, self._template = server, name, template
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None
        self._as_kept: list[Any] = []
        self._put_back = ""

    def url(self) -> str:
        if not self._runner.run(self._was_put_back()):
            self._server.drop(self._name)
            url = self._server.create(self._name, template=self._template)
            self._runner.run(self._keep(url))
        return self._server.url(self._name)

    def close(self) -> None:
        self._runner.run(self._leave())
        self._runner.close()

    async def _was_put_back(self) -> bool:
        if self._connection is None or not await self._is_alone(self._connection):
            return False
        if await self._connection.fetch(LOOK) == self._as_kept:
            await self._connection.execute(self._put_back)
            return True
        await self._leave()
        return False

    async def _is_alone(self, connection: asyncpg.Connection) -> bool:
        """Whoever was left is gone; false where a test ended this connection too."""
        try:
            await connection.execute(LEAVE)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._leave()
            return False
        return True

    async def _keep(self, url: str) -> None:
        """Copy aside every table that has rows, once."""
        self._connection = connection = await asyncpg.connect(url)
        await connection.execute("CREATE SCHEMA kept")
        steps = ["SET LOCAL session_replication_role = replica"]
        for (name,) in await connection.fetch(TABLES):
            steps.append(f'DELETE FROM public."{name}"')
            if await connection.fetchval(f'SELECT EXISTS (SELECT FROM public."{name}")'):
                await connection.execute(f'CREATE TABLE kept."{name}" AS TABLE public."{name}"')
                steps.append(f'INSERT INTO public."{name}" TABLE kept."{name}"')
        self._put_back = f"DO $$ BEGIN {';'.join(steps)}; END $$"
        self._as_kept = await connection.fetch(LOOK)

    async def _leave(self) -> None:
        if self._connection is not None:
            self._connection.terminate()  # a test may have ended it already, and said nothing
            self._connection = None
            await asyncio.sleep(0)  # the loop closes the socket
