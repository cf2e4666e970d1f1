"""One line of what happened with a customer, at a screen, on both databases."""

from typing import Any

import pytest

from tests.builders import NOW
from tests.crm.desk import Desk
from tests.office import Office

HOUR = 3_600_000


def line(desk: Desk, who: str, key: str = "acme", **asked: Any) -> list[dict[str, Any]]:
    """Every event, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        query = "&".join(f"{name}={value}" for name, value in {**asked, **({"after": after} if after else {})}.items())
        page = desk.get(who, f"/api/accounts/{key}/timeline?{query}").json()
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


@pytest.fixture
def busy(office: Office) -> Office:
    """A visit tomorrow, a note of yesterday that is written down today, a task, a deal that moves and is won."""
    ana = office.phone("ana")
    ana.do("create", "visits", "v1", set={"account_key": "acme", "planned_at": NOW + 24 * HOUR, "purpose": "demo"})
    ana.do("create", "notes", "n1", set={"account_key": "acme", "written_at": NOW - 24 * HOUR, "body": "hello"})
    ana.do("create", "tasks", "t1", set={"account_key": "acme", "title": "Call back"})
    office.clock.advance(NOW + HOUR - office.clock.now_ms())
    ana.do("deal.move", "deals", "deal-a", base=1, set={"stage_key": "offer"})
    office.clock.advance(NOW + 2 * HOUR - office.clock.now_ms())
    ana.do("deal.win", "deals", "deal-a", base=2, set={})
    office.put(("accounts", "acme", {"tier": "A"}))
    return office


def test_events_stand_at_the_time_at_which_they_happened(busy: Office, desk: Desk) -> None:
    found = line(desk, "ana")
    assert [(e["kind"], e["key"], e["at"] - NOW) for e in found if e["at"] != NOW] == [
        ("visit", "v1", 24 * HOUR),
        ("stage", "deal-a", 2 * HOUR),
        ("change", "acme", 2 * HOUR),
        ("stage", "deal-a", HOUR),
        ("note", "n1", -24 * HOUR),
    ]
    assert [e["at"] for e in found] == sorted((e["at"] for e in found), reverse=True)
    moves = [e["what"]["changes"]["stage_key"] for e in found if e["kind"] == "stage"]
    assert moves == [["offer", "won"], ["lead", "offer"], [None, "lead"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_pages_have_each_event_once_in_one_order(busy: Office, desk: Desk, limit: int) -> None:
    busy.put(*(("notes", f"x{i}", {"account_key": "acme", "author_key": "ana", "written_at": NOW}) for i in range(4)))
    busy.put(*(("notes", f"X{i}", {"account_key": "acme", "author_key": "ana", "written_at": NOW}) for i in range(4)))
    assert line(desk, "ana", limit=limit) == line(desk, "ana", limit=200)
    assert len({(e["kind"], e["key"], e["rev"]) for e in line(desk, "ana", limit=limit)}) == len(line(desk, "ana"))


def test_what_others_own_privately_is_not_on_it(busy: Office, desk: Desk) -> None:
    """A task is its owner's and his managers'; a customer of the territory is everybody's of it."""
    kinds = {e["kind"] for e in line(desk, "bob")}
    assert "task" not in kinds
    assert {"visit", "note", "stage"} <= kinds
    assert "task" in {e["kind"] for e in line(desk, "mia")}


def test_only_the_kinds_that_are_asked_for_come(busy: Office, desk: Desk) -> None:
    assert {e["kind"] for e in line(desk, "ana", kinds="note,visit")} == {"note", "visit"}
    assert desk.get("ana", "/api/accounts/acme/timeline?kinds=gossip").json()["code"] == "request_invalid"


def test_a_merged_customers_past_is_on_the_survivors_line(busy: Office, desk: Desk) -> None:
    busy.put(("accounts", "acme2", {"name": "Acme 2", "territory_key": "t-north", "tier": "B"}))
    busy.put(("notes", "n2", {"account_key": "acme2", "author_key": "bob", "body": "there"}))
    busy.put(("tasks", "t2", {"account_key": "acme2", "owner_key": "ana", "title": "Ask"}))
    assert busy.phone("ana").do("account.merge", "accounts", "acme2", base=1, set={"into": "acme"}).outcome == "applied"
    found = {(e["kind"], e["key"]) for e in line(desk, "ana")}
    assert {("note", "n2"), ("task", "t2"), ("merge", "acme2"), ("change", "acme2")} <= found
    assert line(desk, "ana", "acme2") == line(desk, "ana")


def test_a_deleted_note_is_no_longer_told(busy: Office, desk: Desk) -> None:
    busy.delete("notes", "n1")
    assert "note" not in {e["kind"] for e in line(desk, "ana")}


@pytest.mark.parametrize(
    "after", ["x", "1.note.2", "1.gossip.0.k", "-1.note.0.k", "1.note.x.k", "9999999999999999.note.0.k"]
)
def test_a_place_that_no_page_gave_is_refused(office: Office, desk: Desk, after: str) -> None:
    assert desk.get("ana", f"/api/accounts/acme/timeline?after={after}").json()["code"] == "request_invalid"
    assert desk.get("ana", "/api/accounts/acme/timeline?limit=0").json()["code"] == "request_invalid"
