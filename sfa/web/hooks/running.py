"""What one server process posts: woken after every commit, it claims what is due and posts it, endpoint by endpoint.

Each endpoint is one task of its own, so a slow one holds up nobody but itself: it is posted to one event after the
other, the oldest first. After a failure its other events go on, unless nobody answered or it asked for time: then they
are given back, and nothing is posted to it for a while. A server that stops gives back what it has; one that is killed
is taken over.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import Connection

from sfa.core.clock import Clock
from sfa.core.ids import KeyMaker
from sfa.db import news
from sfa.db.attending import attend
from sfa.db.database import Database
from sfa.web.hooks import deliveries, signing
from sfa.web.hooks.backoff import DELIVERED, verdict
from sfa.web.hooks.deliveries import Claimed, Ready
from sfa.web.hooks.sending import Outcome, Sender
from sfa.web.hooks.signing import Seals, Unreadable

BEAT_S, LOOK_S = 5.0, 10.0
_log = logging.getLogger("sfa.hooks")


class Looked(Struct, frozen=True):
    """Whether something may be claimed now, and when there may be something else (ms)."""

    is_due: bool
    next_at: int | None


class Hooks:
    """`drawn` gives numbers from 0 to 1, for pauses that differ."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        seals: Seals,
        sender: Sender,
        *,
        beat_s: float = BEAT_S,
        drawn: Callable[[], float] = random.random,
    ) -> None:
        self.database, self.clock, self.seals, self.sender = database, clock, seals, sender
        self.ids = KeyMaker(clock)
        self._beat_s, self._drawn = beat_s, drawn
        self._working: dict[str, tuple[Claimed, asyncio.Task[None]]] = {}
        self._running: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()

    def start(self) -> None:
        """On the running event loop."""
        self._running = [
            asyncio.create_task(news.hear(self.database, self._heard.set)),
            asyncio.create_task(self._run()),
            asyncio.create_task(self._beat()),
        ]

    def wake(self) -> None:
        """Something is due that changed no row of a feed, of which no commit tells."""
        self._heard.set()

    async def close(self) -> None:
        tasks = [*self._running, *(task for _, task in self._working.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running = []

    async def run_all(self) -> None:
        """All that is due now, to its end."""
        while await self.take() or self._working:
            tasks = [task for _, task in self._working.values()]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def take(self) -> int:
        """Claim what is due, and begin with it -> of how many endpoints."""
        now_ms, busy = self.clock.now_ms(), tuple(self._working)
        if not await self.database.read_async(deliveries.any_due, now_ms, busy):
            return 0
        claims = await self.database.write_async(deliveries.claim, now_ms, self.ids.new(), busy)
        for claimed in claims:
            task = asyncio.create_task(self._serve(claimed))
            self._working[claimed.endpoint] = claimed, task
            task.add_done_callback(lambda _, of=claimed.endpoint: self._done(of))  # type: ignore[misc]
        return len(claims)

    def _done(self, endpoint: str) -> None:
        self._working.pop(endpoint, None)
        self._heard.set()

    async def _run(self) -> None:
        await attend(self._heard, self.clock, self._step, look_s=LOOK_S, what="to be posted")

    async def _step(self) -> int | None:
        await self.take()
        return (await self.database.read_async(look, self.clock.now_ms(), tuple(self._working))).next_at

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            claims = [claimed for claimed, _ in self._working.values()]
            if claims:
                try:
                    await self.database.write_async(deliveries.beat, self.clock.now_ms(), claims)
                except Exception:
                    _log.exception("cannot say that this process is alive; the next beat does it")

    # -- one endpoint ---------------------------------------------------------------------------------------------

    async def _serve(self, claimed: Claimed) -> None:
        try:
            for event in claimed.events:
                if not await self._one(claimed, event):
                    break
        except asyncio.CancelledError:
            await asyncio.shield(self.database.write_async(deliveries.give_back, claimed))
            raise
        except Exception:
            _log.exception("events for %s wait: they could not be posted", claimed.endpoint)
            await asyncio.sleep(1.0)  # or what fails at once would be claimed again at once
        await self._give_back(claimed)

    async def _give_back(self, claimed: Claimed) -> None:
        try:
            await asyncio.shield(self.database.write_async(deliveries.give_back, claimed))
        except Exception:
            _log.exception("events for %s are taken over in a minute", claimed.endpoint)

    async def _one(self, claimed: Claimed, event: str) -> bool:
        """-> whether the next one may be posted at once."""
        sent = await self.database.read_async(deliveries.ready, claimed, event)
        if sent is None:
            return True  # dropped, deleted, or taken over with the others, which say so too
        now_ms = self.clock.now_ms()
        try:
            keys = self._keys(sent, now_ms)
        except Unreadable:
            _log.error("the secret of %s cannot be read: was SFA_SECRET changed?", claimed.endpoint)
            await self.database.write_async(deliveries.unreadable, now_ms, sent)
            return False
        outcome = await self.sender.post(sent.url, sent.body, signing.headers(event, sent.body, now_ms, keys))
        return await self._ended(sent, outcome)

    def _keys(self, sent: Ready, now_ms: int) -> list[str]:
        earlier = self.seals.open_earlier(sent.endpoint, sent.before, now_ms)
        return [self.seals.open(sent.endpoint, sent.secret), *(each.secret for each in earlier)]

    async def _ended(self, sent: Ready, outcome: Outcome) -> bool:
        now_ms = self.clock.now_ms()
        if verdict(outcome.status) == DELIVERED:
            return await self.database.write_async(deliveries.delivered, now_ms, sent, outcome)
        _log.warning("%s to %s, attempt %d: %s", sent.event, sent.endpoint, sent.attempts + 1, outcome.problem)
        return await self.database.write_async(deliveries.failed, now_ms, sent, outcome, self._drawn())


def look(connection: Connection, now_ms: int, busy: tuple[str, ...]) -> Looked:
    return Looked(deliveries.any_due(connection, now_ms, busy), deliveries.next_due(connection, now_ms, busy))
