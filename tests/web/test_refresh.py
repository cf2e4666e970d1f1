"""Refresh tokens: rotation, reuse, and the answer that got lost on the way."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from sfa.core.errors import Refused
from sfa.db.database import Database
from sfa.db.tables import devices, refresh_tokens
from sfa.web.auth import Terms, continue_login
from tests.web.conftest import Server


def code(answer: Any) -> str:
    return str(answer.json()["code"])


def test_a_refresh_answers_new_tokens_of_the_same_registration(server: Server) -> None:
    first = server.login().json()
    server.clock.advance(1_000)
    second = server.refresh(first["refresh_token"]).json()
    assert set(second) == set(first)
    assert second["device_id"] == first["device_id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert server.me(second["access_token"]).status_code == 200


def test_the_earlier_access_token_lives_on_until_it_expires(server: Server) -> None:
    first = server.login().json()
    server.refresh(first["refresh_token"])
    assert server.me(first["access_token"]).status_code == 200
    server.clock.advance(900_000)
    assert code(server.me(first["access_token"])) == "token_expired"


def test_only_digests_are_stored(server: Server) -> None:
    token = server.login().json()["refresh_token"]
    rows = server.database.read(lambda c: c.execute(select(refresh_tokens)).all())
    assert token not in repr(rows)


def test_a_chain_of_refreshes_holds(server: Server) -> None:
    session = server.login().json()
    for _ in range(5):
        session = server.refresh(session["refresh_token"]).json()
    assert server.me(session["access_token"]).status_code == 200


def test_reuse_after_the_successor_was_refreshed_ends_the_family(server: Server) -> None:
    first = server.login().json()
    second = server.refresh(first["refresh_token"]).json()
    third = server.refresh(second["refresh_token"]).json()
    assert code(server.refresh(first["refresh_token"])) == "refresh_reused"
    assert code(server.refresh(third["refresh_token"])) == "refresh_invalid"
    assert code(server.me(third["access_token"])) == "unauthenticated"
    assert code(server.refresh(first["refresh_token"])) == "refresh_invalid"


def test_reuse_after_the_new_access_token_was_seen_ends_the_family(server: Server) -> None:
    first = server.login().json()
    second = server.refresh(first["refresh_token"]).json()
    assert server.me(second["access_token"]).status_code == 200
    assert code(server.refresh(first["refresh_token"])) == "refresh_reused"
    assert code(server.refresh(second["refresh_token"])) == "refresh_invalid"
    server.clock.advance(30_000)
    assert server.me(second["access_token"]).status_code == 401


def test_another_login_of_the_same_user_survives_the_reuse(server: Server) -> None:
    first, other = server.login().json(), server.login().json()
    second = server.refresh(first["refresh_token"]).json()
    server.me(second["access_token"])
    server.refresh(first["refresh_token"])
    assert server.refresh(other["refresh_token"]).status_code == 200


def test_a_lost_answer_does_not_log_the_phone_out(server: Server) -> None:
    first = server.login().json()
    lost = [server.refresh(first["refresh_token"]).json() for _ in range(20)]
    arrived = server.refresh(first["refresh_token"]).json()
    assert server.me(arrived["access_token"]).status_code == 200
    assert server.refresh(arrived["refresh_token"]).status_code == 200
    assert code(server.me(lost[0]["access_token"])) == "unauthenticated"


def test_an_answer_that_arrives_late_is_as_good_while_nothing_after_it_was_seen(server: Server) -> None:
    first = server.login().json()
    late = server.refresh(first["refresh_token"]).json()
    server.refresh(first["refresh_token"])
    again = server.refresh(late["refresh_token"])
    assert again.status_code == 200
    assert server.me(again.json()["access_token"]).status_code == 200


def test_a_superseded_token_that_comes_after_its_replacement_was_seen_ends_the_family(server: Server) -> None:
    first = server.login().json()
    stolen = server.refresh(first["refresh_token"]).json()
    arrived = server.refresh(first["refresh_token"]).json()
    server.me(arrived["access_token"])
    assert code(server.refresh(stolen["refresh_token"])) == "refresh_reused"
    assert code(server.refresh(arrived["refresh_token"])) == "refresh_invalid"


def test_a_family_lives_as_long_as_it_is_refreshed(server: Server) -> None:
    ttl_ms = server.services.settings.refresh_ttl_s * 1000
    session = server.login().json()
    for _ in range(3):
        server.clock.advance(ttl_ms - 1)
        session = server.refresh(session["refresh_token"]).json()
    server.clock.advance(ttl_ms)
    assert code(server.refresh(session["refresh_token"])) == "refresh_invalid"


@pytest.mark.parametrize("token", ["", "nonsense", "nul\0", "ü" * 100])
def test_a_token_that_was_never_made_is_refused(server: Server, token: str) -> None:
    assert code(server.refresh(token)) == "refresh_invalid"


def test_a_revoked_registration_and_a_deactivated_user_cannot_refresh(server: Server) -> None:
    ann, bob = server.login().json(), server.login("bob@example.com").json()
    revoke = update(devices).where(devices.c.key == ann["device_id"]).values(state="revoked")
    server.database.write(lambda c: c.execute(revoke))
    server.change_user("bob", active=False)
    assert code(server.refresh(ann["refresh_token"])) == "device_revoked"
    assert code(server.refresh(bob["refresh_token"])) == "refresh_invalid"


def test_a_logout_ends_the_login_at_once_and_keeps_the_registration(server: Server) -> None:
    session = server.login().json()
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    assert server.client.post("/auth/logout", headers=headers).status_code == 204
    assert code(server.me(session["access_token"])) == "unauthenticated"
    assert code(server.refresh(session["refresh_token"])) == "refresh_invalid"
    assert server.login(id=session["device_id"]).json()["device_id"] == session["device_id"]


def test_two_refreshes_at_once_leave_one_login_that_holds(server: Server, database: Database) -> None:
    token = server.login().json()["refresh_token"]
    made = iter(range(1_000))

    async def both() -> list[Any]:
        terms = Terms(server.clock.now_ms(), 3_600, lambda: f"key{next(made)}")
        try:
            return await asyncio.gather(*(other.write_async(continue_login, token, terms) for other in others))
        finally:
            for other in others:
                await other.close_async()

    from sfa.db.database import open_database

    others = [open_database(database.url) for _ in range(4)]
    answers = asyncio.run(both())
    assert not any(isinstance(answer, Refused) for answer in answers)
    good = [server.refresh(answer.refresh.text).status_code for answer in answers]
    assert 200 in good
    rows = server.database.read(
        lambda c: c.execute(
            select(refresh_tokens.c.position).where(
                refresh_tokens.c.revoked_at.is_(None), refresh_tokens.c.used_at.is_(None)
            )
        ).all()
    )
    assert len(rows) <= 1
