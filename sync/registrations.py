"""Registrations as people see and end them (S31): the list, revoke, wipe.

Who may do what is `sfa.core.registrations.rights_on`, asked here and nowhere else. A registration that the caller may
not see is `not_found`, like one that does not exist. Each function is one transaction: it happened or it did not, and
the same order twice changes nothing more.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, case, func, select, update

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.registrations import SEE, rights_on, state_after
from sfa.db import news, scope
from sfa.db.tables import ROWS, devices, drains
from sync.wakes import subscriptions

_USERS = ROWS["users"]


class Person(Struct, frozen=True):
    """Who asks, with the role and the buckets that stand in this transaction."""

    key: str
    role: str
    held: frozenset[str]

    def rights(self, owner: str) -> frozenset[str]:
        return rights_on(self.key, self.role, self.held, owner)


class DeviceView(Struct, frozen=True):
    """One registration. Instants in milliseconds; `queued` is what the device said that it still has to send;
    `quarantined` how many mutations wait for a review, None where nothing was drained; `rights` what the caller may."""

    key: str
    user_key: str
    name: str
    platform: str
    app_version: str
    state: str
    created_at: int
    last_seen_at: int | None
    last_n: int
    queued: int | None
    contract: int | None
    skew_ms: int | None
    skewed: bool
    ended_at: int | None
    ended_by: str | None
    quarantined: int | None
    rights: list[str]


class DeviceList(Struct, frozen=True):
    devices: list[DeviceView]


_STORED = tuple(name for name in DeviceView.__struct_fields__ if name not in ("quarantined", "rights"))
_WAITING = (
    select(drains.c.device_key, func.sum(case((drains.c.result.is_(None), drains.c.size), else_=0)).label("size"))
    .group_by(drains.c.device_key)
    .subquery()
)
_VIEWS = (
    select(*(devices.c[name] for name in _STORED), _WAITING.c.size)
    .join_from(devices, _WAITING, _WAITING.c.device_key == devices.c.key, isouter=True)
    .order_by(devices.c.user_key, devices.c.created_at, devices.c.key)
)


def person(connection: Connection, user_key: str) -> Person:
    """The caller as he stands now, not as he was when he logged in."""
    query = select(_USERS.c.role, _USERS.c.active, _USERS.c.gone).where(_USERS.c.key == user_key)
    role, active, gone = connection.execute(query).one()
    if gone or not active:
        raise Refused("unauthenticated")
    return Person(user_key, role, scope.held_now(connection, user_key))


def listed(connection: Connection, user_key: str) -> DeviceList:
    """Every registration that the caller may see, by person and age."""
    who = person(connection, user_key)
    query = _VIEWS
    if who.role != "admin":
        books = [bucket.partition(":")[2] for bucket in who.held if bucket.startswith("book:")]
        query = query.where(devices.c.user_key.in_({user_key, *books}))
    views = (_view(row, who) for row in connection.execute(query))
    return DeviceList([view for view in views if SEE in view.rights])


def _view(row: Any, who: Person) -> DeviceView:
    values = {name: getattr(row, name) for name in _STORED}
    waiting = int(row.size) if row.size is not None else None
    return DeviceView(**values, quarantined=waiting, rights=sorted(who.rights(row.user_key)))


def known(
    connection: Connection, user_key: str, device_key: str, right: str, *, locked: bool = True
) -> tuple[Person, Row[Any]]:
    """-> (the caller, the registration, locked). Refuses not_found where the caller may not see it, and not_permitted
    where he may see it but not do this."""
    who = person(connection, user_key)
    query = select(devices).where(devices.c.key == device_key)
    row = connection.execute(query.with_for_update() if locked else query).first() if is_key(device_key) else None
    if row is None or SEE not in (rights := who.rights(row.user_key)):
        raise Refused("not_found")
    if right not in rights:
        raise Refused("not_permitted", "somebody else decides about this registration")
    return who, row


def end(connection: Connection, user_key: str, device_key: str, order: str, right: str, now_ms: int) -> DeviceView:
    """Revoke or wipe: it is woken no more. The tokens stay known, so that the device can be told why it was ended; its
    streams end at the commit, in every process."""
    who, row = known(connection, user_key, device_key, right)
    state = state_after(row.state, order)
    if state != row.state:
        told = update(devices).where(devices.c.key == device_key)
        connection.execute(told.values(state=state, ended_at=now_ms, ended_by=user_key))
        subscriptions.remove(connection, [device_key])
        news.tell_ended(connection)
    return _view(connection.execute(_VIEWS.where(devices.c.key == device_key)).one(), who)
