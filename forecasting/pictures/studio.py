"""Pictures for a server: drawn in one process of its own, one after another, and kept for who asks next.

The event loop never waits for it, and neither does the interpreter. The process starts with the first picture, ends
after `IDLE_S` without one, and is started anew when it died; one that draws longer than `WITHIN_S` is ended. Who comes
while `WAITING_MAX` others wait is told `server_busy`. Equal orders are drawn once and answered from memory: the bytes
are the same. One that nobody waits for any more is not begun.
"""

import asyncio
import hashlib
import subprocess
import sys
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Timer

import msgspec

from forecasting.pictures.drawing import DRAWN, Order
from sfa.core.errors import Refused
from sfa.core.frames import receive, send

WAITING_MAX, WITHIN_S, IDLE_S = 8, 30.0, 300.0
KEPT_MAX, KEPT_BYTES_MAX = 64, 16_000_000
ROOT = Path(__file__).parents[2]
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from forecasting.pictures.drawing import main; main()"


class _UnderWay:
    """A picture that is being drawn, and how many wait for it."""

    def __init__(self, task: asyncio.Task[bytes]) -> None:
        self.task, self.wanted = task, 0


class Studio:
    def __init__(self, idle_s: float = IDLE_S, within_s: float = WITHIN_S) -> None:
        self._idle_s, self._within_s = idle_s, within_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sfa-picture")
        self._process: subprocess.Popen[bytes] | None = None
        self._under_way: dict[bytes, _UnderWay] = {}
        self._is_closed = False
        self._idle: asyncio.TimerHandle | None = None
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._kept_bytes = 0

    @property
    def is_running(self) -> bool:
        return self._process is not None

    async def draw(self, order: Order) -> bytes:
        data = msgspec.json.encode(order)
        name = hashlib.sha256(data).digest()
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        found = self._under_way.get(name)
        if found is None:
            if len(self._under_way) >= WAITING_MAX:
                raise Refused("server_busy", "too many pictures are being drawn", retry_after_s=5)
            found = self._under_way[name] = _UnderWay(asyncio.create_task(self._draw(name, data)))
        found.wanted += 1
        try:
            return await asyncio.shield(found.task)  # who goes takes it from nobody else
        finally:
            found.wanted -= 1
            if not found.wanted:
                found.task.cancel()
                del self._under_way[name]

    async def _draw(self, name: bytes, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._drawn, data)
        finally:
            if not self._is_closed:
                self._end_later(loop)
        self._keep(name, found)
        return found

    def close(self) -> None:
        self._is_closed = True
        if self._idle is not None:
            self._idle.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._end()

    def _keep(self, name: bytes, found: bytes) -> None:
        self._kept[name] = found
        self._kept_bytes += len(found)
        while len(self._kept) > KEPT_MAX or self._kept_bytes > KEPT_BYTES_MAX:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])

    def _end_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = loop.call_later(self._idle_s, self._thread.submit, self._end)

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _drawn(self, data: bytes) -> bytes:
        was_running = self._process is not None
        answer, is_late = self._asked(data)
        if answer is None and was_running and not is_late:
            answer, _ = self._asked(data)  # it had died since the picture before
        if answer is None:
            raise Refused("server_busy", "the picture could not be drawn in time", retry_after_s=30)
        if answer[:1] != DRAWN:
            raise RuntimeError(f"a picture was not drawn: {answer[1:].decode()}")
        return answer[1:]

    def _asked(self, data: bytes) -> tuple[bytes | None, bool]:
        """The answer, None where the process died; and whether it was ended because it took too long."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        late = Event()
        watch = Timer(self._within_s, _stop, (process, late))
        watch.start()
        answer = None
        try:
            send(process.stdin, data)
            answer = receive(process.stdout)
        except (BrokenPipeError, ValueError):  # it died, or was closed with the server
            pass
        finally:
            watch.cancel()
            if answer is None:
                self._end()
        return answer, late.is_set() or self._is_closed

    def _start(self) -> subprocess.Popen[bytes]:
        """Of a session of its own: a terminal's interrupt is for the server, which ends this one."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what it had not read is of no use any more
                    pipe.close()
        process.wait()


def _stop(process: subprocess.Popen[bytes], late: Event) -> None:
    late.set()
    process.kill()
