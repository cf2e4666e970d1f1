"""A process that works for the server, apart from it: how it begins, what it may take, with whom it ends.

It speaks in frames (`sfa.core.frames`): orders on standard input, answers on what was standard output. It gives way to
everything else on the machine, takes no more memory than it is told, and does not outlive who started it: whoever is
gone, or wants it no more, closes the pipe. What it could not do is a failure with a code, which people are told.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import IO

from sfa.core.frames import receive

OUT_OF_MEMORY, TIMED_OUT, WORKER_DIED = "out_of_memory", "timed_out", "worker_died"
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class Failed(Exception):
    """No answer; `code` says why."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code, self.text = code, text


def limit_memory(megabytes: int) -> None:
    """What is beyond it is refused to this process and what it starts, where the system knows such a limit."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


def end_with_parent() -> None:
    """For who may be in a library that keeps the interpreter to itself, so that a closed pipe is not heard: the system
    ends it, where it knows how."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)


def only_answers() -> IO[bytes]:
    """Where answers go: what a library prints goes to the log from now on."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def orders(asked: IO[bytes], leaving: Callable[[], object] = bool) -> Iterator[bytes]:
    """Each order as it comes. When whoever asks has closed the pipe, or died, the process ends at once, in the middle
    of an order too; `leaving` is called before."""
    come: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        while (data := receive(asked)) is not None:
            come.put(data)
        leaving()
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield come.get()
