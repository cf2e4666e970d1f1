"""What one server process prints: woken after every commit, it claims orders while a process is free, and ends each.

An order is beaten for while it is made. What a process may have suffered from others (`timed_out`, `out_of_memory`,
`worker_died`, `render_failed`) is tried again, up to `ATTEMPTS_MAX` times; what templates or printing refuse is the
same each time and fails at once. A machine that cannot print (`pdf_unavailable`) says so in its log once, leaves orders
to others and tries again every minute. A server that stops gives back what it has; one that is killed is taken over.
"""

import asyncio
import logging

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from proposals.document import Document
from proposals.printable import PICTURE_BYTES_MAX, pictures_of
from proposals.rendering import keeping, queue
from proposals.rendering.press import Press
from proposals.rendering.process import RENDER_FAILED, UNAVAILABLE
from proposals.rendering.queue import ATTEMPTS_MAX, Printable, Render
from proposals.rendering.values import Order
from sfa.core.apart import OUT_OF_MEMORY, TIMED_OUT, WORKER_DIED, Failed
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db import news
from sfa.db.attending import attend
from sfa.files.service import Files

BEAT_S, LOOK_S, UNAVAILABLE_MS = 5.0, 30.0, 60_000
AGAIN = (TIMED_OUT, OUT_OF_MEMORY, WORKER_DIED, RENDER_FAILED)
_log = logging.getLogger("sfa.render")


class _NotMine(Exception):
    """Taken over by somebody who thought that this process was dead, or dropped for a newer draft."""


class Looked(Struct, frozen=True):
    """Whether an order may be claimed now, whether some are to be given up, and when there may be another (ms)."""

    is_free: bool
    is_lost: bool
    next_at: int | None


