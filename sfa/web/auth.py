"""Who you are, as functions of a connection: find a user, open and continue a login, end it, register a device.

Each function works inside its caller's transaction and never hashes a password: that takes 50 ms and is done before.
What must be kept although the request fails (the end of a family whose token was used twice) is answered as a `Refused`
value, so that the transaction commits; the caller raises it.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, func, insert, select, update

from sfa.core.errors import Refused
from sfa.core.ids import KEY_CHARACTERS_MAX
from sfa.core.registrations import ACTIVE, check_active
from sfa.db.tables import ROWS, credentials, devices, refresh_tokens
from sfa.web import attempts
from sfa.web import refresh_tokens as families
from sfa.web.auth_messages import DeviceInfo, UserView
from sfa.web.principal import Principal

_USERS = ROWS["users"].c
_DEVICES = devices.c


class Candidate(Struct, frozen=True):
    """A user who may be the one that logs in; `password_hash` is what the password is checked against."""

    user: UserView
    password_hash: str


class Terms(Struct, frozen=True):
    """What every new login gets: the time, the life of its refresh tokens, and where new keys come from."""

    now_ms: int
    refresh_ttl_s: int
    new_key: Callable[[], str]


class Opened(Struct, frozen=True):
    """A login that holds: what the tokens are made of."""

    principal: Principal
    user: UserView
    refresh: families.Minted


class Standing(Struct, frozen=True):
    """What a recheck of an access token reads: is all of it still good?"""

    principal: Principal
    device_state: str
    user_active: bool
    seen: bool
    revoked: bool


def find_candidate(connection: Connection, email: str) -> Candidate | None:
    """The active user with a password and this e-mail, compared without regard to case."""
    query = (
        select(_USERS.key, _USERS.name, _USERS.email, _USERS.role, credentials.c.password_hash)
        .join(credentials, credentials.c.user_key == _USERS.key)
        .where(func.lower(_USERS.email).in_({email.lower(), _ascii_lower(email)}), _USERS.active, ~_USERS.gone)
        .order_by(_USERS.key)
    )
    found = connection.execute(query).first()
    return Candidate(UserView(*found[:4]), found[4]) if found is not None else None


def _ascii_lower(text: str) -> str:
    """As SQLite lowers it."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def open_login(
    connection: Connection,
    candidate: Candidate,
    device: DeviceInfo,
    terms: Terms,
    subjects: list[attempts.Subject] | None = None,
    rehashed: str | None = None,
) -> Opened | None:
    """Begin a family of tokens after the password was right; None where the user changed meanwhile."""
    user_key = candidate.user.key
    query = (
        select(_USERS.role)
        .join(credentials, credentials.c.user_key == _USERS.key)
        .where(_USERS.key == user_key, _USERS.active, ~_USERS.gone)
        .where(credentials.c.password_hash == candidate.password_hash)
    )
    if connection.execute(query).first() is None:
        return None
    attempts.take_back(connection, subjects or [])
    if rehashed is not None:
        own = update(credentials).where(credentials.c.user_key == user_key)
        connection.execute(own.values(password_hash=rehashed))
    device_key = register_device(connection, user_key, device, terms)
    refresh = families.begin_family(connection, device_key, terms.now_ms, terms.refresh_ttl_s, terms.new_key)
    return Opened(Principal(user_key, candidate.user.role, device_key), candidate.user, refresh)


def register_device(connection: Connection, user_key: str, device: DeviceInfo, terms: Terms) -> str:
    """The key of this installation's registration: the one it had, where that is this user's and active, or a new
    one. A foreign or revoked key gets the same answer as an unknown one."""
    told = {"name": device.name, "platform": device.platform, "app_version": device.app_version}
    told_at = {**told, "last_seen_at": terms.now_ms}
    if device.id and len(device.id) <= KEY_CHARACTERS_MAX and "\0" not in device.id:
        own = (_DEVICES.key == device.id, _DEVICES.user_key == user_key, _DEVICES.state == ACTIVE)
        if connection.execute(update(devices).where(*own).values(told_at)).rowcount == 1:
            return device.id
    row = {"key": terms.new_key(), "user_key": user_key, "state": ACTIVE, "created_at": terms.now_ms}
    connection.execute(insert(devices), {**row, **told_at, "last_n": 0, "durable_n": 0, "skewed": False})
    return str(row["key"])


