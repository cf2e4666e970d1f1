"""The process in which a run of the engine works, apart from the server: minutes of one core, and heavy libraries.

It reads one question on standard input, tells how far it is, writes the answer to standard output and ends. It gives
way to everything else on the machine, takes no more memory than it is told, and does not outlive who started it:
whoever is gone, or wants it no more, closes the pipe. A library that keeps the interpreter to itself would not let that
be heard, so the system is asked to end it as well, where it knows how. The engine is imported here alone.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
from typing import IO

import msgspec

from forecasting.frames import receive, send
from forecasting.outlook.values import Question

ANSWERED, TOLD, FAILED = b"+", b"p", b"-"
OUT_OF_MEMORY, ENGINE_FAILED = "out_of_memory", "engine_failed"
NICE = 10
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
ENCODER = msgspec.json.Encoder()


class Step(msgspec.Struct, frozen=True, array_like=True):
    """[what is being done, of 1,000 how much of all is done]"""

    name: str
    progress: int


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """[code, text for the log]"""

    code: str
    text: str


def main() -> None:
    os.nice(NICE)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
    asked = sys.stdin.buffer
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
        data = receive(asked)
        if data is None:
            return
        threading.Thread(target=_end_with, args=(asked,), daemon=True).start()
        send(out, _answered(data, out))
        out.flush()
        os._exit(0)  # the thread waits for a pipe that is still open


def _answered(data: bytes, out: IO[bytes]) -> bytes:
    try:
        from forecasting.outlook.work import answer

        found = answer(msgspec.json.decode(data, type=Question), lambda *step: _tell(out, Step(*step)))
        return ANSWERED + ENCODER.encode(found)
    except MemoryError as error:
        return FAILED + ENCODER.encode(Failure(OUT_OF_MEMORY, str(error)))
    except Exception as error:  # whatever it is, the run says that it failed, and why
        return FAILED + ENCODER.encode(Failure(ENGINE_FAILED, f"{type(error).__name__}: {error}"))


def _tell(out: IO[bytes], step: Step) -> None:
    send(out, TOLD + ENCODER.encode(step))


def _end_with(asked: IO[bytes]) -> None:
    """Who asked has closed the pipe, or died."""
    asked.read()
    os._exit(1)


def limit_memory(megabytes: int) -> None:
    """What is beyond it is refused to this process and what it starts, where the system knows such a limit."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
