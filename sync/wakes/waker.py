"""Sends wakes: after every commit that may have made news, and whenever a pause ends (S9, S33).

Each configured service has a loop of its own, so that one that hangs holds up no other. A round looks (`claims.claim`),
sends with bounded concurrency and time, and notes what became of it. Nothing is kept in memory that would be missed: a
new process asks for everybody first, and each asks again every `WAKE_SWEEP_MS`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from sfa.core.clock import Clock
from sfa.db import news
from sfa.db.database import Database
from sync.live import Live
from sync.protocol import WAKE_LIVE_MS, WAKE_PAUSE_MS, WAKE_SWEEP_MS, WAKE_TIMEOUT_MS, WAKES_AT_ONCE
from sync.seen import Seen as SeenDevices
from sync.wakes import claims
from sync.wakes.claims import Claim
from sync.wakes.services import LATER, REFUSED, Outcome, PushService

FAILED_RETRY_S = 5.0

_log = logging.getLogger("sync.wakes")


class Waker:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        live: Live,
        devices: SeenDevices,
        services: Sequence[PushService] = (),
        pause_ms: int = WAKE_PAUSE_MS,
    ) -> None:
        self._database, self._clock, self._live, self._devices = database, clock, live, devices
        self.services: Mapping[str, PushService] = {service.name: service for service in services}
        self._pause_s = pause_ms / 1000
        self._seen = dict.fromkeys(self.services, claims.Seen())
        self._swept_at = dict.fromkeys(self.services, 0)
        self._heard = {name: asyncio.Event() for name in self.services}
        self._streams: frozenset[str] = frozenset()
        self._streams_at = 0
        self._noting = asyncio.Lock()
        self._sending = asyncio.Semaphore(WAKES_AT_ONCE)
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """On the running event loop; nothing to do where no service is configured."""
        if self.services:
            self._live.changed = self._hear
            self._running = [asyncio.create_task(news.hear(self._database, self._hear))]
            self._running += [asyncio.create_task(self._run(name)) for name in self.services]

    async def close(self) -> None:
        """A wake that is being sent now is claimed: another process, or the next start, makes it up."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running = []
        for service in self.services.values():
            await service.close()

    def _hear(self) -> None:
        for heard in self._heard.values():
            heard.set()

    async def _run(self, name: str) -> None:
        while True:
            self._heard[name].clear()
            try:
                wait_ms = await self.round(name)
            except Exception as error:
                _log.warning("cannot wake by %s: %s", name, type(error).__name__)
                wait_ms = int(FAILED_RETRY_S * 1000)
            await asyncio.sleep(self._pause_s)
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    await self._heard[name].wait()
            except TimeoutError:
                pass

    async def round(self, name: str) -> int:
        """Look, send and note until nobody is left to be woken now; -> for how long nothing is known, in ms."""
        while True:
            now_ms = self._clock.now_ms()
            await self._note_streams(now_ms)
            if now_ms - self._swept_at[name] >= WAKE_SWEEP_MS:
                self._seen[name], self._swept_at[name] = claims.Seen(), now_ms
            looked = await self._database.read_long_async(claims.look, name, self._seen[name], now_ms)
            if not looked.anybody:
                self._seen[name] = looked.seen
                return self._wait_ms(looked.next_at)
            known = self._devices.reached()
            found = await self._database.write_async(claims.claim, name, self._seen[name], now_ms, known)
            if found.claims:
                outcomes = await asyncio.gather(*(self._send(name, claim) for claim in found.claims))
                sent = list(zip(found.claims, outcomes, strict=True))
                await self._database.write_async(claims.settle, sent, self._clock.now_ms())
                self._tell(name, outcomes)
            self._seen[name] = found.seen
            if not found.more:
                return self._wait_ms(found.next_at)

    def _wait_ms(self, next_at: int | None) -> int:
        until = next_at - self._clock.now_ms() if next_at is not None else WAKE_SWEEP_MS
        return max(0, min(until, WAKE_SWEEP_MS, WAKE_LIVE_MS // 2))

    async def _send(self, name: str, claim: Claim) -> Outcome:
        async with self._sending:
            try:
                async with asyncio.timeout(2 * WAKE_TIMEOUT_MS / 1000):
                    return await self.services[name].send(claim.address)
            except TimeoutError:
                return Outcome(LATER, "no answer in time")
            except Exception as error:
                return Outcome(LATER, type(error).__name__)  # its words may hold an address

    async def _note_streams(self, now_ms: int) -> None:
        """Who has a stream here, for the other processes: when it changes, and before what was noted runs out."""
        async with self._noting:
            here = self._live.connected()
            if here == self._streams and now_ms - self._streams_at < WAKE_LIVE_MS // 2:
                return
            left = self._streams - here
            if here or left:
                await self._database.write_async(claims.note_streams, here, left, now_ms)
            self._streams, self._streams_at = here, now_ms

    def _tell(self, name: str, outcomes: Sequence[Outcome]) -> None:
        counted = Counter(f"{found.kind} ({found.why})" if found.why else found.kind for found in outcomes)
        trouble = any(found.kind in (LATER, REFUSED) for found in outcomes)
        level = logging.WARNING if trouble else logging.INFO
        _log.log(level, "%s: %s", name, ", ".join(f"{count} {what}" for what, count in sorted(counted.items())))
