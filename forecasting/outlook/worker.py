"""One question at a time to a process of its own: how far it is, its answer, and its end when nobody wants it.

Who cancels the task that waits ends the process. It may take `within_s` and `memory_mb`; what is more is a failure with
a code (`timed_out`, `out_of_memory`), and so is a process that dies (`worker_died`).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from forecasting.outlook.process import ANSWERED, TOLD, Failure, Step
from sfa.core.apart import TIMED_OUT, WORKER_DIED, Failed
from sfa.core.frames import LENGTH

ROOT = Path(__file__).parents[2]
# One core is what it may have; and sums made by several threads would not be the same bytes each time.
START = f"""
import os, sys
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
sys.path.insert(0, {str(ROOT)!r})
from forecasting.outlook.process import main
from sfa.core.apart import limit_memory
limit_memory(int(sys.argv[1]))
main()
"""
WITHIN_S, MEMORY_MB = 1800.0, 4096
MEMORY_LEAST_MB = 512  # with less the libraries themselves do not load, and one of them tries for ever

Told = Callable[[Step], Awaitable[None]]


class Worker:
    def __init__(self, within_s: float = WITHIN_S, memory_mb: int = MEMORY_MB, program: str = START) -> None:
        self._within_s, self._memory_mb, self._program = within_s, max(memory_mb, MEMORY_LEAST_MB), program
        self._turn = asyncio.Lock()

    async def answer(self, question: bytes, told: Told) -> bytes:
        """The answer's JSON to the JSON of a question; raises `Failed`."""
        async with self._turn:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                self._program,
                str(self._memory_mb),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # a terminal's interrupt is for the server, which ends this one
            )
            try:
                async with asyncio.timeout(self._within_s):
                    return await self._asked(process, question, told)
            except TimeoutError:
                raise Failed(TIMED_OUT, f"more than {self._within_s:g} s") from None
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    async def _asked(self, process: asyncio.subprocess.Process, question: bytes, told: Told) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(LENGTH.pack(len(question)) + question)
            await process.stdin.drain()
            while True:
                (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
                data = await process.stdout.readexactly(length)
                if data[:1] == ANSWERED:
                    return data[1:]
                if data[:1] != TOLD:
                    failure = msgspec.json.decode(data[1:], type=Failure)
                    raise Failed(failure.code, failure.text)
                await told(msgspec.json.decode(data[1:], type=Step))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Failed(WORKER_DIED, f"exit code {await process.wait()}") from None
