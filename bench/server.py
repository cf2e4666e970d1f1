"""The process that is measured: the product, or a bare application that answers a constant, behind the same uvicorn.

`Server` starts it as a child on a loopback socket that is open before, and reads its CPU time and its peak memory. Run
as a module it is that child.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import uvicorn

BARE = "bare"
SECRET = "a secret for measuring, of more than thirty-two characters"
TTL_S = 24 * 3600


class Server:
    """A running child. CPU times are cumulative seconds of the child; `database_cpu_s` those of PostgreSQL."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, postmaster: int | None) -> None:
        self._process, self.port = process, port
        self._seen = psutil.Process(process.pid)
        self._postmaster = psutil.Process(postmaster) if postmaster is not None else None
        self._children: dict[int, float] = {}
        self._database_cpu_s = 0.0

    def cpu_s(self) -> float:
        if psutil.LINUX:  # the process clock has nanoseconds, the accounting only hundredths
            return time.clock_gettime((~self._process.pid << 3) | 2)
        times = self._seen.cpu_times()
        return times.user + times.system

    def database_cpu_s(self) -> float:
        for child in self._postmaster.children(recursive=True) if self._postmaster is not None else ():
            with suppress(psutil.NoSuchProcess):  # a worker may end at any time; what it used since is lost
                used = sum(child.cpu_times()[:2])
                self._database_cpu_s += used - self._children.get(child.pid, 0.0)
                self._children[child.pid] = used
        return self._database_cpu_s

    def resident_mib(self) -> float:
        return float(self._seen.memory_info().rss) / 2**20

    def peak_mib(self) -> float:
        """The most memory it ever had resident; where the system does not tell, what it has now."""
        try:
            with open(f"/proc/{self._process.pid}/status") as status:
                peak = next(line for line in status if line.startswith("VmHWM"))
            return int(peak.split()[1]) / 1024
        except (OSError, StopIteration):
            return float(self._seen.memory_info().rss) / 2**20


@contextmanager
def running(url: str, postmaster: int | None = None) -> Iterator[Server]:
    """A child that serves the database at `url`, or the constant where it is `BARE`."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        port = listening.getsockname()[1]
        listening.set_inheritable(True)
        number = listening.fileno()
        command = [sys.executable, "-m", "bench.server", url, str(number)]
        process = subprocess.Popen(command, pass_fds=[number])
    try:
        yield Server(process, port, postmaster)
    finally:
        process.terminate()
        process.wait(timeout=30)


async def constant(_scope: Any, receive: Any, send: Any) -> None:
    """What the server library itself costs: read a body, answer a few bytes."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def product(url: str) -> Any:
    from sfa.app.cli_serve import served
    from sfa.app.settings import Settings

    return served(Settings(database_url=url, secret=SECRET, access_ttl_s=TTL_S, log_level="warning"))


def serve(url: str, number: int) -> None:
    app = constant if url == BARE else product(url)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off" if url == BARE else "on",
        access_log=False,
        server_header=False,
        log_level="warning",
    )
    with socket.socket(fileno=number) as listening:
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
