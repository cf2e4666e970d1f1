"""The demo's phones: reference devices over real HTTP, on a connection that can be cut and can lose answers."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from sfa.core.clock import SystemClock
from sfa.core.ids import KeyMaker
from sync.device import ConnectionLost, Device, Store
from sync.device.http import HttpTransport


class Signal:
    """A transport with a switch: no signal at all, the next answers lost on their way back, or a line that dies each
    time that so many bytes of files have passed."""

    def __init__(self, inner: HttpTransport) -> None:
        self._inner = inner
        self.on = True
        self.answers_to_lose = 0
        self.dies_after: int | None = None
        self._passed = 0

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        if not self.on:
            raise ConnectionLost("no signal in this valley")
        status, answer = self._inner.post(path, body, token)
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise ConnectionLost("the answer was lost on its way back")
        return status, answer

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        if not self.on:
            raise ConnectionLost("no signal in this valley")
        left = None if self.dies_after is None else self.dies_after - self._passed
        answer = self._inner.send(method, path, headers, body[:left], token)
        self._passed += len(body[:left])
        if left is not None and len(body) >= left:
            self._passed = 0
            raise ConnectionLost("the line died in the middle")
        return answer


class Phone(Struct, frozen=True):
    """One person's phone."""

    name: str
    user_key: str
    email: str
    device: Device
    signal: Signal


@contextmanager
def phone(folder: Path, server: str, user_key: str, name: str, email: str, store: str | None = None) -> Iterator[Phone]:
    """A new phone, not logged in; closed when the block ends."""
    clock = SystemClock()
    with HttpTransport(server) as http, closing(Store(folder / f"{store or user_key}.db")) as kept:
        signal = Signal(http)
        yield Phone(name, user_key, email, Device(kept, signal, clock, KeyMaker(clock)), signal)
