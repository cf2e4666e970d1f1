"""Subscriptions over REST, and wakes from a real server: after the commit, to closed phones, without a secret in the
log."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from sfa.app.cli_serve import served
from sfa.app.factory import build
from sfa.core.clock import SystemClock
from sfa.db.database import Database, open_database
from sfa.db.tables import wakes
from sfa.web.outward import GuardedTransport
from sync.protocol import WAKE_ADDRESS_CHARACTERS_MAX
from sync.wakes import services
from sync.wakes.apns import Apns
from sync.wakes.services import PushService
from sync.wakes.webpush import WebPush, make_keys
from tests.office import Office
from tests.sync.live import served as live_served
from tests.sync.live.served import SETTINGS, Server, serving
from tests.sync.wakes.company import Paper
from tests.sync.wakes.pushes import HOST, Answer, Service, contexts, http1, http2, pem_of_ec

SOUTH = ("contacts", "zoe", {"phone": "77"})
DEVICE_TOKEN = "cd" * 32
QUIET_S = 1.6  # longer than the pause between two looks
on_postgres = pytest.mark.parametrize(
    "office", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host in (HOST, HOST.encode()) else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def with_services(monkeypatch: pytest.MonkeyPatch, *pushes: PushService) -> None:
    """Servers that are started from now on use these."""
    monkeypatch.setattr(live_served, "build", lambda *args, **kwargs: build(*args, **kwargs, push_services=pushes))


class Phone:
    """One user's registration over REST."""

    def __init__(self, server: Server, token: str) -> None:
        self.server, self.headers = server, {"authorization": f"Bearer {token}"}

    async def ask(self, method: str, **fields: Any) -> httpx.Response:
        return await self.server.http.request(method, "/sync/wake", headers=self.headers, json=fields or None)


async def row_of(server: Server, device: str) -> Any:
    query = select(wakes).where(wakes.c.device_key == device)
    return await server.services.database.read_async(lambda c: c.execute(query).first())


async def phone(server: Server, user: str) -> Phone:
    return Phone(server, await server.token(user))


def run(office: Office, story: Callable[[Server], Awaitable[None]], *, real_time: bool = False) -> None:
    async def told() -> None:
        if real_time:
            office.clock.advance(SystemClock().now_ms() - office.clock.now_ms())
        async with serving(office, clock=SystemClock() if real_time else None) as server:
            await story(server)

    asyncio.run(told())


def test_a_device_subscribes_replaces_and_removes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with_services(monkeypatch, Paper(), WebPush(make_keys()[0], "mailto:a@example.com", office.clock))

    async def story(server: Server) -> None:
        cleo = await phone(server, "cleo")
        told = (await cleo.ask("GET")).json()
        assert (told["services"], told["service"], told["since_at"]) == (["paper", "webpush"], None, None)
        assert len(told["vapid_public_key"]) == 87
        now = office.clock.now_ms()
        for _ in range(2):  # twice is once
            answer = await cleo.ask("PUT", service="paper", address="secret-address")
            assert (answer.status_code, answer.json()["since_at"]) == (200, now)
            assert "secret-address" not in answer.text
            office.clock.advance(5)
        replaced = await cleo.ask("PUT", service="webpush", address="https://push.example.com/secret")
        assert replaced.json()["since_at"] == now + 10
        row = await row_of(server, "d-cleo")
        assert (row.service, row.address) == ("webpush", "https://push.example.com/secret")
        for _ in range(2):
            assert (await cleo.ask("DELETE")).status_code == 204
        assert (await cleo.ask("GET")).json()["service"] is None
        assert await row_of(server, "d-cleo") is None

    run(office, story)


