"""The wire as the device needs it: one POST, an answer or a lost connection; and a stream of lines, to wait for news.

`ConnectionLost` says that nobody knows whether the request arrived. Every request of the device may be repeated then.
A transport that hands on an answer while it arrives lets the device keep each line of it, wherever the rest is lost.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, runtime_checkable

Content = bytes | Iterator[bytes]


class ConnectionLost(Exception):
    """No whole answer came: the request, the answer or a part of it was lost."""


class Transport(Protocol):
    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        """Send a JSON body; -> (HTTP status, JSON body), inflated. Raises `ConnectionLost`."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A transport that gives an answer in parts. `received` counts the bytes of answers that came over the wire, as
    they travelled; it only grows."""

    received: int

    def stream(self, path: str, body: bytes, token: str | None) -> tuple[int, Iterator[bytes]]:
        """Send a JSON body; -> (HTTP status, the body in parts as they arrive), inflated. Both the call and each part
        may raise `ConnectionLost`; what came before stays good."""
        ...


class Lines(NamedTuple):
    """An answer that goes on: its HTTP status, and its lines as they come. A line that does not come in time, or a
    connection that breaks, raises `ConnectionLost`; the server's own end just ends them."""

    status: int
    lines: Iterator[str]


@runtime_checkable
class LiveTransport(Transport, Protocol):
    """A transport that can also wait."""

    def listen(self, path: str, token: str | None) -> AbstractContextManager[Lines]:
        """Open a stream with GET; closed with the block."""
        ...


@runtime_checkable
class FileTransport(Transport, Protocol):
    """A transport that can also carry the bytes of files."""

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """-> (HTTP status, headers in small letters, body). Raises `ConnectionLost`."""
        ...
