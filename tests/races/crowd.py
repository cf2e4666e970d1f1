"""Many people at once on one server: the production round trip on an event loop, with pauses inside its transactions.

`Pauses` stands where the round expects its database and sleeps in each write, before the work and between the work and
the commit, so that transactions really overlap. A `Watcher` polls with its cursor as a phone does.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import Connection, text

from sfa.db.database import Database, PostgresDatabase
from sync.decisions import COMMANDS
from sync.protocol import Item, Page, PushAnswer, SyncAnswer
from sync.round import Round
from tests.office import SECRET, Office, Phone

T = TypeVar("T")
POLL_ROWS = 40
LONGEST_PAUSE_S = 0.008


def pause(connection: Connection, seconds: float) -> None:
    """Sleep inside the transaction: in the server on PostgreSQL, where the event loop must go on."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
    else:
        time.sleep(seconds)


def paused(connection: Connection, before: float, after: float, work: Any, args: tuple[Any, ...]) -> Any:
    pause(connection, before)
    result = work(connection, *args)
    pause(connection, after)
    return result


class Pauses:
    """The database of a round trip whose writes take their time."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self._rng = random.Random(seed)

    async def write_async(self, work: Any, /, *args: Any) -> Any:
        before, after = (self._rng.uniform(0, LONGEST_PAUSE_S) for _ in range(2))
        return await self.database.write_async(paused, before, after, work, args)

    async def read_async(self, work: Any, /, *args: Any) -> Any:
        return await self.database.read_async(work, *args)

    async def read_long_async(self, work: Any, /, *args: Any) -> Any:
        return await self.database.read_long_async(work, *args)


def slow_office(database: Database, seed: int = 1, kind: Callable[[Database, int], Pauses] = Pauses) -> Office:
    """The company's server with pauses in it; what the office itself writes and reads does not pause."""
    office = Office(database)
    office.round = Round(cast(Database, kind(database, seed)), office.clock, SECRET, COMMANDS)
    return office


def run(database: Database, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run on an event loop, and leave no connection behind that belongs to it."""

    async def whole() -> T:
        try:
            return await main()
        finally:
            if isinstance(database, PostgresDatabase):
                await database.close_async()

    return asyncio.run(whole())


async def send(phone: Phone, *mutations: Any) -> PushAnswer:
    """Push on the event loop; -> what the server answered."""
    return await send_body(phone, phone.body(mutations))


async def send_body(phone: Phone, body: bytes) -> PushAnswer:
    answer = msgspec.json.decode(await phone.office.round.answer(phone.caller, body), type=SyncAnswer)
    assert answer.push is not None
    return answer.push


class Watcher:
    """A phone that only looks: one page a poll, memberships kept as S13 asks."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.cursor: str | None = None
        self.held: dict[tuple[str, str, str], Item] = {}
        self.caught_up = False
        self.polls = 0

    async def poll(self) -> None:
        body = self.phone.body((), cursor=self.cursor, pull=True, page_rows=POLL_ROWS)
        answer = msgspec.json.decode(await self.phone.office.round.answer(self.phone.caller, body), type=SyncAnswer)
        assert answer.page is not None
        self._keep(answer.page)

    def _keep(self, page: Page) -> None:
        assert page.reset is None or self.cursor is None, f"a reset in mid-air: {page.reset}"
        self.held = {place: item for place, item in self.held.items() if place[0] not in page.drops}
        for change in page.changes:
            for item in change.items:
                place = (change.bucket, item.entity, item.key)
                if item.gone:
                    self.held.pop(place, None)
                else:
                    self.held[place] = item
        self.cursor, self.caught_up = page.cursor, page.caught_up
        self.polls += 1

    async def until_caught_up(self) -> None:
        await self.poll()
        while not self.caught_up:
            await self.poll()

    def sees(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(entity, key): item.row or {} for (_, entity, key), item in self.held.items()}


async def watched(watchers: list[Watcher], work: Awaitable[Any]) -> None:
    """Let the watchers poll as fast as they can until the work is done, and once more."""
    done = asyncio.Event()

    async def watch(watcher: Watcher) -> None:
        while not done.is_set():
            await watcher.poll()
            await asyncio.sleep(0)
        await watcher.until_caught_up()

    tasks = [asyncio.create_task(watch(watcher)) for watcher in watchers]
    try:
        await work
    finally:
        done.set()
        await asyncio.gather(*tasks)
