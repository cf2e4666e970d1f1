"""A reference device in the pocket of one of the company's people: the real server in process, over a bad line.

`Line` loses what it is told to lose. It answers `/auth/login` itself, with the registration that the test chose: who
may log in is not what these tests are about (`test_http` logs in for real).
"""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from sfa.core.clock import VirtualClock
from sfa.core.ids import KeyMaker
from sfa.core.shapes import SHAPES
from sfa.web.errors import problem_of
from sync.device import ConnectionLost, Device, Store
from sync.protocol import SyncRequest
from sync.round import Caller
from tests.builders import NOW, USERS
from tests.office import Office

LOST_REQUEST, LOST_ANSWER = "request", "answer"


class Line:
    """The way to the server for one registration. `faults` are used up one by one, None being a good exchange."""

    def __init__(self, office: Office, user: str, device: str) -> None:
        self.office, self.user, self.device = office, user, device
        self.faults: list[str | None] = []
        self.requests: list[SyncRequest] = []
        self.between: Callable[[], None] | None = None  # what others do before the next answer

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        if path == "/auth/login":
            person = {"key": self.user, "name": self.user.title(), "email": f"{self.user}@example.com"}
            tokens = {"access_token": "a", "refresh_token": "r", "expires_in": 900, "device_id": self.device}
            return 200, msgspec.json.encode({**tokens, "user": {**person, "role": USERS[self.user]}})
        assert (path, token) == ("/sync", "a")
        self.requests.append(msgspec.json.decode(body, type=SyncRequest))
        fault = self.faults.pop(0) if self.faults else None
        if fault == LOST_REQUEST:
            raise ConnectionLost("the request was lost")
        if self.between is not None:
            happens, self.between = self.between, None
            happens()
        try:
            answer = self.office.round.answer_blocking(Caller(self.user, self.device), body)
        except Exception as error:
            problem = problem_of(error)
            return problem.status, problem.body
        if fault == LOST_ANSWER:
            raise ConnectionLost("the answer was lost")
        return 200, answer


class Pocket(Device):
    """A device with its line at hand."""

    line: Line

    def reopened(self, path: Path, connect: Callable[..., sqlite3.Connection] = sqlite3.connect) -> "Pocket":
        """The app after it was killed: the same file, nothing else."""
        return opened(self.line, Store(path, connect))

    def rows(self) -> dict[tuple[str, str], dict[str, object]]:
        """(entity, key) -> row as synced, without revisions."""
        return {place: row for place, (_, row) in self.synced_rows().items()}


def opened(line: Line, store: Store) -> Pocket:
    clock = line.office.clock
    pocket = Pocket(store, line, clock, KeyMaker(clock))
    pocket.line = line
    return pocket


def pocket(
    office: Office,
    user: str,
    path: str | Path = ":memory:",
    device: str | None = None,
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
) -> Pocket:
    """A logged-in device of `user`, under the registration `d-<user>` or a new one."""
    office.phone(user, device)
    made = opened(Line(office, user, device or f"d-{user}"), Store(path, connect))
    made.login(f"{user}@example.com", "password")
    return made


def of_scope(office: Office, user: str) -> dict[tuple[str, str], dict[str, object]]:
    """(entity, key) -> row of all that the server says this user's device holds: read off the tables."""
    held = office.held(user)
    return {
        (entity, row["key"]): {field: row[field] for field in shape.types}
        for entity, shape in SHAPES.items()
        for row in office.rows(entity)
        if not held.isdisjoint(row["buckets"]) and not row.get("aged")
    }


class NoSignal:
    def post(self, path: str, _body: bytes, _token: str | None) -> tuple[int, bytes]:
        raise ConnectionLost(f"no signal for {path}")


def alone(user: str = "ana") -> Device:
    """A logged-in device that reaches nobody."""
    clock = VirtualClock(NOW)
    device = Device(Store(), NoSignal(), clock, KeyMaker(clock))
    person = {"key": user, "name": user.title(), "email": f"{user}@example.com", "role": USERS[user]}
    device.store.set_state(user=msgspec.json.encode(person).decode(), device_key=f"d-{user}", access_token="a")
    return device


def numbers(requests: Iterable[SyncRequest]) -> list[list[int]]:
    """The numbers of each request's mutations."""
    return [[msgspec.json.decode(raw)["n"] for raw in request.mutations] for request in requests]
