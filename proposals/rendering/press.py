"""The printing processes of one server process: so many at once, and one for previews that waits for none of them.

They start with the first order and end after some minutes without one, so that a server that prints nothing holds
nothing. Each order has a process for itself while it is made.
"""

import asyncio
import logging

from proposals.rendering.values import Limits, Order
from proposals.rendering.worker import START, Worker
from sfa.core.apart import Failed
from sfa.core.errors import CATALOGUE, Refused

SCREENS_WAITING_MAX = 16
_log = logging.getLogger("sfa.render")


class Press:
    def __init__(self, workers: int, limits: Limits | None = None, *, program: str = START) -> None:
        self.workers = workers
        self._all = [Worker(limits, program=program) for _ in range(workers)]
        self._free: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()  # the one that worked last is warm
        for worker in self._all:
            self._free.put_nowait(worker)
        self._screen = Worker(limits, prints=False, program=program)
        self._turn = asyncio.Lock()
        self._waiting = 0

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._all if worker.pid is not None]

    async def print(self, order: Order, lines: int = 0) -> bytes:
        """The bytes of a PDF, when a process is free; raises `Failed`."""
        worker = await self._free.get()
        try:
            return await worker.make(order, lines)
        finally:
            self._free.put_nowait(worker)

    async def preview(self, order: Order) -> str:
        """HTML for a screen, or for paper. Refuses what the template refuses, `preview_failed`, and `server_busy` while
        too many wait."""
        if self._waiting >= SCREENS_WAITING_MAX:
            raise Refused("server_busy", "too many previews are being made", retry_after_s=2)
        self._waiting += 1
        try:
            async with self._turn:
                return (await self._screen.make(order)).decode()
        except Failed as failed:
            if failed.code in CATALOGUE:
                raise Refused(failed.code, failed.text, **getattr(failed, "details", {})) from failed
            _log.warning("a preview failed: %s %s", failed.code, failed.text)
            raise Refused("preview_failed", f"the preview failed: {failed.code}", reason=failed.code) from failed
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        await asyncio.gather(*(worker.close() for worker in (*self._all, self._screen)))
