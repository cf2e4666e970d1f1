"""Access tokens, their cache and the recheck: what a token is worth, and for how long."""

import asyncio
from typing import Any

import jwt
import pytest
from sqlalchemy import update

from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from sfa.db.database import Database, open_database
from sfa.db.tables import devices, refresh_tokens
from sfa.web.authenticator import Authenticator
from sfa.web.principal import Principal
from sfa.web.secret import Secret, kept_secret
from sfa.web.tokens import RECHECK_MS, AccessTokens, Claims, TokenCache
from tests.web.conftest import START_MS, Server

ANN = Principal("ann", "rep", "phone")


def claims(expires_s: int = START_MS // 1000 + 900) -> Claims:
    return Claims(sub="ann", dev="phone", rol="rep", rt="r1", iat=START_MS // 1000, exp=expires_s, v=1)


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"here"), (b"authorization", b"Bearer " + token.encode())]


def test_a_token_carries_its_claims_and_ends_by_the_injected_clock(clock: VirtualClock) -> None:
    tokens = AccessTokens(Secret("s" * 32), clock, 900)
    text = tokens.mint(ANN, "r1")
    assert tokens.verify(text) == claims()
    clock.advance(899_999)
    tokens.verify(text)
    clock.advance(1)
    with pytest.raises(Refused) as refused:
        tokens.verify(text)
    assert refused.value.code == "token_expired"


def test_a_token_of_another_secret_purpose_form_or_algorithm_is_refused(clock: VirtualClock) -> None:
    secret = Secret("s" * 32)
    tokens = AccessTokens(secret, clock, 900)
    good = {"sub": "ann", "dev": "d", "rol": "rep", "rt": "r", "iat": 1, "exp": START_MS, "v": 1}
    key = secret.derive("access-token")
    tokens.verify(jwt.encode(good, key, algorithm="HS256"))
    forged = [
        jwt.encode(good, Secret("t" * 32).derive("access-token"), algorithm="HS256"),
        jwt.encode(good, secret.derive("cursor"), algorithm="HS256"),
        jwt.encode(good, key * 2, algorithm="HS512"),
        jwt.encode(good, "", algorithm="none"),
        jwt.encode({k: v for k, v in good.items() if k != "rt"}, key, algorithm="HS256"),
        jwt.encode({**good, "exp": "soon"}, key, algorithm="HS256"),
        "a.b.c",
        "",
    ]
    for text in forged:
        with pytest.raises(Refused) as refused:
            tokens.verify(text)
        assert refused.value.code == "unauthenticated", text


def test_a_token_of_an_older_format_is_to_be_refreshed(clock: VirtualClock) -> None:
    secret = Secret("s" * 32)
    old = {"sub": "ann", "dev": "d", "rol": "rep", "rt": "r", "iat": 1, "exp": START_MS, "v": 0}
    with pytest.raises(Refused) as refused:
        AccessTokens(secret, clock, 900).verify(jwt.encode(old, secret.derive("access-token"), algorithm="HS256"))
    assert refused.value.code == "token_expired"


