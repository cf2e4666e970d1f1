"""The company's real server with its people logged in, and phones with a line that may lose an answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from sfa.app.settings import Settings
from sfa.core.ids import KeyMaker
from sfa.web.auth import set_password_hash
from sync.device import ConnectionLost, Device, ServerRefused, Store
from sync.device.http import HttpTransport
from tests.builders import NOW, USERS
from tests.office import Office
from tests.served import served

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
DAY_MS = 24 * 3600 * 1000


class Net:
    """The company's server, its people's tokens, and phones with a line that may lose an answer."""

    def __init__(self, office: Office, client: TestClient[Litestar]) -> None:
        self.office, self.client = office, client
        self.tokens: dict[str, str] = {}
        self.lost: list[str] = []
        self.paths: list[str] = []

    def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        answer = HttpTransport("http://testserver.local", self.client).post(path, body, token)
        self.paths.append(path)
        if path in self.lost:
            self.lost.remove(path)
            raise ConnectionLost("the answer was lost")
        return answer

    def phone(self, user: str) -> Device:
        made = Device(Store(), self, self.office.clock, KeyMaker(self.office.clock))
        made.login(f"{user}@example.com", "correct horse")
        made.sync()
        return made

    def call(self, user: str, method: str, path: str, **more: Any) -> Any:
        if user not in self.tokens:
            device = {"name": "desk", "platform": "web", "app_version": "1"}
            body = {"email": f"{user}@example.com", "password": "correct horse", "device": device}
            self.tokens[user] = self.client.post("/auth/login", json=body).json()["access_token"]
        headers = {"Authorization": f"Bearer {self.tokens[user]}"}
        return self.client.request(method, path, headers=headers, **more)

    def devices(self, user: str) -> dict[str, dict[str, Any]]:
        return {d["key"]: d for d in self.call(user, "GET", "/api/devices").json()["devices"]}


@pytest.fixture
def net(office: Office) -> Iterator[Net]:
    for user in USERS:
        office.database.write(set_password_hash, user, CHEAP.hash("correct horse"), NOW)
    settings = Settings(access_ttl_s=3600)
    with served(settings, office.clock, office.database, CHEAP) as app, TestClient(app) as client:
        yield Net(office, client)


def key_of(device: Device) -> str:
    return device.store.state().device_key or ""


def queued(net: Net, user: str = "ana", titles: tuple[str, ...] = ("Call", "Write")) -> Device:
    """A phone that has synced, and typed since."""
    device = net.phone(user)
    for title in titles:
        device.create("tasks", {"title": title}, key=f"t-{title}")
    return device


def refused_at_sync(device: Device) -> ServerRefused:
    with pytest.raises(ServerRefused) as refused:
        device.sync()
    return refused.value
