"""A person exported and erased, on both databases (S1): afterwards no table says anything of the person."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from sfa.app import cli_erasures
from sfa.core.errors import Refused
from sfa.crm.erasure import erase_person
from sfa.db.database import open_database
from sfa.db.tables import METADATA, erasures
from sfa.db.writes import Door, Origin
from tests.builders import NOW, put_rows
from tests.crm.desk import Desk
from tests.office import Office

WHY = {"reason": "asked for by letter"}
SECRET = "Zsofia"


def everywhere(office: Office) -> list[str]:
    """The tables in which the secret is written, in whatever column."""
    found = []
    for table in METADATA.sorted_tables:
        rows = office.all(select(table))
        if any(SECRET.lower() in repr(value).lower() for row in rows for value in row.values()):
            found.append(table.name)
    return found


@pytest.fixture
def known(office: Office) -> Office:
    """A person under two keys that were merged, with history, a conflict, a refusal, a consent and a hand-over."""
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.do("create", "contacts", "zs", set={"account_key": "acme", "name": f"{SECRET} One", "phone": "+34 600"})
    ana.do("create", "contacts", "zs2", set={"account_key": "acme", "name": f"{SECRET} Two", "email": f"{SECRET}@x.eu"})
    ana.do("create", "consents", "k", set={"contact_key": "zs", "purpose": "news", "granted": True, "evidence": SECRET})
    part = {"deal_key": "deal-a", "contact_key": "zs", "role": "blocker", "note": SECRET}
    assert ana.do("create", "deal_contacts", "r", set=part).outcome == "applied"
    ana.edit("contacts", "zs", title=f"{SECRET}'s title")
    assert bob.edit("contacts", "zs", base=1, title=f"{SECRET} otherwise").conflicts
    assert bob.do("update", "contacts", "zs", base=2, set={"name": SECRET, "wings": 2}).outcome == "refused"
    assert ana.do("contact.merge", "contacts", "zs2", base=1, set={"into": "zs"}).outcome == "applied"
    bob.push(bob.mutation("update", "contacts", "zs", base="one", set={"name": SECRET}))  # of no readable form
    ana.do("create", "visits", "v", set={"account_key": "acme", "contact_key": "zs"})
    ana.do("create", "notes", "n", set={"account_key": "acme", "body": "about somebody"})
    return office


def test_afterwards_no_table_says_anything_of_the_person(known: Office, desk: Desk) -> None:
    """S1: erasure wins over everything: rows, history, conflicts, refusals, merges, the feed."""
    before = everywhere(known)
    assert {"contacts", "history", "conflicts", "refusals", "redirects", "feed", "consents", "deal_contacts"} <= set(
        before
    )
    answer = desk.post("root", "/api/contacts/zs/erase", json=WHY)
    assert (answer.status_code, answer.json()["keys"]) == (200, ["zs", "zs2"])
    assert everywhere(known) == []
    assert known.row("visits", "v")["contact_key"] == "zs", "what happened stays, without a name"
    ledger = known.all(select(erasures).order_by(erasures.c.key))
    assert [(row["key"], row["survivor_key"], row["erased_by"]) for row in ledger] == [
        ("zs", "zs", "root"),
        ("zs2", "zs", "root"),
    ]


def test_answers_that_wait_for_a_repeated_request_forget_the_person(known: Office, desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.token('root')}", "Idempotency-Key": "once"}
    row = {"row": {"account_key": "acme", "name": SECRET}}
    made = desk.client.post("/api/contacts", json=row, headers=headers)
    assert made.status_code == 201
    for key in (made.json()["key"], "zs"):
        assert desk.post("root", f"/api/contacts/{key}/erase", json=WHY).status_code == 200
    assert everywhere(known) == []
    again = desk.client.post("/api/contacts", json=row, headers=headers)
    assert (again.status_code, again.json()["code"]) == (410, "erased")


def test_devices_lose_the_person_with_their_next_sync(known: Office, desk: Desk) -> None:
    bob = known.phone("bob")
    bob.catch_up()
    assert "zs" in bob.keys("contacts")
    desk.post("root", "/api/contacts/zs/erase", json=WHY)
    bob.catch_up(digest=True)
    assert SECRET not in repr(bob.sees())
    assert "zs" not in bob.keys("contacts")
    assert bob.sees() == known.visible("bob")


def test_what_comes_in_afterwards_is_refused_and_not_kept(known: Office, desk: Desk) -> None:
    """An edit that was queued before, under either key, whatever else is wrong with it; alone or in a unit."""
    desk.post("root", "/api/contacts/zs2/erase", json=WHY)
    bob = known.phone("bob")
    for kind, key, values in (
        ("update", "zs", {"phone": SECRET}),
        ("update", "zs2", {"phone": SECRET}),
        ("create", "zs", {"account_key": "acme", "name": SECRET}),
        ("update", "zs", {"phone": SECRET, "wings": 1}),
        ("delete", "zs", {}),
    ):
        assert bob.do(kind, "contacts", key, base=1, set=values).code == "erased"
    bob.push(bob.mutation("update", "contacts", "zs", base="one", set={"name": SECRET}))  # of no readable form
    unit = [
        bob.mutation("update", "contacts", "zs", base=1, set={"name": SECRET}, unit={"id": "u", "size": 2}),
        bob.mutation("update", "contacts", "carl", base=1, set={"phone": "7"}, unit={"id": "u", "size": 2}),
    ]
    assert [receipt.outcome for receipt in bob.push(*unit).receipts] == ["refused", "refused"]
    assert (
        bob.do("create", "consents", "k9", set={"contact_key": "zs", "purpose": "p", "granted": True}).code == "erased"
    )
    assert everywhere(known) == []
    assert known.row("contacts", "zs")["gone"]
    for refusal in desk.get("bob", "/api/refusals").json()["items"]:
        assert desk.get("bob", f"/api/refusals/{refusal['key']}").status_code == 200
        if refusal["row"]["code"] == "erased":
            assert desk.post("bob", f"/api/refusals/{refusal['key']}/repair", json={}).status_code in (409, 410, 422)
            assert desk.post("bob", f"/api/refusals/{refusal['key']}/dismiss").status_code == 200


def test_a_merge_or_a_conflict_does_not_bring_the_person_back(known: Office, desk: Desk) -> None:
    (conflict,) = known.rows("conflicts")
    desk.post("root", "/api/contacts/zs/erase", json=WHY)
    assert desk.post("ana", "/api/merges/contacts/zs2/undo", json={}).status_code == 404
    assert desk.post("ana", f"/api/conflicts/{conflict['key']}/restore").status_code >= 400
    assert known.row("contacts", "zs")["gone"]
    assert known.row("contacts", "zs2")["gone"]


def test_twice_is_once_and_says_the_same(known: Office, desk: Desk) -> None:
    first = desk.post("root", "/api/contacts/zs/erase", json=WHY).json()
    seq = known.seq()
    assert desk.post("root", "/api/contacts/zs2/erase", json={"reason": "again"}).json() == first
    assert known.seq() == seq, "nothing was left to do, so no device is told anything"


def test_an_open_hand_over_keeps_nothing_of_the_person(known: Office, desk: Desk) -> None:
    """S37: what waits for a decision is not decided about a person who is gone."""
    bob = known.phone("bob")
    bob.catch_up()
    known.put(("accounts", "acme", {"territory_key": "t-south"}))
    receipt = bob.do("update", "contacts", "zs", base=3, set={"phone": SECRET})
    assert receipt.outcome == "handed_over"
    desk.post("root", "/api/contacts/zs/erase", json=WHY)
    assert everywhere(known) == []
    assert [row["status"] for row in known.rows("suggestions") if row["kind"] == "handover"] == ["withdrawn"]
    assert [row["status"] for row in known.rows("handovers")] == ["declined"]


def test_only_an_administrator_erases_and_says_why(known: Office, desk: Desk) -> None:
    for who in ("ana", "mia", "dirk", "fay"):
        assert desk.post(who, "/api/contacts/zs/erase", json=WHY).json()["code"] == "not_permitted"
    for body in ({}, {"reason": ""}, {"reason": " "}, {"reason": "x" * 501}):
        assert desk.post("root", "/api/contacts/zs/erase", json=body).json()["code"] == "request_invalid"
    assert desk.post("root", "/api/contacts/nobody/erase", json=WHY).json()["code"] == "not_found"
    assert "contacts" in everywhere(known)


def test_an_export_has_everything_and_says_where_else_the_name_is(known: Office, desk: Desk) -> None:
    known.put(("notes", "n2", {"account_key": "acme", "author_key": "ana", "body": f"{SECRET.upper()} ONE called"}))
    found = desk.get("root", "/api/contacts/zs2/export").json()
    assert (found["key"], found["keys"], found["partial"], found["erased_at"]) == ("zs", ["zs", "zs2"], False, None)
    kinds = [row["entity"] for row in found["rows"]]
    assert kinds == ["contacts", "contacts", "consents", "deal_contacts", "conflicts", "refusals"]
    assert {(p["entity"], p["key"]) for p in found["places"]} == {("visits", "v"), ("notes", "n2")}
    assert "called" not in json.dumps(found), "what a note says is the customer's"
    assert any(change["version"]["changes"].get("title") for change in found["history"])
    part = desk.get("mia", "/api/contacts/zs/export").json()
    assert part["partial"] is True
    assert "refusals" not in [row["entity"] for row in part["rows"]], "they are their author's"
    assert desk.get("ana", "/api/contacts/zs/export").json()["code"] == "not_permitted"
    assert desk.get("cleo", "/api/contacts/zs/export").json()["code"] == "not_found"
    desk.post("root", "/api/contacts/zs/erase", json=WHY)
    after = desk.get("root", "/api/contacts/zs/export").json()
    assert after["erased_at"] == NOW
    assert SECRET not in json.dumps(after)


def test_a_restored_backup_is_erased_again(
    known: Office, desk: Desk, other_office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is kept apart from the backup, which knows nothing of the erasure."""
    phone = other_office.phone("ana")
    phone.do("create", "contacts", "zs", set={"account_key": "acme", "name": f"{SECRET} One"})
    desk.post("root", "/api/contacts/zs/erase", json=WHY)

    def run(office: Office, *words: str) -> Any:
        monkeypatch.setenv("SFA_DATABASE_URL", office.database.url)
        result = CliRunner().invoke(cli_erasures.erasures, list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    ledger = tmp_path / "erasures.jsonl"
    ledger.write_text(run(known, "list"))
    assert SECRET not in ledger.read_text()
    assert "contacts" in everywhere(other_office)
    assert run(other_office, "replay", str(ledger)) == "1 erased, 1 not in this database\n"
    assert everywhere(other_office) == []
    assert run(other_office, "replay", str(ledger)) == "1 erased, 1 not in this database\n"
    assert run(other_office, "replay") == "1 erased, 0 not in this database\n"


@pytest.mark.parametrize("first", ["edit", "erase"])
def test_an_edit_at_the_same_moment_leaves_nothing_either(office: Office, first: str) -> None:
    """Who comes second waits: an edit is blanked with the rest, or refused."""
    office.put(("contacts", "zs", {"account_key": "acme", "name": SECRET}))
    databases = [open_database(office.database.url, durable=False) for _ in range(2)]
    holding, go_on = threading.Event(), threading.Event()

    def pause(boundary: str) -> None:
        if boundary == "before_commit":
            holding.set()
            assert go_on.wait(20)

    def erase(connection: Any) -> None:
        erase_person(Door(connection, NOW), "zs", Origin("root", at=NOW, stored_at=NOW), "letter")

    def edit(connection: Any) -> None:
        put_rows(connection, [("contacts", "zs", {"phone": SECRET})])

    outcomes: list[str] = []

    def run(database: Any, work: Any) -> None:
        try:
            database.write(work)
            outcomes.append("landed")
        except Refused as refused:
            outcomes.append(refused.code)

    databases[0].probe = pause
    works = [edit, erase] if first == "edit" else [erase, edit]
    threads = [threading.Thread(target=run, args=pair) for pair in zip(databases, works, strict=True)]
    threads[0].start()
    assert holding.wait(20)
    threads[1].start()
    threads[1].join(0.3)
    assert threads[1].is_alive(), "the second one waits for the first"
    go_on.set()
    for thread in threads:
        thread.join(20)
    for database in databases:
        database.close()
    assert outcomes == ["landed", "landed" if first == "edit" else "erased"]
    assert everywhere(office) == []
