"""A person decides what becomes of a drain (S31): applied in its author's name, but for what is left out, or discarded.

Applying is ordinary pushes, with the author's rights as of now: receipts, refusals and conflicts as ever. The first
transaction stores who decided, and each pushes at most `MUTATIONS_MAX` changes and stores how far it came, so that
nobody waits for a large drain. Whoever drives calls `review` until nothing `is_under_way`; where that ended in the
middle, the same decision again goes on, and another one is refused. Every part is decided once: the same decision again
answers what the first one did.

It goes under the drain's own registration. Where that cannot take its numbers (a copy of the phone used them for
something else, or some are missing) the server does what such a copy would do: it registers anew, numbers what is not
taken yet from 1, and pushes that. So no drain is ever stopped by another one.

What is left out becomes a refusal with its full content; what was discarded stays in the quarantine.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from sqlalchemy import Connection, Row, Select, insert, select, update

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.registrations import ACTIVE, DRAINED, REVIEW
from sfa.crm.commands import Command
from sfa.db.tables import devices, drains
from sync import devices as registered
from sync import registrations
from sync.devices import Registration
from sync.numbers import read_items, walk
from sync.protocol import MUTATIONS_MAX, UNIT_SIZE_MAX, PushAnswer, Receipt
from sync.push import Push, push
from sync.quarantine import LIGHT, DrainRequest, DrainView, Outcome, read_drain, view_of
from sync.renumber import renumbered
from sync.versions import VERSIONS, Versions

REASON_MAX = 500
LEFT_OUT_MAX = 10_000
KEY_PART = 36  # of the device's key, in that of a copy's registration


class Decision(Struct, frozen=True, forbid_unknown_fields=True):
    """`leave_out` are numbers of the drain that shall not be applied; they, and a discard, need a `reason`."""

    decision: Literal["apply", "discard"]
    leave_out: Annotated[list[int], Meta(max_length=LEFT_OUT_MAX)] = []
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_MAX, pattern=r"^[^\x00]*\Z")] | None = None


class Progress(Struct, frozen=True):
    """How far a part is pushed: the place in it of the next change and, under a copy's registration, the number that
    this one has if it does not say; outcomes so far."""

    leave_out: list[int]
    place: int = 0
    next_n: int | None = None
    outcomes: dict[str, int] = {}


class Applying(Struct, frozen=True):
    """What the steps of one part share; `at` is the moment of the decision, which all of them act as of."""

    connection: Connection
    device: Row[Any]
    row: Row[Any]
    sent: DrainRequest
    at: int
    commands: Mapping[str, Command]
    versions: Versions


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
    """Decide about every part of a drain that has come and is not decided, and apply a step of it: call it again while
    the answer `is_under_way`. Raises `scope.Due` as a push does."""
    if asked.reason is None and (asked.decision == "discard" or asked.leave_out):
        raise Refused("request_invalid", "say the reason for what is not applied")
    _, device = registrations.known(connection, user_key, device_key, REVIEW)
    rows = _parts(connection, device_key, drain)
    begun = [row for row in rows if row.progress is not None]
    if begun:
        left_out = _progress.decode(begun[0].progress).leave_out
        if (asked.decision, set(asked.leave_out)) != (begun[0].decision, set(left_out)):
            raise Refused("already_reviewed", "another decision is being carried out", decision=begun[0].decision)
    elif any(row.decision is None for row in rows):
        _begin(connection, rows[0], user_key, asked, now_ms)
        begun = [row for row in _parts(connection, device_key, drain) if row.progress is not None]
    elif any(row.decision != asked.decision for row in rows):
        raise Refused("already_reviewed", decision=rows[-1].decision)
    if begun:
        _step(connection, device, begun[0], commands, versions)
    return view_of(_parts(connection, device_key, drain))


_progress = msgspec.json.Decoder(Progress)


def _told(progress: Progress) -> str:
    return msgspec.json.encode(progress).decode()


def _parts(connection: Connection, device_key: str, drain: str) -> Sequence[Row[Any]]:
    """All parts without their bodies, which may be much more than what is at hand."""
    if not is_key(drain):
        raise Refused("not_found", "there is no such drain")
    query: Select[Any] = select(*LIGHT, drains.c.device_key, drains.c.progress)
    mine = (drains.c.device_key == device_key, drains.c.drain == drain)
    found = connection.execute(query.where(*mine).order_by(drains.c.part)).all()
    if not found:
        raise Refused("not_found", "there is no such drain")
    return found


def _begin(connection: Connection, row: Row[Any], user_key: str, asked: Decision, now_ms: int) -> None:
    values = {"decision": asked.decision, "decided_at": now_ms, "decided_by": user_key, "reason": asked.reason}
    if asked.decision == "apply":
        values["progress"] = _told(Progress(asked.leave_out))
    else:
        values["result"] = msgspec.to_builtins(Outcome({}))
    waiting = (drains.c.device_key == row.device_key, drains.c.drain == row.drain, drains.c.decision.is_(None))
    connection.execute(update(drains).where(*waiting).values(values))


def _step(
    connection: Connection, device: Row[Any], row: Row[Any], commands: Mapping[str, Command], versions: Versions
) -> None:
    """Push the next of a part, and write how far it came, or its result."""
    own = (drains.c.device_key == row.device_key, drains.c.drain == row.drain, drains.c.part == row.part)
    sent = read_drain(connection.execute(select(drains.c.body).where(*own)).scalar_one())
    applying = Applying(connection, device, row, sent, row.decided_at, commands, versions)
    before = _progress.decode(row.progress)
    under, after = _apply(applying, before)
    values: dict[str, Any] = {"applied_as": under, "progress": _told(after)}
    if after.place >= len(sent.mutations):
        if sum(after.outcomes.values()) != row.size:
            raise RuntimeError(f"{row.size} changes were drained, of these have an outcome: {after.outcomes}")
        values |= {"progress": None, "result": msgspec.to_builtins(Outcome(after.outcomes))}
    elif after.place == before.place:
        raise RuntimeError("a drain was looked through and is stopped all the same")
    connection.execute(update(drains).where(*own).values(values))


def _apply(to: Applying, progress: Progress) -> tuple[str, Progress]:
    """-> (under which registration, how far it came)."""
    earlier = select(drains.c.applied_as).where(
        drains.c.device_key == to.device.key, drains.c.drain == to.row.drain, drains.c.applied_as.is_not(None)
    )
    under = to.connection.execute(earlier.order_by(drains.c.part.desc()).limit(1)).scalar() or to.device.key
    original = _original(to, progress)
    if under == to.device.key:
        if _fits(to, original, progress.place):
            return under, _apply_as_sent(to, progress)
        under = _register_copy(to.connection, to.device, to.row.drain, to.at)
    return under, _apply_anew(to, original, under, progress)


def _original(to: Applying, progress: Progress) -> Registration:
    """The registration that drained, with the numbers that this part declares as lost, where it expects them."""
    last_n = _last_n(to.connection, to.device.key)
    found = Registration(to.device.key, to.device.user_key, "", last_n, 0, 0)
    if progress.place == 0 and to.sent.skip is not None and to.sent.skip.first_n <= last_n + 1:
        found = registered.skip(to.connection, found, to.sent.skip, to.at)
    return found


def _last_n(connection: Connection, device: str) -> int:
    return int(connection.execute(select(devices.c.last_n).where(devices.c.key == device)).scalar_one())


def _fits(to: Applying, original: Registration, place: int) -> bool:
    """Whether the registration can take the rest under the numbers that it has. Before the first step this looks at the
    whole part; later only as far as a step goes, in case another drain used the numbers meanwhile."""
    until = place + MUTATIONS_MAX if place else len(to.sent.mutations)
    walked = walk(to.connection, original, to.sent.mutations[place:until], to.versions)
    cut = walked.stopped == "unit_split" and until < len(to.sent.mutations) and bool(walked.new or walked.seen)
    return not walked.reused and (walked.stopped is None or cut)


def _apply_as_sent(to: Applying, progress: Progress) -> Progress:
    part = to.sent.mutations[progress.place : progress.place + MUTATIONS_MAX]
    receipts = _push(to, to.device.key, part, frozenset(progress.leave_out)).receipts if part else []
    return _further(progress, receipts, progress.place + len(receipts))


def _apply_anew(to: Applying, original: Registration, under: str, progress: Progress) -> Progress:
    """What the original registration has taken has its outcome; the rest is numbered anew after what the copy has."""
    ahead = to.sent.mutations[progress.place : progress.place + MUTATIONS_MAX + UNIT_SIZE_MAX]
    items = read_items(ahead, progress.next_n or original.last_n + 1, to.versions)
    old = [item.n for item in items if item.n <= original.last_n]
    stored = registered.read_receipts(to.connection, original, old) if old else {}
    taken = [item.n in stored and stored[item.n].digest == item.digest for item in items]
    places = [place for place, is_taken in enumerate(taken) if not is_taken]
    first_n = _last_n(to.connection, under) + 1
    rest = [items[place] for place in places]
    part = renumbered(rest, first_n, sum(place < MUTATIONS_MAX for place in places))
    upto = places[len(part)] if len(part) < len(places) else len(items)
    left_out = frozenset(n for n, item in enumerate(rest[: len(part)], first_n) if item.n in set(progress.leave_out))
    receipts = _push(to, under, part, left_out).receipts if part else []
    if len(receipts) != len(part):
        raise RuntimeError(f"{len(part)} changes were numbered anew, {len(receipts)} of them were taken")
    seen = [stored[item.n] for item, is_taken in zip(items[:upto], taken[:upto], strict=True) if is_taken]
    after = _further(progress, [*receipts, *seen], progress.place + upto)
    return msgspec.structs.replace(after, next_n=items[upto - 1].n + 1 if upto else None)


def _further(progress: Progress, receipts: list[Receipt], place: int) -> Progress:
    outcomes = Counter(progress.outcomes)
    outcomes.update(receipt.outcome for receipt in receipts)
    return msgspec.structs.replace(progress, place=place, outcomes=dict(outcomes))


def _register_copy(connection: Connection, device: Row[Any], drain: str, now_ms: int) -> str:
    """A registration for a copy of the device, as if it had logged in anew before it was revoked."""
    name = hashlib.blake2b(f"{device.key}/{drain}".encode(), digest_size=6).hexdigest()
    key = f"{device.key[:KEY_PART]}.{name}"
    told = {name: getattr(device, name) for name in ("user_key", "name", "platform", "app_version")}
    ended = {"ended_at": device.ended_at, "ended_by": device.ended_by, "state": DRAINED, "skewed": False}
    numbers = {"last_n": 0, "durable_n": 0, "created_at": now_ms, "last_seen_at": device.last_seen_at}
    connection.execute(insert(devices), {"key": key, **told, **ended, **numbers})
    return key


def _push(to: Applying, under: str, part: list[Raw], left_out: frozenset[int]) -> PushAnswer:
    """The registration is active for the length of this transaction, which holds its row: nobody else sees that. The
    push is the last thing that waits for a lock, and takes the clock last of all."""
    own = update(devices).where(devices.c.key == under)
    standing = select(devices.c.state, devices.c.last_seen_at).where(devices.c.key == under)
    before = to.connection.execute(standing.with_for_update()).one()
    to.connection.execute(own.values(state=ACTIVE))
    device_now = to.sent.now + to.at - to.row.drained_at  # as its clock would say: corrected times stay what they were
    sent = Push(to.device.user_key, under, device_now, part, None, left_out, to.row.reason or "")
    answer = push(to.connection, sent, to.at, to.commands, to.versions)
    to.connection.execute(own.values(state=before.state, last_seen_at=before.last_seen_at))
    return answer