def continue_login(connection: Connection, token: str, terms: Terms) -> Opened | Refused:
    """Rotate a refresh token. A refusal is answered, not raised: the end of a family must be committed."""
    presented = families.find(connection, token)
    if presented is None:
        return Refused("refresh_invalid")
    found = _holder(connection, presented.device_key)
    try:
        check_active(found.state)  # first: a device that was ended must learn it, however old its tokens are
    except Refused as ended:
        return ended
    if families.ended(connection, presented, terms.now_ms) or not found.active or found.gone:
        return Refused("refresh_invalid")
    refresh = families.rotate(connection, presented, terms.now_ms, terms.refresh_ttl_s, terms.new_key)
    if refresh is None:
        return Refused("refresh_reused")
    seen = update(devices).where(_DEVICES.key == presented.device_key)
    connection.execute(seen.values(last_seen_at=terms.now_ms))
    user = UserView(found.key, found.name, found.email, found.role)
    return Opened(Principal(user.key, user.role, presented.device_key), user, refresh)


def _holder(connection: Connection, device_key: str) -> Any:
    query = select(_USERS.key, _USERS.name, _USERS.email, _USERS.role, _USERS.active, _USERS.gone, _DEVICES.state).join(
        devices, _DEVICES.user_key == _USERS.key
    )
    return connection.execute(query.where(_DEVICES.key == device_key)).one()


def end_login(connection: Connection, device_key: str, now_ms: int) -> None:
    """Log out: no token of this registration is good any more. The registration itself stays."""
    families.revoke_device(connection, device_key, now_ms)


def read_user(connection: Connection, user_key: str) -> UserView:
    query = select(_USERS.key, _USERS.name, _USERS.email, _USERS.role).where(_USERS.key == user_key)
    return UserView(*connection.execute(query).one())


_STANDING = (
    select(
        _USERS.key,
        _USERS.role,
        _USERS.active,
        _USERS.gone,
        _DEVICES.key,
        _DEVICES.state,
        refresh_tokens.c.used_at,
        refresh_tokens.c.revoked_at,
    )
    .select_from(refresh_tokens)
    .join(devices, _DEVICES.key == refresh_tokens.c.device_key)
    .join(ROWS["users"], _USERS.key == _DEVICES.user_key)
)


def read_standing(connection: Connection, refresh_key: str) -> Standing | None:
    """Registration, user and refresh token behind an access token, in one query; the role is the present one."""
    found = connection.execute(_STANDING.where(refresh_tokens.c.key == refresh_key)).first()
    if found is None:
        return None
    user_key, role, active, gone, device_key, state, used_at, revoked_at = found
    return Standing(
        principal=Principal(user_key, role, device_key),
        device_state=state,
        user_active=active and not gone,
        seen=used_at is not None,
        revoked=revoked_at is not None,
    )


def set_password_hash(connection: Connection, user_key: str, password_hash: str, now_ms: int) -> None:
    """Store a hash of `passwords.hash_password`. A changed password ends every login of the user."""
    values = {"password_hash": password_hash, "changed_at": now_ms}
    changed = update(credentials).where(credentials.c.user_key == user_key).values(values)
    if connection.execute(changed).rowcount == 1:
        families.revoke_user(connection, user_key, now_ms)
    else:
        connection.execute(insert(credentials), {"user_key": user_key, **values})


def set_password(connection: Connection, user_key: str, password: str, now_ms: int) -> None:
    """Hash and store, for terminals and tests: the hash takes 50 ms of the transaction."""
    from sfa.web.passwords import hash_password

    set_password_hash(connection, user_key, hash_password(password), now_ms)
