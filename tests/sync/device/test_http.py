"""The device over HTTP: the whole application, real logins, compressed bodies."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import delete

from sfa.app.settings import Settings
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db.tables import devices, refresh_tokens
from sfa.web.auth import set_password_hash
from sync.device import ConnectionLost, Device, ServerRefused, Store
from sync.device.http import HttpTransport
from tests.builders import NOW
from tests.office import Office
from tests.served import served
from tests.sync.device.pocket import of_scope

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ACCESS_TTL_S = 60


@pytest.fixture
def client(office: Office) -> Iterator[TestClient[Litestar]]:
    for user in ("ana", "bob"):
        office.database.write(set_password_hash, user, CHEAP.hash("correct horse"), NOW)
    settings = Settings(access_ttl_s=ACCESS_TTL_S)
    with served(settings, office.clock, office.database, CHEAP) as app, TestClient(app) as client:
        yield client


class Wire:
    """The real transport, with a look at what went over it and a way to lose answers."""

    def __init__(self, client: TestClient[Litestar]) -> None:
        self.http = HttpTransport("http://testserver.local/", client)
        self.paths: list[str] = []
        self.lost: list[str] = []

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        self.paths.append(path)
        answer = self.http.post(path, body, token)
        if path in self.lost:
            self.lost.remove(path)
            raise ConnectionLost("the answer was lost")
        return answer


def device(office: Office, client: TestClient[Litestar], store: Store | None = None) -> tuple[Device, Wire]:
    wire = Wire(client)
    return Device(store or Store(), wire, office.clock, KeyMaker(office.clock)), wire


def test_a_rep_logs_in_syncs_and_pushes_over_http(office: Office, client: TestClient[Litestar]) -> None:
    ana, _ = device(office, client)
    assert ana.login("ana@example.com", "correct horse").key == "ana"
    ana.sync()
    assert {place: row for place, (_, row) in ana.synced_rows().items()} == of_scope(office, "ana")
    for i in range(50):  # large enough to be sent compressed
        ana.create("tasks", {"title": f"Call {i}"})
    assert ana.sync().outcomes == {"applied": 50}
    assert {place: row for place, (_, row) in ana.synced_rows().items()} == of_scope(office, "ana")


def test_bodies_travel_compressed_both_ways() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"{}")

    transport = HttpTransport("http://server.local", httpx.Client(transport=httpx.MockTransport(answer)))
    with transport:
        assert transport.post("/sync", b'{"a":"' + b"a" * 5_000 + b'"}', "token") == (200, b"{}")
        transport.post("/sync", b"{}", None)
    large, small = seen
    assert (large.headers["content-encoding"], large.headers["authorization"]) == ("zstd", "Bearer token")
    assert len(large.content) < 200
    assert "zstd" in large.headers["accept-encoding"]
    assert "content-encoding" not in small.headers
    assert "authorization" not in small.headers


def test_no_signal_is_a_lost_connection() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    transport = HttpTransport("http://server.local", httpx.Client(transport=httpx.MockTransport(fail)))
    with pytest.raises(ConnectionLost):
        transport.post("/sync", b"{}", None)


def test_an_expired_token_is_refreshed_even_when_the_answer_to_that_is_lost(
    office: Office, client: TestClient[Litestar]
) -> None:
    ana, wire = device(office, client)
    ana.login("ana@example.com", "correct horse")
    ana.sync()
    for lost in ([], ["/auth/refresh"], ["/auth/refresh", "/auth/refresh"]):
        office.clock.advance(ACCESS_TTL_S * 2_000)
        wire.lost = list(lost)
        wire.paths.clear()
        ana.create("tasks", {"title": "Call"})
        for _ in lost:
            with pytest.raises(ConnectionLost):
                ana.sync()
        assert ana.sync().outcomes == {"applied": 1}
        assert wire.paths.count("/auth/refresh") == len(lost) + 1


def test_a_wrong_password_is_told_and_a_logout_ends_the_login(office: Office, client: TestClient[Litestar]) -> None:
    ana, _ = device(office, client)
    with pytest.raises(ServerRefused) as caught:
        ana.login("ana@example.com", "wrong")
    assert (caught.value.code, caught.value.status) == ("login_failed", 401)
    ana.login("ana@example.com", "correct horse")
    token = ana.store.state().access_token
    ana.logout()
    with pytest.raises(ServerRefused) as caught:
        ana.sync()
    assert caught.value.code == "unauthenticated"
    assert client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    ana.login("ana@example.com", "correct horse")
    assert ana.sync().caught_up


def test_a_store_stays_its_users_and_mutations_are_never_sent_as_somebody_else(
    office: Office, client: TestClient[Litestar]
) -> None:
    """S23."""
    ana, _ = device(office, client)
    ana.login("ana@example.com", "correct horse")
    ana.create("tasks", {"title": "Call"})
    with pytest.raises(Refused) as caught:
        ana.login("bob@example.com", "correct horse")
    assert caught.value.code == "wrong_user"
    bob, _ = device(office, client)
    bob.login("bob@example.com", "correct horse")
    ana.store.set_state(access_token=bob.store.state().access_token)
    with pytest.raises(ServerRefused) as refused:
        ana.sync()
    assert refused.value.code == "wrong_user"
    assert len(ana.pending()) == 1


def test_a_login_under_another_registration_takes_the_queue_along(office: Office, client: TestClient[Litestar]) -> None:
    """S18, S21: the old registration was revoked, and the device did not hear of it (S31: it would have drained and
    erased); what it had pushed is not pushed twice."""
    ana, _ = device(office, client)
    ana.login("ana@example.com", "correct horse")
    first = ana.create("tasks", {"title": "One"})
    ana.sync()
    second = ana.create("tasks", {"title": "Two"})
    revoke(office, ana)
    ana.login("ana@example.com", "correct horse")
    third = ana.create("tasks", {"title": "Three"})
    assert ana.sync().outcomes == {"applied": 2}
    assert {first, second, third} == ana.list("tasks").keys()
    assert [len(office.history("tasks", key)) for key in (first, second, third)] == [1, 1, 1]


def revoke(office: Office, device: Device) -> None:
    key = device.store.state().device_key

    def work(connection: Any) -> None:
        connection.execute(delete(refresh_tokens).where(refresh_tokens.c.device_key == key))
        connection.execute(devices.update().where(devices.c.key == key).values(state="revoked"))

    office.database.write(work)
