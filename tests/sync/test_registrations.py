"""Registrations over the real server: listed, revoked with one drain, reviewed, wiped (S31)."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from sfa.app.factory import build
from sfa.app.settings import Settings
from sfa.core.ids import KeyMaker
from sfa.web.auth import set_password_hash
from sync.device import ConnectionLost, Device, ServerRefused, Store
from sync.device.http import HttpTransport
from tests.builders import NOW, USERS
from tests.office import Office

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
    app = build(Settings(access_ttl_s=3600), clock=office.clock, database=office.database, hasher=CHEAP, jobs=False)
    with TestClient(app) as client:
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


def test_the_list_holds_whom_the_rights_table_names_and_nobody_else(net: Net) -> None:
    seen = {user: {d["user_key"] for d in net.devices(user).values()} for user in USERS}
    assert seen["ana"] == {"ana"}
    assert seen["mia"] == {"ana", "bob", "mia"}
    assert seen["dirk"] >= {"ana", "bob", "cleo", "mia", "dirk"}
    assert seen["fay"] == {"fay"}
    assert seen["root"] == set(USERS)


def test_a_registration_out_of_sight_answers_like_one_that_does_not_exist(net: Net) -> None:
    for method, path in (("POST", "revoke"), ("POST", "wipe"), ("GET", "quarantine")):
        hidden = net.call("mia", method, f"/api/devices/d-cleo/{path}")
        unknown = net.call("mia", method, f"/api/devices/d-nobody/{path}")
        assert (hidden.status_code, hidden.content) == (404, unknown.content)
    body = {"json": {"decision": "apply"}}
    assert net.call("mia", "POST", "/api/devices/d-cleo/quarantine", **body).status_code == 404
    assert net.office.device("d-cleo")["state"] == "active"
    assert net.call("ana", "GET", "/api/devices/d-ana/quarantine").json()["code"] == "not_permitted"


def test_a_poll_is_noted_without_a_write_and_shown_within_a_minute(net: Net) -> None:
    ana = net.phone("ana")
    rounds = net.client.app.state.services.rounds
    write = partial(net.client.blocking_portal.call, rounds.seen.write, net.office.database)
    write()
    net.office.clock.advance(90_000)
    commits: list[str] = []
    net.office.database.probe = commits.append
    ana.sync()
    assert commits == []
    net.office.database.probe = None
    assert write() == 1
    found = net.devices("mia")[key_of(ana)]
    assert (found["last_seen_at"], found["contract"], found["queued"]) == (net.office.clock.now_ms(), 1, 0)
    assert write() == 0


def test_who_left_drains_once_and_erases_and_the_manager_applies_it(net: Net) -> None:
    ana = queued(net)
    key = key_of(ana)
    first = net.call("mia", "POST", f"/api/devices/{key}/revoke").json()
    net.office.clock.advance(DAY_MS)
    net.tokens.clear()
    assert net.call("mia", "POST", f"/api/devices/{key}/revoke").json() == first
    assert refused_at_sync(ana).code == "device_revoked"
    assert ana.synced_rows() == {}
    assert (ana.kept(), ana.person()) == ([], None)
    assert [n.kind for n in ana.notices()] == ["erased"]
    assert net.office.find("tasks", "t-Call") is None, "nothing is applied by itself"
    path = f"/api/devices/{key}/quarantine"
    kept = net.call("mia", "GET", path).json()
    assert [m["set"]["title"] for m in kept["mutations"]] == ["Call", "Write"]
    assert net.devices("mia")[key]["quarantined"] == 2
    done = net.call("mia", "POST", path, json={"decision": "apply"}).json()
    assert done["result"] == {"outcomes": {"applied": 2}, "stopped": None}
    assert net.office.row("tasks", "t-Call")["owner_key"] == "ana"
    assert (net.office.device(key)["state"], net.office.device(key)["last_n"]) == ("drained", 2)
    assert net.call("mia", "POST", path, json={"decision": "apply"}).json() == done
    assert net.office.rev("tasks", "t-Call") == 1
    assert net.call("mia", "POST", path, json={"decision": "discard"}).json()["code"] == "already_reviewed"


def test_a_discarded_quarantine_applies_nothing_and_keeps_the_words(net: Net) -> None:
    ana = queued(net)
    path = f"/api/devices/{key_of(ana)}"
    net.call("mia", "POST", f"{path}/revoke")
    refused_at_sync(ana)
    done = net.call("mia", "POST", f"{path}/quarantine", json={"decision": "discard"}).json()
    assert (done["decision"], done["decided_by"], len(done["mutations"])) == ("discard", "mia", 2)
    assert net.office.find("tasks", "t-Call") is None


def test_it_is_applied_with_the_rights_that_the_author_has_then(net: Net) -> None:
    ana = net.phone("ana")
    ana.update("contacts", "carl", {"phone": "2"})
    path = f"/api/devices/{key_of(ana)}"
    net.call("mia", "POST", f"{path}/revoke")
    refused_at_sync(ana)
    net.office.put(("users", "ana", {"active": False}))
    done = net.call("root", "POST", f"{path}/quarantine", json={"decision": "apply"}).json()
    assert done["result"]["outcomes"] == {"refused": 1}
    assert net.office.row("contacts", "carl")["phone"] == "1"
    assert [r["code"] for r in net.office.rows("refusals")] == ["row_unknown"]


def test_a_drain_whose_answer_was_lost_is_answered_again_and_counts_once(net: Net) -> None:
    ana = queued(net)
    key = key_of(ana)
    net.call("mia", "POST", f"/api/devices/{key}/revoke")
    net.lost = ["/sync/drain"]
    with pytest.raises(ConnectionLost):
        ana.sync()
    assert len(ana.pending()) == 2, "it is not erased before the server has it"
    with pytest.raises(Exception, match="device_revoked"):
        ana.create("tasks", {"title": "Too late"})
    refused_at_sync(ana)
    assert ana.kept() == []
    assert net.devices("mia")[key]["quarantined"] == 2


def drain(net: Net, device: Device, *titles: str, token: str | None = None) -> Any:
    mutations = [
        {"n": n, "entity": "tasks", "key": f"k-{n}", "kind": "create", "at": NOW, "set": {"title": title}}
        for n, title in enumerate(titles, 1)
    ]
    user = device.store.state().user
    body = {"user": user.key if user else "", "now": NOW, "mutations": mutations}
    headers = {"Authorization": f"Bearer {token or device.store.state().access_token}"}
    return net.client.post("/sync/drain", json=body, headers=headers)


def test_a_drain_is_taken_exactly_once_with_the_old_token_even_expired(net: Net) -> None:
    ana = net.phone("ana")
    assert drain(net, ana, "A").json()["code"] == "not_revoked"
    net.call("mia", "POST", f"/api/devices/{key_of(ana)}/revoke")
    net.office.clock.advance(30 * DAY_MS)
    assert drain(net, ana, "A", token="forged").json()["code"] == "unauthenticated"
    assert drain(net, ana, "A").json() == {"drained": 1}
    assert drain(net, ana, "A").json() == {"drained": 1}
    assert drain(net, ana, "B").json()["code"] == "already_drained"
    net.tokens.clear()
    kept = net.call("mia", "GET", f"/api/devices/{key_of(ana)}/quarantine").json()
    assert [m["set"]["title"] for m in kept["mutations"]] == ["A"]


def test_a_revoked_registration_neither_pushes_nor_pulls_nor_refreshes(net: Net) -> None:
    ana = queued(net)
    net.call("mia", "POST", f"/api/devices/{key_of(ana)}/revoke")
    state = ana.store.state()
    headers = {"Authorization": f"Bearer {state.access_token}"}
    answer = net.client.post("/sync", json={"user": "ana", "now": NOW}, headers=headers)
    assert (answer.status_code, answer.json()["code"], answer.json()["drain"]) == (401, "device_revoked", True)
    again = net.client.post("/auth/refresh", json={"refresh_token": state.refresh_token})
    assert (again.json()["code"], again.json()["drain"]) == ("device_revoked", True)
    drain(net, ana)
    assert net.client.post("/sync", json={"user": "ana", "now": NOW}, headers=headers).json()["drain"] is False


def test_a_lost_device_erases_at_once_and_sends_nothing(net: Net) -> None:
    ana = queued(net)
    assert ana.synced_rows()
    path = f"/api/devices/{key_of(ana)}"
    first = net.call("ana", "POST", f"{path}/wipe").json()
    assert (first["state"], first["ended_by"]) == ("wiped", "ana")
    assert net.call("mia", "POST", f"{path}/wipe").json()["ended_by"] == "ana"
    assert net.call("mia", "POST", f"{path}/revoke").json()["state"] == "wiped"
    token = ana.store.state().access_token
    del net.paths[:]
    assert refused_at_sync(ana).code == "device_wiped"
    assert net.paths == ["/sync"]
    assert (ana.synced_rows(), ana.kept(), ana.store.state().access_token) == ({}, [], None)
    assert drain(net, ana, "A", token=token).json()["code"] in ("wrong_user", "device_wiped")
    assert net.office.find("tasks", "t-Call") is None


def test_an_erased_file_keeps_no_word_of_the_company(net: Net, tmp_path: Any) -> None:
    store = Store(tmp_path / "phone.sqlite")
    ana = Device(store, net, net.office.clock, KeyMaker(net.office.clock))
    ana.login("ana@example.com", "correct horse")
    ana.sync()
    net.call("mia", "POST", f"/api/devices/{key_of(ana)}/wipe")
    refused_at_sync(ana)
    store.close()
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Acme" not in left
    assert b"ana@example.com" not in left


def test_after_its_lease_a_device_shows_nothing_until_it_syncs(net: Net) -> None:
    ana = queued(net)
    net.office.clock.advance(14 * DAY_MS - 1)
    assert ana.get("accounts", "acme") is not None
    net.office.clock.advance(1)
    for read in (lambda: ana.get("accounts", "acme"), lambda: ana.list("accounts"), ana.refusals):
        with pytest.raises(Exception, match="lease_over"):
            read()
    ana.update("tasks", "t-Call", {"title": "Still queued"})
    ana.sync()
    assert ana.get("tasks", "t-Call") is not None


def test_a_clock_that_is_set_back_does_not_prolong_the_lease(net: Net) -> None:
    ana = net.phone("ana")
    store, now = ana.store, net.office.clock.now_ms()
    assert store.is_leased(now)
    assert store.is_leased(now - DAY_MS)
    assert not store.is_leased(now - DAY_MS - 1)
    assert not store.is_leased(now + 14 * DAY_MS)
