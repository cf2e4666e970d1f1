"""What one request may be: its size before and after decompression, its encoding, its depth, and how many there may be.

A body is refused as early as possible: by its Content-Length, while it arrives, while it is inflated (a bomb stops at
the limit), and before it is parsed (depth). Functions take the limits as arguments; the constants are those of ordinary
routes, the offline round has its own (`sync.protocol`).
"""

import asyncio
import zlib
from collections.abc import Iterable

import zstandard
from litestar.types import Receive

from sfa.core.clock import Clock
from sfa.core.errors import Refused

BODY_BYTES_MAX = 1 << 20  # as it arrives
INFLATED_BYTES_MAX = 4 << 20
JSON_DEPTH_MAX = 32
INLINE_BYTES_MAX = 64 << 10  # a larger compressed body is inflated in a thread, not on the event loop
CHUNK_BYTES = 64 << 10
ZSTD_WINDOW_BYTES_MAX = 8 << 20

REQUESTS_PER_S = 20
REQUESTS_BURST = 600
RATED_DEVICES_MAX = 100_000

GZIP = 16 + zlib.MAX_WBITS
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

Headers = Iterable[tuple[bytes, bytes]]


# -- the body -------------------------------------------------------------------------------------------------------


async def read_body(
    receive: Receive,
    headers: Headers,
    *,
    body_max: int = BODY_BYTES_MAX,
    inflated_max: int = INFLATED_BYTES_MAX,
) -> bytes:
    """The whole body, inflated. Refuses body_too_large, body_truncated, encoding_unknown and encoding_invalid."""
    length, encoding = _announced(headers)
    if length is not None and length > body_max:
        raise _too_large("body_bytes_max", body_max)
    body = await _received(receive, body_max)
    if length is not None and len(body) < length:
        raise Refused("body_truncated", f"{len(body)} of {length} bytes arrived")
    if encoding is None or not body:
        return body
    if len(body) <= INLINE_BYTES_MAX:
        return inflate(body, encoding, inflated_max)
    return await asyncio.to_thread(inflate, body, encoding, inflated_max)


def _announced(headers: Headers) -> tuple[int | None, str | None]:
    """-> (Content-Length, the one Content-Encoding), each None where absent."""
    length: int | None = None
    encodings: list[str] = []
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            length = int(value[:20])
        elif name == b"content-encoding":
            encodings += [part.strip().lower() for part in value.decode("latin-1").split(",")]
    named = [encoding for encoding in encodings if encoding not in ("", "identity")]
    if len(named) > 1 or (named and named[0] not in ("zstd", "gzip")):
        raise Refused("encoding_unknown", encoding=", ".join(named)[:100])
    return length, named[0] if named else None


async def _received(receive: Receive, body_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused("body_truncated", "The connection was closed before the end of the body")
        part = message.get("body") or b""
        more = message.get("more_body", False)
        if not more and not parts and len(part) <= body_max:
            return part
        size += len(part)
        if size > body_max:
            raise _too_large("body_bytes_max", body_max)
        parts.append(part)
        if not more:
            return b"".join(parts)


def _too_large(name: str, limit: int) -> Refused:
    return Refused("body_too_large", f"{name} is {limit}", **{name: limit})


# -- decompression --------------------------------------------------------------------------------------------------


def inflate(body: bytes, encoding: str, inflated_max: int) -> bytes:
    """The inflated body; never makes more than `inflated_max` bytes and one chunk of it."""
    inflated = _gunzip(body, inflated_max) if encoding == "gzip" else _unzstd(body, inflated_max)
    if inflated.startswith((GZIP_MAGIC, ZSTD_MAGIC)):
        raise Refused("encoding_invalid", "The body was compressed twice")
    return inflated


def _gunzip(body: bytes, inflated_max: int) -> bytes:
    stream = zlib.decompressobj(GZIP)
    try:
        inflated = stream.decompress(body, inflated_max + 1)
    except zlib.error as error:
        raise Refused("encoding_invalid", "The body is not gzip") from error
    if len(inflated) > inflated_max:
        raise _too_large("inflated_bytes_max", inflated_max)
    if not stream.eof:
        raise Refused("body_truncated", "The gzip stream ends before its end")
    if stream.unused_data:
        raise Refused("encoding_invalid", "There are bytes after the gzip stream")
    return inflated


def _unzstd(body: bytes, inflated_max: int) -> bytes:
    """One frame. Its header usually says how large it becomes, and then the output has exactly that room."""
    try:
        declared = zstandard.frame_content_size(body)
        if declared > inflated_max:
            raise _too_large("inflated_bytes_max", inflated_max)
        if declared > 0:
            return zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)
    except zstandard.ZstdError:
        pass  # the careful way says what is wrong with it
    return _unzstd_carefully(body, inflated_max)


