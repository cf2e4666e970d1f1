"""Commands on proposals whose deal was lost meanwhile (R46, R49, R52, S37): what is handed over, and what never is."""

import threading
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection

from proposals.rendering import queue
from sfa.core.errors import Refused
from sfa.db import savepoints
from sfa.db.cells import Cell
from sfa.db.database import open_database
from sfa.db.tables import proposal_renders
from sfa.db.writes import Door, Origin
from sync.protocol import Receipt
from tests.office import Office, Phone
from tests.proposals.selling import LINE, PROPOSAL, given, limits, offered, order, steps, template, versions


def lose(office: Office) -> None:
    """Ana's deal goes where she sees it no more; Dirk sees it."""
    office.put(
        ("deals", "deal-a", {"owner_key": "cleo", "splits": []}), ("accounts", "acme", {"territory_key": "t-south"})
    )


def waiting(office: Office) -> list[dict[str, Any]]:
    found = (row for row in office.rows("suggestions") if row["kind"] == "handover" and row["status"] == "open")
    return sorted(found, key=lambda row: str(row["key"]))


def accept(office: Office, key: str) -> Receipt:
    return office.phone("dirk").do("suggestion.accept", "suggestions", key, base=office.rev("suggestions", key))


def queued(phone: Phone, act: str, **arguments: Any) -> dict[str, Any]:
    base = phone.office.rev("proposals", "p1")
    return phone.mutation(f"proposal.{act}", "proposals", "p1", base=base, set=arguments)


@pytest.mark.parametrize("act", ["submit", "send", "withdraw", "approve", "reject"])
def test_what_decides_or_sends_is_refused_to_its_author_and_kept_with_him(office: Office, act: str) -> None:
    """R49: nobody lends his role to what another one asked for."""
    limits(office, rep=1_000, manager=2_000, director=9_000)
    who = offered(office, discount_bp=5_000)
    if act in ("approve", "reject"):
        order(who, "submit")
        who = office.phone("mia")
    who.catch_up()
    said = {"reject": {"text": "No"}, "send": {"version": 1, "total_minor": 1}, "withdraw": {"version": 1}}.get(act, {})
    late, ledger, status = queued(who, act, **said), steps(office), office.row("proposals", "p1")["status"]
    lose(office)
    receipt = who.push(late).receipts[0]
    assert (receipt.outcome, waiting(office)) == ("refused", [])
    (refusal,) = office.rows("refusals")
    assert (refusal["mutation"]["kind"], refusal["author_key"]) == (f"proposal.{act}", who.user)
    assert (steps(office), office.row("proposals", "p1")["status"], versions(office)) == (ledger, status, [])


def test_a_new_proposal_that_is_handed_over_is_a_draft_however_it_went_on(office: Office) -> None:
    """R46, R52: its sending takes no number; what was typed before and after lands."""
    template(office)
    ana = office.phone("ana")
    ana.catch_up()
    mutations = [
        ana.mutation("create", "proposals", "n1", set=PROPOSAL),
        ana.mutation("create", "proposal_lines", "n1-1", set={**LINE, "proposal_key": "n1"}),
        ana.mutation("proposal.send", "proposals", "n1", base=0, set={"version": 1, "total_minor": 300_00}),
        ana.mutation("update", "proposals", "n1", base=0, set={"title": "Later"}),
    ]
    lose(office)
    outcomes = [receipt.outcome for receipt in ana.push(*mutations).receipts]
    assert outcomes == ["handed_over", "handed_over", "refused", "handed_over"]
    (suggestion,) = waiting(office)
    assert accept(office, suggestion["key"]).outcome == "applied"
    row = office.row("proposals", "n1")
    assert (row["title"], row["status"], given(office), versions(office, "n1")) == ("Later", "draft", {}, [])


def test_a_command_that_is_no_part_of_several_waits_by_itself_for_what_came_before(office: Office) -> None:
    ana = offered(office)
    ana.catch_up()
    base = office.rev("proposals", "p1")
    mutations = [
        ana.mutation("update", "proposals", "p1", base=base, set={"title": "X"}),
        queued(ana, "render"),
        ana.mutation("update", "proposals", "p1", base=base, set={"summary": "Y"}),
    ]
    lose(office)
    keys = [str(receipt.suggestion) for receipt in ana.push(*mutations).receipts]
    assert keys == [row["key"] for row in waiting(office)]
    assert [len(row["mutations"]) for row in waiting(office)] == [1, 1, 1]
    assert accept(office, keys[1]).code == "decide_first"
    assert [accept(office, key).outcome for key in keys] == ["applied"] * 3
    row = office.row("proposals", "p1")
    assert (row["title"], row["summary"], row["render_state"]) == ("X", "Y", "queued")


