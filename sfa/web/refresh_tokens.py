"""Refresh tokens: families that rotate, the detection of reuse, and the answer that got lost.

A family is one login; each refresh adds the next position. Only SHA-256 digests of the random tokens are kept. A token
that was rotated may be presented again as long as nothing after it was ever seen: then the client lost the answer, and
gets a new successor in place of the unseen one. If a later token was seen, somebody else holds a copy: the family ends.
Every function runs inside the caller's transaction, which holds the lock of the device's row.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from sfa.db.tables import devices, refresh_tokens

TOKEN_BYTES = 32

_TOKENS = refresh_tokens.c


class Minted(Struct, frozen=True):
    """A new refresh token: the text that only the client keeps, and its key, which access tokens name."""

    text: str
    key: str


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def find(connection: Connection, token: str) -> Row[Any] | None:
    """The row of a token, after its device's row was locked: no other refresh of this device runs meanwhile."""
    query = select(refresh_tokens).where(_TOKENS.digest == digest_of(token))
    found = connection.execute(query).first()
    if found is None:
        return None
    connection.execute(select(devices.c.key).where(devices.c.key == found.device_key).with_for_update())
    return connection.execute(query).first()


def begin_family(
    connection: Connection, device_key: str, now_ms: int, ttl_s: int, new_key: Callable[[], str]
) -> Minted:
    """The first token of a new login; earlier logins of this registration end, and what has expired is removed."""
    revoke_device(connection, device_key, now_ms)
    connection.execute(delete(refresh_tokens).where(_TOKENS.device_key == device_key, _TOKENS.expires_at <= now_ms))
    return _insert(connection, new_key(), 1, device_key, now_ms, ttl_s, new_key)


def rotate(
    connection: Connection, presented: Row[Any], now_ms: int, ttl_s: int, new_key: Callable[[], str]
) -> Minted | None:
    """The successor of the presented token; None where a later one was already seen and the family was ended."""
    later = (_TOKENS.family == presented.family, _TOKENS.position > presented.position)
    # Revoked first, so that a token that is seen at this very moment is either found below or refused there.
    unseen = update(refresh_tokens).where(*later, _TOKENS.used_at.is_(None), _TOKENS.revoked_at.is_(None))
    connection.execute(unseen.values(revoked_at=now_ms))
    if connection.execute(select(_TOKENS.key).where(*later, _TOKENS.used_at.is_not(None)).limit(1)).first():
        revoke_family(connection, presented.family, now_ms)
        return None
    connection.execute(
        update(refresh_tokens)
        .where(_TOKENS.digest == presented.digest, _TOKENS.used_at.is_(None))
        .values(used_at=now_ms)
    )
    position = head(connection, presented.family)[0] + 1
    return _insert(connection, presented.family, position, presented.device_key, now_ms, ttl_s, new_key)


def ended(connection: Connection, presented: Row[Any], now_ms: int) -> bool:
    """Whether nothing can come of this token any more: expired, or its family was ended. A family that is alive has a
    head that is not revoked, or a revoked one that was replaced because nobody saw it."""
    return bool(presented.expires_at <= now_ms or head(connection, presented.family)[1] is not None)


def head(connection: Connection, family: str) -> tuple[int, int | None]:
    """(position, revoked_at) of the newest token of a family."""
    query = select(_TOKENS.position, _TOKENS.revoked_at).where(_TOKENS.family == family)
    position, revoked_at = connection.execute(query.order_by(_TOKENS.position.desc()).limit(1)).one()
    return position, revoked_at


def mark_seen(connection: Connection, key: str, now_ms: int) -> bool:
    """Note the first sight of an access token minted with this refresh token; -> whether that is still good."""
    marked = connection.execute(
        update(refresh_tokens)
        .where(_TOKENS.key == key, _TOKENS.revoked_at.is_(None))
        .values(used_at=func.coalesce(_TOKENS.used_at, now_ms))
    )
    return marked.rowcount == 1


def revoke_family(connection: Connection, family: str, now_ms: int) -> None:
    _revoke(connection, now_ms, _TOKENS.family == family)


def revoke_device(connection: Connection, device_key: str, now_ms: int) -> None:
    _revoke(connection, now_ms, _TOKENS.device_key == device_key)


def revoke_user(connection: Connection, user_key: str, now_ms: int) -> None:
    """Every login of a user, on every device."""
    theirs = select(devices.c.key).where(devices.c.user_key == user_key)
    _revoke(connection, now_ms, _TOKENS.device_key.in_(theirs))


def _revoke(connection: Connection, now_ms: int, which: Any) -> None:
    live = update(refresh_tokens).where(which, _TOKENS.revoked_at.is_(None))
    connection.execute(live.values(revoked_at=now_ms))


def _insert(
    connection: Connection,
    family: str,
    position: int,
    device_key: str,
    now_ms: int,
    ttl_s: int,
    new_key: Callable[[], str],
) -> Minted:
    minted = Minted(text=secrets.token_urlsafe(TOKEN_BYTES), key=new_key())
    row = {"digest": digest_of(minted.text), "key": minted.key, "family": family, "position": position}
    row.update(device_key=device_key, issued_at=now_ms, expires_at=now_ms + ttl_s * 1000)
    connection.execute(insert(refresh_tokens), row)
    return minted
