import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from forecasting.outlook.process import Step
from forecasting.outlook.values import Answer, DealColumns, Question
from forecasting.outlook.worker import ROOT, Worker
from sfa.core.apart import Failed

NOBODY = Question(
    until=737_425,
    currency="EUR",
    seed=1,
    spans=[],
    ahead=[],
    leaves=[],
    deals=DealColumns([], [], [], [], [], {}, [], [], [], [], []),
    parts=[],
    credits=[],
    calls=[],
    quotas=[],
)
PROGRAM = f"""
import os, sys, threading, time
sys.path.insert(0, {str(ROOT)!r})
from forecasting.outlook import process, work
from sfa.core.apart import limit_memory
limit_memory(int(sys.argv[1]))
def answer(question, tell):
    tell(str(os.getpid()), 1)
    WHAT
work.answer = answer
process.main()
"""
SLEEPS = PROGRAM.replace("WHAT", "time.sleep(600)")


def runs(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3] if Path("/proc").is_dir() else True
    return False


async def asked(worker: Worker, told: list[Step]) -> bytes:
    async def note(step: Step) -> None:
        told.append(step)

    return await worker.answer(msgspec.json.encode(NOBODY), note)


def test_a_company_without_history_is_answered_with_a_code_by_a_real_process() -> None:
    told: list[Step] = []
    found = msgspec.json.decode(asyncio.run(asked(Worker(), told)), type=Answer)
    assert found.code == "no_history"
    assert [step.name for step in told] == ["reading"]


def test_who_wants_an_answer_no_more_ends_the_process() -> None:
    async def story() -> int:
        first = asyncio.get_running_loop().create_future()

        async def note(step: Step) -> None:
            first.set_result(int(step.name))

        task = asyncio.create_task(Worker(program=SLEEPS).answer(msgspec.json.encode(NOBODY), note))
        pid = await first
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return int(pid)

    assert not runs(asyncio.run(story()))


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (SLEEPS, "timed_out"),
        (PROGRAM.replace("WHAT", "os._exit(9)"), "worker_died"),
        (PROGRAM.replace("WHAT", "bytearray(10 << 30)"), "out_of_memory"),
        (PROGRAM.replace("WHAT", "raise ValueError('odd')"), "engine_failed"),
        ("raise SystemExit", "worker_died"),
    ],
    ids=["late", "died", "memory", "failed", "never began"],
)
def test_what_goes_wrong_in_the_process_is_a_failure_with_a_code(program: str, code: str) -> None:
    with pytest.raises(Failed) as failed:
        asyncio.run(asked(Worker(within_s=3.0 if code == "timed_out" else 60.0, program=program), []))
    assert failed.value.code == code


STARTS = f"""
import subprocess, sys, time
piped = {{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}}
worker = subprocess.Popen([sys.executable, "-c", sys.argv[1], "4096"], **piped)
data = {msgspec.json.encode(NOBODY)!r}
worker.stdin.write(len(data).to_bytes(4, "big") + data)
worker.stdin.flush()
worker.stdout.read(5)  # it is at work
print(worker.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system knows no such order")
def test_a_process_that_hears_nothing_ends_with_a_server_that_is_killed() -> None:
    """A library keeps the interpreter to itself for ever."""
    deaf = PROGRAM.replace("WHAT", "import ctypes; ctypes.PyDLL(None).sleep(600)")
    with subprocess.Popen([sys.executable, "-c", STARTS, deaf], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert runs(pid)
        server.kill()
    until = time.monotonic() + 20
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.02)
    is_there = runs(pid)
    if is_there:
        os.kill(pid, signal.SIGKILL)
    assert not is_there


def test_no_process_is_given_so_little_memory_that_it_cannot_begin() -> None:
    found = msgspec.json.decode(asyncio.run(asked(Worker(memory_mb=1), [])), type=Answer)
    assert found.code == "no_history"


def test_the_process_ends_with_who_started_it() -> None:
    """The server is killed: nobody is left to read, and nobody is left to work."""

    async def story() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SLEEPS,
            "4096",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        data = msgspec.json.encode(NOBODY)
        process.stdin.write(len(data).to_bytes(4, "big") + data)
        await process.stdin.drain()
        process.stdin.close()
        return await asyncio.wait_for(process.wait(), 30)

    assert asyncio.run(story()) == 1
