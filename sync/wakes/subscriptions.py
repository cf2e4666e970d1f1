"""What a registration says about its wakes: where it wants them, or that it wants none.

Each function is one transaction. A subscription belongs to the registration that is logged in; it is gone when that is
revoked or wiped, when the service says that the address is dead, and when the device removes it. Two registrations may
share an address: two people on one tablet.
"""

from collections.abc import Collection
from typing import Annotated

from msgspec import Meta, Struct
from sqlalchemy import Connection, delete, insert, select, update

from sfa.core.errors import Refused
from sfa.core.registrations import check_active
from sfa.db import feed
from sfa.db.tables import devices, wakes
from sync.protocol import WAKE_ADDRESS_CHARACTERS_MAX


class Subscribe(Struct, frozen=True, forbid_unknown_fields=True):
    """`service` is one of those that the server offers; `address` the endpoint of a Web Push subscription, or the
    token that APNs or FCM gave the app."""

    service: Annotated[str, Meta(max_length=16)]
    address: Annotated[str, Meta(min_length=1, max_length=WAKE_ADDRESS_CHARACTERS_MAX)]


class WakeView(Struct, frozen=True):
    """What is offered, and the caller's own subscription: its service and since when. The address, which the device
    knows, is told to nobody."""

    services: list[str]
    vapid_public_key: str | None
    service: str | None
    since_at: int | None


def read(connection: Connection, device: str) -> tuple[str, int] | None:
    """-> (service, since when)."""
    query = select(wakes.c.service, wakes.c.since_at).where(wakes.c.device_key == device)
    found = connection.execute(query).first()
    return (found[0], found[1]) if found is not None else None


def subscribe(connection: Connection, device: str, wanted: Subscribe, now_ms: int) -> tuple[str, int]:
    """Set or replace. The same again changes nothing; another address gets what the old one was not told."""
    state = connection.execute(select(devices.c.state).where(devices.c.key == device).with_for_update()).scalar()
    if state is None:
        raise Refused("device_unknown")
    check_active(state)  # in this transaction: a wipe that came first leaves no subscription behind
    own = wakes.c.device_key == device
    found = connection.execute(select(wakes.c.service, wakes.c.address, wakes.c.since_at).where(own)).first()
    told = {"service": wanted.service, "address": wanted.address, "since_at": now_ms, "next_at": now_ms, "failures": 0}
    if found is None:
        fresh = {"device_key": device, "seq": feed.face(connection).seq, "live_until": 0}
        connection.execute(insert(wakes), {**told, **fresh})
    elif (found.service, found.address) != (wanted.service, wanted.address):
        connection.execute(update(wakes).where(own).values(told))
    else:
        return found.service, found.since_at
    return wanted.service, now_ms


def remove(connection: Connection, devices_ended: Collection[str]) -> None:
    connection.execute(delete(wakes).where(wakes.c.device_key.in_(devices_ended)))
