"""Applying a drain: step by step, under a copy's registration, with what cannot be read; nothing is lost (S20, S31)."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from sync import protocol, push, quarantine, renumber, review
from sync.decisions import COMMANDS
from sync.device import Device
from sync.quarantine import DrainView
from sync.review import Decision
from tests.builders import NOW
from tests.sync.net import Net, net, queued
from tests.sync.test_quarantine import decide, drains, post_drain, revoke

__all__ = ["net"]


def titles(net: Net) -> set[str]:
    return {row["title"] for row in net.office.rows("tasks")}


def task(n: int, title: str, **more: Any) -> dict[str, Any]:
    return {"n": n, "entity": "tasks", "key": f"k-{title}", "kind": "create", "at": NOW, "set": {"title": title}} | more


def post_raw(net: Net, device: Device, mutations: str) -> str:
    """Drain these bytes; -> the drain's name."""
    headers = {"Authorization": f"Bearer {device.store.state().access_token}"}
    body = f'{{"user":"ana","now":{NOW},"mutations":[{mutations}]}}'
    content = body.encode("utf-8", "surrogateescape")
    assert net.client.post("/sync/drain", content=content, headers=headers).status_code == 200
    return str(drains(net, revoke(net, device))[-1]["drain"])


def a_phone_that_synced(net: Net, *synced: str) -> tuple[Device, str]:
    """-> (ana's phone, which sent these before it was revoked, its registration)."""
    ana = queued(net, titles=synced)
    ana.sync()
    return ana, revoke(net, ana)


def outcomes(part: dict[str, Any]) -> dict[str, int]:
    return dict(part["result"]["outcomes"])


# -- under a copy's registration --------------------------------------------------------------------------------------


def test_a_later_part_that_the_original_could_take_goes_with_the_copy_of_the_first(net: Net) -> None:
    ana, key = a_phone_that_synced(net, "Mine1", "Mine2")
    parts: dict[str, Any] = {"drain": "copy", "parts": 2}
    post_drain(net, ana, "A", "B", part=1, **parts)
    post_drain(net, ana, "C", "D", first=3, part=2, **parts)
    done = decide(net, key, "copy", "apply").json()["received"]
    assert [outcomes(part) for part in done] == [{"applied": 2}] * 2
    assert done[0]["applied_as"] == done[1]["applied_as"] != key
    assert {"Mine1", "Mine2", "A", "B", "C", "D"} <= titles(net)


def test_a_part_that_was_taken_before_in_a_copys_drain_has_its_old_outcomes(net: Net) -> None:
    ana, key = a_phone_that_synced(net)
    assert post_drain(net, ana, "A", "B", drain="one").status_code == 200
    decide(net, key, "one", "apply")
    post_drain(net, ana, "X", part=1, drain="two", parts=2)
    post_drain(net, ana, "B", "C", first=2, part=2, drain="two", parts=2)
    done = decide(net, key, "two", "apply").json()["received"]
    assert [outcomes(part) for part in done] == [{"applied": 1}, {"applied": 2}]
    assert net.office.rev("tasks", "k-B") == 1, "it is not taken twice"
    assert {"A", "B", "X", "C"} <= titles(net)


@pytest.mark.parametrize("broken", ['"z":1e999', '"z":"\udcff"'], ids=["a number", "no UTF-8"])
def test_what_cannot_be_read_in_a_copy_is_refused_in_its_place_and_the_rest_lands(net: Net, broken: str) -> None:
    ana, key = a_phone_that_synced(net, "Mine1", "Mine2")
    unreadable = f'{{"n":2,"entity":"tasks","key":"kz","kind":"create","at":1,"set":{{{broken}}}}}'
    first, last = (msgspec.json.encode(task(n, title)).decode() for n, title in ((1, "A"), (3, "C")))
    drain = post_raw(net, ana, f"{first},{unreadable},{last}")
    (part,) = decide(net, key, drain, "apply").json()["received"]
    assert outcomes(part) == {"applied": 2, "refused": 1}
    assert {"Mine1", "Mine2", "A", "C"} <= titles(net)
    (refusal,) = net.office.rows("refusals")
    assert (refusal["code"], refusal["n"], refusal["device_key"]) == ("mutation_invalid", 2, part["applied_as"])
    assert '"key":"kz"' in refusal["mutation"]


