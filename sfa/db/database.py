"""One database, SQLite or PostgreSQL, and the only begin and commit of the product.

A unit of work is a plain function of a connection. `write` runs it in one transaction and commits (on SQLite as the one
writer, taken up front; on PostgreSQL READ COMMITTED, tried again when it lost a deadlock, so it must not act outside
the database); `read` runs it in one snapshot (REPEATABLE READ on PostgreSQL). The same functions serve an event loop
(`*_async`) and a terminal or test without one. Short indexed SQLite reads run on the event loop itself, on a kept
connection: a thread hop costs more than the read (docs/performance.md).
"""

import asyncio
import contextlib
import os
import random
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from sfa.core.errors import Refused
from sfa.db.statements import STATEMENTS

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[Connection, P], T]

SQLITE_BUSY_S = 10.0
SQLITE_CACHE_KIB = 65_536
SQLITE_MMAP_BYTES = 1 << 30
READER_THREADS = 2
APART_THREADS = 2
POSTGRES_POOL = 16
RETRIES_MAX = 8
RETRY_STATES = {"40P01", "40001", "23505"}  # deadlock, serialization failure, two inserts of one key
DISK_FULL = "53100"
ALIKE: dict[str, Any] = {
    "json_serializer": lambda value: msgspec.json.encode(value).decode(),
    "json_deserializer": msgspec.json.decode,
    "execution_options": {"compiled_cache": STATEMENTS},
}


class Overtaken(Exception):
    """Somebody changed a row that this transaction had read and does not hold: it is done again from its start."""


