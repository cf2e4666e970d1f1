"""A trace played in this process on a copy of a database: the server's half of `sfa device replay`.

It is loaded when it is needed: everything else of `sfa device` starts without the server and its database.
"""

import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import Connection, make_url

from sfa.app.commands import COMMANDS
from sfa.core.clock import Clock, VirtualClock
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db.database import Database, open_database
from sfa.db.migrations import upgrade_database
from sfa.web import auth
from sfa.web.auth_messages import DeviceInfo
from sync.device import trace
from sync.device.replay import Target
from sync.round import Caller, Round

REFRESH_TTL_S = 3_600


@contextmanager
def played_on(head: trace.Head, url: str, name: str, ask: Callable[[str], None]) -> Iterator[Target]:
    """Where to play: a SQLite file is copied first; of another database `ask` says whether it is a copy."""
    with tempfile.TemporaryDirectory() as folder:
        source = make_url(url)
        if source.get_backend_name() == "sqlite":
            url = f"sqlite:///{_copied(source.database or '', Path(folder))}"
        else:
            ask("This writes into the database, which must be a copy. Go on?")
        database = open_database(url, durable=False)
        try:
            upgrade_database(database)
            yield _in_process(head, database, name)
        finally:
            database.close()


def _copied(source: str, folder: Path) -> Path:
    if not Path(source).exists():
        raise Refused("setting_invalid", f"there is no database {source}")
    copy = folder / "copy.sqlite"
    there, here = sqlite3.connect(source), sqlite3.connect(copy)
    try:
        there.backup(here)
    except sqlite3.DatabaseError as error:
        raise Refused("setting_invalid", f"{source} is no database: {error}") from error
    finally:
        there.close()
        here.close()
    return copy


def _in_process(head: trace.Head, database: Database, name: str) -> Target:
    clock = VirtualClock(0)
    rounds = Round(database, clock, secrets.token_bytes(32), COMMANDS)
    device = database.write(_register, head.user, name, clock)

    def post(body: bytes) -> tuple[int, bytes]:
        try:
            return 200, rounds.answer_blocking(Caller(head.user, device), body)
        except Refused as refused:
            return refused.status, msgspec.json.encode({"code": refused.code, "title": refused.text})

    def shift(server_now: int) -> int:
        clock.advance(max(0, server_now - clock.now_ms()))
        return 0

    return Target(head.user, device, post, shift)


def _register(connection: Connection, user: str, name: str, clock: Clock) -> str:
    terms = auth.Terms(clock.now_ms(), REFRESH_TTL_S, KeyMaker(clock).new)
    return auth.register_device(connection, user, DeviceInfo(name, "replay", "1"), terms)
