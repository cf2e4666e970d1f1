"""Hearing that a commit changed the feed, whoever made it (S9), and reading whom that concerns (S33).

`hear` only says that something may have happened, never what: whoever hears it reads `since` and goes on from the
number that it gave, so an alarm that was lost, doubled or late costs nothing but time. PostgreSQL tells by LISTEN:
`feed.take` notifies inside the transaction and the database delivers at the commit. SQLite has no such thing: commits
of this process are told by `after_commit`, those of others (a terminal) are seen within a second by a counter of the
file.

That a registration was ended is told apart, by `tell_ended`, because nothing of the feed changes by it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import NamedTuple

import asyncpg
from sqlalchemy import Connection, select, text
from sqlalchemy.engine import make_url

from sfa.db import feed, scope
from sfa.db.database import Database, SqliteDatabase
from sfa.db.tables import bucket_heads, scope_users

SQLITE_POLL_S = 1.0
CONNECT_S = 10.0
ENDED_CHANNEL = "sfa_ended"  # what PostgreSQL tells after a commit that ended a registration
PING_S = 15.0  # a connection that died without a word is noticed by then
RECONNECT_S = 1.0

_log = logging.getLogger("sfa.news")


class News(NamedTuple):
    """What happened up to `seq`: buckets that got entries, users whose scope changed."""

    seq: int
    buckets: list[str]
    users: list[str]


class Standing(NamedTuple):
    """The buckets that a user holds as of `seq`, and whether there was news for the user since an earlier number."""

    seq: int
    held: frozenset[str]
    news: bool


def since(connection: Connection, seq: int) -> News:
    """What happened after `seq`, in one snapshot: it costs the number of buckets and users, not of rows."""
    heads = select(bucket_heads.c.bucket).where(bucket_heads.c.seq > seq)
    users = select(scope_users.c.user_key).where(scope_users.c.seq > seq)
    now = feed.face(connection).seq
    if now == seq:
        return News(now, [], [])
    return News(now, list(connection.execute(heads).scalars()), list(connection.execute(users).scalars()))


def standing(connection: Connection, user_key: str, after: int | None) -> Standing:
    """Where a user stands; `after` is the number that the device has seen. One that this clock never gave (a backup was
    restored) counts as news: the device has something to learn."""
    now, held = feed.face(connection).seq, scope.held_now(connection, user_key)
    if after is None or after == now:
        return Standing(now, held, False)
    changed = select(scope_users.c.seq).where(scope_users.c.user_key == user_key, scope_users.c.seq > after)
    news = after > now or connection.execute(changed).first() is not None
    return Standing(now, held, news or bool(feed.heads_after(connection, held, after)))


_TELL_ENDED = text(f"SELECT pg_notify('{ENDED_CHANNEL}', '')")


def tell_ended(connection: Connection) -> None:
    """Tell every process, at the commit of this transaction, that a registration was ended. SQLite tells nobody: its
    one server process knows by itself what it did."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TELL_ENDED)


def _nothing() -> None:
    return None


async def hear(database: Database, heard: Callable[[], None], ended: Callable[[], None] = _nothing) -> None:
    """Calls `heard` on this event loop after every commit that may have changed the feed, and `ended` after one that
    ended a registration; both once when it begins to listen; until it is cancelled."""
    while True:
        try:
            if isinstance(database, SqliteDatabase):
                await _hear_sqlite(database, heard)
            else:
                await _hear_postgres(database.url, heard, ended)
        except Exception as error:  # whatever it is, it must not end here: streams would wait for ever
            _log.warning("not listening to the database: %s", error)
        await asyncio.sleep(RECONNECT_S)


async def _hear_sqlite(database: SqliteDatabase, heard: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def committed() -> None:
        with suppress(RuntimeError):  # the loop has ended; the commit stands all the same
            loop.call_soon_threadsafe(heard)

    database.after_commit.append(committed)
    try:
        with closing(sqlite3.connect(database.path)) as counter:
            seen = None
            while True:
                if (now := counter.execute("PRAGMA data_version").fetchone()) != seen:
                    seen = now
                    heard()
                await asyncio.sleep(SQLITE_POLL_S)
    finally:
        database.after_commit.remove(committed)


async def _hear_postgres(url: str, heard: Callable[[], None], ended: Callable[[], None]) -> None:
    """One connection's life; returns when it is lost."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(address, timeout=CONNECT_S)
    lost = asyncio.Event()
    try:
        connection.add_termination_listener(lambda *_: lost.set())
        await connection.add_listener(feed.NEWS_CHANNEL, lambda *_: heard())
        await connection.add_listener(ENDED_CHANNEL, lambda *_: ended())
        heard()  # what was committed while nobody listened
        ended()
        while not lost.is_set():
            try:
                await asyncio.wait_for(lost.wait(), PING_S)
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=CONNECT_S)
    finally:
        connection.terminate()
