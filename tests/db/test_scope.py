"""Scope intervals: stamped by the clock, made effective on their day, once (S8, S10, S11)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from sfa.core.access import scopes_on
from sfa.core.errors import Refused
from sfa.db import feed, scope
from sfa.db.database import open_database
from sfa.db.tables import clock, scope_intervals
from tests.builders import DAY_MS, NOW, USERS
from tests.office import Office

SECOND = {"territory_key": "t-south", "user_key": "ana", "valid_from": "2026-01-06"}
TOMORROW = NOW + 15 * 3_600_000  # midnight in Madrid


def intervals(office: Office, user: str) -> list[dict[str, Any]]:
    table = scope_intervals
    return office.all(select(table).where(table.c.user_key == user).order_by(table.c.since_seq))


def due_at(office: Office) -> int | None:
    found: int | None = office.all(select(clock))[0]["due_at"]
    return found


@pytest.mark.parametrize("user", USERS)
def test_the_intervals_that_are_open_are_the_scope_of_the_day(shared_office: Office, user: str) -> None:
    """S11."""
    organisation = shared_office.database.read(scope.read_organisation)
    assert shared_office.held(user) == scopes_on(organisation, "2026-01-05")[user]


def test_a_change_of_scope_is_stamped_in_its_own_transaction(office: Office) -> None:
    """S11: after the entries of the same transaction, before anybody else's."""
    before = office.seq()
    after = office.put(("territory_members", "tm-2", {**SECOND, "valid_from": "2026-01-05"}))
    (new,) = [i for i in intervals(office, "ana") if i["bucket"] == "territory:t-south"]
    assert before < new["since_seq"] <= after
    assert new["until_seq"] is None
    end = office.put(("territory_members", "tm-2", {"valid_to": "2026-01-06", "valid_from": "2026-01-04"}))
    assert [i["until_seq"] for i in intervals(office, "ana") if i["bucket"] == "territory:t-south"] == [None]
    end = office.delete("territory_members", "tm-2")
    (ended,) = [i["until_seq"] for i in intervals(office, "ana") if i["bucket"] == "territory:t-south"]
    assert after < ended <= end


def test_a_change_that_decides_no_scope_stamps_nothing(office: Office) -> None:
    """S11."""
    before = {user: intervals(office, user) for user in USERS}
    office.put(("contacts", "carl", {"phone": "2"}), ("users", "ana", {"title": "Rep"}))
    assert {user: intervals(office, user) for user in USERS} == before


def test_the_clock_knows_the_next_day_on_which_something_changes(office: Office) -> None:
    """S11: in the organisation's zone."""
    assert due_at(office) is None
    office.put(("territory_members", "tm-2", {**SECOND, "valid_to": "2026-01-08"}))
    assert due_at(office) == TOMORROW
    assert office.database.write(scope.make_due, TOMORROW - 1) is False
    assert office.database.write(scope.make_due, TOMORROW) is True
    assert "territory:t-south" in office.held("ana")
    assert due_at(office) == TOMORROW + 2 * DAY_MS
    assert office.database.write(scope.make_due, TOMORROW + 5 * DAY_MS) is True
    assert "territory:t-south" not in office.held("ana")
    assert due_at(office) is None


def test_two_callers_make_a_day_effective_once(office: Office) -> None:
    """S11: the claimed job and two pulls may all come first."""
    office.put(("territory_members", "tm-2", SECOND))

    async def run() -> list[bool]:
        database = open_database(office.database.url, durable=False)
        try:
            return await asyncio.gather(*(database.write_async(scope.make_due, TOMORROW) for _ in range(4)))
        finally:
            await database.close_async()

    assert sorted(asyncio.run(run())) == [False, False, False, True]
    assert len([i for i in intervals(office, "ana") if i["bucket"] == "territory:t-south"]) == 1


def test_a_new_user_holds_his_scope_at_once(office: Office) -> None:
    """S11."""
    office.put(
        ("users", "nora", {"name": "Nora", "email": "nora@example.com", "role": "manager"}),
        (
            "team_members",
            "m-nora",
            {"team_key": "south", "user_key": "nora", "role": "manager", "valid_from": "2026-01-01"},
        ),
    )
    assert {"all", "user:nora", "book:nora", "book:cleo", "manage:south", "territory:t-south"} <= office.held("nora")


def test_a_tree_that_moves_takes_scopes_along(office: Office) -> None:
    """S10, R19: mia's team is put above the south."""
    office.put(("team_edges", "e-south", {"valid_to": "2026-01-05"}))
    assert "book:cleo" not in office.held("dirk")
    office.put(("team_edges", "e-south2", {"team_key": "south", "parent_key": "north", "valid_from": "2026-01-05"}))
    for user in ("mia", "dirk"):
        assert {"book:cleo", "manage:south", "territory:t-south"} <= office.held(user), user


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"team_key": "north", "parent_key": "south", "valid_from": "2026-02-01"}, "hierarchy_overlap"),
        ({"team_key": "north", "parent_key": "nothing", "valid_from": "2026-02-01"}, "reference_unknown"),
    ],
)
def test_a_tree_stays_a_tree_on_every_day(office: Office, values: dict[str, Any], code: str) -> None:
    """R19."""
    receipt = office.phone("root").do("create", "team_edges", "e-x", set=values)
    assert receipt.code == code
    assert office.find("team_edges", "e-x") is None


def test_a_cycle_made_of_two_edges_of_one_push_is_refused(office: Office) -> None:
    """R19: the second meets the first, which is not stored yet."""
    root = office.phone("root")
    office.put(
        ("team_edges", "e-north", {"valid_to": "2026-02-01"}), ("team_edges", "e-south", {"valid_to": "2026-02-01"})
    )
    answer = root.push(
        root.mutation("create", "team_edges", "e1", set={"team_key": "north", "valid_from": "2026-02-01"}),
        root.mutation(
            "create", "team_edges", "e2", set={"team_key": "south", "parent_key": "north", "valid_from": "2026-02-01"}
        ),
        root.mutation("update", "team_edges", "e1", base=1, set={"parent_key": "south"}),
    )
    assert [r.code for r in answer.receipts] == [None, None, "hierarchy_cycle"]


def test_a_zone_that_does_not_exist_is_refused(office: Office) -> None:
    """S11, S19: every scope of the company hangs on it."""
    root = office.phone("root")
    for zone in ("Mars/Phobos", "", "../etc/passwd", "Europe/Madrid\n"):
        receipt = root.edit("organisations", "org", zone=zone)
        assert (zone, receipt.outcome) == (zone, "refused")
    assert root.edit("organisations", "org", zone="Asia/Tokyo").outcome == "applied"


def test_an_unknown_registration_has_no_standing(shared_office: Office) -> None:
    """S12."""
    with pytest.raises(Refused) as refused:
        shared_office.phone("ana", "own").office.database.read(_standing, "bob", "own")
    assert refused.value.code == "device_unknown"


def _standing(connection: Any, user: str, device: str) -> Any:
    return feed.standing(connection, user, device)
