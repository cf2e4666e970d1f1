"""The office with wakes: subscriptions, a service that writes down what it would have sent, and time that passes."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, select

from sfa.core.ids import KeyMaker
from sfa.db.database import Database
from sfa.db.tables import wakes
from sfa.web.refresh_tokens import begin_family
from sync.live import Live
from sync.protocol import WAKE_EVERY_MS
from sync.wakes import subscriptions
from sync.wakes.services import SENT, Outcome
from sync.wakes.subscriptions import Subscribe
from sync.wakes.waker import Waker
from tests.office import Office

LONG_S = 400 * 24 * 3600


class Paper:
    """A service that keeps what it was given; `answers` are used up, `SENT` being what comes after them."""

    name = "paper"

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.failed: list[str] = []
        self.answers: list[Outcome | Exception] = []
        self.while_sending: Callable[[str], None] | None = None

    def check(self, address: str) -> None:
        assert address

    async def send(self, address: str) -> Outcome:
        self.sent.append(address)
        if self.while_sending is not None:
            self.while_sending(address)
        answer = self.answers.pop(0) if self.answers else Outcome(SENT)
        if isinstance(answer, Exception) or answer.kind != SENT:
            self.failed.append(address)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        return None

    def take(self) -> list[str]:
        """What was sent since the last time, sorted."""
        found, self.sent = sorted(self.sent), []
        return found


class Post:
    """One server process that wakes; `look` is one round of its loop."""

    def __init__(self, office: Office, database: Database | None = None) -> None:
        self.office, self.paper = office, Paper()
        self.database = database if database is not None else office.database
        self.live = Live(self.database)
        self.waker = self.process()

    def process(self) -> Waker:
        """A new process: it remembers nothing."""
        self.waker = Waker(self.database, self.office.clock, self.live, self.office.round.seen, [self.paper])
        return self.waker

    def look(self) -> list[str]:
        """-> whom it woke."""

        async def once() -> None:
            try:
                await self.waker.round("paper")
            finally:
                if self.database.dialect == "postgresql":
                    await self.database.close_async()

        asyncio.run(once())
        return self.paper.take()

    def settled(self) -> list[str]:
        """Every pause passes; -> whom it woke by then."""
        found = self.look()
        self.office.clock.advance(WAKE_EVERY_MS + 1)
        return sorted({*found, *self.look()})


def log_in(office: Office, device: str) -> None:
    def begin(connection: Connection) -> None:
        now = office.clock.now_ms()
        begin_family(connection, device, now, LONG_S, KeyMaker(office.clock).new)

    office.database.write(begin)


def subscribe(office: Office, *users: str) -> None:
    """Each user's phone `d-<user>` is logged in and wants wakes at the address `to-<user>`."""
    for user in users:
        log_in(office, f"d-{user}")
        wanted = Subscribe("paper", f"to-{user}")
        office.database.write(subscriptions.subscribe, f"d-{user}", wanted, office.clock.now_ms())


def stored(office: Office, device: str) -> dict[str, Any] | None:
    found = office.all(select(wakes).where(wakes.c.device_key == device))
    return found[0] if found else None
