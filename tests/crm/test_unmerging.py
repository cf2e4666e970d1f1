"""A merge undone (S22): the loser and what went along with it come back, once, within the stated time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from sfa.db.tables import redirects
from tests.builders import DAY_MS
from tests.crm.desk import Desk
from tests.office import Office

TWIN = {"name": "Acne", "territory_key": "t-north", "phone": "7", "tags": ["x"]}


def twin(office: Office, key: str = "acne", **more: Any) -> None:
    """A customer of ana's territory with a contact, a visit and a task of its own."""
    office.put(
        ("accounts", key, {**TWIN, **more}),
        ("contacts", f"c-{key}", {"account_key": key, "name": "Nine"}),
        ("visits", f"v-{key}", {"account_key": key, "owner_key": "ana", "contact_key": f"c-{key}"}),
        ("tasks", f"t-{key}", {"owner_key": "ana", "account_key": key, "title": "Call"}),
    )


def merge(office: Office, loser: str = "acne", into: str = "acme") -> None:
    assert office.phone("mia").do("account.merge", "accounts", loser, base=1, set={"into": into}).outcome == "applied"


def undo(office: Office, user: str = "mia", survivor: str = "acme", **arguments: Any) -> Any:
    return office.phone(user).do("account.unmerge", "accounts", survivor, set={"loser": "acne", **arguments})


def lies(office: Office, key: str = "acne") -> list[str]:
    fields = (("contacts", f"c-{key}"), ("visits", f"v-{key}"), ("tasks", f"t-{key}"))
    return [office.row(entity, k)["account_key"] for entity, k in fields]


def leads(office: Office) -> dict[str, str]:
    return {r["loser_key"]: r["survivor_key"] for r in office.all(select(redirects))}


def test_everything_is_as_it_was_before(office: Office) -> None:
    """S22: rows, children, what the survivor took; and devices follow."""
    twin(office)
    ana = office.phone("ana")
    ana.catch_up()
    before = {place: row for place, row in ana.sees().items() if place[0] != "conflicts"}
    merge(office)
    assert (lies(office), office.row("accounts", "acme")["phone"]) == (["acme"] * 3, "7")
    ana.catch_up()
    assert ("accounts", "acne") not in ana.sees()
    assert undo(office).outcome == "applied"
    assert (lies(office), leads(office)) == (["acne"] * 3, {})
    ana.catch_up()
    assert ana.sees() == before == office.visible("ana")


def test_what_was_changed_since_is_not_taken_back(office: Office) -> None:
    """S22: a gap that the survivor filled and somebody edited is the survivor's own; a child that moved on stays."""
    twin(office)
    office.put(("accounts", "third", {"name": "Third", "territory_key": "t-north"}))
    merge(office)
    ana = office.phone("ana")
    ana.edit("accounts", "acme", phone="8", tags=["x", "y"])
    ana.edit("contacts", "c-acne", account_key="third")
    assert undo(office).outcome == "applied"
    acme, acne = office.row("accounts", "acme"), office.row("accounts", "acne")
    assert (acme["phone"], acme["tags"], acne["phone"], acne["tags"]) == ("8", ["y"], "7", ["x"])
    assert lies(office) == ["third", "acne", "acne"]


def test_an_edit_in_flight_lands_on_the_loser_again(office: Office) -> None:
    """S22: after the undo the key is the loser's own."""
    twin(office)
    merge(office)
    undo(office)
    receipt = office.phone("ana").edit("accounts", "acne", 1, name="Acne Ltd")
    assert (receipt.outcome, receipt.key, office.row("accounts", "acne")["name"]) == ("applied", "acne", "Acne Ltd")
    late = office.phone("bob").do("create", "contacts", "late", set={"account_key": "acne", "name": "Late"})
    assert (late.outcome, office.row("contacts", "late")["account_key"]) == ("applied", "acne")


