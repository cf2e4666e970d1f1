"""The demo's phones: reference devices over real HTTP, on a connection that can be cut and can lose answers."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from sfa.core.clock import Clock, SystemClock
from sfa.core.ids import KeyMaker
from sync.device import ConnectionLost, Device, Store
from sync.device.http import HttpTransport
from sync.device.transport import Content, FileTransport

PIECE_BYTES, PIECE_S = 16_000, 0.004


class Signal:
    """A transport with a switch: no signal at all, the next answers lost on their way back, or a line that dies each
    time that so many bytes of files have passed."""

    def __init__(self, inner: HttpTransport) -> None:
        self._inner = inner
        self.on = True
        self.answers_to_lose = 0
        self.dies_every = self._left = self.cuts = 0

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        if not self.on:
            raise ConnectionLost("no signal in this valley")
        status, answer = self._inner.post(path, body, token)
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise ConnectionLost("the answer was lost on its way back")
        return status, answer

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Bytes of files; after `dies_every` of them the connection breaks in the middle of a request."""
        if not self.on:
            raise ConnectionLost("no signal in this valley")
        if not isinstance(self._inner, FileTransport):
            raise ConnectionLost("this transport carries no files")
        if not isinstance(body, bytes) or not self.dies_every or len(body) <= self._left:
            self._left -= len(body) if isinstance(body, bytes) else 0
            return self._inner.send(method, path, headers, body, token)
        part, self._left = body[: self._left], self.dies_every
        self.cuts += 1
        return self._inner.send(method, path, {**headers, "Content-Length": str(len(body))}, _dying(part), token)

    def die_every(self, count: int) -> None:
        """0: it lives on."""
        self.dies_every = self._left = count


def _dying(part: bytes) -> Iterator[bytes]:
    """As a radio sends: a little at a time."""
    for start in range(0, len(part), PIECE_BYTES):
        yield part[start : start + PIECE_BYTES]
        time.sleep(PIECE_S)
    raise ConnectionLost("the connection broke")


class SetBack:
    """The machine's clock, set back while somebody works in the past; right again when the phone syncs."""

    def __init__(self) -> None:
        self._right, self._shift = SystemClock(), 0

    def now_ms(self) -> int:
        return self._right.now_ms() + self._shift

    def set_to(self, instant_ms: int | None) -> None:
        """None is the right time."""
        self._shift = 0 if instant_ms is None else instant_ms - self._right.now_ms()


class Phone(Struct, frozen=True):
    """One person's phone."""

    name: str
    user_key: str
    email: str
    device: Device
    signal: Signal


@contextmanager
def phone(
    folder: Path,
    server: str,
    user_key: str,
    name: str,
    email: str,
    store: str | None = None,
    clock: Clock | None = None,
) -> Iterator[Phone]:
    """A new phone, not logged in; closed when the block ends."""
    clock = clock or SystemClock()
    with HttpTransport(server) as http, closing(Store(folder / f"{store or user_key}.db")) as kept:
        signal = Signal(http)
        yield Phone(name, user_key, email, Device(kept, signal, clock, KeyMaker(clock)), signal)