def test_a_unit_whose_head_cannot_be_read_is_refused_as_a_whole_in_a_copy_too(net: Net) -> None:
    ana, key = a_phone_that_synced(net, "Mine1")
    unit = {"id": "u", "size": 3}
    members = ",".join(msgspec.json.encode(task(n, f"U{n}", unit=unit)).decode() for n in (2, 3))
    drain = post_raw(net, ana, f'{{"n":1,"wings":1e999}},{members},{msgspec.json.encode(task(4, "After")).decode()}')
    (part,) = decide(net, key, drain, "apply").json()["received"]
    assert outcomes(part) == {"refused": 3, "applied": 1}
    assert not {"U2", "U3"} & titles(net)
    assert "After" in titles(net)


def test_an_unreadable_change_before_a_whole_unit_is_none_of_it(net: Net) -> None:
    ana = net.phone("ana")
    unit = {"id": "u", "size": 2}
    body = {"user": "ana", "now": NOW, "mutations": [7, task(2, "U1", unit=unit), task(3, "U2", unit=unit)]}
    headers = {"Authorization": f"Bearer {ana.store.state().access_token}"}
    pushed = net.client.post("/sync", json=body, headers=headers).json()["push"]
    assert [receipt["outcome"] for receipt in pushed["receipts"]] == ["refused", "applied", "applied"]
    assert pushed["stopped"] is None


# -- in steps ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of three changes stands for one of a thousand."""
    for module in (review, renumber):
        monkeypatch.setattr(module, "MUTATIONS_MAX", 3)


def one_step(net: Net, key: str, drain: str, decision: Decision) -> DrainView:
    now_ms = net.office.clock.now_ms()
    return net.office.database.write(review.review, "mia", key, drain, decision, now_ms, COMMANDS)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("synced", [(), ("Mine1", "Mine2")], ids=["as it was sent", "anew"])
def test_a_review_that_ended_in_the_middle_goes_on_with_the_same_decision_only(net: Net, synced: tuple[str]) -> None:
    ana, key = a_phone_that_synced(net, *synced)
    made = "ABCDEFG"
    post_drain(net, ana, *made, part=1, drain="mine", parts=2)
    post_drain(net, ana, "H", first=8, part=2, drain="mine", parts=2)
    asked = Decision("apply", [5], "no")
    view = one_step(net, key, "mine", asked)
    assert (quarantine.is_under_way(view), view.waiting) == (True, 8)
    assert {"A", "B", "C"} <= titles(net)
    assert not {"D", "H"} & titles(net)
    assert net.devices("mia")[key]["quarantined"] == 8, "who looks sees that it is not done"
    assert net.office.device(key)["state"] == "drained"
    for other in ({"decision": "discard", "reason": "no"}, {"decision": "apply"}):
        assert decide(net, key, "mine", **other).json()["code"] == "already_reviewed"
    net.office.clock.advance(60_000)
    done = decide(net, key, "mine", "apply", leave_out=[5], reason="no").json()
    assert [outcomes(part) for part in done["received"]] == [{"applied": 6, "refused": 1}, {"applied": 1}]
    assert {part["decided_at"] for part in done["received"]} == {view.received[0].decided_at}
    assert titles(net) >= set(made) - {"E"} | {"H"}
    assert "E" not in titles(net)
    assert {net.office.rev("tasks", f"k-{title}") for title in "ABCDFGH"} == {1}
    assert decide(net, key, "mine", "apply").json() == done


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("synced", [(), ("Mine1",)], ids=["as it was sent", "anew"])
def test_no_step_cuts_a_unit(net: Net, synced: tuple[str]) -> None:
    ana, key = a_phone_that_synced(net, *synced)
    unit = {"id": "u", "size": 2}
    made = [task(1, "A"), task(2, "B"), task(3, "U1", unit=unit), task(4, "", unit=unit), task(5, "C")]
    drain = post_raw(net, ana, ",".join(msgspec.json.encode(one).decode() for one in made))
    (part,) = decide(net, key, drain, "apply").json()["received"]
    assert outcomes(part) == {"applied": 3, "refused": 2}
    assert {"A", "B", "C"} <= titles(net)
    assert "U1" not in titles(net)


