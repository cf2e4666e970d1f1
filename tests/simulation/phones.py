"""One phone of the simulation: the reference device or the model device, behind the same few verbs.

A phone's clock is off by a constant. Whatever its app would refuse at once is simply not done; `force` queues what no
app would, to see what the server makes of it.
"""

import random
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sync import cursor as cursors
from sync.device import outbox, view
from sync.device.client import Device
from sync.device.session import ServerRefused
from sync.device.store import Person, Store
from sync.device.transport import ConnectionLost, Content
from sync.protocol import CONTRACT_MAX
from tests import older_contract
from tests.simulation.model_device import ModelDevice
from tests.simulation.network import Cut, Network
from tests.simulation.server import SECRET
from tests.simulation.snapshot import Snapshot

Rows = dict[tuple[str, str], tuple[int, dict[str, Any]]]
TOO_OLD = "contract_unsupported"
Part = tuple[str, str, str, dict[str, Any]]  # kind, entity, key, fields


REPAIR = "repair"


class SkewedClock:
    def __init__(self, clock: Clock, skew_ms: int) -> None:
        self._clock, self.skew_ms = clock, skew_ms

    def now_ms(self) -> int:
        return self._clock.now_ms() + self.skew_ms


class Phone(ABC):
    """`on_page(phone, caught_up)` is called after every page that was taken in."""

    def __init__(self, key: str, user: str, clock: SkewedClock, on_page: Callable[["Phone", bool], None]) -> None:
        self.key, self.user, self.clock = key, user, clock
        self._on_page = on_page
        self.drafts: dict[str, tuple[int, str]] = {}  # note -> revision seen, and the text last saved on it
        self.must_upgrade = False

    @property
    @abstractmethod
    def contract(self) -> int:
        """The version that its app speaks."""

    @abstractmethod
    def speak(self, contract: int) -> None:
        """Its app is of another version from now on."""

    def should(self, snapshot: Snapshot) -> Rows:
        """What it must hold, exactly: its user's scope, in the words of its version."""
        visible = snapshot.visible(self.user)
        if self.contract == CONTRACT_MAX:
            return visible
        told = {
            place: (rev, older_contract.told(self.contract, place[0], row)) for place, (rev, row) in visible.items()
        }
        return {place: (rev, row) for place, (rev, row) in told.items() if row is not None}

    @abstractmethod
    def rows(self) -> Rows: ...

    @abstractmethod
    def do(self, part: Part) -> bool: ...

    @abstractmethod
    def force(self, part: Part) -> None: ...

    @abstractmethod
    def do_together(self, parts: list[Part]) -> bool: ...

    @abstractmethod
    def sync(self, page_rows: int) -> bool:
        """-> whether it caught up with nothing left to send."""

    @abstractmethod
    def pending(self) -> int: ...

    @abstractmethod
    def spoil_cursor(self, rng: random.Random) -> None: ...

    def repairs(self) -> list[str]:
        """What it fetched again because it differed from the server."""
        return []

    # -- endings ------------------------------------------------------------------------------------------------

    over = False  # nobody logs in here again

    @abstractmethod
    def ended(self) -> str | None:
        """Why its registration can push no more: a login gets a new one. None while it can."""

    def is_out(self) -> bool:
        """Nobody is logged in."""
        return self.over or self.ended() not in (None, "mutation_reused")

    @abstractmethod
    def login(self, key: str) -> None:
        """Under a new registration."""


def _tampered(cursor: str | None, rng: random.Random) -> str | None:
    """Lost, cut short, with one character changed, or moved on by somebody who knows how cursors are made."""
    if cursor is None or rng.random() < 0.4:
        return None
    known = cursors.read(cursor, SECRET)
    if known is not None and rng.random() < 0.6:
        further = msgspec.structs.replace(known, c=known.c + rng.randint(1, 9), fills={})
        return cursors.write(further, b"not the server's secret")
    place = rng.randrange(len(cursor))
    if rng.random() < 0.3:
        return cursor[:place]
    return cursor[:place] + rng.choice("ABCxyz019") + cursor[place + 1 :]


class ModelPhone(Phone):
    def __init__(
        self, key: str, user: str, clock: SkewedClock, on_page: Callable[[Phone, bool], None], network: Network
    ) -> None:
        super().__init__(key, user, clock, on_page)
        self.device = ModelDevice(user, lambda path, body: network.post(user, self.key, body, path), clock.now_ms)

    @property
    def contract(self) -> int:
        return self.device.contract

    def speak(self, contract: int) -> None:
        self.device.speak(contract)

    def rows(self) -> Rows:
        return self.device.rows

    def do(self, part: Part) -> bool:
        if part[0] == REPAIR:
            return self.device.queue_repair(part[2], **part[3])
        said = self._said(part)
        if said is not None:
            self.device.queue(*said)
        return said is not None

    def _said(self, part: Part) -> Part | None:
        """In the words of its version; None where that has none."""
        kind, entity, key, fields = part
        words = older_contract.said(self.contract, entity, fields)
        return None if words is None else (kind, entity, key, words)

    def force(self, part: Part) -> None:
        self.device.queue(*part)

    def do_together(self, parts: list[Part]) -> bool:
        said = [self._said(part) for part in parts if part[0] != REPAIR]
        whole = [part for part in said if part is not None]
        if whole:
            self.device.queue_unit(whole)
        return bool(whole)

    def sync(self, page_rows: int) -> bool:
        try:
            return self.device.sync(page_rows, lambda caught_up: self._on_page(self, caught_up))
        except ConnectionLost as lost:
            self.must_upgrade = TOO_OLD in str(lost)
            raise

    def pending(self) -> int:
        return len(self.device.outbox)

    def spoil_cursor(self, rng: random.Random) -> None:
        self.device.cursor = _tampered(self.device.cursor, rng)

    def ended(self) -> str | None:
        return self.device.ended

    def login(self, key: str) -> None:
        self.key = key
        self.device.register_anew()


