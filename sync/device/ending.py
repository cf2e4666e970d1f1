"""How a registration ends on the device (S31): revoked, it sends its queue once and erases; wiped, it erases at once.

Between the two the queue is frozen (`revoked` in the store), so that a drain whose answer was lost is sent again with
the same content. A device that is killed anywhere goes on at its next sync: the server answers a drain that it has.
"""

from typing import Any

from msgspec import Raw, Struct

from sync.device import outbox, session
from sync.device.session import ServerRefused
from sync.device.store import Store
from sync.device.transport import Transport
from sync.protocol import Skip

REVOKED, WIPED = "device_revoked", "device_wiped"
DRAINED_BEFORE = "already_drained"


class Drain(Struct, frozen=True, omit_defaults=True):
    user: str
    now: int
    mutations: list[Raw]
    skip: Skip | None = None


def obey(store: Store, transport: Transport, refused: ServerRefused, now_ms: int) -> None:
    """What the server's last word to this registration asks for; nothing for any other refusal. `ConnectionLost` leaves
    everything as it is, for the next sync."""
    if refused.code == WIPED:
        store.erase(now_ms, WIPED)
    elif refused.code == REVOKED:
        with store.transaction():
            if store.state().registration == "moving":
                outbox.renumber(store)
            store.set_state(registration="revoked")
        if refused.details.get("drain"):
            _drain(store, transport, now_ms)
        if store.state().registration == "revoked":
            store.erase(now_ms, REVOKED)


def _drain(store: Store, transport: Transport, now_ms: int) -> None:
    """The whole queue, with what was acknowledged lately: a server that was restored meanwhile may have lost it."""
    with store.reading():
        state = store.state()
        kept = [item.mutation() for item in outbox.kept(store)]
    first = kept[0].n if kept else state.next_n
    skip = Skip(1, first - 1) if first > 1 else None
    queue = Drain(state.user.key if state.user is not None else "", now_ms, outbox.as_raw(kept), skip)
    try:
        session.call(transport, "/sync/drain", queue, dict[str, Any], state.access_token)
    except ServerRefused as answer:
        if answer.code == WIPED:
            store.erase(now_ms, WIPED)
        elif answer.code != DRAINED_BEFORE:
            raise
