"""The application behind a real uvicorn on a loopback socket, and clients that read its streams."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from sqlalchemy import Connection

from sfa.app.factory import Services, build
from sfa.app.settings import Settings
from sfa.core.clock import Clock
from sfa.core.ids import KeyMaker
from sfa.db.database import Database
from sfa.web.principal import Principal
from sfa.web.refresh_tokens import begin_family
from tests.builders import put_rows
from tests.office import Office

SETTINGS = Settings(secret="a secret for tests that is long enough", access_ttl_s=600)
PATIENCE_S = 10.0


class Heard:
    """What one stream said: events without their heartbeats, as (event, data)."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.opening: dict[str, str] = {}
        self.beats = 0
        self._events = self._read()

    async def _read(self) -> AsyncIterator[tuple[str, str]]:
        fields: dict[str, str] = {}
        async for line in self.answer.aiter_lines():
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
            else:
                if "data" in fields:
                    yield fields.get("event", "message"), fields["data"]
                elif "retry" in fields:
                    self.opening = fields
                    yield "opened", ""
                else:
                    self.beats += 1
                fields = {}

    async def next(self) -> tuple[str, str]:
        return await asyncio.wait_for(anext(self._events), PATIENCE_S)

    async def silent(self, for_s: float) -> bool:
        """Nothing comes; the stream cannot be read any further after that."""
        try:
            await asyncio.wait_for(anext(self._events), for_s)
        except TimeoutError:
            return True
        return False


class Server:
    def __init__(self, services: Services, port: int, office: Office) -> None:
        self.services, self.office = services, office
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S)

    async def token(self, user: str, device: str | None = None) -> str:
        device = device or f"d-{user}"

        def begin(connection: Connection) -> str:
            now = self.office.clock.now_ms()
            return begin_family(connection, device, now, 10**10, KeyMaker(self.office.clock).new).key

        refresh = await self.services.database.write_async(begin)
        return self.services.tokens.mint(Principal(user, "rep", device), refresh)

    @asynccontextmanager
    async def stream(self, token: str, **headers: str) -> AsyncIterator[Heard]:
        """An open stream that has said where it stands."""
        query = headers.pop("query", "")
        wanted = {"authorization": f"Bearer {token}", **headers}
        async with self.http.stream("GET", f"/sync/live{query}", headers=wanted) as answer:
            assert answer.status_code == 200, await answer.aread()
            heard = Heard(answer)
            assert (await heard.next())[0] == "opened"
            yield heard

    async def put(self, *rows: tuple[str, str, dict[str, Any]]) -> int:
        return await self.services.database.write_async(put_rows, list(rows), self.office.clock.now_ms())

    async def until(self, found: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not found():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    office: Office, *, clock: Clock | None = None, database: Database | None = None
) -> AsyncIterator[Server]:
    app = build(SETTINGS, clock=clock or office.clock, database=database or office.database, jobs=False)
    config = uvicorn.Config(app, access_log=False, log_level="error", timeout_graceful_shutdown=5)
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(running.serve([listening]))
        server = Server(app.state.services, listening.getsockname()[1], office)
        try:
            await server.until(lambda: running.started or task.done())
            yield server
        finally:
            await server.http.aclose()
            app.state.services.live.stop()
            running.should_exit = True
            await task
