"""A client that does not read is dropped; one that left is noticed (S33). Here the other end of the wire is played."""

import asyncio
from typing import Any

from sfa.core.clock import SystemClock
from sfa.web.limits import RequestRate
from sync.live import Live
from sync.live_routes import live_handler
from tests.office import Office
from tests.sync.live.served import serving


class Wire:
    """An ASGI server whose client takes so many messages and then no more."""

    def __init__(self, takes: int) -> None:
        self.takes, self.left = takes, asyncio.Event()
        self.asked = False

    async def receive(self) -> Any:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, _message: Any) -> None:
        self.takes -= 1
        if self.takes < 0:
            await asyncio.Event().wait()


async def follow(office: Office, wire: Wire, leaves: bool) -> int:
    async with serving(office) as server:
        services = server.services
        live = Live(services.database)
        made = live_handler(live, services.authenticator, RequestRate(SystemClock()), services.clock, send_ms=50)
        headers = [(b"authorization", f"Bearer {await server.token('ana')}".encode())]
        scope: Any = {"type": "http", "method": "GET", "headers": headers, "query_string": b""}
        handled = asyncio.ensure_future(made.fn(scope, wire.receive, wire.send))
        await server.until(lambda: live.count == 1)
        if leaves:
            wire.left.set()
        async with asyncio.timeout(5):
            await handled
        await live.close()
        return live.count


def test_a_client_that_does_not_read_is_dropped(office: Office) -> None:
    assert asyncio.run(follow(office, Wire(takes=1), leaves=False)) == 0


def test_a_client_that_left_is_noticed_without_any_news(office: Office) -> None:
    assert asyncio.run(follow(office, Wire(takes=100), leaves=True)) == 0
