"""A check-in is judged by the policy of its day, offline and at a screen alike (R13, R53)."""

from typing import Any

from sfa.core.ids import KeyMaker
from sync.device import Device, Store
from tests.crm.desk import Desk
from tests.office import Office
from tests.sync.net import Net, net  # noqa: F401
from tests.visits.conftest import FAR, HERE, visit

HARD = {"geofence": "hard", "radius_m": 300, "valid_from": "2025-01-01"}


def checked_in(office: Office, key: str, **place: Any) -> Any:
    return office.phone("ana").do("visit.check_in", "visits", visit(office, key), base=1, set=place)


def test_a_check_in_says_whether_it_was_in_range(placed: Office) -> None:
    """R13."""
    near, far, nowhere = (checked_in(placed, f"v{n}", **place) for n, place in enumerate((HERE, FAR, {})))
    assert near.outcome == "applied"
    said = [(row["verdict"], row["distance_m"]) for row in placed.rows("visits")]
    assert said == [("in_range", 0), ("out_of_range", 778), ("unverifiable", None)]
    assert {far.outcome, nowhere.outcome} == {"conflict"}, "the first one is still open"


def test_a_hard_policy_refuses_what_is_out_of_range_and_nothing_else(placed: Office) -> None:
    """R13, R53: whatever the device believed."""
    placed.put(("visit_policies", "hard", HARD))
    refused = checked_in(placed, "far", **FAR)
    assert (refused.outcome, refused.code) == ("refused", "visit_out_of_range")
    assert refused.details == {"distance_m": 778, "radius_m": 300}
    assert placed.row("visits", "far")["status"] == "planned"
    assert checked_in(placed, "unsure", **FAR, accuracy_m=500.0).outcome == "applied"
    assert placed.row("visits", "unsure")["verdict"] == "unverifiable"


def test_the_policy_of_the_day_of_the_check_in_counts_however_late_it_arrives(placed: Office) -> None:
    """R13: what was checked in before the policy began is judged by the one before."""
    placed.put(("visit_policies", "hard", {**HARD, "valid_from": "2026-01-05"}))
    phone = placed.phone("ana")
    yesterday = placed.clock.now_ms() - 24 * 3600 * 1000
    receipt = phone.do("visit.check_in", "visits", visit(placed, "late"), base=1, at=yesterday, set=FAR)
    assert receipt.outcome == "applied"
    assert placed.row("visits", "late")["verdict"] == "out_of_range"


def test_a_policy_of_a_visit_type_comes_before_that_of_all(placed: Office) -> None:
    placed.put(("visit_policies", "all", HARD))
    placed.put(("visit_policies", "call", {"visit_type": "call", "geofence": "off", "valid_from": "2025-01-01"}))
    visit(placed, "call", visit_type="call")
    assert placed.phone("ana").do("visit.check_in", "visits", "call", base=1, set=FAR).outcome == "applied"
    row = placed.row("visits", "call")
    assert (row["verdict"], row["distance_m"]) == (None, 778)


def test_the_device_shows_the_verdict_before_it_syncs_and_the_server_agrees(net: Net) -> None:  # noqa: F811
    """R13, R53: the same rule on both sides; hard is refused on the device already."""
    office = net.office
    office.put(("accounts", "acme", HERE))
    visit(office, "v1")
    phone = net.phone("ana")
    phone.command("visit.check_in", "v1", FAR)
    shown = phone.get("visits", "v1")
    assert shown is not None
    assert (shown["verdict"], shown["distance_m"]) == ("out_of_range", 778)
    phone.sync()
    assert phone.get("visits", "v1") == {f: office.row("visits", "v1")[f] for f in shown}


def test_only_managers_and_admins_write_policies(placed: Office) -> None:
    for user, outcome in (("ana", "refused"), ("mia", "applied"), ("dirk", "applied"), ("root", "applied")):
        receipt = placed.phone(user).do("create", "visit_policies", f"p-{user}", set=HARD)
        assert receipt.outcome == outcome, user
        if user == "mia":
            assert "p-mia" in placed.held("ana") or placed.row("visit_policies", "p-mia")["buckets"] == ["all"]


def test_the_verdict_is_nobodys_to_write(placed: Office) -> None:
    visit(placed, "v1")
    receipt = placed.phone("ana").edit("visits", "v1", verdict="in_range")
    assert receipt.code == "field_read_only"


def test_a_check_in_at_a_screen_is_judged_too(placed: Office, desk: Desk) -> None:
    """R53."""
    placed.put(("visit_policies", "hard", HARD))
    visit(placed, "v1")
    refused = desk.post("ana", "/api/visits/v1/check-in", json=FAR)
    assert (refused.status_code, refused.json()["code"]) == (422, "visit_out_of_range")
    assert desk.post("ana", "/api/visits/v1/check-in", json=HERE).json()["row"]["verdict"] == "in_range"


def test_a_device_of_its_own_refuses_what_a_hard_policy_forbids(net: Net) -> None:  # noqa: F811
    office = net.office
    office.put(("accounts", "acme", HERE), ("visit_policies", "hard", HARD))
    visit(office, "v1")
    phone = Device(Store(), net, office.clock, KeyMaker(office.clock))
    phone.login("ana@example.com", "correct horse")
    phone.sync()
    try:
        phone.command("visit.check_in", "v1", FAR)
    except Exception as error:
        assert getattr(error, "code", None) == "visit_out_of_range"  # noqa: PT017
    else:
        raise AssertionError("the device let it pass")
    assert phone.pending() == []