def landed_since(office: Office) -> None:
    """ana, who has not heard of the merge, edits the loser and adds a contact; bob edits the survivor."""
    twin(office)
    merge(office)
    ana = office.phone("ana")
    ana.edit("accounts", "acne", 1, website="acne.example", phone="9")
    ana.do("create", "contacts", "late", set={"account_key": "acne", "name": "Late"})
    office.phone("bob").edit("accounts", "acme", industry="Pumps")


def test_what_landed_by_the_losers_key_is_listed(office: Office, desk: Desk) -> None:
    """S22."""
    landed_since(office)
    merge_ = desk.get("mia", "/api/merges/accounts/acne").json()
    assert merge_["losing"]["phone"] == "7"
    fields = {f["field"]: (f["value"], f["before"], f["stands"]) for f in merge_["landed"]["fields"]}
    assert fields == {"website": ("acne.example", None, True), "phone": ("9", "7", True)}
    assert [(c["entity"], c["key"]) for c in merge_["landed"]["children"]] == [("contacts", "late")]


@pytest.mark.parametrize("everything", [True, False])
def test_what_landed_moves_if_it_is_chosen(office: Office, everything: bool) -> None:
    """S22: nothing of it is lost either way."""
    landed_since(office)
    chosen = {"all": True} if everything else {"fields": ["website"], "children": [["contacts", "late"]]}
    assert undo(office, **chosen).outcome == "applied"
    acme, acne = office.row("accounts", "acme"), office.row("accounts", "acne")
    assert (acne["website"], acme["website"], acme["industry"]) == ("acne.example", None, "Pumps")
    assert office.row("contacts", "late")["account_key"] == "acne"
    assert (acne["phone"], acme["phone"]) == (("9", None) if everything else ("7", "9"))
    office.phone("ana").catch_up()
    assert office.phone("ana").sees() == office.visible("ana")


def test_what_is_not_chosen_stays_with_the_survivor(office: Office) -> None:
    landed_since(office)
    assert undo(office).outcome == "applied"
    assert office.row("accounts", "acme")["website"] == "acne.example"
    assert office.row("contacts", "late")["account_key"] == "acme"
    assert undo(office, fields=["name"]).outcome == "applied", "undone before: nothing happens"


def test_only_what_landed_can_be_chosen(office: Office) -> None:
    twin(office)
    merge(office)
    assert undo(office, fields=["name"]).code == "command_invalid"
    assert undo(office, children=[["contacts", "carl"]]).code == "command_invalid"
    assert undo(office, wings=1).code == "command_invalid"
    assert leads(office) == {"acne": "acme"}


def test_too_late_is_too_late(office: Office) -> None:
    """S22: the company says for how long; when it was done counts, not when it arrived."""
    twin(office)
    merge(office)
    office.put(("organisations", "org", {"merge_undo_days": 2}))
    mia = office.phone("mia")
    office.clock.advance(2 * DAY_MS)
    intime = mia.mutation("account.unmerge", "accounts", "acme", set={"loser": "acne"})
    office.clock.advance(60_000)
    late = undo(office, user="dirk")
    assert (late.code, late.details["until"]) == ("undo_too_late", intime["at"])
    assert mia.push(intime).receipts[0].outcome == "applied"


def test_twice_is_once(office: Office, desk: Desk) -> None:
    """S2: from two devices, and at a screen."""
    twin(office)
    merge(office)
    assert undo(office).outcome == "applied"
    rev = office.rev("accounts", "acne")
    assert undo(office, user="dirk").outcome == "applied"
    again = desk.post("mia", "/api/merges/accounts/acne/undo", json={})
    assert (again.status_code, again.json()["rev"], office.rev("accounts", "acne")) == (200, rev, rev)


