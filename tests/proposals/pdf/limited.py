"""One case after another, each in a process of its own with limits: forked off one that has loaded everything.

A case that would hang, take the machine's memory, reach a network or start a program is told as such, and the next one
is not harmed.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

SECONDS, MEGABYTES = 10.0, 1_024
WATCHED = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "urllib.",
    "ftplib.",
)


class Outcome(NamedTuple):
    """`code` is "printed", that of a refusal, or `timed_out`, `out_of_memory`, `died`; `tried` are forbidden acts, of
    which a file that was opened outside the product is one."""

    code: str
    reason: str
    text: str
    seconds: float
    megabytes: int
    tried: list[str]


class Limited:
    def __init__(self) -> None:
        program = "from tests.proposals.pdf.limited import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._process.communicate()

    def run(self, html: str, assets: dict[str, bytes], out: Path, seconds: float = SECONDS) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        encoded = {name: b64encode(content).decode() for name, content in assets.items()}
        task = {"html": html, "assets": encoded, "out": str(out), "seconds": seconds}
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))


def serve() -> None:
    from tests.proposals.pdf.pages import page, printed

    printed(page("<p>warm 中</p>"))
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                told = _told(json.loads(line))
                os.write(writing, json.dumps(told).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            said = answer.read()
        _, status = os.waitpid(child, 0)
        print(said.decode() or json.dumps(_killed(status)), flush=True)


def _killed(status: int) -> dict[str, Any]:
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = "timed_out" if by == signal.SIGPROF else "out_of_memory" if by == signal.SIGTRAP else "died"
    return Outcome(code, "", f"signal {by}", 0.0, 0, [])._asdict()


def _told(task: dict[str, Any]) -> dict[str, Any]:
    import gc
    import time

    from sfa.core.errors import Refused
    from tests.proposals.pdf.pages import printed

    gc.freeze()
    resource.setrlimit(resource.RLIMIT_DATA, (MEGABYTES << 20, MEGABYTES << 20))
    tried: list[str] = []
    sys.addaudithook(lambda event, details: _watch(tried, event, details))
    assets = {name: b64decode(content) for name, content in task["assets"].items()}
    code, reason, text = "printed", "", ""
    signal.setitimer(signal.ITIMER_PROF, task["seconds"])
    began = time.process_time()
    try:
        made = printed(task["html"], assets=assets)
    except Refused as refused:
        code, reason, text = refused.code, str(refused.details.get("reason", "")), refused.text
    except MemoryError:
        code = "out_of_memory"
    except BaseException as error:
        code, text = "died", f"{type(error).__name__}: {error}"
    else:
        out = os.open(task["out"], os.O_WRONLY | os.O_CREAT)
        os.write(out, made)
    seconds = round(time.process_time() - began, 3)
    signal.setitimer(signal.ITIMER_PROF, 0)
    mine = [act for act in tried if task["out"] not in act]
    return Outcome(
        code, reason, text, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, mine
    )._asdict()


def _watch(tried: list[str], event: str, details: tuple[Any, ...]) -> None:
    if event.startswith(WATCHED):
        tried.append(f"{event} {details!r}"[:200])
    elif event == "open" and isinstance(details[0], str) and not _ours(details[0]):
        tried.append(f"open {details[0]}")


def _ours(path: str) -> bool:
    places = (str(Path(__file__).parents[3]), sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix))
    return os.path.abspath(path).startswith(places) or path.startswith("/proc/self")
