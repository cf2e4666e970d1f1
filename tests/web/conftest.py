"""A server without sockets, on a virtual clock, with one rep who can log in."""

from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from sfa.app.cli_user import add_user
from sfa.app.factory import Services
from sfa.app.settings import Settings
from sfa.core.clock import VirtualClock
from sfa.core.entities import User
from sfa.db.database import Database
from sfa.db.writes import Door, Origin
from tests.served import served

START_MS = 1_790_000_000_000
PASSWORD = "correct horse"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
DEVICE = {"name": "Ann's phone", "platform": "android 16", "app_version": "1.2.3"}


class Server:
    """The running application and what a test does with it."""

    def __init__(self, client: TestClient[Litestar], database: Database, clock: VirtualClock) -> None:
        self.client, self.database, self.clock = client, database, clock
        self.services: Services = client.app.state.services

    def login(self, email: str = "ann@example.com", password: str = PASSWORD, **device: Any) -> Any:
        body = {"email": email, "password": password, "device": {**DEVICE, **device}}
        return self.client.post("/auth/login", json=body)

    def refresh(self, token: str) -> Any:
        return self.client.post("/auth/refresh", json={"refresh_token": token})

    def me(self, token: str) -> Any:
        return self.client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})

    def change_user(self, key: str, **values: Any) -> None:
        def work(connection: Any) -> None:
            now = self.clock.now_ms()
            door = Door(connection, now)
            door.put(door.cell("users", key), values, Origin(author_key=None, at=now, stored_at=now))
            door.flush()

        self.database.write(work)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START_MS)


@pytest.fixture
def server(database: Database, clock: VirtualClock) -> Iterator[Server]:
    for key, email in (("ann", "Ann@Example.com"), ("bob", "bob@example.com")):
        person = User(name=key.title(), email=email)
        database.write(add_user, key, person, CHEAP.hash(PASSWORD), START_MS)
    with served(Settings(), clock, database, CHEAP) as app, TestClient(app) as client:
        yield Server(client, database, clock)