def test_what_a_hand_over_had_stored_is_undone_when_the_rest_of_it_is_refused(office: Office) -> None:
    """R46: as often as somebody tries; the accepter's phone goes on."""
    ana = offered(office)
    ana.catch_up()
    late = queued(ana, "render")
    lose(office)
    key = str(ana.push(late).receipts[0].suggestion)
    (kept,) = office.row("suggestions", key)["mutations"]
    bad = {**kept, "mutation": {**kept["mutation"], "kind": "update", "set": {"status": "sent"}}}
    office.put_server_row("suggestions", key, {"mutations": [kept, bad]})
    dirk = office.phone("dirk")
    for _ in range(2):
        base = office.rev("suggestions", key)
        receipts = dirk.push(
            dirk.mutation("update", "contacts", "carl", base=office.rev("contacts", "carl"), set={"phone": "1"}),
            dirk.mutation("suggestion.accept", "suggestions", key, base=base),
            dirk.mutation("update", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={"name": "Goes on"}),
        ).receipts
        assert [(r.outcome, r.code) for r in receipts[1:2]] == [("refused", "field_read_only")]
        assert "refused" not in (receipts[0].outcome, receipts[2].outcome)
        assert office.all(proposal_renders.select()) == []
        assert (office.row("suggestions", key)["status"], office.row("proposals", "p1")["render_state"]) == (
            "open",
            None,
        )
    assert (office.row("contacts", "carl")["phone"], office.row("deals", "deal-a")["name"]) == ("1", "Goes on")


def test_what_a_refused_command_had_dropped_is_there_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "DRAFTS_WAITING_MAX", 1)
    ana = offered(office)
    offered(office, "p2")
    order(office.phone("mia"), "render")
    order(ana, "render", "p2")
    before = office.all(proposal_renders.select())
    ana.edit("proposals", "p1", title="Another")
    assert order(ana, "render").code == "render_queue_full"
    assert office.all(proposal_renders.select()) == before


def test_accepting_is_no_part_of_a_unit_with_others(office: Office) -> None:
    ana = offered(office)
    ana.catch_up()
    late = queued(ana, "render")
    lose(office)
    key = str(ana.push(late).receipts[0].suggestion)
    dirk = office.phone("dirk")
    unit = {"unit": {"id": "u1", "size": 2}}
    receipts = dirk.push(
        dirk.mutation("suggestion.accept", "suggestions", key, base=1, **unit),
        dirk.mutation("update", "deals", "deal-a", base=1, set={"stage_key": "nowhere"}, **unit),
    ).receipts
    assert [receipt.code for receipt in receipts] == ["command_invalid", "unit_failed"]
    assert (office.row("suggestions", key)["status"], office.all(proposal_renders.select())) == ("open", [])


def test_who_overtakes_a_refused_part_is_met_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going back to a savepoint gives back locks (PostgreSQL): nobody's change of that moment is written over."""
    other, read, overtook = open_database(office.database.url, durable=False), savepoints.read_cells, []

    def rename(connection: Connection) -> None:
        door = Door(connection, 1)
        door.put(door.cell("deals", "deal-a"), {"name": "Overtook"}, Origin("mia", 1, 1))
        door.flush()

    def overtaken(*arguments: Any) -> Any:
        if not overtook:
            overtook.append(True)
            thread = threading.Thread(target=other.write, args=(rename,))
            thread.start()
            thread.join()
        return read(*arguments)

    monkeypatch.setattr(savepoints, "read_cells", overtaken)

    def work(connection: Connection) -> Cell:
        door = Door(connection, 2)
        with suppress(Refused), savepoints.undone_if_refused(door):
            door.put(door.cell("deals", "deal-a"), {"name": "Undone"}, Origin("ana", 2, 2))
            raise Refused("not_found")
        deal = door.cell("deals", "deal-a")
        door.put(deal, {"amount_minor": 7, "currency": "EUR"}, Origin("ana", 2, 2))
        door.flush()
        return deal

    before = office.row("deals", "deal-a")
    office.database.write(work)
    after = office.row("deals", "deal-a")
    other.close()
    wanted = "Overtook" if office.database.dialect == "postgresql" else before["name"]
    assert (after["name"], after["amount_minor"], after["rev"]) == (wanted, 7, before["rev"] + 1 + len(overtook))
