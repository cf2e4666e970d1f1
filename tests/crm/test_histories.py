"""What a row was, and who made it what it is, at a screen, on both databases."""

from typing import Any

import pytest

from sfa.db import scope
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk
from tests.office import Office

HOUR = 3_600_000


def was(desk: Desk, who: str, entity: str, key: str, at: int, by: str = "stored") -> Any:
    return desk.get(who, f"/api/history/{entity}/{key}?as_of={at}&by={by}").json()


def test_a_deal_is_rebuilt_as_it_was_with_all_that_is_dated(office: Office, desk: Desk) -> None:
    """R20: stage, amount, close date, owner and, by the stage, the category each have a dated past."""
    ana = office.phone("ana")
    office.clock.advance(NOW + HOUR - office.clock.now_ms())
    ana.edit("deals", "deal-a", amount_minor=600_000, currency="EUR", close_on="2026-03-01")
    office.clock.advance(NOW + 2 * HOUR - office.clock.now_ms())
    ana.do("deal.move", "deals", "deal-a", base=2, set={"stage_key": "offer"})
    office.clock.advance(NOW + 3 * HOUR - office.clock.now_ms())
    office.put(("deals", "deal-a", {"owner_key": "bob"}))
    office.put(("stages", "offer", {"category": "commit"}))
    told = [was(desk, "mia", "deals", "deal-a", NOW + i * HOUR) for i in range(4)]
    fields = ("stage_key", "amount_minor", "close_on", "owner_key")
    assert [tuple(one["row"][field] for field in fields) for one in told] == [
        ("lead", 500_000, None, "ana"),
        ("lead", 600_000, "2026-03-01", "ana"),
        ("offer", 600_000, "2026-03-01", "ana"),
        ("offer", 600_000, "2026-03-01", "bob"),
    ]
    assert [one["stage"]["category"] for one in told] == ["pipeline", "pipeline", "pipeline", "commit"]
    dated = desk.get("mia", "/api/history/deals/deal-a?fields=stage_key,owner_key").json()["items"]
    assert [(v["at"] - NOW, sorted(v["changes"])) for v in dated] == [
        (3 * HOUR, ["owner_key"]),
        (2 * HOUR, ["stage_key", "stage_since"]),
        (0, ["account_key", "amount_minor", "currency", "name", "owner_key", "stage_key"]),
    ]


def test_editing_a_stages_probability_does_not_rewrite_history(office: Office, desk: Desk) -> None:
    """R20."""
    before = desk.get("ana", "/api/history/deals/deal-a").json()
    office.clock.advance(NOW + DAY_MS - office.clock.now_ms())
    office.put(("stages", "lead", {"probability_bp": 2_000}))
    desk._tokens.clear()  # the day is over
    assert desk.get("ana", "/api/history/deals/deal-a").json() == before
    assert was(desk, "ana", "deals", "deal-a", NOW)["stage"]["probability_bp"] == 1_000
    assert was(desk, "ana", "deals", "deal-a", NOW + DAY_MS)["stage"]["probability_bp"] == 2_000


def test_an_offline_edit_counts_from_its_arrival_or_from_its_event(office: Office, desk: Desk) -> None:
    """R20, S28: what the server said then, and what was so then, are two questions."""
    office.clock.advance(NOW + 5 * HOUR - office.clock.now_ms())
    receipt = office.phone("ana").do("update", "contacts", "carl", base=1, at=NOW + HOUR, set={"phone": "2"})
    assert receipt.outcome == "applied"
    assert was(desk, "ana", "contacts", "carl", NOW + 2 * HOUR)["row"]["phone"] == "1"
    assert was(desk, "ana", "contacts", "carl", NOW + 2 * HOUR, "event")["row"]["phone"] == "2"


