"""People at their screens: the whole application in process, asked over HTTP beside the phones of the same office."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from sfa.app.settings import Settings
from sfa.web.auth import set_password_hash
from tests.builders import NOW, USERS
from tests.office import Office
from tests.served import served

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Desk:
    """`as_` names who asks; answers are those of the client."""

    def __init__(self, office: Office, client: TestClient[Litestar]) -> None:
        self.office, self.client = office, client
        self._tokens: dict[str, str] = {}

    def ask(self, as_: str, method: str, path: str, rev: int | None = None, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token(as_)}"}
        if rev is not None:
            headers["If-Match"] = f'"{rev}"'
        return self.client.request(method, path, headers=headers, **more)

    def token(self, as_: str) -> str:
        if as_ not in self._tokens:
            device = {"name": "desk", "platform": "web", "app_version": "1"}
            body = {"email": f"{as_}@example.com", "password": "correct horse", "device": device}
            self._tokens[as_] = self.client.post("/auth/login", json=body).json()["access_token"]
        return self._tokens[as_]

    def forget_tokens(self) -> None:
        """After their life everybody logs in again."""
        self._tokens.clear()

    def get(self, as_: str, path: str) -> Any:
        return self.ask(as_, "GET", path)

    def post(self, as_: str, path: str, rev: int | None = None, **more: Any) -> Any:
        return self.ask(as_, "POST", path, rev, **more)

    def keys(self, as_: str, path: str) -> list[str]:
        return [item["key"] for item in self.get(as_, path).json()["items"]]


@contextmanager
def opened(office: Office, alone: bool = False) -> Iterator[Desk]:
    def passwords(connection: Any) -> None:
        for user in USERS:
            set_password_hash(connection, user, HASHED, NOW)

    office.database.write(passwords)
    settings = Settings(access_ttl_s=3600)
    with served(settings, office.clock, office.database, CHEAP, alone=alone) as app, TestClient(app) as client:
        yield Desk(office, client)


HASHED = CHEAP.hash("correct horse")
