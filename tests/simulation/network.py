"""The network between phones and server: it loses requests and answers, cuts answers anywhere, repeats, delays and
reorders them.

Every body is real JSON bytes. A request that is delayed reaches the server later, when the phone has long given up and
sent it again. Others may work while a request travels, and between its push and its pull. In peace nothing is lost.
"""

import random
from collections.abc import Callable

from sync.device.transport import ConnectionLost
from tests.simulation.failure import Crash
from tests.simulation.ledger import Ledger
from tests.simulation.server import Server
from tests.simulation.snapshot import Snapshot

FAULTS = (
    ("none", 50),
    ("drop request", 6),
    ("drop answer", 9),
    ("repeat", 7),
    ("delay", 7),
    ("crash", 9),
    ("meanwhile", 8),
    ("between push and pull", 12),
    ("cut", 10),
)
DELAYED_MAX = 4


class Cut(ConnectionLost):
    """The answer broke off: `received` is what came of it."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"cut after {len(received)} bytes")
        self.received = received


class Network:
    def __init__(self, rng: random.Random, server: Server, ledger: Ledger, log: Callable[[str], None]) -> None:
        self._rng, self._server, self._ledger, self._log = rng, server, ledger, log
        self.meanwhile: Callable[[str], None] = lambda _device: None
        self.on_answer: Callable[[str, str, bytes], None] = _unheard
        self.snapshots: dict[str, Snapshot | None] = {}  # device -> that of its last answer, if that caught up
        self.peace = False
        self._delayed: list[tuple[str, str, bytes, str]] = []
        self._deep = False

    def post(self, user: str, device: str, body: bytes, path: str = "/sync") -> tuple[int, bytes]:
        """A phone's request; -> (status, answer), or `ConnectionLost`: a `Cut` where a part of the answer came."""
        self._ledger.note_sent(device, body)
        fault = "none"
        if not self.peace and not self._deep:
            names, weights = zip(*FAULTS, strict=True)
            fault = self._rng.choices(names, weights)[0]
        if fault != "none":
            self._log(f"  network: {fault} ({device})")
        if fault in ("drop request", "delay"):
            if fault == "delay" and len(self._delayed) < DELAYED_MAX:
                self._delayed.append((user, device, body, path))
            raise ConnectionLost(fault)
        if fault == "meanwhile":
            self._let_others_work(device)
        if fault == "between push and pull":
            self._server.before_read = lambda: self._once(device)
        if fault == "crash":
            self._server.crashes.arm()
        try:
            answer = self._deliver(user, device, body, path)
            if fault == "repeat":
                answer = self._deliver(user, device, body, path)
        finally:
            self._server.before_read = _nothing
            self._server.crashes.disarm()
        snapshot = self._server.answered_with
        if fault == "meanwhile" and self._rng.random() < 0.5:
            self._let_others_work(device)
        if fault == "drop answer":
            raise ConnectionLost(fault)
        self.snapshots[device] = snapshot
        if fault == "cut" and answer[0] == 200:
            raise Cut(self._part_of(answer[1]))
        return answer

    def _part_of(self, answer: bytes) -> bytes:
        """Cut at any byte, often beside the end of a line: with its break, without it, and just after."""
        ends = [i for i, byte in enumerate(answer) if byte == ord("\n")]
        if ends and self._rng.random() < 0.5:
            return answer[: self._rng.choice(ends) + self._rng.choice((0, 1, 2))]
        return answer[: self._rng.randint(0, len(answer))]

    def deliver_delayed_quietly(self) -> None:
        try:
            self.deliver_delayed()
        except ConnectionLost:
            return

    def deliver_delayed(self) -> bool:
        """An old request arrives; nobody waits for its answer."""
        if not self._delayed:
            return False
        user, device, body, path = self._delayed.pop(self._rng.randrange(len(self._delayed)))
        self._log(f"  network: an old request of {device} arrives")
        self._deliver(user, device, body, path)
        return True

    def _deliver(self, user: str, device: str, body: bytes, path: str) -> tuple[int, bytes]:
        self._server.answered_with = None
        try:
            status, answer = self._server.answer(user, device, body, path)
        except Crash as crash:
            self._log(f"  server: crash {crash}")
            self._server.restart()
            raise ConnectionLost("crash") from crash
        if status == 200:
            self._ledger.note_answer(device, body, answer)
            self.on_answer(user, device, answer)
        else:
            self._log(f"  server: {status} {answer.decode()}")
        return status, answer

    def _once(self, device: str) -> None:
        self._server.before_read = _nothing
        self._let_others_work(device)

    def _let_others_work(self, device: str) -> None:
        self._deep = True
        try:
            self.meanwhile(device)
        finally:
            self._deep = False


def _nothing() -> None:
    return None


def _unheard(_user: str, _device: str, _answer: bytes) -> None:
    return None
