"""The process in which a run of the engine works, apart from the server: minutes of one core, and heavy libraries.

It reads one question on standard input, tells how far it is, writes the answer to standard output and ends. It gives
way to everything else on the machine, takes no more memory than it is told, and does not outlive who started it:
whoever is gone, or wants it no more, closes the pipe. A library that keeps the interpreter to itself would not let that
be heard, so the system is asked to end it as well, where it knows how. The engine is imported here alone.
"""

import os
import sys
from typing import IO

import msgspec

from forecasting.outlook.values import Question
from sfa.core.apart import OUT_OF_MEMORY, end_with_parent, only_answers, orders
from sfa.core.frames import send

ANSWERED, TOLD, FAILED = b"+", b"p", b"-"
ENGINE_FAILED = "engine_failed"
NICE = 10
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
    end_with_parent()
    with only_answers() as out:
        send(out, _answered(next(orders(sys.stdin.buffer)), out))
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
