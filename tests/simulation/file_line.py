"""The line that files travel over: it loses requests and answers, breaks at any byte of a body, repeats, and lets
others work, another server process take the upload over, or the server die, while bytes are on their way.
"""

import random
from collections.abc import Callable, Mapping

from sqlalchemy import select

from sfa.core.registrations import ACTIVE
from sfa.db.tables import devices
from sfa.files.rules import metadata
from sfa.web.principal import Principal
from sync.device.transport import ConnectionLost
from tests.simulation.failure import Failed
from tests.simulation.filing import Answer, FileServer
from tests.simulation.server import Server

FAULTS = (
    ("none", 34),
    ("drop request", 5),
    ("drop answer", 10),
    ("repeat", 8),
    ("cut", 16),
    ("kill", 12),
    ("crash", 10),
    ("meanwhile", 12),
    ("another process", 8),
)
KILLED_WITHIN = 9  # steps on the disk
TUS = {"Tus-Resumable": "1.0.0"}


class FileLine:
    """`meanwhile` is what others do in the middle of a body."""

    def __init__(self, rng: random.Random, server: Server, files: FileServer, log: Callable[[str], None]) -> None:
        self._rng, self._server, self._files, self._log = rng, server, files, log
        self.meanwhile: Callable[[], None] = lambda: None
        self.known: dict[str, bytes] = {}  # every content that anybody ever attached, by its SHA-256
        self.peace = False
        self._deep = False

    def send(
        self, user: str, device: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """-> (status, headers, body), or `ConnectionLost`."""
        state = self._server.database.read(lambda c: c.execute(_STATE.where(devices.c.key == device)).scalar())
        if state != ACTIVE:
            raise ConnectionLost("401: this registration has ended, as its next sync will hear")
        who, fault = Principal(user, "", device), self._fault(body)
        if fault != "none":
            self._log(f"  line: {fault} ({device} {method}, {len(body)} bytes)")
        if fault == "drop request":
            raise ConnectionLost(fault)
        self._prepare(fault, who, path)
        is_cut = fault == "cut"
        part = body[: self._rng.randint(0, len(body))] if is_cut else body
        try:
            answer = self._files.ask(who, method, path, headers, self._pieces(part), is_cut=is_cut)
            if fault == "repeat" and answer is not None:
                answer = self._files.ask(who, method, path, headers, self._pieces(part))
        finally:
            self._server.crashes.disarm()
            self._files.process.life.dies_in = None
            self._files.between = _nothing
        return self._told(answer, fault)

    def _fault(self, body: bytes) -> str:
        if self.peace or self._deep:
            return "none"
        names, weights = zip(*FAULTS, strict=True)
        fault: str = self._rng.choices(names, weights)[0]
        return "none" if fault in ("cut", "another process", "meanwhile") and len(body) < 2 else fault

    def _prepare(self, fault: str, who: Principal, path: str) -> None:
        if fault == "crash":
            self._server.crashes.arm()
        elif fault == "kill":
            self._files.process.life.dies_in = self._rng.randint(1, KILLED_WITHIN)
        elif fault in ("meanwhile", "another process"):
            self._files.between = lambda: self._once(fault, who, path)

    def _pieces(self, body: bytes) -> list[bytes]:
        """The body as it arrives."""
        pieces = []
        while body:
            size = self._rng.randint(1, len(body))
            pieces.append(body[:size])
            body = body[size:]
        return pieces

    def _once(self, fault: str, who: Principal, path: str) -> None:
        if self._rng.random() < 0.4:
            return
        self._files.between, self._deep = _nothing, True
        try:
            if fault == "meanwhile":
                self.meanwhile()
            else:
                self._take_over(who, path)
        finally:
            self._deep = False

    def _take_over(self, who: Principal, path: str) -> None:
        """The same phone on a new connection, which another process answers: nothing is known there of the first."""
        process = self._files.another()
        stands = self._files.ask(who, "HEAD", path, TUS, process=process)
        if stands is None or stands.status != 200:
            return
        offset, size = int(stands.headers["upload-offset"]), int(stands.headers["upload-length"])
        headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        rest = self.known[metadata(stands.headers["upload-metadata"])["sha256"]][offset:]
        some = rest[: self._rng.randint(0, min(len(rest), size))]
        told = self._files.ask(who, "PATCH", path, headers, self._pieces(some), process=process)
        self._log(f"  line: another process took {len(some)} bytes from {offset}: {told and told.status}")

    def _told(self, answer: Answer | None, fault: str) -> tuple[int, Mapping[str, str], bytes]:
        if answer is None:
            self._server.restart()
            raise ConnectionLost(fault)
        if answer.status == 500:
            raise Failed("bytes_kept", f"the server does not know what to say: {answer.body.decode()}")
        if answer.status >= 400:
            self._log(f"  files: {answer.status} {answer.body.decode(errors='replace')[:120]}")
        if fault == "drop answer":
            raise ConnectionLost(fault)
        return answer


_STATE = select(devices.c.state)


def _nothing() -> None:
    return None
