"""What a revoked registration still had to say (S31): taken exactly once and kept raw, until a person decides.

A drain is the queue of one copy of a phone, in one or more parts, each stored as it arrived. A phone that was cloned
has several copies, and each of them drains: drains are told apart by their name, which is made of their content, and
none displaces another. The same part again (its answer was lost) is answered again. Nothing is applied here:
`sync.review` does that, when a person says so.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from sqlalchemy import Connection, Row, func, insert, select, update

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.registrations import ACTIVE, DRAINED, REVIEW, WIPED, check_active
from sfa.db.tables import devices, drains
from sync import registrations
from sync.protocol import DRAIN_PARTS_MAX, DRAINED_BYTES_MAX, DRAINS_MAX, Millis, Skip

Part = Annotated[int, Meta(ge=1, le=DRAIN_PARTS_MAX)]


class DrainRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /sync/drain`: a part of the queue, oldest first, with what was acknowledged lately; `skip` as in a sync.
    `drain` names what the parts belong to; one that is whole needs no name."""

    user: Annotated[str, Meta(max_length=64)]
    now: Millis
    mutations: list[Raw] = []
    skip: Skip | None = None
    drain: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")] | None = None
    part: Part = 1
    parts: Part = 1


class DrainAnswer(Struct, frozen=True):
    """How many mutations of this part are kept; `next_part` is what to send next, null when the drain is complete and
    the device may erase."""

    drained: int
    next_part: int | None


class Outcome(Struct, frozen=True):
    """What a decision did: mutations by outcome."""

    outcomes: dict[str, int]


class PartView(Struct, frozen=True):
    """One part and what was decided about it. `applied_as` is the registration under which it was taken. A decision
    without a `result` is being carried out."""

    part: int
    size: int
    drained_at: int
    decision: Literal["apply", "discard"] | None
    decided_at: int | None
    decided_by: str | None
    reason: str | None
    applied_as: str | None
    result: Outcome | None


class DrainView(Struct, frozen=True):
    """A drain; fewer entries in `received` than `parts` say that the rest did not come (yet)."""

    drain: str
    parts: int
    size: int
    waiting: int
    received: list[PartView]


class QuarantineView(Struct, frozen=True):
    device_key: str
    user_key: str
    drains: list[DrainView]


class PartContent(Struct, frozen=True):
    """The mutations of one part, as they came."""

    drain: str
    part: int
    mutations: list[Any]


_request = msgspec.json.Decoder(DrainRequest)
_PART = tuple(PartView.__struct_fields__)
LIGHT = (drains.c.drain, drains.c.parts, *(drains.c[name] for name in _PART))


