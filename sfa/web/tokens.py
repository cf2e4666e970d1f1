"""Access tokens and the cache that makes authentication a look-up in a dict.

A token is a JWT (HS256) bound to a registration and to the refresh token with which it was minted. The cache maps the
Authorization header as it arrived to its principal; an entry must be rechecked against the database after `RECHECK_MS`,
so that a revoked device or a deactivated or re-roled user loses access in every process without any notification.
Neither class reads the database (`authenticator` does).
"""

from typing import Any, NamedTuple

import jwt
import msgspec
from msgspec import Struct

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.web.principal import Principal
from sfa.web.secret import Secret

TOKEN_FORMAT = 1  # rises when the claims change their meaning: older tokens are then refreshed
TOKEN_BYTES_MAX = 4096
RECHECK_MS = 30_000
CACHE_ENTRIES_MAX = 50_000
EVICTED_AT_ONCE = 1_000
ALGORITHM = "HS256"
# Times are compared with the injected clock, below; the library would ask the wall clock.
VERIFIED_HERE: dict[str, Any] = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}


class Claims(Struct, frozen=True):
    """`sub` the user, `dev` the registration, `rol` the role when minted, `rt` the key of the refresh token; `iat` and
    `exp` in seconds."""

    sub: str
    dev: str
    rol: str
    rt: str
    iat: int
    exp: int
    v: int

    @property
    def expires_at(self) -> int:
        return self.exp * 1000


class AccessTokens:
    """Mints and verifies; `ttl_s` is the life of a new token."""

    def __init__(self, secret: Secret, clock: Clock, ttl_s: int) -> None:
        self._secret = secret
        self._clock = clock
        self.ttl_s = ttl_s

    def mint(self, principal: Principal, refresh_key: str) -> str:
        now_s = self._clock.now_ms() // 1000
        claims = Claims(
            sub=principal.user_key,
            dev=principal.device_key,
            rol=principal.role,
            rt=refresh_key,
            iat=now_s,
            exp=now_s + self.ttl_s,
            v=TOKEN_FORMAT,
        )
        return jwt.encode(msgspec.structs.asdict(claims), self._key(), algorithm=ALGORITHM)

    def verify(self, token: str, *, expired: bool = False) -> Claims:
        """The claims of a token that this server signed and that has not expired, unless `expired` may pass too."""
        try:
            found: Any = jwt.decode(token, self._key(), algorithms=[ALGORITHM], options=VERIFIED_HERE)  # type: ignore[arg-type]
            claims = msgspec.convert(found, Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
            raise Refused("unauthenticated", "The access token was not made by this server") from error
        if claims.v != TOKEN_FORMAT or (not expired and claims.expires_at <= self._clock.now_ms()):
            raise Refused("token_expired")
        return claims

    def _key(self) -> bytes:
        return self._secret.derive("access-token")


class Entry(NamedTuple):
    principal: Principal
    trusted_until: int
    claims: Claims


class TokenCache:
    """Authorization header -> principal. A hit costs one dict look-up, one clock reading and one comparison."""

    def __init__(self, clock: Clock, *, recheck_ms: int = RECHECK_MS, entries_max: int = CACHE_ENTRIES_MAX) -> None:
        self._now_ms = clock.now_ms
        self._recheck_ms = recheck_ms
        self._entries_max = entries_max
        self._entries: dict[bytes, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, credential: bytes) -> Principal | None:
        """The principal, unless the entry is missing, expired or due for a recheck."""
        found = self._entries.get(credential)
        return found[0] if found is not None and self._now_ms() < found[1] else None

    def verified(self, credential: bytes) -> Claims | None:
        """The claims of a token whose signature was checked before and which has not expired."""
        found = self._entries.get(credential)
        if found is None:
            return None
        if found.claims.expires_at <= self._now_ms():
            del self._entries[credential]
            raise Refused("token_expired")
        return found.claims

    def put(self, credential: bytes, principal: Principal, claims: Claims) -> None:
        """Trust the token until its next recheck. What was put longest ago gives way: whoever is active is put again
        at each recheck and stays."""
        self._entries.pop(credential, None)
        if len(self._entries) >= self._entries_max:
            for old in list(self._entries)[: max(1, min(EVICTED_AT_ONCE, self._entries_max // 2))]:
                del self._entries[old]
        until = min(claims.expires_at, self._now_ms() + self._recheck_ms)
        self._entries[credential] = Entry(principal, until, claims)

    def drop(self, credential: bytes) -> None:
        self._entries.pop(credential, None)

    def forget_device(self, device_key: str) -> None:
        """In this process at once; the other ones learn it by their recheck."""
        for credential, entry in list(self._entries.items()):
            if entry.principal.device_key == device_key:
                del self._entries[credential]
