"""Compressing answers: zstd or gzip at their fastest level, as the client prefers, and only where it is worth it.

`compress` is a plain function for raw ASGI handlers; `CompressedAnswers` applies it to ordinary routes whose answer is
one piece of text. Streams pass as they are.
"""

import threading
import zlib
from functools import lru_cache
from typing import Any, Literal, cast

import zstandard
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

COMPRESSED_BYTES_MIN = 1024
ZSTD_LEVEL = 1
GZIP_LEVEL = 1
GZIP = 16 + zlib.MAX_WBITS
COMPRESSIBLE = (b"application/json", b"application/problem+json", b"application/vnd.oai", b"text/")

Encoding = Literal["zstd", "gzip"]

_kept = threading.local()


@lru_cache(maxsize=256)
def negotiate(accept_encoding: bytes) -> Encoding | None:
    """The encoding that an Accept-Encoding header prefers; zstd where it likes both alike; None for neither."""
    wishes: dict[str, float] = {}
    for part in accept_encoding[:1000].decode("latin-1").lower().split(","):
        name, _, parameters = part.partition(";")
        wishes[name.strip()] = _quality(parameters)
    default = wishes.get("*", 0.0)
    zstd, gzip = wishes.get("zstd", default), wishes.get("gzip", default)
    best = max(zstd, gzip)
    if best <= 0 or wishes.get("identity", 0.0) > best:
        return None
    return "zstd" if zstd >= gzip else "gzip"


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0


def compress(body: bytes, accept_encoding: bytes | None) -> tuple[bytes, Encoding | None]:
    """-> (bytes to send, their Content-Encoding or None). The caller also answers `Vary: Accept-Encoding`."""
    if len(body) < COMPRESSED_BYTES_MIN or accept_encoding is None:
        return body, None
    encoding = negotiate(accept_encoding)
    if encoding is None:
        return body, None
    smaller = _zstd(body) if encoding == "zstd" else zlib.compress(body, GZIP_LEVEL, GZIP)
    return (smaller, encoding) if len(smaller) < len(body) else (body, None)


def compress_lines(body: bytes, accept_encoding: bytes | None) -> tuple[bytes, Encoding | None]:
    """As `compress`, with a block ended after each line: whatever part of it arrives can be inflated up to its last
    whole line. The lines share one window, so this costs little more than a block's head for each."""
    encoding = negotiate(accept_encoding) if accept_encoding is not None else None
    if len(body) < COMPRESSED_BYTES_MIN or encoding is None:
        return body, None
    lines = body.splitlines(keepends=True)
    parts: list[bytes] = []
    if encoding == "zstd":
        zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj(size=len(body))
        for line in lines:
            parts += [zstd.compress(line), zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)]
        parts.append(zstd.flush())
    else:
        gzip = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP)
        for line in lines:
            parts += [gzip.compress(line), gzip.flush(zlib.Z_SYNC_FLUSH)]
        parts.append(gzip.flush())
    smaller = b"".join(parts)
    return (smaller, encoding) if len(smaller) < len(body) else (body, None)


def _zstd(body: bytes) -> bytes:
    compressor: zstandard.ZstdCompressor | None = getattr(_kept, "compressor", None)
    if compressor is None:
        compressor = _kept.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    return compressor.compress(body)


class CompressedAnswers(ASGIMiddleware):
    """Compresses an answer that comes in one piece and is text. A route with `opt={"raw": True}` is left alone."""

    exclude_opt_key = "raw"

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        accept = next((value for name, value in scope["headers"] if name == b"accept-encoding"), None)
        held: list[Message] = []

        async def send_smaller(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            if held and message["type"] == "http.response.body":
                start: Any = held.pop()
                if not message.get("more_body", False):
                    message = cast(Message, {**message, "body": _apply(start, message.get("body", b""), accept)})
                await send(start)
            await send(message)

        await next_app(scope, receive, send_smaller)


def _apply(start: Any, body: bytes, accept: bytes | None) -> bytes:
    """The body to send; `start` gets the headers that describe it."""
    headers = {name.lower(): value for name, value in start["headers"]}
    if b"content-encoding" in headers or not headers.get(b"content-type", b"").startswith(COMPRESSIBLE):
        return body
    smaller, encoding = compress(body, accept)
    kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    kept.append((b"vary", b"Accept-Encoding"))
    kept.append((b"content-length", str(len(smaller)).encode()))
    if encoding is not None:
        kept.append((b"content-encoding", encoding.encode()))
    start["headers"] = kept
    return smaller