def test_what_cannot_be_subscribed_is_told_why(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with_services(monkeypatch, WebPush(make_keys()[0], "mailto:a@example.com", office.clock))

    async def story(server: Server) -> None:
        cleo = await phone(server, "cleo")
        for status, code, fields in [
            (422, "wake_unavailable", {"service": "apns", "address": DEVICE_TOKEN}),
            (422, "wake_address_invalid", {"service": "webpush", "address": "http://10.0.0.1/secret"}),
            (400, "request_invalid", {"service": "webpush"}),
            (400, "request_invalid", {"service": "webpush", "address": ""}),
            (400, "request_invalid", {"service": "webpush", "address": "x" * (WAKE_ADDRESS_CHARACTERS_MAX + 1)}),
            (400, "request_invalid", {"service": "webpush", "address": "https://a.example/x", "device": "d-ana"}),
        ]:
            answer = await cleo.ask("PUT", **fields)
            assert (answer.status_code, answer.json()["code"]) == (status, code), fields
            assert "secret" not in answer.text
        assert (await server.http.put("/sync/wake", json={})).status_code == 401
        assert await row_of(server, "d-cleo") is None

    run(office, story)


def test_without_settings_nothing_is_offered_and_nothing_runs(office: Office) -> None:
    async def story(server: Server) -> None:
        cleo = await phone(server, "cleo")
        assert (await cleo.ask("GET")).json() == {
            "services": [],
            "vapid_public_key": None,
            "service": None,
            "since_at": None,
        }
        assert (await cleo.ask("PUT", service="webpush", address="https://a.example/x")).status_code == 422
        assert server.services.waker._running == []

    run(office, story)


def test_a_closed_phone_is_woken_and_one_with_a_stream_is_not(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper()
    with_services(monkeypatch, paper)

    async def story(server: Server) -> None:
        for user in ("ana", "cleo"):
            await (await phone(server, user)).ask("PUT", service="paper", address=f"to-{user}")
        await server.put(SOUTH)
        await server.until(lambda: paper.sent == ["to-cleo"])
        ana = await server.token("ana")
        async with server.stream(ana) as open_stream:
            await server.put(("contacts", "carl", {"phone": "1"}))
            assert (await open_stream.next())[0] == "news"
            await asyncio.sleep(QUIET_S)
            assert paper.sent == ["to-cleo"]
        await server.until(lambda: paper.sent == ["to-cleo", "to-ana"])

    run(office, story, real_time=True)


@on_postgres
def test_a_commit_in_one_process_is_one_wake_from_two(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Paper(), Paper()

    async def told() -> None:
        office.clock.advance(SystemClock().now_ms() - office.clock.now_ms())
        async with AsyncExitStack() as stack:
            with_services(monkeypatch, first)
            here = await stack.enter_async_context(serving(office, clock=SystemClock()))
            with_services(monkeypatch, second)
            other: Database = open_database(office.database.url)
            there = await stack.enter_async_context(serving(office, clock=SystemClock(), database=other))
            for user in ("bob", "cleo"):
                await (await phone(here, user)).ask("PUT", service="paper", address=f"to-{user}")
            await there.put(SOUTH, ("contacts", "carl", {"phone": "3"}))
            await here.until(lambda: len(first.sent + second.sent) == 2)
            await asyncio.sleep(QUIET_S)
            assert sorted(first.sent + second.sent) == ["to-bob", "to-cleo"]

    asyncio.run(told())


def test_real_services_are_reached_and_no_secret_is_in_the_log(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Web Push over HTTP/1.1 that says 410, APNs over HTTP/2 that says 200, with the log at its most talkative."""
    for name in ("push", "apple"):
        (tmp_path / name).mkdir()
    push_server, push_client = contexts(tmp_path / "push")
    apple_server, apple_client = contexts(tmp_path / "apple", "h2")
    office.clock.advance(SystemClock().now_ms() - office.clock.now_ms())

    async def told() -> None:
        async with AsyncExitStack() as stack:
            pushes = await stack.enter_async_context(http1(Service(Answer(410)), push_server))
            apple = await stack.enter_async_context(http2(Service(Answer(200)), apple_server))
            transport = GuardedTransport(lambda _address: True, push_client)
            web = WebPush(make_keys()[0], "mailto:a@example.com", SystemClock(), transport, (pushes.port,))
            http = services.client(httpx.AsyncHTTPTransport(verify=apple_client, http2=True))
            apns = Apns(pem_of_ec(), "KEYID", "TEAM", "com.example.sfa", SystemClock(), apple.origin, http)
            with_services(monkeypatch, web, apns)
            server = await stack.enter_async_context(serving(office, clock=SystemClock()))
            bob, cleo = await phone(server, "bob"), await phone(server, "cleo")
            endpoint = f"{pushes.origin}/wp/secret-endpoint"
            assert (await bob.ask("PUT", service="webpush", address=endpoint)).status_code == 200
            assert (await cleo.ask("PUT", service="apns", address=DEVICE_TOKEN)).status_code == 200
            await server.put(SOUTH, ("contacts", "carl", {"phone": "3"}))
            await server.until(lambda: bool(pushes.asked and apple.asked))
            async with asyncio.timeout(10):
                while await row_of(server, "d-bob") is not None:  # noqa: ASYNC110 - what is waited for tells nobody
                    await asyncio.sleep(0.02)
            for asked in (*pushes.asked, *apple.asked):
                secrets.extend((asked.headers["authorization"].split()[-1], asked.path))

    secrets = [DEVICE_TOKEN, "secret-endpoint"]
    served(SETTINGS)  # as `sfa serve` sets up the log
    caplog.set_level(logging.DEBUG)
    asyncio.run(told())
    log = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert "webpush: 1 gone (HTTP 410)" in log
    assert "apns: 1 sent" in log
    assert [secret for secret in secrets if secret in log] == []
