"""Devices are told at once that there is news, and only those whom it concerns (S9, S33)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest
from sqlalchemy import update

from sfa.db import feed
from sfa.db.database import Database, open_database
from sfa.db.tables import devices
from sync.live import Live
from sync.protocol import LIVE_HEARTBEAT_MS, LIVE_PER_DEVICE_MAX
from tests.builders import put_rows
from tests.office import Office
from tests.sync.live.served import Heard, Server, serving

pytestmark = pytest.mark.xdist_group("waiting")  # for processes and clocks, while other workers compute

QUIET_S = 0.6
NORTH = ("contacts", "carl", {"phone": "77"})
SOUTH = ("contacts", "zoe", {"phone": "77"})


def live(office: Office, story: Callable[[Server], Awaitable[None]]) -> None:
    async def told() -> None:
        async with serving(office) as server:
            await story(server)

    asyncio.run(told())


async def seq_of(heard: Heard) -> int:
    event, data = await heard.next()
    assert event == "news"
    return int(msgspec.json.decode(data)["seq"])


def test_who_holds_the_bucket_is_told_and_nobody_else(office: Office) -> None:
    async def story(server: Server) -> None:
        ana, cleo = await server.token("ana"), await server.token("cleo")
        async with server.stream(ana) as north, server.stream(cleo) as south:
            last = await server.put(NORTH)
            assert await seq_of(north) == last
            assert await south.silent(QUIET_S)
            assert server.services.live.count == 2

    live(office, story)


def test_what_was_not_committed_wakes_nobody(office: Office) -> None:
    """S9: an entry that is written and rolled back leaves without a word."""

    def fails(connection: object) -> None:
        put_rows(connection, [NORTH])  # type: ignore[arg-type]
        raise RuntimeError("the transaction fails after it wrote the feed")

    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as north:
            with pytest.raises(RuntimeError):
                await server.services.database.write_async(fails)
            assert await north.silent(QUIET_S)

    live(office, story)


def test_a_scope_that_changes_wakes_the_person_and_later_news_of_the_new_bucket_too(office: Office) -> None:
    member = {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}

    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as ana:
            await server.put(SOUTH)
            joined = await server.put(("territory_members", "tm-new", member))
            assert await seq_of(ana) == joined
            last = await server.put(("contacts", "zoe", {"phone": "78"}))
            assert await seq_of(ana) == last

    live(office, story)


def test_many_commits_in_a_moment_are_one_or_two_events(office: Office) -> None:
    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as ana:
            puts = [await server.put(("contacts", "carl", {"phone": str(1000 + i)})) for i in range(20)]
            last = puts[-1]
            told = [await seq_of(ana)]
            while told[-1] < last:
                told.append(await seq_of(ana))
            assert len(told) <= 10
            assert await ana.silent(QUIET_S)

    live(office, story)


def test_a_write_from_another_process_is_noticed(office: Office) -> None:
    """SQLite by the counter of its file, PostgreSQL by what it tells; the other process is another open database."""
    other = open_database(office.database.url)

    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as ana:
            last = await asyncio.to_thread(other.write, put_rows, [NORTH])
            assert await seq_of(ana) == last

    live(office, story)
    other.close()


def test_a_device_that_comes_back_learns_at_once_whether_there_was_news(office: Office) -> None:
    async def story(server: Server) -> None:
        token = await server.token("ana")
        before = (await server.services.database.read_async(feed.face)).seq
        await server.put(SOUTH)
        elsewhere = (await server.services.database.read_async(feed.face)).seq
        async with server.stream(token, query=f"?since={before}") as ana:
            assert ana.opening["id"] == str(elsewhere)
            assert await ana.silent(QUIET_S), "others' news is not hers"
        last = await server.put(NORTH)
        async with server.stream(token, query=f"?since={before}") as ana:
            assert await seq_of(ana) == last
        async with server.stream(token, query=f"?since={before}", **{"last-event-id": str(last)}) as ana:
            assert await ana.silent(QUIET_S), "the later of the two counts"
        async with server.stream(token, query=f"?since={last + 1000}") as ana:
            assert await seq_of(ana) == last, "a clock that went back (S21) is news"
        answer = await server.http.get(
            "/sync/live", params={"since": "soon"}, headers={"authorization": f"Bearer {token}"}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")

    live(office, story)


def test_the_oldest_stream_of_a_device_gives_way_and_a_full_server_says_so(office: Office) -> None:
    async def story(server: Server) -> None:
        token = await server.token("ana")
        async with server.stream(token) as oldest, server.stream(token), server.stream(token):
            assert await oldest.next() == ("end", '{"code": "live_replaced"}')
            await server.until(lambda: server.services.live.count == LIVE_PER_DEVICE_MAX)
            server.services.live._connections_max = LIVE_PER_DEVICE_MAX
            answer = await server.http.get(
                "/sync/live", headers={"authorization": f"Bearer {await server.token('bob')}"}
            )
            assert (answer.status_code, answer.json()["code"]) == (503, "live_full")
            assert answer.headers["retry-after"] == "30"
        await server.until(lambda: server.services.live.count == 0)

    live(office, story)


def test_a_stream_needs_a_token_and_only_answers_get(office: Office) -> None:
    async def story(server: Server) -> None:
        answer = await server.http.get("/sync/live")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert (await server.http.post("/sync/live")).headers["allow"] == "GET"

    live(office, story)


@pytest.fixture
def short_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    from sfa.app import factory
    from sync.live_routes import live_handler

    def hurried(*args: object) -> object:
        return live_handler(*args, heartbeat_ms=50)  # type: ignore[arg-type]

    monkeypatch.setattr(factory, "live_handler", hurried)


def test_a_stream_ends_when_its_token_does(office: Office, short_heartbeat: None) -> None:
    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as ana:
            office.clock.advance(599_000)
            assert await ana.silent(0.2)
        async with server.stream(await server.token("bob")) as bob:
            office.clock.advance(601_000)
            assert await bob.next() == ("end", '{"code": "token_expired"}')
        await server.until(lambda: server.services.live.count == 0)

    live(office, story)


def test_a_revoked_registration_loses_its_stream_at_the_next_recheck(office: Office, short_heartbeat: None) -> None:
    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as ana:
            revoke = update(devices).where(devices.c.key == "d-ana").values(state="revoked")
            await server.services.database.write_async(lambda c: c.execute(revoke).rowcount)
            office.clock.advance(31_000)
            assert await ana.next() == ("end", '{"code": "device_revoked"}')

    live(office, story)


def test_idle_streams_are_kept_open_by_comments(office: Office, short_heartbeat: None) -> None:
    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as ana:
            assert await ana.silent(0.3)
            assert ana.beats >= 2

    live(office, story)


def test_a_server_that_stops_tells_its_streams(office: Office) -> None:
    async def story(server: Server) -> None:
        async with server.stream(await server.token("ana")) as ana:
            server.services.live.stop()
            assert await ana.next() == ("end", '{"code": "server_stopping"}')
        answer = await server.http.get("/sync/live", headers={"authorization": f"Bearer {await server.token('ana')}"})
        assert (answer.status_code, answer.json()["code"]) == (503, "server_stopping")

    live(office, story)


def test_nobody_listens_to_the_database_while_nobody_is_connected(office: Office) -> None:
    async def story(server: Server) -> None:
        found: Live = server.services.live

        def listens() -> bool:
            return found._hearing is not None

        assert not listens()
        async with server.stream(await server.token("ana")):
            assert listens()
        await server.until(lambda: not listens())
        assert (found._people, found._holders, found._devices) == ({}, {}, {})
        async with server.stream(await server.token("ana")) as again:
            last = await server.put(NORTH)
            assert await seq_of(again) == last

    live(office, story)


async def end_it(server: Server, order: str, device: str) -> None:
    """By an administrator, over REST."""
    root = {"authorization": f"Bearer {await server.token('root')}"}
    answer = await server.http.post(f"/api/devices/{device}/{order}", headers=root)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("order", "code"), [("revoke", "device_revoked"), ("wipe", "device_wiped")])
def test_a_registration_that_is_ended_loses_its_open_stream_at_once(office: Office, order: str, code: str) -> None:
    """S31: long before the next heartbeat, and only that one; it cannot begin another."""

    async def story(server: Server) -> None:
        ana = await server.token("ana")
        async with server.stream(ana) as hers, server.stream(await server.token("bob")) as his:
            started = time.monotonic()
            await end_it(server, order, "d-ana")
            assert await hers.next() == ("end", f'{{"code": "{code}"}}')
            assert time.monotonic() - started < LIVE_HEARTBEAT_MS / 1000 / 3
            assert await his.silent(QUIET_S)
        answer = await server.http.get("/sync/live", headers={"authorization": f"Bearer {ana}"})
        assert (answer.status_code, answer.json()["code"]) == (401, code)

    live(office, story)


@pytest.mark.parametrize("office", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_another_process_ends_the_stream_at_once_too(office: Office) -> None:
    """S31: by what PostgreSQL tells at the commit, and no new stream begins on a token that is still trusted here."""

    async def told() -> None:
        other = open_database(office.database.url)
        async with serving(office) as here, serving(office, database=other) as there:
            ana = await here.token("ana")
            async with here.stream(ana) as hers, here.stream(await here.token("bob")) as his:
                started = time.monotonic()
                await end_it(there, "revoke", "d-ana")
                assert await hers.next() == ("end", '{"code": "device_revoked"}')
                assert time.monotonic() - started < LIVE_HEARTBEAT_MS / 1000 / 3
                answer = await here.http.get("/sync/live", headers={"authorization": f"Bearer {ana}"})
                assert (answer.status_code, answer.json()["code"]) == (401, "device_revoked")
                assert await his.silent(QUIET_S)

    asyncio.run(told())


def test_what_was_ended_while_nobody_could_look_is_looked_for_again(office: Office) -> None:
    """A database that does not answer for a moment loses no order."""

    async def story(server: Server) -> None:
        live_here, database = server.services.live, server.services.database
        async with server.stream(await server.token("ana")) as hers:
            real, failed = database.read_async, asyncio.Event()

            async def fails(work: Any, *args: Any) -> Any:
                if getattr(work, "__name__", "") == "_codes_of_ended" and not failed.is_set():
                    failed.set()
                    raise OSError("the database is away")
                return await real(work, *args)

            live_here._database = cast(Database, type("Shaky", (), {"read_async": staticmethod(fails)}))
            await end_it(server, "wipe", "d-ana")
            assert await hers.next() == ("end", '{"code": "device_wiped"}')
            assert failed.is_set()
            live_here._database = database

    live(office, story)
