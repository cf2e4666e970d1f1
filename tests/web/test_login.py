"""Login: who gets in, as which registration, and how often one may fail."""

import threading
from typing import Any

import pytest
from sqlalchemy import select, update

from sfa.db.tables import credentials, devices, login_attempts
from sfa.web import attempts
from sfa.web.auth import set_password_hash
from sfa.web.passwords import HASHER, check_password
from tests.web.conftest import CHEAP, DEVICE, PASSWORD, START_MS, Server


def device_rows(server: Server) -> list[Any]:
    return list(server.database.read(lambda c: c.execute(select(devices).order_by(devices.c.key)).all()))


def test_a_login_answers_tokens_a_registration_and_the_user(server: Server) -> None:
    answer = server.login()
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "expires_in", "device_id", "user"}
    assert body["expires_in"] == 900
    assert body["user"] == {"key": "ann", "name": "Ann", "email": "Ann@Example.com", "role": "rep"}
    assert answer.headers["cache-control"] == "no-store"
    (row,) = device_rows(server)
    assert (row.key, row.user_key, row.state, row.last_n, row.durable_n, row.skewed) == (
        body["device_id"],
        "ann",
        "active",
        0,
        0,
        False,
    )
    assert (row.name, row.platform, row.app_version) == tuple(DEVICE.values())


def test_the_access_token_says_who_i_am_and_whence(server: Server) -> None:
    body = server.login().json()
    assert server.me(body["access_token"]).json() == {"user": body["user"], "device_id": body["device_id"]}


@pytest.mark.parametrize("email", ["ANN@EXAMPLE.COM", "ann@example.com", "Ann@Example.com"])
def test_the_case_of_an_email_does_not_matter(server: Server, email: str) -> None:
    assert server.login(email).status_code == 200


@pytest.mark.parametrize(("email", "password"), [("ann@example.com", "wrong"), ("nobody@example.com", PASSWORD)])
def test_a_wrong_password_and_an_unknown_email_answer_the_same(server: Server, email: str, password: str) -> None:
    answer = server.login(email, password)
    assert answer.status_code == 401
    assert answer.json() == {
        "type": "/docs/errors#login_failed",
        "title": "E-mail or password is wrong",
        "status": 401,
        "detail": "E-mail or password is wrong",
        "code": "login_failed",
    }


def test_a_deactivated_user_does_not_get_in(server: Server) -> None:
    server.change_user("ann", active=False)
    assert server.login().json()["code"] == "login_failed"


def test_the_same_installation_continues_its_registration(server: Server) -> None:
    first = server.login().json()
    again = server.login(id=first["device_id"], app_version="2.0").json()
    assert again["device_id"] == first["device_id"]
    (row,) = device_rows(server)
    assert row.app_version == "2.0"


def test_logging_in_again_ends_the_earlier_login_of_that_registration(server: Server) -> None:
    first = server.login().json()
    server.login(id=first["device_id"])
    assert server.me(first["access_token"]).status_code == 401
    assert server.refresh(first["refresh_token"]).json()["code"] == "refresh_invalid"


@pytest.mark.parametrize("foreign", ["no-such-device", "x" * 500, "nul\0", ""])
def test_an_unknown_registration_gets_a_new_one(server: Server, foreign: str) -> None:
    answer = server.login(id=foreign)
    assert answer.status_code == 200
    assert answer.json()["device_id"] != foreign


