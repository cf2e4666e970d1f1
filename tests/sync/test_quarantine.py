"""What a revoked registration had left to say: drained part by part and copy by copy, reviewed, applied once (S31)."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sfa.core.ids import KeyMaker
from sync import quarantine
from sync.device import ConnectionLost, Device, Store, outbox
from tests.builders import NOW
from tests.sync.net import DAY_MS, Net, key_of, net, queued, refused_at_sync

__all__ = ["net"]


def drains(net: Net, key: str, user: str = "mia") -> list[dict[str, Any]]:
    return list(net.call(user, "GET", f"/api/devices/{key}/quarantine").json()["drains"])


def words(net: Net, key: str, user: str = "mia") -> list[list[str]]:
    """The titles in each part of each drain."""
    found = []
    for drain in drains(net, key, user):
        for part in drain["received"]:
            path = f"/api/devices/{key}/quarantine/{drain['drain']}?part={part['part']}"
            mutations = net.call(user, "GET", path).json()["mutations"]
            found.append([m["set"]["title"] for m in mutations if m["kind"] == "create"])
    return found


def decide(net: Net, key: str, drain: str, decision: str, user: str = "mia", **more: Any) -> Any:
    path = f"/api/devices/{key}/quarantine/{drain}"
    return net.call(user, "POST", path, json={"decision": decision, **more})


def revoke(net: Net, device: Device) -> str:
    net.call("mia", "POST", f"/api/devices/{key_of(device)}/revoke")
    return key_of(device)


def post_drain(net: Net, device: Device, *titles: str, token: str | None = None, **more: Any) -> Any:
    mutations = [
        {"n": n, "entity": "tasks", "key": f"k-{title}", "kind": "create", "at": NOW, "set": {"title": title}}
        for n, title in enumerate(titles, more.pop("first", 1))
    ]
    user = device.store.state().user
    body = {"user": user.key if user else "", "now": NOW, "mutations": mutations, **more}
    headers = {"Authorization": f"Bearer {token or device.store.state().access_token}"}
    return net.client.post("/sync/drain", json=body, headers=headers)


def cloned(net: Net, folder: Path) -> tuple[Device, Device]:
    """One phone of ana's, synced, whose file is used twice."""
    store = Store(folder / "one.db")
    first = Device(store, net, net.office.clock, KeyMaker(net.office.clock))
    first.login("ana@example.com", "correct horse")
    first.sync()
    store.close()
    shutil.copy(folder / "one.db", folder / "two.db")
    one, two = (
        Device(Store(folder / name), net, net.office.clock, KeyMaker(net.office.clock)) for name in ("one.db", "two.db")
    )
    return one, two


# -- draining ---------------------------------------------------------------------------------------------------------


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
    assert words(net, key) == [["Call", "Write"]]
    assert net.devices("mia")[key]["quarantined"] == 2
    (drain,) = drains(net, key)
    done = decide(net, key, drain["drain"], "apply").json()
    assert done["received"][0]["result"] == {"outcomes": {"applied": 2}}
    assert (done["received"][0]["decided_by"], done["received"][0]["applied_as"]) == ("mia", key)
    assert net.office.row("tasks", "t-Call")["owner_key"] == "ana"
    assert [entry["author_key"] for entry in net.office.history("tasks", "t-Call")] == ["ana"]
    assert (net.office.device(key)["state"], net.office.device(key)["last_n"]) == ("drained", 2)
    assert decide(net, key, drain["drain"], "apply").json() == done
    assert net.office.rev("tasks", "t-Call") == 1
    assert decide(net, key, drain["drain"], "discard", reason="no").json()["code"] == "already_reviewed"
    assert net.devices("mia")[key]["quarantined"] == 0


def test_a_drain_whose_answer_was_lost_is_answered_again_and_counts_once(net: Net) -> None:
    ana = queued(net)
    key = revoke(net, ana)
    net.lost = ["/sync/drain"]
    with pytest.raises(ConnectionLost):
        ana.sync()
    assert len(ana.pending()) == 2, "it is not erased before the server has it"
    with pytest.raises(Exception, match="device_revoked"):
        ana.create("tasks", {"title": "Too late"})
    refused_at_sync(ana)
    assert ana.kept() == []
    assert net.devices("mia")[key]["quarantined"] == 2


def test_a_drain_is_taken_with_the_old_token_even_expired_and_the_same_one_once(net: Net) -> None:
    ana = net.phone("ana")
    assert post_drain(net, ana, "A").json()["code"] == "not_revoked"
    key = revoke(net, ana)
    net.office.clock.advance(30 * DAY_MS)
    net.tokens.clear()
    assert post_drain(net, ana, "A", token="forged").json()["code"] == "unauthenticated"
    for _ in range(2):
        assert post_drain(net, ana, "A").json() == {"drained": 1, "next_part": None}
    assert post_drain(net, ana, "B").json() == {"drained": 1, "next_part": None}, "a copy of the phone"
    assert post_drain(net, ana, "A").json() == {"drained": 1, "next_part": None}
    assert sorted(words(net, key)) == [["A"], ["B"]]