class Renders:
    """What one server process prints. `state` is ok, unavailable (no Pango here), or off: it prints nothing."""

    def __init__(self, files: Files, press: Press, beat_s: float = BEAT_S) -> None:
        self._files, self.press, self._beat_s = files, press, beat_s
        self._database, self._clock = files.database, files.clock
        self._ids = KeyMaker(files.clock)
        self._working: set[asyncio.Task[None]] = set()
        self._running: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()
        self._paused_until = 0
        self._is_told = False

    @property
    def state(self) -> str:
        if not self._running:
            return "off"
        return "ok" if self.can_print else "unavailable"

    @property
    def can_print(self) -> bool:
        """As far as this process knows: it has to try to learn more."""
        return not self._paused_until

    def start(self) -> None:
        """On the running event loop; nothing to do where this process prints nothing."""
        if self.press.workers:
            self._running = [asyncio.create_task(news.hear(self._database, self._heard.set))]
            self._running.append(asyncio.create_task(self._run()))

    async def close(self) -> None:
        for task in (*self._running, *self._working):
            task.cancel()
        await asyncio.gather(*self._running, *self._working, return_exceptions=True)
        self._running = []
        await self.press.close()

    async def run_all(self) -> int:
        """Every order that may be claimed now, to its end -> how many."""
        count = 0
        while begun := await self.take():
            count += begun
            if self._working:  # they may have ended while others were begun
                await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)
        while self._working:
            await asyncio.wait(self._working)
            count += await self.take()
        return count

    async def take(self) -> int:
        """Claim orders while a process is free, and begin them -> how many."""
        count = 0
        while len(self._working) < self.press.workers and self._clock.now_ms() >= self._paused_until:
            looked = await self._database.read_async(look, self._clock.now_ms())
            if looked.is_lost:
                await self._database.write_async(_give_up, self._clock.now_ms())
            if not looked.is_free:
                break
            me = self._ids.new()  # of this claim: what was taken over and comes back is another one
            found = await self._database.write_async(queue.claim, self._clock.now_ms(), me)
            if found is None:
                break
            task = asyncio.create_task(self._one(*found))
            self._working.add(task)
            task.add_done_callback(self._done)
            count += 1
        return count

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._heard.set()

    async def _run(self) -> None:
        await attend(self._heard, self._clock, self._step, look_s=LOOK_S, what="to be printed")

    async def _step(self) -> int | None:
        await self.take()
        return (await self._database.read_async(look, self._clock.now_ms())).next_at

    # -- one order ------------------------------------------------------------------------------------------------

    async def _one(self, render: Render, printable: Printable) -> None:
        try:
            order, by = await self._order(printable)
            pdf = await self._beating(render, order)
            if not await keeping.store(self._files, render, pdf, by):
                raise _NotMine
            self._paused_until, self._is_told = 0, False
        except _NotMine:
            _log.info("%s of %s is not wanted any more", render.digest[:12], render.proposal_key)
        except asyncio.CancelledError:
            await asyncio.shield(self._database.write_async(queue.give_back, render))
            raise
        except Failed as failed:
            await self._failed(render, failed.code, failed.text)
        except Refused as refused:
            await self._failed(render, refused.code, refused.text)
        except Exception as error:
            _log.exception("%s of %s was not printed", render.digest[:12], render.proposal_key)
            await self._failed(render, RENDER_FAILED, type(error).__name__)

    async def _order(self, printable: Printable) -> tuple[Order, str]:
        """With the pictures that the document shows, as far as they are there; and the digest of what prints it, which
        is another one than the document names where the program was replaced since."""
        template = printable.template
        assets = await self._files.aside(self._read, printable.document)
        return Order(printable.document, template, assets), await self._files.aside(lambda: template.digest)

    def _read(self, body: bytes) -> dict[str, bytes]:
        document = msgspec.json.decode(body, type=Document)
        wanted = sorted({picture.sha256 for picture in pictures_of(document)})
        place, found, size = self._files.place, dict[str, bytes](), 0
        for sha256 in wanted:
            here = place.size(sha256)
            if here is not None:
                size += here
                if size > PICTURE_BYTES_MAX:
                    raise Refused("pdf_refused", "the pictures are too large together", reason="pictures_size")
                found[sha256] = b"".join(place.read(sha256, 0, here))
        return found

    async def _beating(self, render: Render, order: Order) -> bytes:
        """The PDF, while every few seconds it is said that somebody works on it, and asked whether anybody wants it."""
        work = asyncio.create_task(self.press.print(order, render.lines))
        try:
            while not (await asyncio.wait({work}, timeout=self._beat_s))[0]:
                if not await self._database.write_async(queue.beat, self._clock.now_ms(), render):
                    raise _NotMine
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    async def _failed(self, render: Render, code: str, problem: str) -> None:
        now_ms = self._clock.now_ms()
        if code == UNAVAILABLE:
            self._paused_until = now_ms + UNAVAILABLE_MS
            if not self._is_told:
                self._is_told = True
                _log.error("%s; proposals wait to be printed, everything else works", problem)
            await self._database.write_async(keeping.unavailable, now_ms, render, problem)
            return
        if code in AGAIN and render.attempts < ATTEMPTS_MAX:
            _log.warning("%s of %s: %s %s, again", render.digest[:12], render.proposal_key, code, problem)
            await self._database.write_async(queue.again, now_ms, render, code, problem)
            return
        _log.warning("%s of %s: %s %s", render.digest[:12], render.proposal_key, code, problem)
        await self._database.write_async(keeping.fail, now_ms, render, code, problem)


def look(connection: Connection, now_ms: int) -> Looked:
    """What there is to do, in a short read: most commits have nothing to do with printing."""
    free, lost = queue.free(connection, now_ms)
    return Looked(free, lost, queue.next_due(connection, now_ms))


def _give_up(connection: Connection, now_ms: int) -> None:
    for render in queue.given_up(connection, now_ms):
        keeping.fail(connection, now_ms, render, WORKER_DIED, "its process died each time")
