"""A device's exchanges written down as they were, to be played again (`replay`).

A trace is a file of JSON lines: one that says whose it is, then each request and, if one came, its answer. The request
is on the file before it is sent, so that a device killed in the middle leaves a request without an answer, which is
what happened. Logins are left out and no token is written; rows are, so only their owner may read the file.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sync.device.transport import ConnectionLost, Content, FileTransport, Lines, LiveTransport, Transport

FORMAT = 1
SYNC = "/sync"

_encode = msgspec.json.Encoder().encode


class Head(Struct, frozen=True, tag="head"):
    """`device` is the registration whose numbers and cursors the trace has."""

    format: int
    app: str
    user: str
    device: str
    at: int


class Sent(Struct, frozen=True, tag="sent"):
    at: int
    path: str
    body: Raw


class Answered(Struct, frozen=True, tag="answered"):
    """`body` is null where it was no JSON."""

    at: int
    status: int
    body: Raw


class Exchange(Struct, frozen=True):
    """One request and its answer; `answer` is None where none came. `at` is the device's time."""

    at: int
    request: dict[str, Any]
    status: int | None = None
    answer: dict[str, Any] | None = None


class Recorder:
    """A transport that writes down what passes; it appends to a trace of the same registration."""

    def __init__(self, transport: Transport, path: Path, head: Head, clock: Clock) -> None:
        self._transport, self._path, self._clock = transport, path, clock
        if path.exists() and path.stat().st_size:
            known = _head(path)
            if (known.user, known.device) != (head.user, head.device):
                raise Refused("trace_invalid", f"{path} is the trace of another registration, {known.device}")
        else:
            self._write(head)

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        if path != SYNC:
            return self._transport.post(path, body, token)
        self._write(Sent(self._clock.now_ms(), path, Raw(body)))
        status, answer = self._transport.post(path, body, token)
        self._write(Answered(self._clock.now_ms(), status, _raw(answer)))
        return status, answer

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Bytes of files are not written down."""
        if not isinstance(self._transport, FileTransport):
            raise ConnectionLost("this transport carries no files")
        return self._transport.send(method, path, headers, body, token)

    def listen(self, path: str, token: str | None) -> AbstractContextManager[Lines]:
        """A stream says nothing that is worth keeping: it passes."""
        if not isinstance(self._transport, LiveTransport):
            raise ConnectionLost("this transport can only post")
        return self._transport.listen(path, token)

    def _write(self, line: Struct) -> None:
        with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(_encode(line) + b"\n")


def _raw(body: bytes) -> Raw:
    try:
        msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Raw(b"null")
    return Raw(body)


def _lines(path: Path) -> Iterator[Head | Sent | Answered]:
    decode = msgspec.json.Decoder(Head | Sent | Answered).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return  # the device was killed while it wrote
            try:
                yield decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise Refused("trace_invalid", f"{path}, line {number}, is no line of a trace: {error}") from error


def _head(path: Path) -> Head:
    head = next(_lines(path), None)
    if not isinstance(head, Head) or head.format != FORMAT:
        raise Refused("trace_invalid", f"{path} is no trace of format {FORMAT}")
    return head


def read(path: Path) -> tuple[Head, list[Exchange]]:
    """The whole trace. Raises `Refused` for a file that is none."""
    head, found = _head(path), list[Exchange]()
    for line in _lines(path):
        if isinstance(line, Sent):
            found.append(Exchange(line.at, msgspec.json.decode(line.body, type=dict[str, Any])))
        elif isinstance(line, Answered) and found:
            answer = msgspec.json.decode(line.body)
            if isinstance(answer, dict):
                found[-1] = msgspec.structs.replace(found[-1], status=line.status, answer=answer)
    return head, found
