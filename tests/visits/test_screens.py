"""The commands of a visit at a screen: who may, what happens twice, what a stale page is told (R53)."""

from typing import Any

import pytest

from tests.crm.desk import Desk
from tests.office import Office
from tests.visits.conftest import visit


def test_a_visit_goes_its_way_at_a_screen(office: Office, desk: Desk) -> None:
    visit(office, "v1")
    said: list[Any] = [("check-in", {}), ("check-out", {"outcome": "sold"}), ("submit", None)]
    for action, body in said:
        answer = desk.post("ana", f"/api/visits/v1/{action}", **({"json": body} if body is not None else {}))
        assert answer.status_code == 200, answer.json()
        assert answer.headers["ETag"] == f'"{answer.json()["rev"]}"'
    row = office.row("visits", "v1")
    assert (row["status"], row["outcome"], row["submitted"]) == ("completed", "sold", True)
    kinds = [entry["kind"] for entry in office.history("visits", "v1")]
    assert kinds == ["create", "visit.check_in", "visit.check_out", "visit.submit"]
    assert office.history("visits", "v1")[1]["author_key"] == "ana"


@pytest.mark.parametrize("action", ["cancel", "no-show"])
def test_a_visit_may_not_come_about(office: Office, desk: Desk, action: str) -> None:
    visit(office, "v1")
    assert desk.post("ana", f"/api/visits/v1/{action}").json()["row"]["status"] == action.replace(
        "cancel", "cancelled"
    ).replace("-", "_")
    refused = desk.post("ana", "/api/visits/v1/check-in")
    assert (refused.status_code, refused.json()["code"]) == (422, "illegal_transition")


def test_the_same_order_again_is_answered_again(office: Office, desk: Desk) -> None:
    """S2: the answer was lost; whatever revision the second one names."""
    visit(office, "v1")
    first = desk.post("ana", "/api/visits/v1/check-in", rev=1)
    again = desk.post("ana", "/api/visits/v1/check-in", rev=1)
    assert (again.status_code, again.json()) == (200, first.json())
    assert office.rev("visits", "v1") == 2


def test_a_stale_page_is_told(office: Office, desk: Desk) -> None:
    visit(office, "v1")
    office.phone("mia").edit("visits", "v1", purpose="other")
    refused = desk.post("ana", "/api/visits/v1/check-in", rev=1)
    assert (refused.status_code, refused.json()["code"]) == (412, "rev_stale")


def test_who_may_not_change_a_visit_may_not_command_it(office: Office, desk: Desk) -> None:
    visit(office, "v1")
    wanted = {"bob": (403, "not_permitted"), "cleo": (404, "not_found"), "fay": (403, "not_permitted")}
    for user, (status, code) in wanted.items():
        answer = desk.post(user, "/api/visits/v1/check-in")
        assert (answer.status_code, answer.json()["code"]) == (status, code), user
    assert desk.post("mia", "/api/visits/v1/check-in").status_code == 200
    assert desk.get("cleo", "/api/visits/v1/effective").status_code == 404


def test_what_is_no_visit_or_no_argument_is_refused(office: Office, desk: Desk) -> None:
    visit(office, "v1")
    assert desk.post("ana", "/api/visits/nobody/check-in").status_code == 404
    assert desk.post("ana", "/api/visits/a b/check-in").status_code == 404
    assert desk.post("ana", "/api/visits/v1/check-in", content=b"{").json()["code"] == "json_invalid"
    assert desk.post("ana", "/api/visits/v1/check-in", json={"mood": 1}).json()["code"] == "command_invalid"
    nowhere = desk.post("ana", "/api/visits/v1/check-in", json={"latitude": 400.0, "longitude": 1.0})
    assert (nowhere.status_code, nowhere.json()["code"]) == (422, "field_invalid")
    assert desk.post("ana", "/api/visits/v1/amend", json={"values": {}}).status_code == 400
    assert desk.get("ana", "/api/visits/a%00b/effective").status_code == 404
    office.delete("visits", "v1")
    assert desk.post("ana", "/api/visits/v1/check-in").status_code == 404


def test_a_visit_tells_its_minutes_and_its_metres_by_proof(office: Office, desk: Desk) -> None:
    """R40: nothing is added to another kind of proof, a gap is nobody's metre."""
    visit(office, "v1")
    ana, now = office.phone("ana"), office.clock.now_ms()
    ana.do("visit.check_in", "visits", "v1", base=1, at=now - 45 * 60_000)
    ana.do("visit.check_out", "visits", "v1", base=2, at=now)
    gap = {"from_at": now - 5_000, "to_at": now - 1_000}
    way = {"visit_key": "v1", "started_at": now - 9_000, "ended_at": now}
    ana.do("create", "travel_legs", "l1", set={**way, "source": "gps", "distance_m": 900, "gaps": [gap]})
    ana.do("create", "travel_legs", "l2", set={**way, "source": "odometer", "distance_m": 1_300})
    refused = ana.do("create", "travel_legs", "l3", set={**way, "source": "gps", "gaps": [{"from_at": 1, "to_at": 2}]})
    assert refused.code == "invariant_failed"
    told = desk.get("mia", "/api/visits/v1/effective").json()
    assert (told["minutes"], told["distance_m"]) == (45, {"gps": 900, "odometer": 1_300})
    assert desk.get("bob", "/api/visits/v1/effective").json()["distance_m"] == {}, "the ways of others are not his"