def read_drain(body: bytes) -> DrainRequest:
    try:
        found = _request.decode(body)
    except msgspec.ValidationError as error:
        raise Refused("request_invalid", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("json_invalid", str(error)) from None
    if found.part > found.parts or (found.parts > 1 and found.drain is None):
        raise Refused("request_invalid", "a drain in parts has a name, and `part` is at most `parts`")
    return found


# -- taking -----------------------------------------------------------------------------------------------------------


def drain(connection: Connection, user: str, device: str, body: bytes, now_ms: int) -> DrainAnswer:
    """Take a part of a revoked registration's queue. `user` and `device` come from its token, which may be old."""
    sent = read_drain(body)
    if sent.user != user:
        raise Refused("wrong_user", "the queue is another user's than the token")
    mine = (devices.c.key == device, devices.c.user_key == user)
    state = connection.execute(select(devices.c.state).where(*mine).with_for_update()).scalar()
    if state is None:
        raise Refused("device_unknown")
    if state == ACTIVE:
        raise Refused("not_revoked")
    if state == WIPED:
        check_active(state)
    digest = digest_of(sent.mutations, sent.skip)
    name = sent.drain or digest
    kept = _kept(connection, device, name)
    if any(parts != sent.parts for parts, _ in kept.values()) or kept.get(sent.part, (0, digest))[1] != digest:
        raise Refused("already_drained")
    if sent.part not in kept:
        if sent.part != len(kept) + 1:
            raise Refused("sequence_gap", "a part is missing before this one", expected_part=len(kept) + 1)
        _check_room(connection, device, len(body), is_new=not kept)
        row = {"device_key": device, "drain": name, "part": sent.part, "parts": sent.parts, "drained_at": now_ms}
        connection.execute(insert(drains), {**row, "digest": digest, "size": len(sent.mutations), "body": body})
        kept[sent.part] = (sent.parts, digest)
        if len(kept) == sent.parts:
            connection.execute(update(devices).where(*mine).values(state=DRAINED, queued=0, last_seen_at=now_ms))
    return DrainAnswer(len(sent.mutations), len(kept) + 1 if len(kept) < sent.parts else None)


def _kept(connection: Connection, device: str, name: str) -> dict[int, tuple[int, str]]:
    """part -> (how many parts there are, digest)."""
    query = select(drains.c.part, drains.c.parts, drains.c.digest)
    rows = connection.execute(query.where(drains.c.device_key == device, drains.c.drain == name))
    return {part: (parts, digest) for part, parts, digest in rows}


def _check_room(connection: Connection, device: str, size: int, *, is_new: bool) -> None:
    """An old token may drain for ever; what it can fill is limited. The device keeps what does not fit."""
    if is_new:
        names = select(func.count(drains.c.drain.distinct())).where(drains.c.device_key == device)
        if connection.execute(names).scalar_one() >= DRAINS_MAX:
            raise Refused("quarantine_full", "this registration has drained as often as is kept", limit=DRAINS_MAX)
    query = select(func.coalesce(func.sum(func.length(drains.c.body)), 0)).where(drains.c.device_key == device)
    if connection.execute(query).scalar_one() + size > DRAINED_BYTES_MAX:
        raise Refused("quarantine_full", limit=DRAINED_BYTES_MAX)


def digest_of(mutations: Iterable[Raw], skip: Skip | None) -> str:
    """Of the content, whatever the clock says when it is sent again."""
    found = hashlib.blake2b(digest_size=16)
    for raw in mutations:
        found.update(bytes(raw) + b"\n")
    if skip is not None:
        found.update(b"%d..%d" % (skip.first_n, skip.last_n))
    return found.hexdigest()


# -- looking ----------------------------------------------------------------------------------------------------------


def view(connection: Connection, user_key: str, device_key: str) -> QuarantineView:
    """Every drain of a registration, oldest first, without its mutations."""
    _, device = registrations.known(connection, user_key, device_key, REVIEW, locked=False)
    query = select(*LIGHT).where(drains.c.device_key == device_key)
    by_name: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query.order_by(drains.c.drained_at, drains.c.drain, drains.c.part)):
        by_name.setdefault(row.drain, []).append(row)
    if not by_name:
        raise Refused("not_found", "this registration has drained nothing")
    return QuarantineView(device_key, device.user_key, [view_of(rows) for rows in by_name.values()])


def view_of(rows: Sequence[Row[Any]]) -> DrainView:
    parts = [_part(row) for row in rows]
    waiting = sum(part.size for part in parts if part.result is None)
    return DrainView(rows[0].drain, rows[0].parts, sum(part.size for part in parts), waiting, parts)


def is_under_way(drain: DrainView) -> bool:
    """Whether a decision about it is not carried out to its end."""
    return any(part.decision is not None and part.result is None for part in drain.received)


def _part(row: Row[Any]) -> PartView:
    values = {name: getattr(row, name) for name in _PART if name != "result"}
    return PartView(**values, result=msgspec.convert(row.result, Outcome) if row.result is not None else None)


def content(connection: Connection, user_key: str, device_key: str, name: str, part: int) -> PartContent:
    registrations.known(connection, user_key, device_key, REVIEW, locked=False)
    mine = (drains.c.device_key == device_key, drains.c.drain == name, drains.c.part == part)
    body = connection.execute(select(drains.c.body).where(*mine)).scalar() if is_key(name) else None
    if body is None:
        raise Refused("not_found", "there is no such part")
    return PartContent(name, part, [_shown(bytes(raw)) for raw in read_drain(body).mutations])


def _shown(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw.decode("utf-8", "replace")