@pytest.mark.usefixtures("small_steps")
def test_a_drain_whose_numbers_another_one_takes_meanwhile_goes_on_as_a_copy(net: Net) -> None:
    ana, key = a_phone_that_synced(net)
    post_drain(net, ana, *"ABCDE", drain="one")
    post_drain(net, ana, *"ABCXY", drain="two")
    one_step(net, key, "one", Decision("apply"))
    decide(net, key, "two", "apply")
    (part,) = decide(net, key, "one", "apply").json()["received"]
    assert outcomes(part) == {"applied": 5}
    assert titles(net) >= set("ABCDEXY")


@pytest.mark.usefixtures("small_steps")
def test_each_transaction_pushes_once_and_at_most_a_step(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push ends with the clock: whatever came after it in its transaction would wait for rows with the clock held."""
    ana, key = a_phone_that_synced(net)
    post_drain(net, ana, *"ABCDEFG", drain="one")
    pushed: Counter[int] = Counter()

    def counted(connection: Any, sent: Any, *rest: Any) -> Any:
        pushed[id(connection)] += 1
        assert len(sent.mutations) <= 3
        return push.push(connection, sent, *rest)

    monkeypatch.setattr(review, "push", counted)
    steps = 0
    while quarantine.is_under_way(one_step(net, key, "one", Decision("apply"))) or not steps:
        steps += 1
        assert pushed.total() == steps
    assert pushed.total() == 3


# -- limits and odd names ---------------------------------------------------------------------------------------------


def test_a_registration_has_only_so_many_drains_and_the_device_keeps_the_rest(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "DRAINS_MAX", 2)
    ana, key = a_phone_that_synced(net)
    assert post_drain(net, ana, "A", part=1, drain="one", parts=2).status_code == 200
    assert post_drain(net, ana, "B", drain="two").status_code == 200
    full = post_drain(net, ana, "C", drain="three")
    assert (full.status_code, full.json()["code"]) == (413, "quarantine_full")
    assert post_drain(net, ana, "D", first=2, part=2, drain="one", parts=2).json()["next_part"] is None
    assert len(drains(net, key)) == 2
    assert protocol.DRAINS_MAX > 2


def test_a_name_or_reason_with_a_nul_is_refused_and_nothing_breaks(net: Net) -> None:
    ana, key = a_phone_that_synced(net)
    post_drain(net, ana, "A", drain="one")
    for method, path in (
        ("GET", "/api/devices/%00/quarantine"),
        ("POST", "/api/devices/%00/revoke"),
        ("POST", "/api/devices/%00/wipe"),
        ("GET", f"/api/devices/{key}/quarantine/%00"),
    ):
        assert net.call("mia", method, path).json()["code"] == "not_found"
    assert decide(net, "%00", "one", "apply").json()["code"] == "not_found"
    assert decide(net, key, "%00", "apply").json()["code"] == "not_found"
    odd = decide(net, key, "one", "discard", reason="a\x00b")
    assert (odd.status_code, odd.json()["code"]) == (400, "request_invalid")
    assert drains(net, key)[0]["waiting"] == 1
    assert decide(net, key, "one", "discard", reason="a\nb").status_code == 200