def test_both_copies_of_a_cloned_phone_drain_and_both_are_applied(net: Net, tmp_path: Path) -> None:
    one, two = cloned(net, tmp_path)
    for title in ("a", "b"):
        one.create("tasks", {"title": title}, key=f"t-{title}")
    for title in ("x", "y", "z"):
        two.create("tasks", {"title": title}, key=f"t-{title}")
    key = revoke(net, one)
    refused_at_sync(one)
    assert refused_at_sync(two).details["drain"] is True
    assert (two.kept(), one.kept()) == ([], [])
    assert sorted(words(net, key)) == [["a", "b"], ["x", "y", "z"]]
    results = [decide(net, key, drain["drain"], "apply").json()["received"][0] for drain in drains(net, key)]
    assert sum((part["result"]["outcomes"]["applied"] for part in results), 0) == 5
    assert len({part["applied_as"] for part in results}) == 2, "a copy's numbers are a registration of their own"
    assert {row["title"] for row in net.office.rows("tasks")} >= {"a", "b", "x", "y", "z"}
    assert net.office.rows("refusals") == []
    assert net.devices("mia")[key]["quarantined"] == 0


def test_a_copy_that_drains_after_the_other_one_had_synced_loses_nothing(net: Net, tmp_path: Path) -> None:
    one, two = cloned(net, tmp_path)
    for device, title in ((one, "a"), (two, "x"), (two, "y")):
        device.create("tasks", {"title": title}, key=f"t-{title}")
    one.sync()
    key = revoke(net, one)
    refused_at_sync(two)
    (drain,) = drains(net, key)
    done = decide(net, key, drain["drain"], "apply").json()["received"][0]
    assert done["result"] == {"outcomes": {"applied": 2}}
    assert done["applied_as"] != key
    assert net.office.row("tasks", "t-x")["owner_key"] == "ana"
    refused_at_sync(one)
    late = next(found for found in drains(net, key) if found["waiting"])
    assert decide(net, key, late["drain"], "apply").json()["received"][0]["result"] == {"outcomes": {"applied": 1}}
    assert net.office.rev("tasks", "t-a") == 1, "it was the server's before: its receipt is told again"


def test_two_copies_that_hold_the_same_have_one_drain(net: Net, tmp_path: Path) -> None:
    one, two = cloned(net, tmp_path)
    key = revoke(net, one)
    for device in (one, two):
        refused_at_sync(device)
        assert device.synced_rows() == {}
    assert len(drains(net, key)) == 1


def test_two_copies_with_nothing_left_to_say_both_erase(net: Net, tmp_path: Path) -> None:
    """One of them sent more before, and long ago: what they skip differs, so their drains do."""
    one, two = cloned(net, tmp_path)
    one.create("tasks", {"title": "a"}, key="t-a")
    one.sync()
    net.office.clock.advance(8 * DAY_MS)
    one.login("ana@example.com", "correct horse")
    one.sync()
    one.update("tasks", "t-a", {"title": "b"})
    one.sync()
    one.store.execute("DELETE FROM outbox")
    key = revoke(net, one)
    for device in (one, two):
        refused_at_sync(device)
        assert device.person() is None
    assert len(drains(net, key)) == 2


@pytest.mark.parametrize("again", [True, False])
def test_two_syncs_of_one_store_that_are_told_the_same_end_it_once(net: Net, tmp_path: Path, again: bool) -> None:
    """The slower one must neither drain an erased store nor end the registration that was made since."""
    store = Store(tmp_path / "phone.db")
    quick = Device(store, net, net.office.clock, KeyMaker(net.office.clock))
    quick.login("ana@example.com", "correct horse")
    quick.sync()
    quick.create("tasks", {"title": "a"}, key="t-a")
    key = revoke(net, quick)

    class Slow:
        def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
            answer = net.post(path, body, token)
            if path == "/sync":
                refused_at_sync(quick)
                if again:
                    quick.login("ana@example.com", "correct horse")
            return answer

    slow = Device(store, Slow(), net.office.clock, KeyMaker(net.office.clock))
    assert refused_at_sync(slow).code == "device_revoked"
    assert words(net, key) == [["a"]]
    if not again:
        assert (quick.person(), [n.kind for n in quick.notices()]) == (None, ["erased"])
        return
    quick.create("tasks", {"title": "b"}, key="t-b")
    assert quick.sync().pushed == 1
    assert key_of(quick) != key


