"""The endpoints to which events are posted: made, changed, given a new secret and deleted by administrators.

A secret is told by the answer that made it and by no other. What waits for an endpoint when it is switched off, by
whomever, is dropped and can be replayed; an endpoint that is off is given nothing new. Rows are locked before their
deliveries, here and where they are delivered.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy import Connection, delete, func, insert, select, update

from sfa.core.errors import Refused
from sfa.core.ids import check_key, is_key
from sfa.db.outgoing import KINDS
from sfa.db.tables import ROWS, webhook_deliveries, webhook_endpoints
from sfa.web.hooks import signing
from sfa.web.hooks.guard import URL_CHARACTERS_MAX
from sfa.web.hooks.signing import BEFORE_MAX, BOTH_MS, Earlier, Seals, Unreadable

ENDPOINTS_MAX = 50
ABOUT_CHARACTERS_MAX = 200
KINDS_TOLD = tuple(sorted(KINDS))
_W, _D, _USERS = webhook_endpoints.c, webhook_deliveries.c, ROWS["users"].c

Url = Annotated[str, Meta(min_length=1, max_length=URL_CHARACTERS_MAX)]
About = Annotated[str, Meta(max_length=ABOUT_CHARACTERS_MAX)]
Kinds = Annotated[list[str], Meta(max_length=len(KINDS_TOLD))]


class NewEndpoint(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`kinds` are those of events that are wanted, none for all. With a `key` of the client's own, asking twice makes
    one endpoint; its secret is told once all the same."""

    url: Url
    about: About | None = None
    kinds: Kinds = []
    key: str | None = None


