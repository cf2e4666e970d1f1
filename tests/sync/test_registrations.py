"""Registrations over the real server: listed, revoked, wiped, leased (S31). What they drain: `test_quarantine`."""

from functools import partial
from typing import Any

import pytest

from sfa.core.ids import KeyMaker
from sync.device import Device, Store
from sync.protocol import CONTRACT_MAX
from tests.builders import NOW, USERS
from tests.sync.net import DAY_MS, Net, key_of, net, queued, refused_at_sync

__all__ = ["net"]


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
    assert net.call("mia", "POST", "/api/devices/d-cleo/quarantine/some", **body).status_code == 404
    assert net.call("mia", "GET", "/api/devices/d-cleo/quarantine/some").status_code == 404
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
    assert (found["last_seen_at"], found["contract"], found["queued"]) == (net.office.clock.now_ms(), CONTRACT_MAX, 0)
    assert write() == 0


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
    headers = {"Authorization": f"Bearer {token}"}
    drained = net.client.post("/sync/drain", json={"user": "ana", "now": NOW}, headers=headers)
    assert drained.json()["code"] == "device_wiped"
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