class Database(ABC):
    """What both kinds share. `probe`, where set, is told of each commit boundary: the simulation crashes there."""

    dialect: str
    url: str
    probe: Callable[[str], None] | None = None

    @abstractmethod
    def write(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    @abstractmethod
    def read(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    @abstractmethod
    async def write_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    @abstractmethod
    async def read_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def read_long_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A read that may take more than a millisecond or two: never on SQLite's event loop."""
        return await self.read_async(work, *args, **kwargs)

    async def read_apart_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A read with much to reckon between its statements: in a thread on either database, so that others are
        answered meanwhile."""
        return await self.read_long_async(work, *args, **kwargs)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Around one large write into a database that nobody else uses: it may be written in a way that others would
        have to wait for. A write that is killed leaves what there was, here as well."""
        yield

    @abstractmethod
    def close(self) -> None: ...

    async def close_async(self) -> None:
        self.close()

    def _at(self, boundary: str) -> None:
        if self.probe is not None:
            self.probe(boundary)


class SqliteDatabase(Database):
    dialect = "sqlite"

    def __init__(self, url: URL, *, durable: bool = True) -> None:
        self.url = url.render_as_string(hide_password=False)
        self.path = url.database or ":memory:"
        self._durable = durable
        self._memory = self.path == ":memory:"
        self._writer_engine = self._engine("BEGIN IMMEDIATE")
        self._reader_engine = self._writer_engine if self._memory else self._engine("BEGIN")
        self.after_commit: list[Callable[[], None]] = []  # called by the thread that wrote; must neither wait nor fail
        self._turn = threading.Lock()
        self._writing = threading.local()
        self._kept = threading.local()
        self._readers_made: list[Connection] = []
        self._writer: Connection | None = None
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="sfa-writer")
        self._read_threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="sfa-reader")

    def _engine(self, begin: str) -> Engine:
        engine = create_engine(
            f"sqlite:///{self.path}",
            poolclass=StaticPool if self._memory else NullPool,
            connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_S, "cached_statements": 512},
            **ALIKE,
        )

        @event.listens_for(engine, "connect")
        def settings(raw: sqlite3.Connection, _record: Any) -> None:
            raw.isolation_level = None  # the driver must not open transactions of its own
            for pragma in (
                "journal_mode = WAL",
                f"synchronous = {'FULL' if self._durable else 'OFF'}",
                "foreign_keys = ON",
                f"cache_size = -{SQLITE_CACHE_KIB}",
                f"mmap_size = {SQLITE_MMAP_BYTES}",
                "temp_store = MEMORY",
            ):
                raw.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begins(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def write(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if getattr(self._writing, "on", False):
            raise RuntimeError("a transaction inside a transaction")
        with self._turn:
            self._writing.on = True
            try:
                writer = self._opened_writer()
                with _told_by_sqlite(), writer.begin() as transaction:
                    result = work(writer, *args, **kwargs)
                    self._at("before_commit")
                    transaction.commit()
            except BaseException:
                self._end_what_failed()
                raise
            finally:
                self._writing.on = False
        self._at("after_commit")
        for heard in self.after_commit:
            heard()
        return result

    def _end_what_failed(self) -> None:
        """A commit that fails (a full disk) leaves its transaction open: the next write must not find it."""
        if self._writer is None or self._writer.get_transaction() is None:
            return
        raw = self._writer.connection.driver_connection
        self._writer.rollback()
        if raw is not None:
            raw.rollback()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """With a rollback journal, which holds the few pages that there were, where a write-ahead log would hold all
        that is new and be copied. With the log as always where somebody has the file open."""
        raw: Any = self._opened_writer().connection.driver_connection
        raw.execute("PRAGMA busy_timeout = 0")
        with contextlib.suppress(sqlite3.OperationalError):
            raw.execute("PRAGMA journal_mode = DELETE")
        raw.execute(f"PRAGMA busy_timeout = {int(SQLITE_BUSY_S * 1000)}")
        try:
            yield
        finally:
            with contextlib.suppress(sqlite3.OperationalError):  # somebody reads by now: whoever opens it next does it
                raw.execute("PRAGMA journal_mode = WAL")

    def _opened_writer(self) -> Connection:
        if self._writer is None:
            with _told_by_sqlite():
                self._writer = self._writer_engine.connect()
        return self._writer

    def read(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if self._memory:
            with self._turn, self._reader_engine.connect() as connection, connection.begin():
                return work(connection, *args, **kwargs)
        connection = self._kept_reader()
        with connection.begin():
            return work(connection, *args, **kwargs)

    def _kept_reader(self) -> Connection:
        """One connection for each thread that reads: opening one costs more than the read."""
        kept: Connection | None = getattr(self._kept, "connection", None)
        if kept is None:
            with _told_by_sqlite():
                kept = self._kept.connection = self._reader_engine.connect()
            self._readers_made.append(kept)
        return kept

    async def write_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._write_thread, lambda: self.write(work, *args, **kwargs))

    async def read_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.read(work, *args, **kwargs)

    async def read_long_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_threads, lambda: self.read(work, *args, **kwargs))

    def close(self) -> None:
        self._write_thread.shutdown()
        self._read_threads.shutdown()
        for connection in (*self._readers_made, self._writer):
            if connection is not None:
                connection.close()
        self._readers_made.clear()
        self._writer = None
        self._kept = threading.local()
        self._reader_engine.dispose()
        self._writer_engine.dispose()


class PostgresDatabase(Database):
    dialect = "postgresql"

    def __init__(self, url: URL, *, pool_size: int = POSTGRES_POOL) -> None:
        self.url = url.render_as_string(hide_password=False)
        self._async_url = url.set(drivername="postgresql+asyncpg")
        self._pool_size = pool_size
        self._engines: dict[str, AsyncEngine] = {}
        self._blocking: PostgresDatabase | None = None
        self._runner: asyncio.Runner | None = None
        self._turn = threading.Lock()
        self._working = threading.local()
        self._apart = _Apart(self.url)

    def _engine(self, isolation: str) -> AsyncEngine:
        if isolation not in self._engines:
            self._engines[isolation] = create_async_engine(
                self._async_url,
                isolation_level=isolation,
                pool_size=self._pool_size,
                max_overflow=self._pool_size,
                pool_reset_on_return=None,
                **ALIKE,
            )
        return self._engines[isolation]

    async def write_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(RETRIES_MAX):
            try:
                engine = self._engine("READ COMMITTED")
                async with engine.connect() as connection, connection.begin() as transaction:
                    result = await connection.run_sync(lambda c: work(c, *args, **kwargs))
                    self._at("before_commit")
                    await transaction.commit()
                self._at("after_commit")
                return result
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if state == DISK_FULL:
                    raise Refused("storage_full") from error
                if state not in RETRY_STATES or attempt == RETRIES_MAX - 1:
                    raise
            except Overtaken:
                if attempt == RETRIES_MAX - 1:
                    raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("unreachable")

    async def read_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._engine("REPEATABLE READ").connect() as connection, connection.begin():
            return await connection.run_sync(lambda c: work(c, *args, **kwargs))

    async def read_apart_async(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._apart.threads, lambda: self._apart.read(work, *args, **kwargs))

    def _on_own_loop(self) -> tuple[asyncio.Runner, "PostgresDatabase"]:
        """A terminal or test has no event loop: a private one, with engines of its own, because a connection
        belongs to the loop that opened it."""
        if self._runner is None or self._blocking is None:
            self._runner = asyncio.Runner()
            self._blocking = PostgresDatabase(make_url(self.url), pool_size=2)
        self._blocking.probe = self.probe
        return self._runner, self._blocking

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[tuple[asyncio.Runner, "PostgresDatabase"]]:
        if getattr(self._working, "on", False):
            raise RuntimeError("a transaction inside a transaction")
        with self._turn:
            self._working.on = True
            try:
                yield self._on_own_loop()
            finally:
                self._working.on = False

    def write(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._one_at_a_time() as (runner, inner):
            return runner.run(inner.write_async(work, *args, **kwargs))

    def read(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._one_at_a_time() as (runner, inner):
            return runner.run(inner.read_async(work, *args, **kwargs))

    def close(self) -> None:
        if self._runner is not None and self._blocking is not None:
            self._runner.run(self._blocking.close_async())
            self._runner.close()
            self._runner = self._blocking = None
        self._apart.close()

    async def close_async(self) -> None:
        for engine in self._engines.values():
            await engine.dispose()
        self._engines.clear()
        if self._runner is not None or self._apart.is_used:
            await asyncio.get_running_loop().run_in_executor(None, self.close)


class _Apart:
    """Threads that read with an event loop and a connection of their own, because a driver that waits on the server's
    loop would have all that is reckoned between two statements done there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kept = threading.local()
        self._made: list[tuple[asyncio.Runner, PostgresDatabase]] = []
        self.threads = ThreadPoolExecutor(APART_THREADS, thread_name_prefix="sfa-apart")

    @property
    def is_used(self) -> bool:
        return bool(self._made)

    def read(self, work: Work[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """In one of the threads."""
        kept: tuple[asyncio.Runner, PostgresDatabase] | None = getattr(self._kept, "own", None)
        if kept is None:
            kept = self._kept.own = asyncio.Runner(), PostgresDatabase(make_url(self._url), pool_size=1)
            self._made.append(kept)
        runner, database = kept
        return runner.run(database.read_async(work, *args, **kwargs))

    def close(self) -> None:
        self.threads.shutdown()
        for runner, database in self._made:
            runner.run(database.close_async())
            runner.close()
        self._made.clear()


@contextlib.contextmanager
def _told_by_sqlite() -> Iterator[None]:
    """What is nobody's mistake in the product gets its code: a lock, a full disk, a file that is something else."""
    try:
        yield
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # without what extends it
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Refused("server_busy", "another process holds the database's write lock") from error
        if code == sqlite3.SQLITE_FULL:
            raise Refused("storage_full") from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN):
            what = "is not a SQLite database" if code == sqlite3.SQLITE_NOTADB else "cannot be opened"
            raise Refused("setting_invalid", f"SFA_DATABASE_URL names a file that {what}") from error
        raise


def open_database(url: str, *, durable: bool = True) -> Database:
    """A database by its URL: `sqlite:///path`, or `postgresql://…`.

    `durable=False` gives up safety at power loss on SQLite: for simulations and bulk loads into a new file.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            try:
                os.makedirs(os.path.dirname(os.path.abspath(parsed.database)), exist_ok=True)
            except OSError as error:
                raise Refused("setting_invalid", f"SFA_DATABASE_URL: {error.strerror}") from error
        return SqliteDatabase(parsed, durable=durable)
    if parsed.get_backend_name() == "postgresql":
        return PostgresDatabase(parsed)
    raise Refused("setting_invalid", f"SFA_DATABASE_URL names {parsed.get_backend_name()}: sqlite or postgresql")