def test_a_queue_larger_than_a_request_drains_in_parts_and_is_erased_after_the_last(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PUSH_BYTES_MAX", 300)
    titles = tuple(f"Task{i}" for i in range(9))
    ana = queued(net, titles=titles)
    key = revoke(net, ana)
    for _ in range(3):
        net.lost.append("/sync/drain")
        with pytest.raises(ConnectionLost):
            ana.sync()
        assert len(ana.pending()) == 9
    refused_at_sync(ana)
    assert ana.kept() == []
    (drain,) = drains(net, key)
    assert drain["parts"] == len(drain["received"]) > 3
    assert tuple(title for part in words(net, key) for title in part) == titles
    done = decide(net, key, drain["drain"], "apply").json()
    assert sum(part["result"]["outcomes"]["applied"] for part in done["received"]) == 9
    assert net.office.device(key)["last_n"] == 9


def test_parts_are_taken_in_order_each_once_and_late_ones_wait_for_a_decision_of_their_own(net: Net) -> None:
    ana = net.phone("ana")
    key = revoke(net, ana)
    token = ana.store.state().access_token
    parts: dict[str, Any] = {"drain": "mine", "parts": 2}
    assert post_drain(net, ana, "B", first=2, part=2, **parts).json()["expected_part"] == 1
    assert post_drain(net, ana, "A", part=1, **parts).json() == {"drained": 1, "next_part": 2}
    assert post_drain(net, ana, "C", part=1, **parts).json()["code"] == "already_drained"
    assert post_drain(net, ana, "A", part=1, drain="mine", parts=3).json()["code"] == "already_drained"
    assert post_drain(net, ana, "A", part=3, **parts).json()["code"] == "request_invalid"
    assert post_drain(net, ana, "A", parts=2).json()["code"] == "request_invalid"
    assert net.office.device(key)["state"] == "revoked"
    assert decide(net, key, "mine", "apply").json()["waiting"] == 0
    assert post_drain(net, ana, "B", first=2, part=2, token=token, **parts).json()["next_part"] is None
    assert net.office.device(key)["state"] == "drained"
    assert [part["decision"] for part in drains(net, key)[0]["received"]] == ["apply", None]
    done = decide(net, key, "mine", "apply").json()
    assert [part["result"]["outcomes"] for part in done["received"]] == [{"applied": 1}] * 2
    assert net.office.device(key)["last_n"] == 2


def test_what_one_registration_can_fill_is_limited(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "DRAINED_BYTES_MAX", 400)
    ana = queued(net)
    key = revoke(net, ana)
    assert post_drain(net, ana, "A").json()["drained"] == 1
    assert refused_at_sync(ana).code == "quarantine_full"
    assert len(ana.pending()) == 2, "what was not taken stays on the device"
    assert len(drains(net, key)) == 1


def test_a_device_whose_revocation_was_forgotten_with_a_backup_goes_on(net: Net) -> None:
    ana = queued(net)
    key = revoke(net, ana)
    net.lost = ["/sync/drain"]
    with pytest.raises(ConnectionLost):
        ana.sync()
    net.office.database.write(lambda c: c.exec_driver_sql("DELETE FROM drains"))
    net.office.database.write(
        lambda c: c.exec_driver_sql(f"UPDATE devices SET state = 'active', ended_at = NULL WHERE key = '{key}'")
    )
    ana.sync()
    ana.create("tasks", {"title": "Later"}, key="t-Later")
    assert ana.sync().pushed == 1
    assert {row["title"] for row in net.office.rows("tasks")} >= {"Call", "Write", "Later"}


def test_a_revoked_registration_neither_pushes_nor_pulls_nor_refreshes(net: Net) -> None:
    ana = queued(net)
    revoke(net, ana)
    state = ana.store.state()
    headers = {"Authorization": f"Bearer {state.access_token}"}
    for _ in range(2):
        answer = net.client.post("/sync", json={"user": "ana", "now": NOW}, headers=headers)
        assert (answer.status_code, answer.json()["code"], answer.json()["drain"]) == (401, "device_revoked", True)
        again = net.client.post("/auth/refresh", json={"refresh_token": state.refresh_token})
        assert (again.json()["code"], again.json()["drain"]) == ("device_revoked", True)
        post_drain(net, ana)


# -- reviewing --------------------------------------------------------------------------------------------------------


def drained(net: Net, *titles: str) -> tuple[str, str]:
    """-> (registration, drain) of ana's phone that typed these and was revoked."""
    ana = queued(net, titles=titles)
    key = revoke(net, ana)
    refused_at_sync(ana)
    return key, drains(net, key)[0]["drain"]


def test_a_discarded_drain_applies_nothing_and_keeps_words_and_reason(net: Net) -> None:
    key, drain = drained(net, "Call", "Write")
    assert decide(net, key, drain, "discard").json()["code"] == "request_invalid"
    done = decide(net, key, drain, "discard", reason="made up").json()["received"][0]
    assert (done["decision"], done["decided_by"], done["reason"]) == ("discard", "mia", "made up")
    assert words(net, key) == [["Call", "Write"]]
    assert net.office.find("tasks", "t-Call") is None
    assert decide(net, key, drain, "discard", reason="again").json()["received"][0]["reason"] == "made up"
    assert decide(net, key, drain, "apply").json()["code"] == "already_reviewed"


def test_a_reviewer_leaves_out_single_changes_which_become_refusals(net: Net) -> None:
    key, drain = drained(net, "Call", "Write", "Lie")
    assert decide(net, key, drain, "apply", leave_out=[3]).json()["code"] == "request_invalid"
    done = decide(net, key, drain, "apply", leave_out=[3], reason="not true").json()["received"][0]
    assert done["result"] == {"outcomes": {"applied": 2, "refused": 1}}
    (refusal,) = net.office.rows("refusals")
    assert (refusal["code"], refusal["author_key"], refusal["mutation"]["set"]["title"]) == ("left_out", "ana", "Lie")
    assert "not true" in refusal["text"]
    assert net.office.find("tasks", "t-Lie") is None
    again = decide(net, key, drain, "apply", leave_out=[1], reason="no").json()["received"][0]
    assert again == done


def test_the_author_can_ask_who_had_it_applied(net: Net) -> None:
    key, drain = drained(net, "Call")
    net.office.clock.advance(60_000)
    decide(net, key, drain, "apply")
    told = net.call("ana", "GET", f"/sync/explain?device={key}&n=1").json()
    assert (told["code"], told["reviewed_by"]) == ("applied", "mia")


def test_it_is_applied_with_the_rights_that_the_author_has_then(net: Net) -> None:
    ana = net.phone("ana")
    ana.update("contacts", "carl", {"phone": "2"})
    key = revoke(net, ana)
    refused_at_sync(ana)
    net.office.put(("users", "ana", {"active": False}))
    (drain,) = drains(net, key, "root")
    done = decide(net, key, drain["drain"], "apply", "root").json()["received"][0]
    assert done["result"]["outcomes"] == {"handed_over": 1}  # she holds nothing any more (S37)
    assert net.office.row("contacts", "carl")["phone"] == "1"
    assert [s["buckets"] for s in net.office.rows("suggestions")] == [["territory:t-north"]]


def test_only_a_reviewer_decides_and_an_unknown_drain_is_not_found(net: Net) -> None:
    key, drain = drained(net, "Call")
    assert decide(net, key, drain, "apply", "ana").json()["code"] == "not_permitted"
    assert decide(net, key, drain, "apply", "cleo").status_code == 404
    assert decide(net, key, "other", "apply").status_code == 404
    assert net.call("mia", "GET", f"/api/devices/{key}/quarantine/{drain}?part=2").status_code == 404
    assert net.call("ana", "GET", f"/api/devices/{key}/quarantine/{drain}").json()["code"] == "not_permitted"
    assert net.office.find("tasks", "t-Call") is None


def test_a_copy_with_units_and_broken_items_is_applied_as_far_as_it_can_be(net: Net) -> None:
    """Under a registration of its own: whole units stay whole, a cut one comes one by one, the unreadable is kept."""
    ana = queued(net, titles=("Mine",))
    ana.sync()
    key = revoke(net, ana)
    unit, cut = {"id": "u", "size": 2}, {"id": "v", "size": 3}
    made: list[Any] = [
        {"n": n, "entity": "tasks", "key": f"k-{n}", "kind": "create", "at": NOW, "set": {"title": f"T{n}"}}
        for n in range(1, 7)
    ]
    for mutation, of in zip(made, (None, unit, unit, cut, cut, None), strict=True):
        if of:
            mutation["unit"] = of
    made[2]["set"] = {"title": ""}
    headers = {"Authorization": f"Bearer {ana.store.state().access_token}"}
    body = {"user": "ana", "now": NOW, "mutations": [*made, 7, {"n": 9, "wings": True}]}
    assert net.client.post("/sync/drain", json=body, headers=headers).json()["drained"] == 8
    (drain,) = drains(net, key)
    done = decide(net, key, drain["drain"], "apply").json()["received"][0]
    assert done["result"]["outcomes"] == {"applied": 4, "refused": 4}
    titles = {row["title"] for row in net.office.rows("tasks")}
    assert {"Mine", "T1", "T4", "T5", "T6"} <= titles
    assert not {"T2", "T3"} & titles
    assert len(net.office.rows("refusals")) == 4
