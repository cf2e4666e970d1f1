"""Mistakes planted where registrations end and servers come back: drains, reviews, wipes, clones, backups."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sfa.db.tables import devices as registrations
from sfa.db.tables import drains
from sync import cursor, devices, numbers, push, quarantine, review
from sync.decisions import COMMANDS
from sync.device import ending, outbox, settle
from sync.device.store import Store
from sync.protocol import PushAnswer
from sync.quarantine import DrainAnswer
from sync.review import Decision
from tests.simulation.faults import fault
from tests.simulation.model_device import ModelDevice

Changes = Sequence[tuple[Any, str, Any]]
QUARANTINE: Any = quarantine
PUSH: Any = push
REVIEW: Any = review
SETTLE: Any = settle


@fault
def the_second_drain_of_a_registration_is_dropped() -> Changes:
    real = quarantine.drain

    def drain(connection: Connection, user: str, device: str, body: bytes, now_ms: int) -> DrainAnswer:
        query = select(drains.c.drain).where(drains.c.device_key == device)
        sent = quarantine.read_drain(body)
        name = sent.drain or quarantine.digest_of(sent.mutations, sent.skip)
        if any(found != name for found in connection.execute(query).scalars()):
            return DrainAnswer(len(sent.mutations), None)
        return real(connection, user, device, body, now_ms)

    return [(quarantine, "drain", drain)]


@fault
def a_drain_is_applied_at_once() -> Changes:
    real = quarantine.drain

    def drain(connection: Connection, user: str, device: str, body: bytes, now_ms: int) -> DrainAnswer:
        answer = real(connection, user, device, body, now_ms)
        name = quarantine.read_drain(body).drain
        query = select(drains.c.drain).where(drains.c.device_key == device)
        for found in connection.execute(query.where(drains.c.decision.is_(None))).scalars().all():
            if name in (None, found):
                review.review(connection, "root", device, found, Decision("apply"), now_ms, COMMANDS)
        values = {"decision": None, "decided_at": None, "decided_by": None, "applied_as": None}
        connection.execute(drains.update().where(drains.c.device_key == device).values(values))
        return answer

    return [(quarantine, "drain", drain)]


@fault
def a_drain_that_is_applied_is_cut_short() -> Changes:
    """Only the first change of a step is pushed, and the others are believed to have shared its fate."""
    real = REVIEW._push

    def first_only(to: Any, under: str, part: list[Any], left_out: frozenset[int]) -> PushAnswer:
        answer: PushAnswer = real(to, under, part[:1], left_out)
        return msgspec.structs.replace(answer, receipts=answer.receipts[:1] * len(part))

    return [(REVIEW, "_push", first_only)]


@fault
def a_wipe_keeps_the_rows() -> Changes:
    real = Store.erase

    def erase(self: Store, at: int, why: str) -> None:
        rows = self.execute("SELECT * FROM rows").fetchall()
        real(self, at, why)
        self.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", rows)

    return [(Store, "erase", erase)]


@fault
def the_reference_device_erases_before_it_drains() -> Changes:
    real = ending._drain

    def drain(store: Store, transport: Any, now_ms: int) -> None:
        store.execute("DELETE FROM outbox")
        real(store, transport, now_ms)

    return [(ending, "_drain", drain)]


@fault
def the_lease_is_not_looked_at() -> Changes:
    return [(Store, "is_leased", lambda _self, _now: True)]


@fault
def a_new_epoch_is_not_noticed_by_the_reference_device() -> Changes:
    return [(SETTLE, "_forget_epoch", lambda _store: None)]


@fault
def a_cursor_of_another_epoch_is_honoured() -> Changes:
    real = cursor.why_not
    return [(cursor, "why_not", lambda c, user, device, contract, _epoch: real(c, user, device, contract, c.epoch))]


@fault
def the_reference_device_drops_what_is_acknowledged_at_once() -> Changes:
    def drop(store: Store) -> None:
        store.execute(
            "DELETE FROM outbox WHERE outcome IS NOT NULL AND n < coalesce("
            "(SELECT min(n) FROM outbox WHERE outcome IS NULL), (SELECT next_n FROM state))"
        )

    return [(outbox, "drop_durable", drop)]


@fault
def the_model_device_forgets_what_is_acknowledged_at_once() -> Changes:
    return [(ModelDevice, "_forget", lambda self, _durable_n, _seen: self.kept.clear())]


@fault
def a_skip_is_not_recorded() -> Changes:
    def skip(connection: Connection, device: Any, declared: Any, _now: int) -> Any:
        if declared.last_n <= device.last_n:
            return device
        own = registrations.c.key == device.key
        connection.execute(registrations.update().where(own).values(last_n=declared.last_n))
        return msgspec.structs.replace(device, last_n=declared.last_n)

    return [(devices, "skip", skip)]


@fault
def the_content_of_a_reused_number_is_not_kept() -> Changes:
    return [(PUSH, "_refuse_reused", lambda *_args: None)]


@fault
def a_clone_is_answered_with_the_other_ones_receipts() -> Changes:
    real = numbers.walk

    def walk(connection: Connection, device: Any, sent: Any, *versions: Any) -> Any:
        found = real(connection, device, sent, *versions)
        if not found.reused:
            return found
        told = devices.read_receipts(connection, device, [item.n for item in found.reused])
        return numbers.Walk([*found.seen, *(told[n] for n in sorted(told))], [], found.new, None)

    return [(PUSH, "walk", walk)]


@fault
def a_clone_sends_under_its_new_registration_what_the_old_one_has_taken() -> Changes:
    real = outbox.renumber

    def renumber(store: Store) -> None:
        outbox.requeue(store, 1)
        real(store)

    return [(outbox, "renumber", renumber)]
