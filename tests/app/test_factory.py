"""The composition root: what a server needs before it starts, what it answers, and what it closes."""

from pathlib import Path

import pytest
from litestar.testing import TestClient

from sfa.app.factory import VERSION, build
from sfa.app.settings import Settings
from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from sfa.db.database import open_database


def test_a_server_says_that_it_is_well(database_url: str) -> None:
    with TestClient(build(Settings(database_url=database_url), jobs=False)) as client:
        answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": VERSION, "database": True, "pdf": "off", "mail": "off"}


def test_a_server_whose_database_fails_says_so(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = open_database(sqlite_url)
    with TestClient(build(Settings(), database=database, jobs=False)) as client:

        async def fails(*_: object) -> bool:
            raise ConnectionRefusedError

        monkeypatch.setattr(database, "read_async", fails)
        answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"


def test_an_application_is_built_without_touching_the_database(tmp_path: Path) -> None:
    build(Settings(database_url=f"sqlite:///{tmp_path}/none.db"))
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_a_server_does_not_start_on_an_outdated_schema(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/bare.db" if kind == "sqlite" else request.getfixturevalue("bare_postgres_url")
    outdated = pytest.RaisesExc(Refused, match="schema_outdated")
    app = build(Settings(database_url=url), jobs=False)
    with pytest.RaisesGroup(outdated, flatten_subgroups=True), TestClient(app):
        pytest.fail("it started")


def test_two_servers_of_one_database_accept_each_others_tokens(database_url: str) -> None:
    settings = Settings(database_url=database_url)
    keys = []
    for _ in range(2):
        app = build(settings, jobs=False)
        with TestClient(app):
            keys.append(app.state.services.secret.derive("access-token"))
            assert app.state.services.rounds.secret == app.state.services.secret.derive("cursor")
    assert keys[0] == keys[1]


def test_a_given_secret_is_used_instead_of_a_kept_one(sqlite_url: str) -> None:
    app = build(Settings(database_url=sqlite_url, secret="s" * 32), jobs=False)
    key = app.state.services.secret.derive("access-token")
    with TestClient(app):
        assert app.state.services.secret.derive("access-token") == key


def test_a_server_with_its_jobs_starts_and_stops(database_url: str) -> None:
    with TestClient(build(Settings(database_url=database_url), clock=VirtualClock(1_790_000_000_000))) as client:
        assert client.get("/health").status_code == 200


def test_the_description_of_the_routes_needs_no_other_server(sqlite_url: str) -> None:
    with TestClient(build(Settings(database_url=sqlite_url), jobs=False)) as client:
        answer = client.get("/schema/openapi.json")
        assert client.get("/schema").headers["content-type"] == answer.headers["content-type"]
        assert client.get("/schema/redoc").status_code == 404
    assert answer.status_code == 200
    assert {"/auth/login", "/auth/refresh", "/auth/logout", "/auth/me", "/health"} <= set(answer.json()["paths"])
