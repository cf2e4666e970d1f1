"""What idle live streams cost and how soon they are told: a thousand of them on one process, and on PostgreSQL a push
to a second process that wakes the devices of the first.

`wake` counts from the moment when the push is sent until a device has the event, the push itself included; all streams
are read by this one process, which shares the machine with the server.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Any

from bench.client import connected, request
from bench.company import SEED_ACCOUNTS, Device, contact_values
from bench.server import Server
from bench.subjects import Figures, run
from sfa.core.clock import SystemClock

STREAMS = 1_000
CONNECTED_AT_ONCE = 50
IDLE_S = 16.0  # one heartbeat of each
SETTLE_S = 1.0
PATIENCE_S = 30.0


class Listener(asyncio.Protocol):
    """One stream: when it was opened and when it was last told."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.opened = asyncio.get_running_loop().create_future()
        self.told: asyncio.Future[float] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        head = ["GET /sync/live HTTP/1.1", "host: bench", f"authorization: Bearer {self.device.token}"]
        self._transport.write(("\r\n".join(head) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.opened.done() and b"retry:" in data:
            self.opened.set_result(None)
        if self.told is not None and not self.told.done() and b"event: news" in data:
            self.told.set_result(now)

    def connection_lost(self, error: Exception | None) -> None:
        lost = error or ConnectionError("the server closed the stream")
        for waiting in (self.opened, self.told):
            if waiting is not None and not waiting.done():
                waiting.set_exception(lost)

    def close(self) -> None:
        self._transport.close()


async def _open(port: int, devices: Sequence[Device]) -> list[Listener]:
    loop = asyncio.get_running_loop()
    opened: list[Listener] = []
    for low in range(0, len(devices), CONNECTED_AT_ONCE):
        for device in devices[low : low + CONNECTED_AT_ONCE]:
            _, listener = await loop.create_connection(lambda d=device: Listener(d), "127.0.0.1", port)  # type: ignore[misc]
            opened.append(listener)
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(listener.opened for listener in opened[low:]))
    return opened


async def _wake(writer: Any, listeners: Sequence[Listener], device: Device, n: int) -> list[float]:
    """One contact that everybody holds; -> the time to each device in ms."""
    loop = asyncio.get_running_loop()
    for listener in listeners:
        listener.told = loop.create_future()
    now = SystemClock().now_ms()
    values = contact_values(n, f"a-{n % SEED_ACCOUNTS}")
    made = {"n": n, "entity": "contacts", "key": f"{device.key}-{n}", "kind": "create", "at": now, "set": values}
    start = time.perf_counter()
    await writer.ask(
        request("/sync", {"user": device.user, "now": now, "pull": False, "mutations": [made]}, device.token)
    )
    async with asyncio.timeout(PATIENCE_S):
        told = await asyncio.gather(*(listener.told for listener in listeners if listener.told is not None))
    return [(at - start) * 1000 for at in told]


async def _measure(server: Server, writing: Server, devices: Sequence[Device], writer: Device, runs: int) -> Figures:
    before = server.resident_mib()
    listeners = await _open(server.port, devices)
    await asyncio.sleep(SETTLE_S)
    after, cpu, start = server.resident_mib(), server.cpu_s(), time.perf_counter()
    await asyncio.sleep(IDLE_S)
    idle_cpu = (server.cpu_s() - cpu) / (time.perf_counter() - start)
    times: list[float] = []
    async with connected(writing.port) as connection:
        for n in range(1, runs + 1):
            times += await _wake(connection, listeners, writer, n)
            await asyncio.sleep(SETTLE_S)
    for listener in listeners:
        listener.close()
    cuts = statistics.quantiles(times, n=100)
    return {
        "streams": len(listeners),
        "kib_each": round((after - before) * 1024 / len(listeners), 1),
        "idle_cpu_percent": round(idle_cpu * 100, 2),
        "wake_p50_ms": round(cuts[49], 1),
        "wake_p95_ms": round(cuts[94], 1),
        "wake_max_ms": round(max(times), 1),
    }


def live(server: Server, writing: Server, devices: Sequence[Device], writer: Device, runs: int) -> Figures:
    """`writing` is the process that gets the pushes; the streams are at `server`."""
    found: Figures = run(_measure(server, writing, devices[:STREAMS], writer, runs))
    return found
