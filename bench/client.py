"""The smallest client of HTTP/1.1: one connection, one request at a time, bodies as bytes.

It does no more than measuring needs, so that the machine's time goes to the server.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import zstandard

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "
_json = msgspec.json.Encoder().encode


def request(path: str, body: dict[str, Any], token: str = "", *, compressed: bool = False) -> bytes:
    """A whole request, ready to be sent."""
    content = _json(body)
    lines = [
        f"POST {path} HTTP/1.1",
        "host: bench",
        "content-type: application/json",
        f"content-length: {len(content)}",
    ]
    if token:
        lines.append(f"authorization: Bearer {token}")
    if compressed:
        lines.append("accept-encoding: zstd")
    return "\r\n".join(lines).encode() + HEAD_END + content


class Connection(asyncio.Protocol):
    """`ask` answers (body, whether it is compressed); anything but 200 is an error that shows the body."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._waiting: asyncio.Future[tuple[bytes, bool]] | None = None
        self._forget()

    def _forget(self) -> None:
        self._head = b""
        self._parts: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionError("the server closed the connection"))

    async def ask(self, sent: bytes) -> tuple[bytes, bool]:
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        return await self._waiting

    def data_received(self, data: bytes) -> None:
        if not self._parts:
            self._head += data
            end = self._head.find(HEAD_END)
            if end < 0:
                return
            data, self._head = self._head[end + 4 :], self._head[:end].lower()
            at = self._head.index(LENGTH) + len(LENGTH)
            self._missing = int(self._head[at : at + 12].split(b"\r")[0])
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing <= 0:
            self._done()

    def _done(self) -> None:
        head, body = self._head, b"".join(self._parts)
        self._forget()
        assert self._waiting is not None
        if head[9:12] != b"200":
            self._waiting.set_exception(RuntimeError(f"{head[:12]!r} {body[:500]!r}"))
        else:
            self._waiting.set_result((body, b"content-encoding: zstd" in head))

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def connected(port: int) -> Any:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    try:
        yield connection
    finally:
        connection.close()


def inflated(body: bytes, compressed: bool) -> bytes:
    return zstandard.ZstdDecompressor().decompress(body) if compressed else body


async def hammer(
    port: int, sent: Sequence[Sequence[bytes]], look: Callable[[bytes], None] | None = None
) -> list[float]:
    """One connection for each list of requests, each asking one after the other; -> every latency, in ms."""

    async def one(requests: Sequence[bytes]) -> list[float]:
        times: list[float] = []
        async with connected(port) as connection:
            for item in requests:
                start = time.perf_counter_ns()
                body, _ = await connection.ask(item)
                times.append((time.perf_counter_ns() - start) / 1e6)
                if look is not None:
                    look(body)
        return times

    return [t for times in await asyncio.gather(*(one(part) for part in sent)) for t in times]


def dealt(requests: Sequence[bytes], connections: int) -> Iterator[Sequence[bytes]]:
    """The requests dealt out to so many connections."""
    for i in range(connections):
        yield requests[i::connections]
