"""From the Authorization header to the principal: a dict look-up for known tokens, the database for the others.

`authenticate` is for the hot path: no await, no signature, a few hundred nanoseconds. `authenticate_fully` checks the
signature of a new token and, for a new or long-trusted one, reads in one query whether registration, user and login are
still good; the first sight of a token is written, because it proves that the answer with it arrived.
"""

from collections.abc import Iterable

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.core.registrations import check_active
from sfa.db.database import Database
from sfa.web import auth, refresh_tokens
from sfa.web.principal import Principal
from sfa.web.tokens import TOKEN_BYTES_MAX, AccessTokens, Claims, TokenCache

Headers = Iterable[tuple[bytes, bytes]]
SCHEME = b"bearer "


class Authenticator:
    def __init__(self, database: Database, clock: Clock, tokens: AccessTokens, cache: TokenCache) -> None:
        self._database = database
        self._clock = clock
        self._tokens = tokens
        self._cache = cache

    def authenticate(self, headers: Headers) -> Principal | None:
        """The principal of a token that was verified lately; None says only that the full way must decide."""
        for name, value in headers:
            if name == b"authorization":
                return self._cache.get(value)
        return None

    async def authenticate_fully(self, headers: Headers) -> Principal:
        """The principal, or a refusal: unauthenticated, token_expired, device_unknown, device_revoked, device_wiped."""
        credential = _credential(headers)
        known = self._cache.get(credential)
        if known is not None:
            return known
        claims = self._cache.verified(credential)
        if claims is None:
            claims = self._tokens.verify(_token(credential))
        try:
            principal = await self._recheck(claims)
        except Refused:
            self._cache.drop(credential)
            raise
        self._cache.put(credential, principal, claims)
        return principal

    def expires_at(self, headers: Headers) -> int:
        """When the token ends that was authenticated just now; refuses one that has ended."""
        credential = _credential(headers)
        claims = self._cache.verified(credential) or self._tokens.verify(_token(credential))
        return claims.expires_at

    def authenticate_ended(self, headers: Headers) -> Claims:
        """Whose token it is, expired or not: for what a registration may still do after it was revoked. Whether it may
        is for the caller to look up."""
        return self._tokens.verify(_token(_credential(headers)), expired=True)

    async def _recheck(self, claims: Claims) -> Principal:
        standing = await self._database.read_async(auth.read_standing, claims.rt)
        if standing is None or (standing.principal.user_key, standing.principal.device_key) != (claims.sub, claims.dev):
            raise Refused("device_unknown")
        check_active(standing.device_state)
        if not standing.user_active or standing.revoked:
            raise Refused("unauthenticated", "This login has ended: log in again")
        if not standing.seen:
            now_ms = self._clock.now_ms()
            if not await self._database.write_async(refresh_tokens.mark_seen, claims.rt, now_ms):
                raise Refused("unauthenticated", "This access token was replaced by a later one: refresh")
        return standing.principal


def _credential(headers: Headers) -> bytes:
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) != 1 or found[0][: len(SCHEME)].lower() != SCHEME or len(found[0]) > TOKEN_BYTES_MAX:
        raise Refused("unauthenticated")
    return found[0]


def _token(credential: bytes) -> str:
    try:
        return credential[len(SCHEME) :].strip().decode("ascii")
    except UnicodeDecodeError as error:
        raise Refused("unauthenticated") from error