class Line(Protocol):
    """Where the bytes of files go."""

    def send(
        self, user: str, device: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]: ...


class _Wire:
    """Hands an answer on in pieces that know nothing of lines. The access token of this world is the registration's
    key."""

    def __init__(self, network: Network, user: str, rng: random.Random) -> None:
        self._network, self._user, self._rng = network, user, rng
        self.received = 0
        self.line: Line | None = None

    def stream(self, path: str, body: bytes, token: str | None) -> tuple[int, Iterator[bytes]]:
        try:
            status, answer = self.post(path, body, token)
        except Cut as cut:
            return 200, self._pieces(cut.received, cut)
        return status, self._pieces(answer, None)

    def _pieces(self, answer: bytes, cut: Cut | None) -> Iterator[bytes]:
        self.received += len(answer)
        while answer:
            size = self._rng.randint(1, 2 * len(answer))
            yield answer[:size]
            answer = answer[size:]
        if cut is not None:
            raise cut

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        assert path in ("/sync", "/sync/drain")
        if token is None:  # another sync of this phone was told to erase it, in the middle of this one
            raise ConnectionLost("nobody is logged in")
        return self._network.post(self._user, token, body, path)

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        assert self.line is not None
        assert isinstance(body, bytes)
        if token is None:
            raise ConnectionLost("nobody is logged in")
        return self.line.send(self._user, token, method, path, headers, body)


class MortalStore(Store):
    """The reference device's store: the process ends at a statement, and the file is as its last commit left it."""

    dies_in: int | None = None

    def copy_to(self, other: "MortalStore") -> None:
        self._connection.backup(other._connection)

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        if self.dies_in is not None and sql != "ROLLBACK":
            self.dies_in -= 1
            if self.dies_in <= 0:
                self.dies_in = None
                raise ConnectionLost("the phone died")
        return super().execute(sql, values)


class ReferencePhone(Phone):
    def __init__(
        self,
        key: str,
        user: str,
        clock: SkewedClock,
        on_page: Callable[[Phone, bool], None],
        network: Network,
        rng: random.Random,
    ) -> None:
        super().__init__(key, user, clock, on_page)
        self.store = MortalStore()
        self._network, self._rng = network, rng
        self._gone: str | None = None
        self.store.set_state(user=self._person(), device_key=key, access_token=key)
        self.wire = _Wire(network, user, rng)
        self.device = Device(self.store, self.wire, clock, KeyMaker(clock, rng.getrandbits))

    def _person(self) -> Person:
        return Person(self.user, self.user.title(), f"{self.user}@example.com")

    @property
    def contract(self) -> int:
        return self.store.speaks

    def speak(self, contract: int) -> None:
        self.store.speaks = contract

    def rows(self) -> Rows:
        return view.synced_rows(self.store)

    def do(self, part: Part) -> bool:
        kind, entity, key, fields = part
        try:
            if kind == "create":
                self.device.create(entity, fields, key)
            elif kind == "update":
                self.device.update(entity, key, fields)
            elif kind == "delete":
                self.device.delete(entity, key)
            elif kind == REPAIR:
                self.device.repair(key, fields["set"], without=fields["without"], key=fields["key"])
            else:
                self.device.command(kind, key, fields, entity)
        except Refused:
            return False
        return True

    def force(self, part: Part) -> None:
        self.do(part)  # the reference device lets pass what the pure rules do not forbid

    def do_together(self, parts: list[Part]) -> bool:
        try:
            with self.device.unit():
                for part in parts:
                    if not self.do(part):
                        raise Refused("mutation_invalid")
        except Refused:
            return False
        return True

    def sync(self, page_rows: int) -> bool:
        if not self._network.peace and self._rng.random() < 0.12:
            self.store.dies_in = self._rng.randint(1, 60)
        try:
            result = self.device.sync(lambda p: self._on_page(self, p.caught_up), page_rows, check=True)
        except ServerRefused as refused:
            if refused.code in ("device_revoked", "device_wiped", "device_unknown"):
                self._gone = refused.code
            elif refused.code not in ("replica_behind", TOO_OLD):
                raise
            self.must_upgrade = refused.code == TOO_OLD
            raise ConnectionLost(refused.code) from refused
        finally:
            self.store.dies_in = None
        return result.caught_up and not self.pending()

    def pending(self) -> int:
        return len(outbox.pending(self.store))

    def repairs(self) -> list[str]:
        return [notice.text for notice in self.device.notices() if notice.kind in ("refill", "strays")]

    def spoil_cursor(self, rng: random.Random) -> None:
        self.store.set_state(cursor=_tampered(self.store.state().cursor, rng))

    def ended(self) -> str | None:
        state = self.store.state()
        if self._gone is None and state.user is None:
            return "device_revoked"  # it died when it had erased itself, before anybody was told
        return self._gone or ("mutation_reused" if state.registration == "reused" else None)

    def login(self, key: str) -> None:
        """As `session.login` does with what the server answers."""
        self.key, self._gone = key, None
        with self.store.transaction():
            if self.store.state().device_key not in (None, key):
                self.store.set_state(registration="moving", cursor=None)
            self.store.set_state(user=self._person(), device_key=key, access_token=key)

    def copied(self) -> "ReferencePhone":
        """Its file on a second phone, of the same person: both go on under one registration."""
        twin = ReferencePhone(self.key, self.user, self.clock, self._on_page, self._network, self._rng)
        self.store.copy_to(twin.store)
        twin.drafts, twin._gone = dict(self.drafts), self._gone
        twin.speak(self.contract)
        return twin