def test_every_change_says_who_from_which_device_and_when_by_both_clocks(office: Office, desk: Desk) -> None:
    """R54: the actor comes from the login, never from the body; rows of the trail are only added."""
    phone = office.phone("bob", "b-2")
    office.clock.advance(NOW + HOUR - office.clock.now_ms())
    ahead = NOW + HOUR + 600_000
    mutation = {**phone.mutation("update", "contacts", "carl", base=1, set={"phone": "9"}), "at": ahead}
    phone.push(mutation, now=ahead)
    first, made = desk.get("ana", "/api/history/contacts/carl").json()["items"]
    assert (first["author_key"], first["device_key"], first["device_at"]) == ("bob", "b-2", ahead)
    assert (first["at"], first["stored_at"]) == (NOW + HOUR, NOW + HOUR)
    assert first["changes"] == {"phone": ["1", "9"]}
    for claim in ({"created_by": "ana"}, {"author_key": "ana"}):
        assert phone.do("update", "contacts", "carl", base=2, set=claim).outcome == "refused"
    phone.do("delete", "contacts", "carl", base=2)
    trail = desk.get("ana", "/api/history/contacts/carl").json()["items"]
    assert trail[1:] == [first, made]
    assert trail[0]["kind"] == "delete"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert desk.ask("root", method, "/api/history/contacts/carl").status_code == 405


def test_who_covered_what_and_when_stays_on_record(office: Office, desk: Desk) -> None:
    """R18: a rep who moves keeps the days that were his; his assignments are dated, not overwritten."""
    moving = "2026-02-14"
    office.put(("territory_members", "tm-bob", {"valid_to": moving}))
    office.put(("territory_members", "tm-bob2", {"user_key": "bob", "territory_key": "t-south", "valid_from": moving}))
    assert "territory:t-north" in office.held("bob")
    assert "territory:t-south" not in office.held("bob")
    office.clock.advance(NOW + 40 * DAY_MS - office.clock.now_ms())
    office.database.write(scope.make_due, office.clock.now_ms())
    assert "territory:t-north" not in office.held("bob")
    assert "territory:t-south" in office.held("bob")
    spells = [
        (m["territory_key"], m["valid_from"], m["valid_to"])
        for m in office.rows("territory_members")
        if m["user_key"] == "bob"
    ]
    assert spells == [("t-north", "2025-01-01", moving), ("t-south", moving, None)]
    assert was(desk, "mia", "territory_members", "tm-bob", NOW - 1) == was(
        desk, "mia", "territory_members", "tm-bob", NOW - 2
    )


def test_a_row_that_did_not_exist_yet_or_is_not_seen_is_not_found(office: Office, desk: Desk) -> None:
    assert was(desk, "ana", "contacts", "carl", NOW - 1)["code"] == "not_found"
    for path in ("contacts/zoe", "unit_costs/c-pump", "nothing/carl", "contacts/nobody"):
        assert desk.get("ana", f"/api/history/{path}").json()["code"] == "not_found"


def test_a_deleted_row_says_so_and_what_it_was(office: Office, desk: Desk) -> None:
    office.clock.advance(NOW + HOUR - office.clock.now_ms())
    office.delete("contacts", "carl")
    now = was(desk, "ana", "contacts", "carl", NOW + HOUR)
    assert (now["gone"], now["row"]["name"], now["rev"]) == (True, "Carl", 2)
    assert was(desk, "ana", "contacts", "carl", NOW)["gone"] is False


def test_versions_come_in_pages(office: Office, desk: Desk) -> None:
    for i in range(5):
        office.put(("contacts", "carl", {"phone": f"p{i}"}))
    first = desk.get("ana", "/api/history/contacts/carl?limit=4").json()
    rest = desk.get("ana", f"/api/history/contacts/carl?limit=4&before={first['next']}").json()
    assert [v["rev"] for v in first["items"] + rest["items"]] == [6, 5, 4, 3, 2, 1]
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "before=-1", "fields=wings", "fields=", "as_of=1&by=heart"])
def test_a_strange_question_is_refused(office: Office, desk: Desk, query: str) -> None:
    assert desk.get("ana", f"/api/history/contacts/carl?{query}").json()["code"] == "request_invalid"
