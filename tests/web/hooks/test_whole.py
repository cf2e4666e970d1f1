"""From what a buyer does to what other systems get, by a server as it runs."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
from litestar.testing import TestClient

from sfa.app.factory import build
from sfa.app.settings import Settings
from sfa.db.database import open_database
from sfa.web.auth import set_password_hash
from sfa.web.hooks.running import Hooks
from tests.builders import NOW, company
from tests.crm.desk import CHEAP, HASHED
from tests.office import Office
from tests.proposals.buyer.answers import accept, link, sent
from tests.sync.wakes.pushes import Answer, Service, http1
from tests.web.hooks.posting import aside, endpoint, is_signed, told, url_of


def test_what_a_buyer_accepts_is_told_with_the_win_and_without_names(office: Office) -> None:
    """R45: keys and amounts, and nobody's name, address or cost."""
    secrets: list[str] = []

    async def story(hooks: Hooks, service: Service) -> None:
        secrets.append(endpoint(office, url_of(service)))
        aside(lambda: sent(office))
        office.clock.advance(1_000)
        aside(lambda: accept(office, link(office)))
        await hooks.run_all()

    service = told(office, story)
    found = [msgspec.json.decode(asked.body) for asked in service.asked]
    assert found[0]["type"] == "proposal.sent"
    assert {event["type"] for event in found[1:]} == {"proposal.accepted", "deal.won"}
    (won,) = (event["data"] for event in found if event["type"] == "deal.won")
    (accepted,) = (event["data"] for event in found if event["type"] == "proposal.accepted")
    assert (won["amount_minor"], accepted["total_minor"], won["deal_key"]) == (300_00, 300_00, accepted["deal_key"])
    assert all(is_signed(asked, secrets[0]) for asked in service.asked)
    bodies = b"".join(asked.body for asked in service.asked).lower()
    assert not any(word in bodies for word in (b"carla ruiz", b"@", b"cost", b"margin", b"192.0.2.7"))


def test_a_server_posts_by_itself_as_long_as_it_runs(sqlite_url: str, tmp_path: Path) -> None:
    """Made at a screen, tried at a screen, arrived: with the settings, services and routes of a whole server."""
    service = Service(Answer(204))

    def prepared() -> None:
        database = open_database(sqlite_url, durable=False)
        company(database)
        database.write(lambda connection: set_password_hash(connection, "root", HASHED, NOW))
        database.close()

    def played() -> dict[str, Any]:
        settings = Settings(
            database_url=sqlite_url,
            files_url=f"file://{tmp_path}/files",
            webhook_private_hosts="127.0.0.1",
            render_workers=0,
            outlook_memory_mb=0,
        )
        with TestClient(build(settings, hasher=CHEAP)) as client:
            device = {"name": "desk", "platform": "web", "app_version": "1"}
            login = {"email": "root@example.com", "password": "correct horse", "device": device}
            token = client.post("/auth/login", json=login).json()["access_token"]
            said = {"Authorization": f"Bearer {token}"}
            made = client.post("/api/webhooks", json={"url": url_of(service)}, headers=said).json()
            path = f"/api/webhooks/{made['key']}"
            client.post(f"{path}/test", headers=said)
            while not (client.get(f"{path}/deliveries?state=delivered", headers=said).json()["items"]):
                time.sleep(0.02)
            return dict(made)

    async def play() -> dict[str, Any]:
        async with http1(service, None):
            return await asyncio.to_thread(played)

    prepared()
    made = asyncio.run(play())
    (asked,) = service.asked
    assert is_signed(asked, made["secret"])
    assert msgspec.json.decode(asked.body)["data"] == {"endpoint_key": made["key"]}
