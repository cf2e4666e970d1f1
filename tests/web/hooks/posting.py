"""Endpoints and events of an office, and servers that post them to receivers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, select
from standardwebhooks import Webhook

from sfa.core.clock import Clock
from sfa.db.database import Database, open_database
from sfa.db.outgoing import emit
from sfa.db.tables import webhook_deliveries, webhook_endpoints
from sfa.web.hooks import endpoints
from sfa.web.hooks.endpoints import NewEndpoint
from sfa.web.hooks.running import Hooks
from sfa.web.hooks.sending import Sender
from sfa.web.hooks.signing import Seals
from sfa.web.secret import Secret
from tests.office import Office
from tests.sync.wakes.pushes import Answer, Asked, Service, http1

T = TypeVar("T")
SEALS = Seals(Secret("the server's secret of these tests"))
HERE = frozenset({"127.0.0.1"})


def aside(work: Callable[[], T]) -> T:
    """What the office does beside a running loop: its connections have one of their own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def endpoint(office: Office, url: str, key: str = "crm", kinds: Iterable[str] = ()) -> str:
    """-> its secret."""
    asked = NewEndpoint(url=url, key=key, kinds=list(kinds))
    now_ms = office.clock.now_ms()
    made = aside(lambda: office.database.write(endpoints.make, now_ms, "root", asked, key, SEALS))
    assert made.secret is not None
    return made.secret


def happened(office: Office, *keys: str, kind: str = "proposal.sent") -> None:
    """Each a millisecond after the other."""

    def work(connection: Connection) -> None:
        for key in keys:
            emit(connection, kind, key, office.clock.advance(1), {"proposal_key": key})

    aside(lambda: office.database.write(work))


def standing(office: Office, event: str, key: str = "crm") -> dict[str, Any]:
    d = webhook_deliveries.c
    query = select(webhook_deliveries).where(d.endpoint_key == key, d.event_key == event)
    (row,) = aside(lambda: office.all(query))
    return row


def row_of(office: Office, key: str = "crm") -> dict[str, Any]:
    query = select(webhook_endpoints).where(webhook_endpoints.c.endpoint_key == key)
    (row,) = aside(lambda: office.all(query))
    return row


def is_signed(asked: Asked, secret: str) -> bool:
    """By the library, at the instant that is said: clocks of these tests stand still."""
    said = asked.headers
    at = datetime.fromtimestamp(int(said["webhook-timestamp"]), UTC)
    return Webhook(secret).sign(said["webhook-id"], at, asked.body.decode()) in said["webhook-signature"].split(" ")


def hooks_of(database: Database, clock: Clock, **more: Any) -> Hooks:
    beat_s = more.pop("beat_s", 0.05)
    return Hooks(database, clock, SEALS, Sender(clock, HERE, **more), beat_s=beat_s, drawn=lambda: 0.5)


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - receivers know nothing of who waits
        await asyncio.sleep(0.01)


@asynccontextmanager
async def server(office: Office, **more: Any) -> AsyncIterator[Hooks]:
    """A server of the same database, with connections of its own loop."""
    database = open_database(office.database.url, durable=False)
    hooks = hooks_of(database, office.clock, **more)
    try:
        yield hooks
    finally:
        await hooks.close()
        await database.close_async()


def url_of(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}/hook"


def told(office: Office, story: Callable[[Hooks, Service], Awaitable[None]], **more: Any) -> Service:
    """The story of one server and one receiver."""
    service = Service(Answer(204))

    async def play() -> None:
        async with http1(service, None), server(office, **more) as hooks:
            await story(hooks, service)

    asyncio.run(play())
    return service


def ids(service: Service) -> list[str]:
    return [asked.headers["webhook-id"] for asked in service.asked]