def test_the_registration_of_somebody_else_or_a_revoked_one_gets_a_new_one(server: Server) -> None:
    foreign = server.login("bob@example.com").json()["device_id"]
    own = server.login().json()["device_id"]
    server.database.write(lambda c: c.execute(update(devices).where(devices.c.key == own).values(state="revoked")))
    for taken in (foreign, own):
        made = server.login(id=taken).json()
        assert made["device_id"] not in (foreign, own)
    assert {row.user_key for row in device_rows(server) if row.key == foreign} == {"bob"}


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ann@example.com", "password": PASSWORD},
        {"email": "ann@example.com", "password": PASSWORD, "device": {**DEVICE, "name": "x" * 101}},
        {"email": "ann@example.com", "password": PASSWORD, "device": {**DEVICE, "platform": "a\0b"}},
        {"email": "ann\0@example.com", "password": PASSWORD, "device": DEVICE},
        {"email": "ann@example.com", "password": "x" * 1025, "device": DEVICE},
        {"email": ["ann@example.com"], "password": PASSWORD, "device": DEVICE},
        [],
    ],
)
def test_a_body_of_another_form_is_refused_as_such(server: Server, body: Any) -> None:
    answer = server.client.post("/auth/login", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_failures_of_one_email_are_limited_and_the_window_ends(server: Server) -> None:
    for _ in range(attempts.FAILURES_PER_EMAIL_MAX):
        assert server.login(password="wrong").json()["code"] == "login_failed"
    server.clock.advance(60_000)
    limited = server.login()
    assert (limited.status_code, limited.json()["code"]) == (429, "login_limited")
    assert int(limited.headers["retry-after"]) == attempts.WINDOW_MS // 1000 - 60
    assert server.login("bob@example.com").status_code == 200
    server.clock.advance(attempts.WINDOW_MS - 60_000)
    assert server.login().status_code == 200


def test_the_case_of_an_email_is_no_way_around_the_limit(server: Server) -> None:
    for n in range(attempts.FAILURES_PER_EMAIL_MAX):
        server.login("ANN@example.com" if n % 2 else "ann@example.com", "wrong")
    assert server.login("Ann@example.com").json()["code"] == "login_limited"


def test_a_right_password_forgives_the_failures_before_it(server: Server) -> None:
    for _ in range(attempts.FAILURES_PER_EMAIL_MAX - 1):
        server.login(password="wrong")
    assert server.login().status_code == 200
    assert server.login(password="wrong").json()["code"] == "login_failed"
    assert server.login().status_code == 200


def test_failures_from_one_address_are_limited_over_all_emails(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FAILURES_PER_ADDRESS_MAX", 3)
    for n in range(3):
        assert server.login(f"nobody{n}@example.com").json()["code"] == "login_failed"
    assert server.login().json()["code"] == "login_limited"


def test_an_attempt_is_counted_once_for_each_of_many_at_once(server: Server) -> None:
    subjects = attempts.subjects_of("ann@example.com", None)
    waits: list[int] = []

    def try_some() -> None:
        for _ in range(5):
            waits.append(server.database.write(attempts.count, subjects, START_MS))

    threads = [threading.Thread(target=try_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(wait == 0 for wait in waits) == attempts.FAILURES_PER_EMAIL_MAX


def test_windows_that_ended_are_removed(server: Server) -> None:
    server.login("nobody@example.com", "wrong")
    server.clock.advance(attempts.WINDOW_MS)
    server.login("bob@example.com", "wrong")
    rows = server.database.read(lambda c: c.execute(select(login_attempts.c.window_at)).scalars().all())
    assert set(rows) == {server.clock.now_ms()}


def test_addresses_of_one_ipv6_line_count_as_one() -> None:
    def of(address: str | None) -> set[bytes]:
        return {subject.digest for subject in attempts.subjects_of("ann@example.com", address)}

    assert of("2001:db8::1") == of("2001:db8::ffff:2")
    assert of("2001:db8::1") != of("2001:db8:0:1::1")
    assert of("::ffff:192.0.2.7") == of("192.0.2.7") != of("192.0.2.8")
    assert len(of(None)) == 1


def test_a_hash_with_outdated_parameters_is_renewed_by_a_login(server: Server) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    server.database.write(set_password_hash, "ann", old, START_MS)
    assert server.login().status_code == 200
    query = select(credentials.c.password_hash).where(credentials.c.user_key == "ann")
    stored = server.database.read(lambda c: c.execute(query).scalar_one())
    assert stored != old
    assert not CHEAP.check_needs_rehash(stored)
    assert check_password(stored, PASSWORD).right


def test_a_changed_password_ends_every_login(server: Server) -> None:
    session = server.login().json()
    server.database.write(set_password_hash, "ann", CHEAP.hash("another one"), START_MS)
    assert server.me(session["access_token"]).status_code == 401
    assert server.refresh(session["refresh_token"]).json()["code"] == "refresh_invalid"
    assert server.login(password="another one").status_code == 200


def test_nobody_has_the_password_of_the_dummy_hash() -> None:
    assert not check_password(None, "nobody has this password", CHEAP).right
    assert not check_password("no hash at all", PASSWORD, CHEAP).right
    assert HASHER.type.name == "ID"
