"""One printing process at a time, kept for the next order: started, watched, ended, and started anew.

An order has seconds of a processor, which the process counts itself; one that used none of them for as long by the
clock hangs, and on a busy machine a slow one does not. Who cancels the task that waits ends the process. Whatever
happens to it is a failure of this order with a code (`timed_out`, `out_of_memory`, `worker_died`, or what refused it),
and of no other order.
"""

import asyncio
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from proposals.rendering.process import ANSWERED, LAST, REFUSED, held_mb
from proposals.rendering.values import WAIT, Failure, Limits, Order, Task, decode_failure, encode
from sfa.core.apart import OUT_OF_MEMORY, TIMED_OUT, WORKER_DIED, Failed
from sfa.core.frames import LENGTH

ROOT = Path(__file__).parents[2]
# A printing process has no use for the server's secrets, and its temporary files are its own.
START = f"""
import os, sys
for name in [name for name in os.environ if name.startswith(("SFA_", "AWS_", "PG"))]:
    del os.environ[name]
os.environ.update(TMPDIR=sys.argv[3], OMP_NUM_THREADS="1", MALLOC_ARENA_MAX="2")
sys.path.insert(0, {str(ROOT)!r})
from proposals.rendering.process import main
main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] == "prints")
"""
IDLE_S, LEAVES_S, SEEN_S = 300.0, 5.0, 0.2
WRITTEN_AT_ONCE = 1 << 20
FALLS, FULL = (-signal.SIGTRAP, -signal.SIGABRT, -signal.SIGSEGV), 0.7


class PrintFailed(Failed):
    """`details` are those of a refusal."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code, failure.text)
        self.details = failure.details


class Worker:
    def __init__(
        self, limits: Limits | None = None, *, prints: bool = True, program: str = START, idle_s: float = IDLE_S
    ) -> None:
        self._limits, self._prints, self._program = limits or Limits(), prints, program
        self._idle_s, self._held_mb = idle_s, 0.0
        self._process: asyncio.subprocess.Process | None = None
        self._folder: Path | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """Of the process that is kept, for who looks at it from outside."""
        return self._process.pid if self._process is not None else None

    async def make(self, order: Order, lines: int = 0) -> bytes:
        """What is ordered; raises `Failed`. One order at a time."""
        if self._idle is not None:
            self._idle.cancel()
        seconds = self._limits.seconds(order.form, lines)
        is_new = self._process is None or self._process.returncode is not None
        if is_new:
            await self._start()
        is_kept = False
        try:
            data = await asyncio.to_thread(encode, Task(seconds, order))  # it may hold 64 MB of pictures
            kind, answer = await self._watched(data, seconds, self._limits.start_s if is_new else 0.0)
            is_kept = kind in (ANSWERED, REFUSED)
            if not is_kept:
                await self._leaves()
        finally:
            if is_kept:
                self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._end_aside)
            else:
                await self.end()
        if kind in (ANSWERED, LAST):
            return answer
        raise PrintFailed(decode_failure(answer))

    async def end(self) -> None:
        """The process, and what it left in its folder. What is made next starts another one."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        await asyncio.gather(*self._ending)
        await self.end()

    def _end_aside(self) -> None:
        task = asyncio.get_running_loop().create_task(self.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _start(self) -> None:
        await self.end()
        self._folder = Path(tempfile.mkdtemp(prefix="sfa-render-"))
        limits = (str(self._limits.memory_mb), str(self._limits.documents))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            self._program,
            *limits,
            str(self._folder),
            "prints" if self._prints else "shows",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a terminal's interrupt is for the server, which ends this one
        )

    async def _leaves(self) -> None:
        """It has answered for the last time, and ends by itself."""
        assert self._process is not None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), LEAVES_S)

    async def _watched(self, data: bytes, seconds: float, start_s: float) -> tuple[bytes, bytes]:
        """The answer, while it is seen what the process holds, and from time to time that it works."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        look_at, last = begun + seconds + start_s, begun + seconds * WAIT + start_s
        work, used, self._held_mb = asyncio.create_task(self._asked(data)), self._used(), 0.0
        try:
            while not (await asyncio.wait({work}, timeout=min(SEEN_S, seconds)))[0]:
                self._held_mb = max(self._held_mb, held_mb(self.pid))
                if loop.time() < look_at:
                    continue
                before, used, look_at = used, self._used(), loop.time() + seconds
                if (used is not None and used == before) or loop.time() > last:
                    raise Failed(TIMED_OUT, f"it hangs: no answer, and no work in {seconds:g} s")
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    def _used(self) -> int | None:
        """Of a processor, in ticks; None where the system does not tell."""
        try:
            said = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b") ")[2].split()
            return int(said[11]) + int(said[12])
        except (OSError, ValueError, IndexError):
            return None

    def _died(self, code: int) -> Failed:
        """A library in C that is refused memory ends its process, or falls over what it did not get."""
        if code == -signal.SIGPROF:
            return Failed(TIMED_OUT, "it used up its seconds of a processor")
        is_full = code in FALLS and self._held_mb > self._limits.memory_mb * FULL
        return Failed(OUT_OF_MEMORY if is_full else WORKER_DIED, f"exit code {code}")

    async def _asked(self, data: bytes) -> tuple[bytes, bytes]:
        """(what kind of answer, the answer)"""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(LENGTH.pack(len(data)))
            for start in range(0, len(data), WRITTEN_AT_ONCE):
                process.stdin.write(data[start : start + WRITTEN_AT_ONCE])
                await process.stdin.drain()
            (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
            answer = await process.stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise self._died(await process.wait()) from None
        return answer[:1], answer[1:]