def test_two_who_undo_at_the_same_moment_undo_once(office: Office, desk: Desk) -> None:
    """S8."""
    twin(office)
    merge(office)
    for user in ("mia", "dirk"):
        desk.get(user, "/api/merges")
    with ThreadPoolExecutor(2) as pool:
        path = "/api/merges/accounts/acne/undo"
        answers = list(pool.map(lambda user: desk.post(user, path, json={"all": True}), ("mia", "dirk")))
    assert [a.status_code for a in answers] == [200, 200]
    assert (office.rev("accounts", "acne"), lies(office)) == (3, ["acne"] * 3)


@pytest.mark.parametrize("first", ["acne", "middle"])
def test_a_chain_is_undone_from_either_end(office: Office, first: str) -> None:
    """S22: acne was merged into middle, middle into acme."""
    twin(office)
    twin(office, "middle", phone=None)
    merge(office, "acne", "middle")
    merge(office, "middle", "acme")
    assert leads(office) == {"acne": "acme", "middle": "acme"}
    mia = office.phone("mia")
    for key in [first, "middle" if first == "acne" else "acne"]:
        survivor = office.row("accounts", "acme")["key"] if key == first or first == "acne" else "middle"
        receipt = mia.do("account.unmerge", "accounts", survivor, set={"loser": key})
        assert receipt.outcome == "applied", receipt
        if key == "middle" and first == "middle":
            assert leads(office) == {"acne": "middle"}
            assert lies(office) == ["middle"] * 3
            assert office.phone("ana").edit("accounts", "acne", 1, website="w").key == "middle"
    assert (leads(office), lies(office), lies(office, "middle")) == ({}, ["acne"] * 3, ["middle"] * 3)


def test_merged_and_undone_and_merged_again(office: Office) -> None:
    """Also in one push."""
    twin(office)
    mia = office.phone("mia")
    steps = [
        mia.mutation("account.merge", "accounts", "acne", base=1, set={"into": "acme"}),
        mia.mutation("account.unmerge", "accounts", "acme", set={"loser": "acne"}),
        mia.mutation("account.merge", "accounts", "acne", set={"into": "acme"}),
    ]
    assert [r.outcome for r in mia.push(*steps).receipts] == ["applied"] * 3
    assert (leads(office), lies(office)) == ({"acne": "acme"}, ["acme"] * 3)
    undo(office)
    assert lies(office) == ["acne"] * 3


def test_contacts_part_too(office: Office) -> None:
    """S22: with the visits and deals that named them."""
    office.put(
        ("contacts", "karl", {"account_key": "acme", "name": "Karl", "email": "k@example.com"}),
        ("visits", "v1", {"account_key": "acme", "owner_key": "ana", "contact_key": "karl"}),
        ("deals", "deal-a", {"contact_key": "karl"}),
    )
    mia = office.phone("mia")
    mia.do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"})
    assert office.row("contacts", "carl")["email"] == "k@example.com"
    assert mia.do("contact.unmerge", "contacts", "carl", set={"loser": "karl"}).outcome == "applied"
    assert [office.row("visits", "v1")["contact_key"], office.row("deals", "deal-a")["contact_key"]] == ["karl"] * 2
    assert office.row("contacts", "carl")["email"] is None


def test_who_may_not_merge_may_not_undo(office: Office, desk: Desk) -> None:
    """R53, S10."""
    twin(office, territory_key="t-south")
    office.phone("dirk").do("account.merge", "accounts", "acne", base=1, set={"into": "acme"})
    assert undo(office, user="ana").code == "not_permitted"
    assert undo(office, user="cleo").code == "row_unknown"
    assert undo(office, user="fay").code == "not_permitted"
    hidden, unknown = undo(office, survivor="acme", loser="zeta"), undo(office, survivor="acme", loser="nobody")
    assert hidden.code == unknown.code == "merge_unknown"
    assert desk.keys("dirk", "/api/conflicts") == []
    assert [m["loser_key"] for m in desk.get("dirk", "/api/merges").json()["items"]] == ["acne"]
    for user in ("ana", "cleo"):
        assert desk.get(user, "/api/merges").json()["items"] == []
        assert desk.get(user, "/api/merges/accounts/acne").status_code == 404
        assert desk.post(user, "/api/merges/accounts/acne/undo", json={}).status_code == 404


