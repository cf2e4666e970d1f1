"""What a revoked registration still had to say (S31): taken once, kept raw, reviewed by a person, applied or not.

A drain is never applied by itself: whoever left may have typed anything. It is stored as it arrived, together with the
state `drained`, in one transaction; the same drain again (its answer was lost) is answered again, another one is
refused. `apply` runs it through the ordinary push, with the author's rights as of now, and stores receipts as ever, all
in the transaction that stores the decision; `discard` keeps the bytes and applies nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from sqlalchemy import Connection, insert, select, update

from sfa.core.errors import Refused
from sfa.core.registrations import ACTIVE, DRAINED, REVIEW, REVOKED, check_active
from sfa.crm.commands import Command
from sfa.db.tables import devices, quarantine
from sync import registrations
from sync.protocol import MUTATIONS_MAX, Millis, Skip
from sync.push import Push, push


class DrainRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /sync/drain`: the whole queue, oldest first, with what was acknowledged lately; `skip` as in a sync."""

    user: Annotated[str, Meta(max_length=64)]
    now: Millis
    mutations: list[Raw] = []
    skip: Skip | None = None


class DrainAnswer(Struct, frozen=True):
    drained: int


class Decision(Struct, frozen=True, forbid_unknown_fields=True):
    decision: Literal["apply", "discard"]


class Outcome(Struct, frozen=True):
    """What `apply` did: mutations by outcome, and why it went no further, if it did not."""

    outcomes: dict[str, int]
    stopped: str | None = None


class QuarantineView(Struct, frozen=True):
    device_key: str
    drained_at: int
    size: int
    mutations: list[Any]
    decision: str | None
    decided_at: int | None
    decided_by: str | None
    result: Outcome | None


_request = msgspec.json.Decoder(DrainRequest)


def read_drain(body: bytes) -> DrainRequest:
    try:
        return _request.decode(body)
    except msgspec.ValidationError as error:
        raise Refused("request_invalid", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("json_invalid", str(error)) from None


def drain(connection: Connection, user: str, device: str, body: bytes, now_ms: int) -> DrainAnswer:
    """Take a revoked registration's queue. `user` and `device` come from its token, which may have expired."""
    sent = read_drain(body)
    if sent.user != user:
        raise Refused("wrong_user", "the queue is another user's than the token")
    mine = (devices.c.key == device, devices.c.user_key == user)
    state = connection.execute(select(devices.c.state).where(*mine).with_for_update()).scalar()
    if state is None:
        raise Refused("device_unknown")
    if state == ACTIVE:
        raise Refused("not_revoked")
    digest = _digest(sent)
    if state == REVOKED:
        row = {"device_key": device, "drained_at": now_ms, "digest": digest, "size": len(sent.mutations)}
        connection.execute(insert(quarantine), {**row, "body": body})
        connection.execute(update(devices).where(*mine).values(state=DRAINED, queued=0, last_seen_at=now_ms))
        return DrainAnswer(len(sent.mutations))
    if state != DRAINED:
        check_active(state)
    kept = connection.execute(select(quarantine.c.digest).where(quarantine.c.device_key == device)).scalar()
    if kept != digest:
        raise Refused("already_drained")
    return DrainAnswer(len(sent.mutations))


def _digest(sent: DrainRequest) -> str:
    """Of the mutations, whatever the clock says when they are sent again."""
    found = hashlib.blake2b(digest_size=16)
    for raw in sent.mutations:
        found.update(bytes(raw) + b"\n")
    return found.hexdigest()


def view(connection: Connection, user_key: str, device_key: str) -> QuarantineView:
    registrations.known(connection, user_key, device_key, REVIEW, locked=False)
    return _view(_stored(connection, device_key))


def _stored(connection: Connection, device_key: str) -> Any:
    found = connection.execute(select(quarantine).where(quarantine.c.device_key == device_key)).first()
    if found is None:
        raise Refused("not_found", "this registration has drained nothing")
    return found


def _view(row: Any) -> QuarantineView:
    result = msgspec.convert(row.result, Outcome) if row.result is not None else None
    shown = [_shown(bytes(raw)) for raw in read_drain(row.body).mutations]
    return QuarantineView(
        row.device_key, row.drained_at, row.size, shown, row.decision, row.decided_at, row.decided_by, result
    )


def _shown(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw.decode("utf-8", "replace")


def review(
    connection: Connection,
    user_key: str,
    device_key: str,
    decision: str,
    now_ms: int,
    commands: Mapping[str, Command],
) -> QuarantineView:
    """Decide, once. The same decision again answers what the first one did. Raises `scope.Due` as a push does."""
    _, device = registrations.known(connection, user_key, device_key, REVIEW)
    row = _stored(connection, device_key)
    if row.decision is not None and row.decision != decision:
        raise Refused("already_reviewed", decision=row.decision)
    if row.decision is None:
        result = _apply(connection, device, row, now_ms, commands) if decision == "apply" else Outcome({})
        decided = {"decision": decision, "decided_at": now_ms, "decided_by": user_key}
        own = update(quarantine).where(quarantine.c.device_key == device_key)
        connection.execute(own.values(**decided, result=msgspec.to_builtins(result)))
        row = _stored(connection, device_key)
    return _view(row)


def _apply(connection: Connection, device: Any, row: Any, now_ms: int, commands: Mapping[str, Command]) -> Outcome:
    """The registration is active for the length of this transaction, which holds its row: nobody else sees that."""
    sent = read_drain(row.body)
    own = update(devices).where(devices.c.key == device.key)
    connection.execute(own.values(state=ACTIVE))
    device_now = sent.now + now_ms - row.drained_at  # what its clock would say now: corrected times stay what they were
    outcomes: Counter[str] = Counter()
    rest, skip, stopped = list(sent.mutations), sent.skip, None
    while rest or skip:
        part = rest[:MUTATIONS_MAX]
        answer = push(connection, Push(device.user_key, device.key, device_now, part, skip), now_ms, commands)
        outcomes.update(receipt.outcome for receipt in answer.receipts)
        rest, skip = rest[len(answer.receipts) :], None
        whole = len(answer.receipts) == len(part) or (answer.stopped == "unit_split" and bool(answer.receipts))
        if not whole:  # a unit may have been cut by the size of a push, and is whole at the head of the next one
            stopped = answer.stopped
            break
    connection.execute(own.values(state=device.state, last_seen_at=device.last_seen_at))
    return Outcome(dict(outcomes), stopped)
