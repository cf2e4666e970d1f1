"""A file of anybody, looked at in a process of its own: bounded in memory, seconds and number.

Nothing that a file does to that process reaches the server. What is not answered in time cannot be read.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from proposals.evidence.inspecting import Inspected
from sfa.core.errors import Refused
from sfa.core.frames import LENGTH

ROOT = Path(__file__).parents[2]
PROGRAM = f"""
import os, sys
for name in [name for name in os.environ if name.startswith(("SFA_", "AWS_", "PG"))]:
    del os.environ[name]
sys.path.insert(0, {str(ROOT)!r})
from proposals.evidence.inspecting import main
main()
"""
AT_ONCE, WAITING_MAX = 2, 8
ANSWER_S = 30.0  # by the clock: its seconds of a processor are fewer
ANSWER_BYTES_MAX = 64 << 10


class Examiner:
    """So many files at once, and so many more that wait; others are told to come again."""

    def __init__(self, answer_s: float = ANSWER_S, program: str = PROGRAM) -> None:
        self._answer_s, self._program = answer_s, program
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def inspect(self, pdf: bytes) -> Inspected:
        """Refuses `server_busy`."""
        if self._waiting >= WAITING_MAX:
            raise Refused("server_busy", "too many files are being looked at", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._turns:
                return await self._inspected(pdf)
        finally:
            self._waiting -= 1

    async def _inspected(self, pdf: bytes) -> Inspected:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", self._program, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._answer_s):
                return await _answer(process, pdf)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, ValueError):
            return Inspected(problem="it takes more time or memory to read than a document does")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _answer(process: asyncio.subprocess.Process, pdf: bytes) -> Inspected:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(LENGTH.pack(len(pdf)) + pdf)
    await process.stdin.drain()
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if length > ANSWER_BYTES_MAX:
        raise ValueError(length)
    return msgspec.json.decode(await process.stdout.readexactly(length), type=Inspected)
