"""How a registration ends on the device (S31): revoked, it sends its queue once and erases; wiped, it erases at once.

Between the two the queue is frozen (`revoked` in the store), so that it is cut into the same parts each time, under a
name made of its content, and a part whose answer was lost is sent again as it was. A device that is killed anywhere
goes on at its next sync, and erases only when the server has said that the last part is kept.
What ends only the version of the app (S32) ends nothing here: it is told to the user.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Raw, Struct

from sync.device import outbox, session
from sync.device.session import ServerRefused
from sync.device.store import Store
from sync.device.transport import ConnectionLost, Transport
from sync.protocol import Skip

UPGRADE, WAIT = "contract_unsupported", "device_ahead"
REVOKED, WIPED = "device_revoked", "device_wiped"
NOT_REVOKED = "not_revoked"


class Drain(Struct, frozen=True, omit_defaults=True):
    user: str
    now: int
    mutations: list[Raw]
    skip: Skip | None
    drain: str
    part: int
    parts: int


class Drained(Struct, frozen=True):
    """The server's word: what to send next; None says that it keeps all."""

    next_part: int | None


def obey(store: Store, transport: Transport, refused: ServerRefused, now_ms: int) -> None:
    """What the server's last word to this registration asks for; nothing for any other refusal, nor where another sync
    of this store has obeyed before. `ConnectionLost` leaves everything as it is, for the next sync."""
    asked_as = store.state().device_key
    if asked_as is None:
        return
    if refused.code == WIPED:
        store.erase(now_ms, WIPED)
    elif refused.code == REVOKED:
        with store.transaction():
            if store.state().device_key != asked_as:
                return
            if store.state().registration == "moving":
                outbox.renumber(store)
            store.set_state(registration="revoked")
        if refused.details.get("drain"):
            _drain(store, transport, now_ms)
        after = store.state()
        if (after.registration, after.device_key) == ("revoked", asked_as):
            store.erase(now_ms, REVOKED)


def _drain(store: Store, transport: Transport, now_ms: int) -> None:
    """The whole queue, with what was acknowledged lately: a server that was restored meanwhile may have lost it."""
    with store.reading():
        state = store.state()
        kept = [item.mutation() for item in outbox.kept(store)]
    first = kept[0].n if kept else state.next_n
    skip = Skip(1, first - 1) if first > 1 else None
    parts = [outbox.as_raw(part) for part in outbox.in_requests(kept)] or [[]]
    name = _name_of(parts, skip)
    part: int | None = 1
    while part is not None:
        user = state.user.key if state.user is not None else ""
        sent = Drain(user, now_ms, parts[part - 1], skip if part == 1 else None, name, part, len(parts))
        try:
            answer = session.call(transport, "/sync/drain", sent, Drained, state.access_token)
        except ServerRefused as refused:
            if refused.code == WIPED:
                store.erase(now_ms, WIPED)
            elif refused.code == NOT_REVOKED:  # it was said of a registration that this store has left meanwhile
                store.set_state(registration="active")
            else:
                raise
            return
        if answer.next_part is not None and not part < answer.next_part <= len(parts):
            raise ConnectionLost(f"the server asks for part {answer.next_part} of {len(parts)} after part {part}")
        part = answer.next_part


def _name_of(parts: Sequence[Sequence[Raw]], skip: Skip | None) -> str:
    """Two copies of a phone that hold the same say the same; a copy that holds anything else has another drain."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        for raw in part:
            found.update(bytes(raw) + b"\n")
        found.update(b"\n")
    found.update(repr(skip).encode())
    return found.hexdigest()


def tell_of_version(store: Store, refused: ServerRefused, now_ms: int) -> None:
    """The user learns once that the app must be upgraded, or is ahead of the server. Queue and rows stay."""
    if refused.code in (UPGRADE, WAIT):
        with store.transaction():
            last = store.notices()[-1:]
            if not last or last[0].kind != refused.code:
                store.note(now_ms, refused.code, refused.text)
