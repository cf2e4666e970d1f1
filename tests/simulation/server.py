"""The server of a seed: the production round trip, request bytes in and answer bytes out, with a tap on its database.

The tap lets others work between the push and the pull of one request, and takes a snapshot in the very transaction
that answers `caught_up`. A restart forgets what a process keeps.
"""

from collections.abc import Callable
from typing import Any, cast

import msgspec
from sqlalchemy import Connection

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.db.database import Database
from sync import decisions, quarantine
from sync.pull import PageBytes
from sync.round import Caller, Round
from sync.sheet import LINE_BYTES
from tests.older_contract import VERSIONS_FROM_0
from tests.simulation.checkers.parted import watched
from tests.simulation.crashes import Crashes
from tests.simulation.snapshot import Snapshot

COMMANDS = watched(decisions.COMMANDS)
SECRET = b"a secret of 32 bytes for cursors"


class Tap:
    """Stands where the round trip expects its database."""

    def __init__(self, server: "Server") -> None:
        self._server = server

    def write(self, work: Any, /, *args: Any) -> Any:
        return self._server.write(work, *args)

    def read(self, work: Any, /, *args: Any) -> Any:
        self._server.before_read()
        return self._server.database.read(self._seen, work, args)

    def _seen(self, connection: Connection, work: Any, args: tuple[Any, ...]) -> Any:
        answer = work(connection, *args)
        if isinstance(answer, PageBytes):
            self._server.answered_with = self._server.take(connection) if answer.caught_up else None
        return answer


class Server:
    def __init__(self, database: Database, clock: Clock, crashes: Crashes) -> None:
        self.database, self.clock, self.crashes = database, clock, crashes
        database.probe = crashes.probe
        self.before_read: Callable[[], None] = lambda: None
        self.after_commit: Callable[[Snapshot], None] = lambda _snapshot: None
        self.answered_with: Snapshot | None = None
        self.line_bytes = LINE_BYTES
        self._kept: tuple[tuple[int, int], Snapshot] | None = None
        self.versions = VERSIONS_FROM_0
        self.restart()

    def restart(self) -> None:
        """A new process on the same database."""
        asked: dict[str, Any] = {"line_bytes": self.line_bytes, "versions": self.versions}
        self.round = Round(cast(Database, Tap(self)), self.clock, SECRET, COMMANDS, **asked)

    def answer(self, user: str, device: str, body: bytes, path: str = "/sync") -> tuple[int, bytes]:
        """-> (HTTP status, body)."""
        try:
            if path == "/sync/drain":
                kept = self.write(quarantine.drain, user, device, body, self.clock.now_ms())
                return 200, msgspec.json.encode(kept)
            return 200, self.round.answer_blocking(Caller(user, device), body)
        except Refused as refused:
            problem = {"code": refused.code, "title": refused.text, **refused.details}
            return refused.status, msgspec.json.encode(problem)

    def write(self, work: Any, /, *args: Any) -> Any:
        """One transaction of the server; whatever it committed is looked at."""
        before = self.crashes.commits
        try:
            return self.database.write(work, *args)
        finally:
            if self.crashes.commits != before:
                self.after_commit(self.snapshot())

    def snapshot(self) -> Snapshot:
        if self._kept is not None and self._kept[0] == self._state():
            return self._kept[1]
        return self.database.read(self.take)

    def _state(self) -> tuple[int, int]:
        return self.crashes.commits, self.clock.now_ms()

    def take(self, connection: Connection) -> Snapshot:
        if self._kept is None or self._kept[0] != self._state():
            before = self._kept[1] if self._kept is not None else None
            self._kept = (self._state(), Snapshot(connection, self.clock.now_ms(), before))
        return self._kept[1]