def test_an_entry_is_trusted_until_its_recheck_and_never_beyond_its_token(clock: VirtualClock) -> None:
    cache = TokenCache(clock)
    cache.put(b"long", ANN, claims())
    cache.put(b"short", ANN, claims(START_MS // 1000 + 5))
    clock.advance(4_999)
    assert cache.get(b"short") is ANN
    clock.advance(1)
    assert cache.get(b"short") is None
    with pytest.raises(Refused):
        cache.verified(b"short")
    clock.advance(RECHECK_MS - 5_001)
    assert cache.get(b"long") is ANN
    clock.advance(1)
    assert cache.get(b"long") is None
    assert cache.verified(b"long") == claims()


def test_the_cache_is_bounded_and_keeps_who_was_active_last(clock: VirtualClock) -> None:
    cache = TokenCache(clock, entries_max=10)
    for n in range(10):
        cache.put(b"%d" % n, ANN, claims())
    cache.put(b"0", ANN, claims())
    for n in range(100, 105):
        cache.put(b"%d" % n, ANN, claims())
    assert len(cache) <= 10
    assert cache.get(b"0") is ANN
    assert cache.get(b"1") is None


def test_a_known_token_costs_no_signature_and_no_database(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    token = server.login().json()["access_token"]
    assert server.me(token).status_code == 200
    monkeypatch.setattr(AccessTokens, "verify", lambda *_: pytest.fail("a signature was checked"))
    monkeypatch.setattr(Authenticator, "_recheck", lambda *_: pytest.fail("the database was asked"))
    principal = server.services.authenticator.authenticate(bearer(token))
    assert principal is server.services.authenticator.authenticate(bearer(token))
    assert principal is not None
    assert principal.user_key == "ann"


def test_a_recheck_is_one_read_and_the_first_sight_one_write(
    server: Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = server.login().json()
    asked: list[str] = []
    opened = open_database(database.url)
    for how in ("read_async", "write_async"):
        passed_on = getattr(opened, how)

        def noted(*args: Any, how: str = how, passed_on: Any = passed_on) -> Any:
            asked.append(how)
            return passed_on(*args)

        monkeypatch.setattr(opened, how, noted)
    authenticator = Authenticator(opened, server.clock, server.services.tokens, TokenCache(server.clock))

    async def ask() -> list[list[str]]:
        found = []
        try:
            for wait_ms in (0, 0, RECHECK_MS, 1, RECHECK_MS):
                server.clock.advance(wait_ms)
                asked.clear()
                await authenticator.authenticate_fully(bearer(session["access_token"]))
                found.append(asked.copy())
        finally:
            await opened.close_async()
        return found

    assert asyncio.run(ask()) == [["read_async", "write_async"], [], ["read_async"], [], ["read_async"]]


def test_a_revoked_device_loses_access_within_the_recheck_time(server: Server) -> None:
    session = server.login().json()
    assert server.me(session["access_token"]).status_code == 200
    revoke = update(devices).where(devices.c.key == session["device_id"]).values(state="revoked")
    server.database.write(lambda c: c.execute(revoke))
    server.clock.advance(RECHECK_MS)
    answer = server.me(session["access_token"])
    assert (answer.status_code, answer.json()["code"]) == (401, "device_revoked")


def test_a_deactivated_user_loses_access_within_the_recheck_time(server: Server) -> None:
    token = server.login().json()["access_token"]
    assert server.me(token).status_code == 200
    server.change_user("ann", active=False)
    server.clock.advance(RECHECK_MS)
    assert server.me(token).json()["code"] == "unauthenticated"


def test_a_new_role_holds_within_the_recheck_time_without_a_new_token(server: Server) -> None:
    token = server.login().json()["access_token"]
    server.me(token)
    server.change_user("ann", role="manager")
    server.clock.advance(RECHECK_MS)
    server.me(token)
    principal = server.services.authenticator.authenticate(bearer(token))
    assert principal is not None
    assert principal.role == "manager"


def test_a_token_whose_login_is_gone_from_the_database_is_refused(server: Server) -> None:
    token = server.login().json()["access_token"]
    server.database.write(lambda c: c.execute(refresh_tokens.delete()))
    assert server.me(token).json()["code"] == "device_unknown"


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Basic abc", "Bearer ", "Bearer a.b.c", "Bearer " + "x" * 5000, "Bearer \xff"]
)
def test_a_header_without_a_good_token_is_refused(server: Server, value: str) -> None:
    headers = [(b"authorization", value.encode("latin-1"))]
    answer = server.client.get("/auth/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_scheme_is_read_in_any_case_and_two_headers_are_refused(server: Server) -> None:
    token = server.login().json()["access_token"]
    assert server.client.get("/auth/me", headers={"Authorization": f"bearer {token}"}).status_code == 200
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]
    fully = server.services.authenticator.authenticate_fully([(k.lower().encode(), v.encode()) for k, v in twice])
    with pytest.raises(Refused):
        asyncio.run(fully)


def test_the_secret_is_made_once_for_every_process(database: Database) -> None:
    async def ask() -> list[bytes]:
        others = [open_database(database.url) for _ in range(4)]
        try:
            return await asyncio.gather(*(other.write_async(kept_secret) for other in others))
        finally:
            for other in others:
                await other.close_async()

    found = asyncio.run(ask())
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert database.write(kept_secret) == found[0]


def test_a_secret_that_was_not_read_yet_signs_nothing() -> None:
    with pytest.raises(RuntimeError):
        Secret().derive("access-token")
    assert Secret("s" * 32).derive("a") != Secret("s" * 32).derive("b")