def _unzstd_carefully(body: bytes, inflated_max: int) -> bytes:
    """A frame of unknown size, or a broken one: first see that it stays within the limit, then inflate it."""
    if not ZSTD_MAGIC.startswith(body[:4]):
        raise Refused("encoding_invalid", "The body is not zstd")
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    size = 0
    try:
        with decompressor.stream_reader(body, read_size=CHUNK_BYTES) as reader:
            while part := reader.read(CHUNK_BYTES):
                size += len(part)
                if size > inflated_max:
                    raise _too_large("inflated_bytes_max", inflated_max)
        frame = decompressor.decompressobj()
        inflated = frame.decompress(body)
    except zstandard.ZstdError as error:
        raise Refused("encoding_invalid", "The body is not one zstd frame") from error
    if not frame.eof:
        raise Refused("body_truncated", "The zstd frame ends before its end")
    if frame.unused_data:
        raise Refused("encoding_invalid", "There are bytes after the zstd frame")
    return inflated


# -- depth ----------------------------------------------------------------------------------------------------------

_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')


def check_depth(body: bytes, depth_max: int = JSON_DEPTH_MAX) -> None:
    """Refuses JSON nested deeper than the limit, without parsing it. A few scans in C: 100 kB take a third of a
    millisecond; a body with few brackets, such as a poll, takes two counts.

    What is not JSON may pass: the decoder, whose own recursion is guarded, refuses it.
    """
    if body.count(b"[") + body.count(b"{") <= depth_max:
        return
    rest = _structure(body)
    for _ in range(depth_max):
        shorter = rest.replace(b"[]", b"")  # one round takes the innermost storey of every tree away
        if len(shorter) == len(rest):
            break
        rest = shorter
    if b"[]" in rest or rest.count(b"[") > depth_max:
        raise Refused("json_too_deep", f"json_depth_max is {depth_max}", json_depth_max=depth_max)


def _structure(body: bytes) -> bytes:
    """Only the brackets outside strings, all of one kind."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = body.translate(_BRACKETS, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in marks:
        marks = b"".join(marks.split(b'"')[::2])
    return marks


# -- how often ------------------------------------------------------------------------------------------------------


class RequestRate:
    """A token bucket for each device, in the memory of this process: `REQUESTS_BURST` at once, then
    `REQUESTS_PER_S`. One number a device: the time at which its bucket is full again."""

    def __init__(self, clock: Clock, *, per_s: float = REQUESTS_PER_S, burst: int = REQUESTS_BURST) -> None:
        self._now_ms = clock.now_ms
        self._interval_ms = 1000 / per_s
        self._room_ms = burst * self._interval_ms
        self._full_at: dict[str, float] = {}

    def wait_ms(self, device_key: str) -> int:
        """0 and one request counted, or how long to wait."""
        now = self._now_ms()
        full_at = max(self._full_at.get(device_key, 0.0), now) + self._interval_ms
        if full_at - now > self._room_ms:
            return max(1, int(full_at - now - self._room_ms))
        if len(self._full_at) >= RATED_DEVICES_MAX:
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._full_at[device_key] = full_at
        return 0

    def check(self, device_key: str) -> None:
        """Refuses too_many_requests."""
        wait_ms = self.wait_ms(device_key)
        if wait_ms:
            raise Refused("too_many_requests", retry_after_s=-(-wait_ms // 1000))

    def peek(self, device_key: str) -> None:
        """The same of the next request, which is not counted."""
        now = self._now_ms()
        wait_ms = max(self._full_at.get(device_key, 0.0), now) + self._interval_ms - now - self._room_ms
        if wait_ms > 0:
            raise Refused("too_many_requests", retry_after_s=-(-max(1, int(wait_ms)) // 1000))
