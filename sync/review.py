"""A person decides what becomes of a drain (S31): applied in its author's name, but for what is left out, or discarded.

Applying is an ordinary push, with the author's rights as of now: receipts, refusals and conflicts as ever, in the one
transaction that stores who decided. It goes under the drain's own registration. Where that cannot take its numbers (a
copy of the phone used them for something else, or some are missing) the server does what such a copy would do: it
registers anew, numbers what is not taken yet from 1, and pushes that. So no drain is ever stopped by another one.

What is left out becomes a refusal with its full content; what was discarded stays in the quarantine. Every part is
decided once: the same decision again answers what the first one did.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from sqlalchemy import Connection, Row, insert, select, update

from sfa.core.errors import Refused
from sfa.core.registrations import ACTIVE, DRAINED, REVIEW
from sfa.crm.commands import Command
from sfa.db.tables import devices, drains
from sync import devices as registered
from sync import registrations
from sync.devices import Registration
from sync.numbers import Numbered, read_items, walk
from sync.protocol import MUTATIONS_MAX, Skip
from sync.push import Push, push
from sync.quarantine import DrainRequest, DrainView, Outcome, read_drain, view_of
from sync.versions import VERSIONS, Versions

REASON_MAX = 500
KEY_PART = 36  # of the device's key, in that of a copy's registration


class Decision(Struct, frozen=True, forbid_unknown_fields=True):
    """`leave_out` are numbers of the drain that shall not be applied; they, and a discard, need a `reason`."""

    decision: Literal["apply", "discard"]
    leave_out: list[int] = []
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_MAX)] | None = None


class Pushed(Struct, frozen=True):
    """What was applied: under which registration, with which outcomes."""

    under: str
    outcomes: dict[str, int]


def review(
    connection: Connection,
    user_key: str,
    device_key: str,
    drain: str,
    asked: Decision,
    now_ms: int,
    commands: Mapping[str, Command],
    versions: Versions = VERSIONS,
) -> DrainView:
    """Decide about every part of a drain that has come and is not decided. Raises `scope.Due` as a push does."""
    if asked.reason is None and (asked.decision == "discard" or asked.leave_out):
        raise Refused("request_invalid", "say the reason for what is not applied")
    _, device = registrations.known(connection, user_key, device_key, REVIEW)
    rows = _parts(connection, device_key, drain)
    waiting = [row for row in rows if row.decision is None]
    if not waiting and any(row.decision != asked.decision for row in rows):
        raise Refused("already_reviewed", decision=rows[-1].decision)
    for row in waiting:
        values: dict[str, Any] = {"decision": asked.decision, "decided_at": now_ms, "decided_by": user_key}
        done = Outcome({})
        if asked.decision == "apply":
            pushed = _apply(connection, device, row, asked, now_ms, commands, versions)
            values["applied_as"], done = pushed.under, Outcome(pushed.outcomes)
        own = (drains.c.device_key == device_key, drains.c.drain == drain, drains.c.part == row.part)
        values |= {"reason": asked.reason, "result": msgspec.to_builtins(done)}
        connection.execute(update(drains).where(*own).values(values))
    return view_of(_parts(connection, device_key, drain))


def _parts(connection: Connection, device_key: str, drain: str) -> list[Row[Any]]:
    query = select(drains).where(drains.c.device_key == device_key, drains.c.drain == drain)
    found = list(connection.execute(query.order_by(drains.c.part)).all())
    if not found:
        raise Refused("not_found", "there is no such drain")
    return found


def _apply(
    connection: Connection,
    device: Row[Any],
    row: Row[Any],
    asked: Decision,
    now_ms: int,
    commands: Mapping[str, Command],
    versions: Versions,
) -> Pushed:
    sent, out = read_drain(row.body), frozenset(asked.leave_out)
    earlier = select(drains.c.applied_as).where(
        drains.c.device_key == device.key, drains.c.drain == row.drain, drains.c.applied_as.is_not(None)
    )
    under = connection.execute(earlier.order_by(drains.c.part.desc()).limit(1)).scalar() or device.key
    rest = _not_taken(connection, device, sent, now_ms)
    if under == device.key and rest is not None:
        under = _register_copy(connection, device, row.drain, now_ms)
    if under == device.key:
        queue = Queue(list(sent.mutations), sent.skip, out)
    else:
        last_n = connection.execute(select(devices.c.last_n).where(devices.c.key == under)).scalar_one()
        queue = _renumbered(rest or [], last_n, out)
    device_now = sent.now + now_ms - row.drained_at  # what its clock would say now: corrected times stay what they were
    terms = Terms(device.user_key, under, device_now, now_ms, asked.reason or "")
    return Pushed(under, _push_all(connection, terms, queue, commands, versions))


class Queue(Struct, frozen=True):
    """What is to be pushed, and which of its numbers are left out."""

    mutations: list[Raw]
    skip: Skip | None
    left_out: frozenset[int]


class Terms(Struct, frozen=True):
    user: str
    device: str
    device_now: int
    now_ms: int
    reason: str


def _not_taken(connection: Connection, device: Row[Any], sent: DrainRequest, now_ms: int) -> list[Numbered] | None:
    """What this registration has not taken yet, where it cannot take all of it under the numbers that it has; None
    where it can."""
    last_n = connection.execute(select(devices.c.last_n).where(devices.c.key == device.key)).scalar_one()
    at = Registration(device.key, device.user_key, "", last_n, 0, 0)
    if sent.skip is not None and sent.skip.first_n <= last_n + 1:
        at = registered.skip(connection, at, sent.skip, now_ms)
    walked = walk(connection, at, sent.mutations)
    if not walked.reused and walked.stopped is None:
        return None
    taken = {receipt.n for receipt in walked.seen}
    return [item for item in read_items(sent.mutations, at.last_n + 1) if item.n not in taken]


def _renumbered(items: Sequence[Numbered], last_n: int, left_out: frozenset[int]) -> Queue:
    """As a copy numbers its queue anew, from `last_n + 1` on; units are kept where they are whole."""
    made: list[Raw] = []
    while len(made) < len(items):
        place = len(made)
        size = _unit_here(items, place)
        for i, item in enumerate(items[place : place + max(size, 1)], last_n + 1 + place):
            made.append(_under(item, i, keeps_unit=size > 0))
    return Queue(made, None, frozenset(n for n, item in enumerate(items, last_n + 1) if item.n in left_out))


def _unit_here(items: Sequence[Numbered], place: int) -> int:
    """How many items from here are one whole unit; 0 where none begins."""
    unit = items[place].unit
    part = items[place : place + unit.size] if unit is not None else []
    whole = [item for item in part if item.unit == unit or (item.mutation is None and item.unit is None)]
    return len(part) if unit is not None and len(whole) == unit.size else 0


def _under(item: Numbered, n: int, *, keeps_unit: bool) -> Raw:
    values = msgspec.json.decode(item.raw)
    if not isinstance(values, dict):
        return Raw(item.raw)  # it takes the number of its place, and is refused
    values["n"] = n
    if not keeps_unit:
        values.pop("unit", None)
    return Raw(msgspec.json.encode(values))


def _register_copy(connection: Connection, device: Row[Any], drain: str, now_ms: int) -> str:
    """A registration for a copy of the device, as if it had logged in anew before it was revoked."""
    name = hashlib.blake2b(f"{device.key}/{drain}".encode(), digest_size=6).hexdigest()
    key = f"{device.key[:KEY_PART]}.{name}"
    told = {name: getattr(device, name) for name in ("user_key", "name", "platform", "app_version")}
    ended = {"ended_at": device.ended_at, "ended_by": device.ended_by, "state": DRAINED, "skewed": False}
    numbers = {"last_n": 0, "durable_n": 0, "created_at": now_ms, "last_seen_at": device.last_seen_at}
    connection.execute(insert(devices), {"key": key, **told, **ended, **numbers})
    return key


def _push_all(
    connection: Connection, terms: Terms, queue: Queue, commands: Mapping[str, Command], versions: Versions
) -> dict[str, int]:
    """The registration is active for the length of this transaction, which holds its row: nobody else sees that."""
    own = update(devices).where(devices.c.key == terms.device)
    before = connection.execute(
        select(devices.c.state, devices.c.last_seen_at).where(devices.c.key == terms.device).with_for_update()
    ).one()
    connection.execute(own.values(state=ACTIVE))
    outcomes: Counter[str] = Counter()
    rest, skip = queue.mutations, queue.skip
    while rest or skip:
        part = rest[:MUTATIONS_MAX]
        sent = Push(terms.user, terms.device, terms.device_now, part, skip, queue.left_out, terms.reason)
        answer = push(connection, sent, terms.now_ms, commands, versions)
        outcomes.update(receipt.outcome for receipt in answer.receipts)
        rest, skip = rest[len(answer.receipts) :], None
        if part and not answer.receipts:
            raise RuntimeError(f"a drain was looked through and is stopped all the same: {answer.stopped}")
    connection.execute(own.values(state=before.state, last_seen_at=before.last_seen_at))
    return dict(outcomes)
