"""The push: a device's queued mutations, taken exactly once, in order, in one transaction (S17-S23).

The story: lock the registration and the user's scope; walk the numbers (seen before: the stored receipt again; a gap:
stop); load what the rest is about in sets; take each mutation in memory (`sync.take`, `sync.repairs`), refusals and
conflicts becoming rows of their own; then receipts and the device's last number are written, and the door's flush,
whose last lock is the clock. Nothing here acts outside the database, so a deadlock is simply tried again.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import Connection

from sfa.core.clock import corrected_ms
from sfa.core.errors import CATALOGUE, Refused
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import feed, scope
from sfa.db.writes import Door, Origin
from sync import devices, refusals
from sync.devices import Registration
from sync.loading import load
from sync.numbers import Numbered, Walk, walk
from sync.protocol import DURABLE_AFTER_MS, MUTATIONS_MAX, PushAnswer, Receipt, Skip
from sync.repairs import RepairingTaker
from sync.versions import VERSIONS, Versions


class Push(Struct, frozen=True):
    """Who sends what: `user` and `device` come from the login. `left_out` are numbers that a reviewer of a drain
    refuses, for a `reason`; no device sets them."""

    user: str
    device: str
    device_now: int
    mutations: Sequence[Raw]
    skip: Skip | None = None
    left_out: frozenset[int] = frozenset()
    reason: str = ""


def push(
    connection: Connection,
    sent: Push,
    now_ms: int,
    commands: Mapping[str, Command],
    versions: Versions = VERSIONS,
) -> PushAnswer:
    """Take a push; -> receipts of all that was taken, now or before. Raises `scope.Due` as a pull does."""
    if len(sent.mutations) > MUTATIONS_MAX:
        raise Refused("too_many_mutations", limit=MUTATIONS_MAX)
    device = devices.lock(connection, sent.user, sent.device)
    clock = feed.face(connection)
    if clock.due_at is not None and clock.due_at <= now_ms:
        raise scope.Due
    if sent.skip is not None:
        device = devices.skip(connection, device, sent.skip, now_ms)
    walked = walk(connection, device, sent.mutations, versions)
    skew = sent.device_now - now_ms
    durable_n = devices.durable_n(connection, device, now_ms - DURABLE_AFTER_MS)
    if not walked.new and not walked.reused:
        devices.note_sync(connection, device, now_ms, skew, durable_n)
        return _answer(walked, [], device.last_n, durable_n, clock.seq, clock.epoch)
    held = scope.held_now(connection, sent.user, locked=True)
    door = Door(connection, now_ms)
    who = Who(sent.user, device.role, held)
    receipts = _take_all(door, who, device, walked, sent, now_ms, commands, versions)
    if device.has_reused:
        refusals.settle_reused(door, who, walked.new, now_ms, versions)
    for again in walked.reused:
        _refuse_reused(door, who, device, again, now_ms)
    last_n = receipts[-1].n if receipts else device.last_n
    if receipts:
        devices.store_receipts(connection, device, receipts, now_ms)
    devices.advance(connection, device, last_n, now_ms, skew, durable_n)
    seq = door.flush() or clock.seq
    return _answer(walked, receipts, last_n, durable_n, seq, clock.epoch)


def _answer(walked: Walk, receipts: list[Receipt], last_n: int, durable_n: int, seq: int, epoch: str) -> PushAnswer:
    shown = [msgspec.structs.replace(r, digest="") for r in (*walked.seen, *receipts)]
    reused = [
        Receipt(a.n, "refused", code="mutation_reused", text=CATALOGUE["mutation_reused"].title) for a in walked.reused
    ]
    return PushAnswer(
        receipts=sorted([*shown, *reused], key=lambda r: r.n),
        expected_n=last_n + 1,
        durable_n=durable_n,
        seq=seq,
        epoch=epoch,
        stopped=walked.stopped,
        register_anew=bool(walked.reused),
    )


def _take_all(
    door: Door,
    who: Who,
    device: Registration,
    walked: Walk,
    sent: Push,
    now_ms: int,
    commands: Mapping[str, Command],
    versions: Versions,
) -> list[Receipt]:
    load(door, [item.mutation for item in walked.new if item.mutation is not None])
    taker = RepairingTaker(door, who, device.key, commands, versions, handing=True)
    receipts: list[Receipt] = []
    position = 0
    while position < len(walked.new):
        unit = walked.new[position].unit_size
        part = walked.new[position : position + unit]
        receipts += _take_unit(door, taker, device, part, sent, now_ms)
        position += unit
    return receipts


def _take_unit(
    door: Door, taker: RepairingTaker, device: Registration, part: Sequence[Numbered], sent: Push, now_ms: int
) -> list[Receipt]:
    """All land or none (S20); a single mutation is a unit of one."""
    mark = door.mark()
    taken: list[Receipt] = []
    for item in part:
        origin = _origin(sent, device, item, now_ms)
        receipt = taker.leave_out(item, sent.reason) if item.n in sent.left_out else taker.take(item, origin)
        taken.append(receipt)
        if receipt.outcome == "refused":
            break
    if taken[-1].outcome == "refused":
        failed = taken[-1]
        door.undo_to(mark)
        taken = [failed if item.n == failed.n else taker.unit_failed(item, failed) for item in part]
        for item, receipt in zip(part, taken, strict=True):
            refusals.write(door, taker.who, device.key, item, receipt, _origin(sent, device, item, now_ms))
    elif taker.handed is not None and len(part) > 1 and any(r.outcome == "handed_over" for r in taken):
        origins = [_origin(sent, device, item, now_ms) for item in part]
        taken = taker.handed.offer_unit(mark, part, taken, origins)  # one waits for a decision, so all of them do
    return taken


def _origin(sent: Push, device: Registration, item: Numbered, now_ms: int) -> Origin:
    at = item.mutation.at if item.mutation is not None else sent.device_now
    corrected = max(0, corrected_ms(at, sent.device_now, now_ms).corrected_ms)
    return Origin(author_key=sent.user, at=corrected, stored_at=now_ms, device_key=device.key, n=item.n, device_at=at)


def _refuse_reused(door: Door, who: Who, device: Registration, item: Numbered, now_ms: int) -> None:
    """A cloned device sends other content under a number that was used: the content is kept (S18)."""
    origin = Origin(author_key=who.user_key, at=now_ms, stored_at=now_ms, device_key=device.key, n=item.n)
    receipt = Receipt(item.n, "refused", code="mutation_reused", text=CATALOGUE["mutation_reused"].title)
    refusals.write(door, who, device.key, item, receipt, origin, suffix=item.digest)
