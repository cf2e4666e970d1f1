"""The device as an app uses it: queue edits, read what the user sees, and agree with the server in one `sync()`.

Everything is kept in the `Store`; a `Device` holds no state of its own, so any number of them may be opened one after
the other, and a device that was killed goes on where it was. Time and keys are injected.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sync.device import edits, ending, fetching, files, outbox, session, view, waiting
from sync.device.files import Attached
from sync.device.outbox import Queued
from sync.device.session import DeviceInfo, ServerRefused
from sync.device.settle import Progress, SyncResult, Tally, after, next_request, settle
from sync.device.store import Notice, Person, Store
from sync.device.transport import LiveTransport, Streaming, Transport
from sync.device.waiting import Pace
from sync.protocol import CONTRACT_MAX, PAGE_ROWS_DEFAULT

IDLE_ROUNDS_MAX = 5  # answers in a row that bring nothing and are not the last


class Device:
    """One installation used by one user. `contract` is the version that the app speaks: a store that an older app wrote
    goes on under a newer one, with its queue and its rows (S32)."""

    def __init__(
        self, store: Store, transport: Transport, clock: Clock, ids: KeyMaker, contract: int = CONTRACT_MAX
    ) -> None:
        self.store, self.transport, self.clock, self.ids = store, transport, clock, ids
        store.speaks = contract
        self._unit: str | None = None

    # -- the server ---------------------------------------------------------------------------------------------

    def login(
        self, email: str, password: str, name: str = "device", platform: str = "python", app_version: str = "1"
    ) -> Person:
        """Log in and keep the tokens; under a new registration where the old one can push no more."""
        device = DeviceInfo(name, platform, app_version)
        return session.login(self.store, self.transport, email, password, device)

    def logout(self) -> None:
        """End the login, without signal on this device only; rows and queue stay."""
        session.logout(self.store, self.transport)

    def sync(
        self,
        progress: Callable[[Progress], None] | None = None,
        page_rows: int = PAGE_ROWS_DEFAULT,
        *,
        check: bool = False,
    ) -> SyncResult:
        """Push the queue and pull until the server says that this device has caught up. `check`: compare every bucket
        with the server then, and fetch again the ones that differ (S16).

        Raises `ConnectionLost` and `ServerRefused`; what was settled until then is kept, each whole line of an answer
        that broke off too, and calling again goes on from there. A registration that was revoked or wiped has then
        drained, and erased what it held (S31). An app that is too old has then sent its queue, if the server still
        takes that (`contract_unsupported`, S32).
        """
        if self._unit is not None:
            raise RuntimeError("a unit is sent when it is complete")
        tally, pushing, idle = Tally(self._received()), True, 0
        while True:
            now_ms = self.clock.now_ms()
            refill = tally.to_refill()
            request = next_request(self.store, now_ms, page_rows, pushing=pushing, check=check, refill=refill)
            idle += 1
            try:
                for answer in session.exchange(self.store, self.transport, request):
                    settled = settle(self.store, request, answer, now_ms)
                    tally.add(settled, self._received())
                    if progress is not None:
                        progress(tally.progress())
                    pushing = pushing and settled.stuck is None  # what the server has is wanted all the same
                    idle = 0 if settled.moved else idle
                    request = after(request, answer)
            except ServerRefused as refused:
                ending.obey(self.store, self.transport, refused, now_ms)
                ending.tell_of_version(self.store, refused, now_ms)
                raise
            unsent = pushing and self.has_unsent()
            if (tally.caught_up and not unsent and not tally.to_refill()) or idle >= IDLE_ROUNDS_MAX:
                return tally.result(self.store)

    def _received(self) -> int | None:
        """Bytes of answers so far, where the transport counts them."""
        return self.transport.received if isinstance(self.transport, Streaming) else None

    def wait(self, told: Callable[[SyncResult], None], stop: threading.Event, pace: Pace | None = None) -> str:
        """Sync now, and again whenever the server says that there is news (S33) or this device has something to send,
        until `stop`; `told` hears of every sync. Without signal, or where no stream is to be had, it tries again with
        growing pauses, a sync each time. -> why it ended: "stopped", or "live_replaced" by another one who waits.

        Raises `ServerRefused` where only the user can help. Blocks: give it a thread, and a device, of its own; `stop`
        is noticed with the next heartbeat.
        """
        if not isinstance(self.transport, LiveTransport):
            raise TypeError("this transport can only post")
        return waiting.Waiting(self.store, self.transport, self.sync, self.has_unsent, pace).until(told, stop)

    def has_unsent(self) -> bool:
        """Whether a sync would push something."""
        if self.store.state().registration != "active":
            return False
        return outbox.lost_numbers(self.store) is not None or outbox.is_waiting(self.store)

    def _check_lease(self) -> None:
        if not self.store.is_leased(self.clock.now_ms()):
            raise Refused("lease_over")

    # -- what the user does -------------------------------------------------------------------------------------

    def create(self, entity: str, values: Mapping[str, Any], key: str | None = None) -> str:
        """-> the row's key, made here and final. Raises `Refused` for values that no server would take."""
        key = key if key is not None else self.ids.new()
        edits.create(self.store, entity, key, values, self.clock.now_ms(), self._unit)
        return key

    def update(self, entity: str, key: str, values: Mapping[str, Any]) -> int:
        """-> the mutation's number."""
        return edits.update(self.store, entity, key, values, self.clock.now_ms(), self._unit)

    def delete(self, entity: str, key: str) -> int:
        """-> the mutation's number."""
        return edits.delete(self.store, entity, key, self.clock.now_ms(), self._unit)

    def command(
        self, name: str, key: str, arguments: Mapping[str, Any] | None = None, entity: str | None = None
    ) -> int:
        """`visit.check_in`, `deal.win`, `conflict.restore`, …; -> the mutation's number. `entity` is needed only for
        a command that this device does not know."""
        arguments = arguments if arguments is not None else {}
        return edits.command(self.store, name, key, arguments, self.clock.now_ms(), self._unit, entity)

    def attach(self, entity: str, key: str, path: Path, values: Mapping[str, Any] | None = None) -> str:
        """Hang a file on a customer, visit, deal or note; -> the attachment's key. The copy is the device's own."""
        made = self.ids.new()
        files.attach(self.store, made, entity, key, path, values or {}, self.clock.now_ms(), self._unit)
        return made

    def files(self) -> Sequence[Attached]:
        """Copies that wait until the server has their bytes."""
        return files.attached(self.store)

    def upload(self) -> Iterator[Attached]:
        """Send the bytes of files whose rows are synced; each is told when it ended. Raises `ConnectionLost`, and
        goes on from there when it is called again."""
        return files.upload(self.store, self.transport, self.clock.now_ms())

    def fetch(self, key: str, target: Path) -> int:
        """Bring the content of an attachment to this place; -> its size. The place holds all of it or is not there;
        raises `ConnectionLost`, and goes on from there when it is called again."""
        self._check_lease()
        return fetching.fetch(self.store, self.transport, key, target)

    def repair(
        self,
        refusal: str,
        values: Mapping[str, Any],
        *,
        without: Collection[str] = (),
        key: str | None = None,
        reason: str | None = None,
    ) -> int:
        """Send a refused change again, with other values, without some fields, or a create under another key (S19);
        or, of a locked visit, as its amendment with a reason (R14). -> the mutation's number."""
        at = self.clock.now_ms()
        return edits.repair(self.store, refusal, values, at, self._unit, without=without, key=key, reason=reason)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Edits inside land together or not at all (S20): here if the block fails, there if one is refused."""
        if self._unit is not None:
            raise RuntimeError("units do not nest")
        unit = self.ids.new()
        with self.store.transaction():
            self._unit = unit
            try:
                yield
            finally:
                self._unit = None
            outbox.seal(self.store, unit)

    # -- what the user sees -------------------------------------------------------------------------------------

    def person(self) -> Person | None:
        """Whose store this is."""
        return self.store.state().user

    def get(self, entity: str, key: str) -> dict[str, Any] | None:
        """The row with the own queue on top, or None. Like every read it refuses `lease_over` until the next sync,
        where the last one is too long ago."""
        self._check_lease()
        return view.row(self.store, entity, key)

    def pending(self) -> Sequence[Queued]:
        """What the server has not answered yet, oldest first."""
        return outbox.pending(self.store)

    def kept(self) -> Sequence[Queued]:
        """Queued and acknowledged mutations, oldest first."""
        return outbox.kept(self.store)

    def conflicts(self) -> dict[str, dict[str, Any]]:
        """key -> conflicts that ask for a decision."""
        return self.list("conflicts", {"status": "open"})

    def refusals(self) -> dict[str, dict[str, Any]]:
        """key -> refused changes that are neither repaired nor dismissed."""
        return self.list("refusals", {"status": "open"})

    def handovers(self) -> dict[str, dict[str, Any]]:
        """key -> what was queued for a row that its user lost, and what was decided about it."""
        return self.list("handovers")

    def suggestions(self) -> dict[str, dict[str, Any]]:
        """key -> what the server suggests and nobody decided yet."""
        return self.list("suggestions", {"status": "open"})

    def notices(self) -> Sequence[Notice]:
        """Resets, buckets fetched again, skipped numbers and dead registrations, the newest last."""
        return self.store.notices()

    def synced_rows(self) -> dict[tuple[str, str], tuple[int, dict[str, Any]]]:
        """(entity, key) -> (revision, row) without the own queue: what must equal the server's."""
        return view.synced_rows(self.store)

    def list(self, entity: str, where: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """key -> row with the own queue on top; `where` names fields and the values they must have."""
        self._check_lease()
        wanted = (where or {}).items()
        found = view.rows(self.store, entity)
        return {key: row for key, row in found.items() if all(row[field] == value for field, value in wanted)}
