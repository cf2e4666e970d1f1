"""The wire over HTTP, compressed both ways: zstd is sent, zstd or gzip is asked for (S34). Live streams are not.

An answer may be read while it arrives: the server ends a block of the compression with each line, so whatever part of
the answer came can be inflated up to its last whole line.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

import httpx
import zstandard

from sync.device.transport import ConnectionLost, Content, Lines
from sync.protocol import LIVE_HEARTBEAT_MS

COMPRESS_FROM_BYTES = 1_024
ZSTD_LEVEL = 3
TIMEOUT_S = 60.0
SILENCE_S = 2 * LIVE_HEARTBEAT_MS / 1000  # a stream that says nothing for so long is dead


class HttpTransport:
    """Posts to one server, e.g. `https://sfa.example.com`. Closes with `close()` or as a context manager."""

    def __init__(self, server: str, client: httpx.Client | None = None) -> None:
        self._server = server.rstrip("/")
        self._client = client if client is not None else httpx.Client(timeout=TIMEOUT_S)
        self.received = 0

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        status, parts = self.stream(path, body, token)
        return status, b"".join(parts)

    def stream(self, path: str, body: bytes, token: str | None) -> tuple[int, Iterator[bytes]]:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "zstd, gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if len(body) >= COMPRESS_FROM_BYTES:
            body = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)
            headers["Content-Encoding"] = "zstd"
        try:
            request = self._client.build_request("POST", self._server + path, content=body, headers=headers)
            answer = self._client.send(request, stream=True)
        except httpx.RequestError as error:
            raise ConnectionLost(f"{type(error).__name__}: {error}") from error
        return answer.status_code, self._parts(answer)

    def _parts(self, answer: httpx.Response) -> Iterator[bytes]:
        counted = 0
        try:
            for part in answer.iter_bytes():
                self.received += answer.num_bytes_downloaded - counted
                counted = answer.num_bytes_downloaded
                yield part
        except httpx.RequestError as error:
            raise ConnectionLost(f"{type(error).__name__}: {error}") from error
        finally:
            self.received += answer.num_bytes_downloaded - counted
            answer.close()

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        said = {**headers, **({"Authorization": f"Bearer {token}"} if token is not None else {})}
        try:
            answer = self._client.request(method, self._server + path, headers=said, content=body)
        except httpx.RequestError as error:
            raise ConnectionLost(f"{type(error).__name__}: {error}") from error
        return answer.status_code, dict(answer.headers), answer.content

    @contextmanager
    def listen(self, path: str, token: str | None) -> Iterator[Lines]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        patience = httpx.Timeout(TIMEOUT_S, read=SILENCE_S)
        try:
            with self._client.stream("GET", self._server + path, headers=headers, timeout=patience) as answer:
                yield Lines(answer.status_code, answer.iter_lines())
        except httpx.HTTPError as error:
            raise ConnectionLost(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "HttpTransport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
