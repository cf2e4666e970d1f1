"""Mistakes that somebody could make in the stream are noticed by what a stream is promised (S9, S31, S33)."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from sfa.db import news
from sfa.db.database import SqliteDatabase
from sync import live
from sync.live import Live
from tests.office import Office
from tests.sync.live.served import Heard, Server, serving
from tests.sync.live.test_live import end_it

SOON_S = 2.0
QUIET_S = 0.5
on_sqlite = pytest.mark.parametrize("office", ["sqlite"], indirect=True)


async def broken(server: Server) -> str | None:
    """What does not hold of two streams, of people who share nothing but the company's own rows."""
    async with server.stream(await server.token("ana")) as north, server.stream(await server.token("cleo")) as south:
        if not await hears(north, await server.put(("contacts", "carl", {"phone": "77"}))):
            return "who holds the bucket is not told"
        if not await quiet(server, "bob", ("contacts", "zoe", {"phone": "77"})):
            return "who does not hold the bucket is told"
        member = {"territory_key": "t-north", "user_key": "cleo", "valid_from": "2025-01-01"}
        await hears(south, await server.put(("territory_members", "tm-new", member)))
        if not await hears(south, await server.put(("contacts", "carl", {"phone": "78"}))):
            return "who got the bucket is not told"
        await end_it(server, "revoke", "d-ana")
        if not await hears(north, None):
            return "the stream outlives its registration"
    return None


async def hears(stream: Heard, seq: int | None) -> bool:
    """Whether the stream says soon that there is news up to a number; None stands for its end."""
    try:
        async with asyncio.timeout(SOON_S):
            while True:
                event, data = await stream.next()
                if (event == "end") if seq is None else (event == "news" and msgspec.json.decode(data)["seq"] >= seq):
                    return True
    except TimeoutError:
        return False


async def quiet(server: Server, user: str, row: tuple[str, str, dict[str, Any]]) -> bool:
    async with server.stream(await server.token(user)) as stream:
        await server.put(row)
        return await stream.silent(QUIET_S)


def found(office: Office) -> str | None:
    async def told() -> str | None:
        async with serving(office) as server:
            return await broken(server)

    return asyncio.run(told())


@contextmanager
def planted(place: Any, name: str, mistake: Any) -> Iterator[None]:
    right = getattr(place, name)
    setattr(place, name, mistake)
    try:
        yield
    finally:
        setattr(place, name, right)


def told_before_the_commit() -> Any:
    real = SqliteDatabase.write

    def write(self: SqliteDatabase, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """The alarm is given inside the transaction, and time enough to look."""

        def early(connection: Any, *args: Any, **kwargs: Any) -> Any:
            result = work(connection, *args, **kwargs)
            for heard in alarms:
                heard()
            asyncio.run(asyncio.sleep(0.3))
            return result

        alarms, self.after_commit = self.after_commit, []
        try:
            return real(self, early, *args, **kwargs)
        finally:
            self.after_commit = alarms

    return SqliteDatabase, "write", write


def everybody_is_told() -> Any:
    real = Live._hold

    def hold(self: Live, user: str, held: frozenset[str]) -> None:
        real(self, user, held | {"territory:t-north", "territory:t-south"} if held else held)

    return Live, "_hold", hold


def nobody_hears_that_a_registration_ended() -> Any:
    return Live, "look_for_ended", lambda _self: None


def a_scope_is_read_once() -> Any:
    return live, "scope", type("Old", (), {"held_now": staticmethod(lambda _c, _user: frozenset())})


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter of the file would hide an alarm that came too early."""
    monkeypatch.setattr(news, "SQLITE_POLL_S", 60.0)


@on_sqlite
@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (told_before_the_commit, "who holds the bucket is not told"),
        (everybody_is_told, "who does not hold the bucket is told"),
        (nobody_hears_that_a_registration_ended, "the stream outlives its registration"),
        (a_scope_is_read_once, "who got the bucket is not told"),
    ],
)
def test_a_planted_fault_of_the_stream_is_found(office: Office, fault: Callable[[], Any], finding: str) -> None:
    with planted(*fault()):
        assert found(office) == finding


@on_sqlite
def test_without_a_fault_nothing_is_found(office: Office) -> None:
    assert found(office) is None
