"""R13: a visit that is open by other ways than a check-in is asked about too, and a submitted one is not taken back."""

from typing import Any

import pytest

from tests.crm.desk import Desk
from tests.office import Office
from tests.visits.conftest import asked, visit

MINUTE = 60_000


def check_in(office: Office, key: str, minutes: int = 30, who: str = "ana") -> None:
    at = office.clock.now_ms() - minutes * MINUTE
    assert office.phone(who).do("visit.check_in", "visits", key, base=1, at=at).outcome == "applied"


def lost_check_in(office: Office, key: str, reason: str = "concurrent") -> str:
    """Somebody else's edit stood against this check-in."""
    losing = {"status": "checked_in", "checked_in_at": office.clock.now_ms() - 10 * MINUTE}
    values: dict[str, Any] = {"entity": "visits", "row_key": key, "field_group": "state", "strategy": "command"}
    values |= {"losing": losing, "standing": {"status": "planned", "checked_in_at": None}, "reason": reason}
    office.put_server_row("conflicts", "lost", values)
    return "lost"


@pytest.mark.parametrize("where", ["screen", "phone"])
def test_a_restored_check_in_beside_an_open_visit_is_asked_about(office: Office, desk: Desk, where: str) -> None:
    visit(office, "v1"), visit(office, "v2")
    check_in(office, "v1")
    key = lost_check_in(office, "v2")
    if where == "screen":
        assert desk.post("ana", f"/api/conflicts/{key}/restore").status_code == 200
    else:
        assert office.phone("ana").do("conflict.restore", "conflicts", key).outcome == "applied"
    assert [row["status"] for row in office.rows("visits")] == ["checked_in", "checked_in"]
    assert asked(office) == [("v2", "v1", "open")]


def test_a_restored_check_in_alone_asks_nobody(office: Office, desk: Desk) -> None:
    visit(office, "v1"), visit(office, "v2")
    assert desk.post("ana", f"/api/conflicts/{lost_check_in(office, 'v2')}/restore").status_code == 200
    assert asked(office) == []


def give(office: Office, desk: Desk, where: str, key: str, owner: str) -> None:
    if where == "phone":
        assert office.phone("mia").edit("visits", key, owner_key=owner).outcome == "applied"
    else:
        rev = office.rev("visits", key)
        answer = desk.ask("mia", "PATCH", f"/api/visits/{key}", rev, json={"row": {"owner_key": owner}})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("where", ["screen", "phone"])
def test_an_open_visit_given_to_somebody_who_has_one_is_asked_about(office: Office, desk: Desk, where: str) -> None:
    visit(office, "v1"), visit(office, "v2", owner_key="bob")
    check_in(office, "v1")
    check_in(office, "v2", who="bob")
    give(office, desk, where, "v1", "bob")
    assert asked(office) == [("v1", "v2", "open")]


def test_an_open_visit_given_away_is_no_second_one_any_more(office: Office, desk: Desk) -> None:
    """What was asked of its first owner asks nobody any more."""
    visit(office, "v1"), visit(office, "v2")
    check_in(office, "v1")
    tablet = office.phone("ana", "d-tablet")
    assert tablet.do("visit.check_in", "visits", "v2", base=1).outcome == "conflict"
    give(office, desk, "screen", "v1", "bob")
    assert asked(office) == [("v2", "v1", "dismissed")]


def test_a_planned_visit_given_away_asks_nobody(office: Office, desk: Desk) -> None:
    visit(office, "v1"), visit(office, "v2", owner_key="bob")
    check_in(office, "v2", who="bob")
    give(office, desk, "screen", "v1", "bob")
    assert asked(office) == []


def test_a_deleted_open_visit_that_comes_back_is_asked_about(office: Office) -> None:
    """S26: an edit on a deleted visit brings it back, with its check-in."""
    visit(office, "v1"), visit(office, "v2")
    check_in(office, "v1", 60)
    known = office.rev("visits", "v1")
    office.delete("visits", "v1")
    check_in(office, "v2")
    assert asked(office) == []
    office.phone("ana", "d-tablet").edit("visits", "v1", base=known, purpose="Tasting")
    assert office.row("visits", "v1")["gone"] is False
    assert asked(office) == [("v1", "v2", "open")]


def test_a_check_in_of_a_submitted_visit_is_not_taken_back_and_its_conflict_is_dismissed(
    office: Office, desk: Desk
) -> None:
    """R13, R14: the visit submitted itself with its check-out."""
    office.put(("visit_policies", "p", {"auto_submit": True, "valid_from": "2025-01-01"}))
    visit(office, "v1"), visit(office, "v2")
    check_in(office, "v1")
    tablet = office.phone("ana", "d-tablet")
    (key,) = tablet.do("visit.check_in", "visits", "v2", base=1).conflicts
    assert tablet.do("visit.check_out", "visits", "v2", base=2).outcome == "applied"
    assert office.row("visits", "v2")["submitted"] is True
    told = desk.get("mia", f"/api/conflicts/{key}").json()
    actions = {action["action"]: (action["allowed"], action["code"]) for action in told["actions"]}
    assert actions == {"restore": (False, "visit_locked"), "dismiss": (True, None)}
    refused = desk.post("mia", f"/api/conflicts/{key}/restore")
    assert (refused.status_code, refused.json()["code"]) == (422, "visit_locked")
    assert "dismiss" in refused.json()["detail"]
    receipt = tablet.do("conflict.restore", "conflicts", key)
    assert (receipt.outcome, receipt.code) == ("refused", "visit_locked")
    assert desk.post("mia", f"/api/conflicts/{key}/dismiss").status_code == 200
    assert office.row("conflicts", key)["status"] == "dismissed"
