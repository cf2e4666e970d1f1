"""Several servers share what is to be posted; one that dies loses nothing, and a database that is away ends none."""

import asyncio
import signal
import subprocess
import sys
from typing import Any

import pytest

from sfa.db.database import open_database
from sfa.web.hooks import deliveries
from sfa.web.hooks.deliveries import STALE_MS
from sfa.web.hooks.running import Hooks
from tests.house.tree import ROOT
from tests.office import Office
from tests.sync.wakes.pushes import Answer, Service, http1
from tests.web.hooks.posting import (
    endpoint,
    happened,
    hooks_of,
    ids,
    is_signed,
    server,
    standing,
    told,
    until,
    url_of,
)


def test_two_servers_deliver_each_event_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody dies: whoever claims an endpoint has it alone."""
    monkeypatch.setattr(deliveries, "SET_MAX", 7)  # so that they meet often
    receivers = [Service(Answer(204)) for _ in range(4)]
    events = [f"e{n:02}" for n in range(60)]

    async def serve(hooks: Hooks) -> None:
        while any(len(receiver.asked) < len(events) for receiver in receivers):
            await hooks.run_all()
            await asyncio.sleep(0.005)

    async def play() -> None:
        async with (
            http1(receivers[0], None),
            http1(receivers[1], None),
            http1(receivers[2], None),
            http1(receivers[3], None),
            server(office) as one,
            server(office) as other,
        ):
            for n, receiver in enumerate(receivers):
                endpoint(office, url_of(receiver), f"r{n}")
            happened(office, *events)
            await asyncio.gather(serve(one), serve(other))
            await asyncio.gather(one.run_all(), other.run_all())

    asyncio.run(play())
    assert [ids(receiver) for receiver in receivers] == [events] * 4


def test_a_process_killed_in_the_middle_is_taken_over_under_the_same_id(office: Office) -> None:
    """At least once; what it had claimed and not begun arrives too."""
    service = Service(Answer(204, delay_s=3600))

    async def play() -> None:
        async with http1(service, None):
            secret = endpoint(office, url_of(service))
            happened(office, "e1", "e2")
            command = (sys.executable, "-m", "tests.web.hooks.serve", office.database.url, str(office.clock.now_ms()))
            process = subprocess.Popen(command, cwd=ROOT)  # noqa: ASYNC220 - it is there at once
            try:
                await until(lambda: bool(service.asked) or process.poll() is not None)
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
            service.usual = Answer(204)
            async with server(office) as hooks:
                await hooks.run_all()
                assert len(service.asked) == 1  # it might still live
                office.clock.advance(STALE_MS + 1)
                await hooks.run_all()
            assert all(is_signed(asked, secret) for asked in service.asked)

    asyncio.run(play())
    assert ids(service) == ["e1", "e1", "e2"]
    assert service.asked[0].body == service.asked[1].body
    assert standing(office, "e1")["state"] == standing(office, "e2")["state"] == "delivered"


def test_who_lives_beats_and_is_not_taken_over(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.usual = Answer(204, delay_s=3600)
        endpoint(office, url_of(service))
        happened(office, "e1")
        hooks.start()
        await until(lambda: bool(service.asked))
        office.clock.advance(STALE_MS)
        await until(lambda: standing(office, "e1")["beat_at"] == office.clock.now_ms())
        office.clock.advance(STALE_MS)
        async with server(office) as other:
            assert await other.take() == 0

    told(office, story)


def test_what_was_taken_over_is_not_ended_by_who_had_it_before(office: Office) -> None:
    endpoint(office, "http://127.0.0.1:9/hook")
    happened(office, "e1")
    now_ms = office.clock.now_ms()
    (mine,) = office.database.write(deliveries.claim, now_ms, "me")
    sent = office.database.read(deliveries.ready, mine, "e1")
    assert sent is not None
    assert office.database.write(deliveries.claim, now_ms + STALE_MS, "other") == []
    (theirs,) = office.database.write(deliveries.claim, now_ms + STALE_MS + 1, "other")
    assert theirs.events == ("e1",)
    assert office.database.read(deliveries.ready, mine, "e1") is None
    office.database.write(deliveries.give_back, mine)
    assert standing(office, "e1")["claimed_by"] == "other"


def test_a_database_that_is_away_for_a_moment_ends_no_server(office: Office) -> None:
    """Posting goes on by itself when it is back."""

    async def play() -> None:
        service = Service(Answer(204))
        database = open_database(office.database.url, durable=False)
        hooks = hooks_of(database, office.clock)
        read, away = database.read_async, [2]

        async def breaking(*args: Any, **more: Any) -> Any:
            if away[0]:
                away[0] -= 1
                raise OSError("away")
            return await read(*args, **more)

        database.read_async = breaking  # type: ignore[method-assign]
        async with http1(service, None):
            endpoint(office, url_of(service))
            happened(office, "e1")
            hooks.start()
            while not service.asked:
                hooks.wake()
                await asyncio.sleep(0.02)
            await hooks.close()
        await database.close_async()

    asyncio.run(play())