def test_merges_are_listed_with_the_time_left(office: Office, desk: Desk) -> None:
    for key in ("acne", "b", "c"):
        twin(office, key)
        merge(office, key)
        office.clock.advance(1000)
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Karl"}))
    office.phone("mia").do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"})
    office.clock.advance(DAY_MS)
    first = desk.get("mia", "/api/merges?limit=3").json()
    assert [m["loser_key"] for m in first["items"]] == ["karl", "c", "b"]
    assert first["items"][0]["left_ms"] == 29 * DAY_MS
    rest = desk.get("mia", f"/api/merges?limit=3&after={first['next']}").json()
    assert ([m["loser_key"] for m in rest["items"]], rest["next"]) == (["acne"], None)
    assert [m["loser_key"] for m in desk.get("mia", "/api/merges?entity=contacts").json()["items"]] == ["karl"]
    assert desk.get("mia", "/api/merges?entity=deals").json()["code"] == "request_invalid"


def test_an_accepted_suggestion_is_declined_when_its_merge_is_undone(office: Office) -> None:
    """S30: they are two, and are not suggested again."""
    twin(office)
    values = {"entity": "accounts", "row_key": "acne", "other_key": "acme", "kind": "duplicate", "score_bp": 9000}
    office.put_server_row("suggestions", "dup-1", {**values, "status": "open"})
    mia = office.phone("mia")
    assert mia.do("suggestion.accept", "suggestions", "dup-1", base=1).outcome == "applied"
    undo(office)
    row = office.row("suggestions", "dup-1")
    assert (row["status"], row["row_key"], row["other_key"]) == ("declined", "acne", "acme")


def test_what_was_spent_since_goes_with_its_deal_or_visit_and_the_rest_stays(office: Office, desk: Desk) -> None:
    """R37, S22: written down after the merge, or moved to another deal since; both ways."""
    twin(office)
    deal = {"name": "B", "owner_key": "ana", "account_key": "acne", "stage_key": "lead", "currency": "EUR"}
    office.put(("deals", "d2", {**deal, "amount_minor": 1}))
    spent = {"kind": "meal", "amount_minor": 5, "currency": "EUR", "spent_on": "2026-01-05", "owner_key": "ana"}
    office.put(("expenses", "before", {**spent, "account_key": "acne", "deal_key": "d2"}))
    merge(office)
    work = {"minutes": 5, "done_on": "2026-01-05"}
    ana = office.phone("ana")
    ana.catch_up()
    for entity, key, row in (
        ("expenses", "of-deal", {**spent, "deal_key": "d2"}),
        ("work_entries", "of-deal", {**work, "deal_key": "d2"}),
        ("expenses", "of-visit", {**spent, "visit_key": "v-acne"}),
        ("expenses", "of-other", {**spent, "deal_key": "deal-a"}),
        ("expenses", "of-none", {**spent, "account_key": "acme"}),
    ):
        assert desk.post("ana", f"/api/{entity}", json={"key": key, "row": row}).status_code == 201
        assert office.row(entity, key)["account_key"] == "acme"
    assert ana.edit("expenses", "before", deal_key="deal-a").outcome == "applied"
    assert undo(office).outcome == "applied"
    found = {key: office.row("expenses", key)["account_key"] for key in ("of-deal", "of-visit", "of-other", "of-none")}
    assert found == {"of-deal": "acne", "of-visit": "acne", "of-other": "acme", "of-none": "acme"}
    assert office.row("work_entries", "of-deal")["account_key"] == office.row("deals", "d2")["account_key"] == "acne"
    assert office.row("expenses", "before")["account_key"] == office.row("deals", "deal-a")["account_key"] == "acme"
    ana.catch_up()
    assert ana.sees()["expenses", "of-deal"]["account_key"] == "acne"
