"""The wire over HTTP, compressed both ways: zstd is sent, zstd or gzip is asked for (S34)."""

from types import TracebackType

import httpx
import zstandard

from sync.device.transport import ConnectionLost

COMPRESS_FROM_BYTES = 1_024
ZSTD_LEVEL = 3
TIMEOUT_S = 60.0


class HttpTransport:
    """Posts to one server, e.g. `https://sfa.example.com`. Closes with `close()` or as a context manager."""

    def __init__(self, server: str, client: httpx.Client | None = None) -> None:
        self._server = server.rstrip("/")
        self._client = client if client is not None else httpx.Client(timeout=TIMEOUT_S)

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "zstd, gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if len(body) >= COMPRESS_FROM_BYTES:
            body = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)
            headers["Content-Encoding"] = "zstd"
        try:
            answer = self._client.post(self._server + path, content=body, headers=headers)
        except httpx.RequestError as error:
            raise ConnectionLost(f"{type(error).__name__}: {error}") from error
        return answer.status_code, answer.content

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "HttpTransport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
