"""Login, refresh and logout as stories: limit, password, registration, tokens, in this order.

Each step that touches the database is one transaction of `auth`; the password is checked between two of them, in a
worker thread. Tokens are made after the commit.
"""

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db.database import Database
from sfa.web import attempts, auth
from sfa.web.auth_messages import LoginAnswer, LoginRequest, MeAnswer
from sfa.web.passwords import PasswordChecks
from sfa.web.principal import Principal
from sfa.web.tokens import AccessTokens, TokenCache


class Sessions:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: PasswordChecks,
        tokens: AccessTokens,
        cache: TokenCache,
        refresh_ttl_s: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._tokens = tokens
        self._cache = cache
        self._refresh_ttl_s = refresh_ttl_s
        self._keys = KeyMaker(clock)

    async def login(self, request: LoginRequest, address: str | None) -> LoginAnswer:
        """Refuses login_failed and login_limited, and never says which of e-mail and password was wrong."""
        subjects = attempts.subjects_of(request.email, address)
        wait_ms = await self._database.write_async(attempts.count, subjects, self._clock.now_ms())
        if wait_ms > 0:
            raise Refused("login_limited", retry_after_s=-(-wait_ms // 1000))
        candidate = await self._database.read_long_async(auth.find_candidate, request.email)
        stored = candidate.password_hash if candidate is not None else None
        verdict = await self._passwords.check(stored, request.password)
        if candidate is None or not verdict.right:
            raise Refused("login_failed")
        opened = await self._database.write_async(
            auth.open_login, candidate, request.device, self._terms(), subjects, verdict.rehashed
        )
        if opened is None:
            raise Refused("login_failed")
        self._cache.forget_device(opened.principal.device_key)
        return self._answer(opened)

    async def refresh(self, token: str) -> LoginAnswer:
        """Refuses refresh_invalid, refresh_reused, device_revoked and device_wiped."""
        opened = await self._database.write_async(auth.continue_login, token, self._terms())
        if isinstance(opened, Refused):
            raise opened
        return self._answer(opened)

    async def logout(self, principal: Principal) -> None:
        now_ms = self._clock.now_ms()
        await self._database.write_async(auth.end_login, principal.device_key, now_ms)
        self._cache.forget_device(principal.device_key)

    async def me(self, principal: Principal) -> MeAnswer:
        user = await self._database.read_async(auth.read_user, principal.user_key)
        return MeAnswer(user, principal.device_key)

    def _terms(self) -> auth.Terms:
        return auth.Terms(self._clock.now_ms(), self._refresh_ttl_s, self._keys.new)

    def _answer(self, opened: auth.Opened) -> LoginAnswer:
        return LoginAnswer(
            access_token=self._tokens.mint(opened.principal, opened.refresh.key),
            refresh_token=opened.refresh.text,
            expires_in=self._tokens.ttl_s,
            device_id=opened.principal.device_key,
            user=opened.user,
        )
