"""What a manager says of a person reaches that person on no way, also where he manages his own team (R25)."""

import pytest

from sfa.db import writes
from sfa.db.migrations import upgrade_database
from tests.crm.desk import Desk
from tests.forecasting.telling import nodes, rollup
from tests.forecasting.test_overrides import ANA, listed, revert, said

SECRET = 123_456
ENTITY = "forecast_overrides"
ROWS, HISTORY, EXPLAINED = f"/api/{ENTITY}", f"/api/history/{ENTITY}", f"/sync/explain?entity={ENTITY}"
TELLS = {"list", "row", "history", "then", "explained", "figures"}


def manage(desk: Desk, team: str) -> None:
    """Ana, who is in the north, manages it, or what is above it, as well."""
    row = {"team_key": team, "user_key": "ana", "role": "manager", "valid_from": "2026-01-01"}
    desk.office.put(("team_members", "m-ana-2", row))


def told(desk: Desk, as_: str, key: str) -> set[str]:
    """The ways on which somebody at a screen is told of a row."""
    ways = {"row": f"{ROWS}/{key}", "history": f"{HISTORY}/{key}", "then": f"{HISTORY}/{key}?as_of=9999999999999"}
    answers = {name: desk.get(as_, path) for name, path in ways.items()}
    assert {answer.status_code for answer in answers.values()} <= {200, 404}
    found = {name for name, answer in answers.items() if answer.status_code == 200}
    if key in desk.keys(as_, ROWS):
        found.add("list")
    if desk.get(as_, f"{EXPLAINED}&key={key}").json()["code"] != "unknown":
        found.add("explained")
    return found | ({"figures"} if key in {item["override"]["key"] for item in listed(desk, as_)} else set())


@pytest.mark.parametrize("team", ["north", "all-sales"])
def test_at_no_screen_is_anybody_told_his_managers_figure_of_himself_r25(desk: Desk, team: str) -> None:
    key = said(desk, "mia", ANA, amount=SECRET, level="manager", note="sandbags")["key"]
    manage(desk, team)
    assert told(desk, "ana", key) == set()
    assert told(desk, "bob", key) == told(desk, "cleo", key) == set()
    assert told(desk, "mia", key) == told(desk, "dirk", key) == told(desk, "root", key) == TELLS
    assert desk.get("mia", f"{EXPLAINED}&key={key}").json()["code"] == "online"
    desk.office.put(("forecast_policies", "p", {"name": "P", "manager_figures": "shown"}))
    assert told(desk, "ana", key) == TELLS


def test_what_is_said_of_others_and_of_teams_is_told_as_before_r25(desk: Desk) -> None:
    of_bob = said(desk, "mia", "user:bob", amount=7, level="manager")["key"]
    own, of_team = said(desk, "ana", ANA, amount=8)["key"], said(desk, "mia", "team:north", amount=9)["key"]
    manage(desk, "north")
    assert told(desk, "ana", of_bob) == told(desk, "ana", own) == told(desk, "ana", of_team) == TELLS
    phone = desk.office.phone("ana")
    phone.catch_up()
    assert phone.keys(ENTITY) == {own, of_team}


@pytest.mark.parametrize("team", ["north", "all-sales"])
def test_no_device_carries_a_managers_figure_of_a_person_r25(desk: Desk, team: str) -> None:
    before = desk.office.phone("ana")
    before.catch_up()
    key = said(desk, "mia", ANA, amount=SECRET, level="manager", note="sandbags")["key"]
    manage(desk, team)
    for phone in (before, desk.office.phone("ana", "second"), desk.office.phone("mia"), desk.office.phone("root")):
        phone.catch_up()
        assert phone.keys(ENTITY) == set(), phone.user
        assert "sandbags" not in str(phone.held)
    assert nodes(rollup(desk))[ANA]["views"]["commit"]["rolled_up"] == 500_000
    assert desk.office.row(ENTITY, key)["buckets"] == ["manage:north"]


def test_a_figure_that_no_device_carries_is_in_the_next_roll_up_r25(desk: Desk) -> None:
    def counted() -> int:
        found: int = nodes(rollup(desk))[ANA]["views"]["commit"]["manager_adjusted"]
        return found

    assert counted() == 500_000
    said(desk, "mia", ANA, amount=SECRET, level="manager")
    assert counted() == SECRET
    said(desk, "mia", ANA, amount=7, level="manager", rev=1)
    assert counted() == 7
    assert revert(desk, "mia", ANA, 2, "manager").status_code == 200
    assert counted() == 500_000


def test_an_upgrade_takes_figures_of_people_off_the_devices_that_have_them_r25(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a version before this one left them."""
    with monkeypatch.context() as before:
        before.setattr(writes, "is_online_only", lambda *_: False)
        key = said(desk, "mia", ANA, amount=SECRET, level="manager")["key"]
    manage(desk, "north")
    phones = [desk.office.phone("ana"), desk.office.phone("mia")]
    for phone in phones:
        phone.catch_up()
        assert phone.keys(ENTITY) == {key}
    upgrade_database(desk.office.database, desk.office.clock)
    for phone in phones:
        phone.catch_up()
        assert phone.keys(ENTITY) == set()
    seq = desk.office.seq()
    upgrade_database(desk.office.database, desk.office.clock)
    assert desk.office.seq() == seq
    assert desk.office.row(ENTITY, key)["rev"] == 1