class ChangedEndpoint(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is not said stays."""

    url: Url | UnsetType = UNSET
    about: About | UnsetType | None = UNSET
    kinds: Kinds | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Rotate(Struct, frozen=True, forbid_unknown_fields=True):
    """`at_once` where the secret was found out: earlier ones sign no more."""

    at_once: bool = False


class Endpoint(Struct, frozen=True, kw_only=True):
    """`secret` is there only in the answer that made it. `problem` is what went wrong last, or why the endpoint was
    switched off; `failing_since` from when on everything failed; nothing is sent until `paused_until`; `both_until` is
    how long earlier secrets sign too (ms)."""

    key: str
    url: str
    about: str | None
    kinds: list[str]
    active: bool
    problem: str | None
    failing_since: int | None
    paused_until: int | None
    both_until: int | None
    made_at: int
    made_by: str | None
    secret: str | None = None


class Endpoints(Struct, frozen=True):
    """Every endpoint, and the kinds of events that there are."""

    items: list[Endpoint]
    kinds: tuple[str, ...] = KINDS_TOLD


def check_admin(connection: Connection, user_key: str) -> None:
    """As the caller stands now."""
    query = select(_USERS.role).where(_USERS.key == user_key, _USERS.active, ~_USERS.gone)
    if connection.execute(query).scalar() != "admin":
        raise Refused("not_permitted", "an administrator decides what other systems are told")


def listed(connection: Connection, now_ms: int, user_key: str) -> Endpoints:
    check_admin(connection, user_key)
    rows = connection.execute(select(webhook_endpoints).order_by(_W.made_at, _W.endpoint_key)).mappings()
    return Endpoints([_told(row, now_ms) for row in rows])


def make(
    connection: Connection, now_ms: int, user_key: str, asked: NewEndpoint, own_key: str, seals: Seals
) -> Endpoint:
    check_admin(connection, user_key)
    key = check_key(asked.key) if asked.key is not None else own_key
    found = _row(connection, key)
    if found is not None:
        if found["url"] != asked.url:
            raise Refused("request_invalid", "another endpoint has this key")
        return _told(found, now_ms)
    if connection.execute(select(func.count()).select_from(webhook_endpoints)).scalar_one() >= ENDPOINTS_MAX:
        raise Refused("webhook_limit", f"a company has at most {ENDPOINTS_MAX} endpoints")
    secret = signing.new_secret()
    row = {
        "endpoint_key": key,
        "url": asked.url,
        "about": _text(asked.about),
        "kinds": checked_kinds(asked.kinds),
        "secret": seals.seal(key, secret),
        "active": True,
        "made_at": now_ms,
        "made_by": user_key,
    }
    connection.execute(insert(webhook_endpoints), row)
    return msgspec.structs.replace(read(connection, now_ms, key), secret=secret)


def change(connection: Connection, now_ms: int, user_key: str, key: str, asked: ChangedEndpoint) -> Endpoint:
    """Switched on again, it begins anew: nothing of it is failing."""
    check_admin(connection, user_key)
    row = seen(connection, key)
    said: dict[str, Any] = {}
    if asked.url is not UNSET:
        said |= {"url": asked.url, "paused_until": None}
    if asked.about is not UNSET:
        said["about"] = _text(asked.about)
    if asked.kinds is not UNSET:
        said["kinds"] = checked_kinds(asked.kinds)
    if asked.active is True and not row["active"]:
        said |= {"active": True, "problem": None, "failing_since": None, "paused_until": None}
    if said:
        connection.execute(update(webhook_endpoints).where(_W.endpoint_key == key).values(**said))
    if asked.active is False and row["active"]:
        switch_off(connection, now_ms, key, "an administrator switched it off")
    return read(connection, now_ms, key)


def rotate(connection: Connection, now_ms: int, user_key: str, key: str, asked: Rotate, seals: Seals) -> Endpoint:
    """A new secret; those before it sign as well for a day, so that one whose answer was lost does no harm."""
    check_admin(connection, user_key)
    row, secret = seen(connection, key), signing.new_secret()
    earlier: list[Earlier] = []
    if not asked.at_once:
        try:
            before = seals.open_earlier(key, row["before"], now_ms)
            earlier = [Earlier(seals.open(key, row["secret"]), now_ms + BOTH_MS), *before][:BEFORE_MAX]
        except Unreadable:
            earlier = []
    said = {
        "secret": seals.seal(key, secret),
        "before": seals.seal_earlier(key, earlier) if earlier else None,
        "before_until": now_ms + BOTH_MS if earlier else None,
    }
    connection.execute(update(webhook_endpoints).where(_W.endpoint_key == key).values(**said))
    return msgspec.structs.replace(read(connection, now_ms, key), secret=secret)


def remove(connection: Connection, user_key: str, key: str) -> None:
    """With all that waits for it; asked twice it happens once."""
    check_admin(connection, user_key)
    if not is_key(key):
        raise Refused("not_found")
    connection.execute(select(_W.endpoint_key).where(_W.endpoint_key == key).with_for_update())
    connection.execute(delete(webhook_deliveries).where(_D.endpoint_key == key))
    connection.execute(delete(webhook_endpoints).where(_W.endpoint_key == key))


def switch_off(connection: Connection, now_ms: int, key: str, why: str) -> None:
    """The caller holds the endpoint's row. What waits, or is just being posted, is dropped."""
    connection.execute(update(webhook_endpoints).where(_W.endpoint_key == key).values(active=False, problem=why))
    waiting = (_D.endpoint_key == key, _D.state.in_(("queued", "sending")))
    said = {"state": "dropped", "problem": "the endpoint was switched off", "ended_at": now_ms}
    connection.execute(update(webhook_deliveries).where(*waiting).values(**said, claimed_by=None, beat_at=None))


def seen(connection: Connection, key: str) -> Mapping[Any, Any]:
    """The row, locked; `not_found`."""
    row = _row(connection, key) if is_key(key) else None
    if row is None:
        raise Refused("not_found")
    return row


def read(connection: Connection, now_ms: int, key: str) -> Endpoint:
    return _told(seen(connection, key), now_ms)


def checked_kinds(kinds: list[str]) -> list[str]:
    unknown = sorted(set(kinds) - KINDS)
    if unknown:
        raise Refused("webhook_kind_unknown", f"kinds are {', '.join(KINDS_TOLD)}", kinds=list(KINDS_TOLD))
    return sorted(set(kinds))


def _row(connection: Connection, key: str) -> Mapping[Any, Any] | None:
    query = select(webhook_endpoints).where(_W.endpoint_key == key)
    return connection.execute(query.with_for_update()).mappings().first()


def _text(said: str | None) -> str | None:
    if said is not None and "\x00" in said:
        raise Refused("request_invalid", "a text holds no NUL")
    return said or None


def _told(row: Mapping[Any, Any], now_ms: int) -> Endpoint:
    same = {name: row[name] for name in Endpoint.__struct_fields__ if name not in ("key", "both_until", "secret")}
    until = row["before_until"]
    both_until = until if until is not None and until > now_ms else None
    return Endpoint(key=row["endpoint_key"], both_until=both_until, **same)
