"""State machines move by commands that are checked against the server's state (S27)."""

from typing import Any

import pytest

from sfa.core.rules import TRANSITIONS
from sfa.core.shapes import SHAPES
from sync.depends import LEADS_TO
from tests.builders import NOW
from tests.office import Office

VISIT = {"account_key": "acme", "owner_key": "ana"}


def test_a_visit_goes_through_its_states(office: Office) -> None:
    """S27, S28: with the corrected time of each step."""
    office.put(("visits", "v1", VISIT))
    ana = office.phone("ana")
    came = NOW - 3_600_000
    assert ana.do("visit.check_in", "visits", "v1", base=1, at=came, set={"latitude": 43.2, "longitude": -2.9}).rev == 2
    assert ana.do("visit.check_out", "visits", "v1", base=2, set={"outcome": "Sold"}).rev == 3
    row = office.row("visits", "v1")
    assert (row["status"], row["checked_in_at"], row["checked_out_at"]) == ("completed", came, NOW)
    assert (row["latitude"], row["outcome"]) == (43.2, "Sold")
    assert [h["kind"] for h in office.history("visits", "v1")] == ["create", "visit.check_in", "visit.check_out"]


@pytest.mark.parametrize("command", ["visit.check_out", "visit.cancel", "visit.no_show", "visit.check_in"])
def test_an_illegal_step_is_refused_and_the_row_stays(office: Office, command: str) -> None:
    """S27: nobody else touched the visit, so nobody else is to blame."""
    office.put(("visits", "v1", VISIT))
    ana = office.phone("ana")
    before = "planned" if command == "visit.check_out" else "completed"
    if before == "completed":
        ana.do("visit.check_in", "visits", "v1", base=1)
        ana.do("visit.check_out", "visits", "v1", base=2)
    receipt = ana.do(command, "visits", "v1", base=office.rev("visits", "v1"))
    assert (receipt.outcome, receipt.code) == ("refused", "illegal_transition")
    assert office.row("visits", "v1")["status"] == before


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("deal.win", {}), ("deal.lose", {"reason": "price"}), ("deal.move", {"stage_key": "offer"})],
)
def test_two_devices_that_did_the_same_thing_agree(office: Office, command: str, arguments: dict[str, Any]) -> None:
    """S27: no conflict, and the first one's time stands."""
    ana, mia = office.phone("ana"), office.phone("mia")
    assert mia.do(command, "deals", "deal-a", base=1, at=NOW - 9_000, set=arguments).outcome == "applied"
    after = office.row("deals", "deal-a")
    receipt = ana.do(command, "deals", "deal-a", base=1, at=NOW - 1_000, set=arguments)
    assert (receipt.outcome, receipt.rev, receipt.conflicts) == ("applied", 2, [])
    assert office.row("deals", "deal-a") == after


def test_contradictory_commands_open_a_conflict_and_the_first_stands(office: Office) -> None:
    """S24, S27: one of them can then be taken with one call."""
    ana, mia = office.phone("ana"), office.phone("mia")
    mia.do("deal.win", "deals", "deal-a", base=1)
    receipt = ana.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "price"})
    assert receipt.outcome == "conflict"
    row = office.row("deals", "deal-a")
    assert (row["stage_key"], row["lost_reason"]) == ("won", None)
    (key,) = receipt.conflicts
    found = office.row("conflicts", key)
    assert (found["field_group"], found["status"], found["author_key"]) == ("stage", "open", "ana")
    losing = found["losing"]
    assert set(losing) == set(SHAPES["deals"].groups["stage"])
    assert {f: v for f, v in losing.items() if v} == {
        "stage_key": "lost",
        "lost_reason": "price",
        "closed_at": NOW,
        "stage_since": NOW,
    }
    assert ana.do("conflict.restore", "conflicts", key).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["stage_key"], row["lost_reason"], row["closed_at"]) == ("lost", "price", NOW)


def test_a_check_in_against_a_cancelled_visit_opens_a_conflict(office: Office) -> None:
    """S27."""
    office.put(("visits", "v1", VISIT))
    office.phone("mia").do("visit.cancel", "visits", "v1", base=1)
    receipt = office.phone("ana").do("visit.check_in", "visits", "v1", base=1)
    assert (receipt.outcome, office.row("visits", "v1")["status"]) == ("conflict", "cancelled")


def test_a_command_and_an_edit_of_other_fields_both_stand(office: Office) -> None:
    """S24, S27."""
    office.phone("mia").edit("deals", "deal-a", base=1, next_step="call", amount_minor=7)
    assert office.phone("ana").do("deal.win", "deals", "deal-a", base=1).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["stage_key"], row["next_step"], row["amount_minor"]) == ("won", "call", 7)


def test_a_closed_deal_is_reopened_before_it_moves(office: Office) -> None:
    """S27."""
    ana = office.phone("ana")
    ana.do("deal.win", "deals", "deal-a", base=1)
    assert ana.do("deal.move", "deals", "deal-a", base=2, set={"stage_key": "offer"}).code == "illegal_transition"
    assert ana.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "offer"}).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["stage_key"], row["closed_at"]) == ("offer", None)
    assert ana.do("deal.reopen", "deals", "deal-a", base=3, set={"stage_key": "lead"}).code == "illegal_transition"


def test_a_command_on_a_deleted_row_restores_it(office: Office) -> None:
    """S26, S27."""
    office.phone("mia").do("delete", "deals", "deal-a", base=1)
    receipt = office.phone("ana").do("deal.win", "deals", "deal-a", base=1)
    row = office.row("deals", "deal-a")
    assert (receipt.restored, row["gone"], row["stage_key"]) == (True, False, "won")


def test_a_command_that_waits_for_a_refused_one_says_so(office: Office) -> None:
    """S19: the check-in was refused for its place, so there is nothing to check out of; in one push and in two."""
    office.put(("visits", "v1", VISIT))
    ana = office.phone("ana")
    wrong = ana.mutation("visit.check_in", "visits", "v1", base=1, set={"latitude": 400.0})
    out = ana.mutation("visit.check_out", "visits", "v1", base=1, set={"outcome": "Sold"})
    first, second = ana.push(wrong, out).receipts
    assert (first.code, first.depends_on_n) == ("field_invalid", None)
    assert (second.code, second.depends_on_n) == ("depends_on_refused", 1)
    assert office.row("visits", "v1")["status"] == "planned"
    lose = ana.mutation("deal.lose", "deals", "deal-a", base=1, set={})
    reopen = ana.mutation("deal.reopen", "deals", "deal-a", base=1, set={"stage_key": "offer"})
    assert [(r.code, r.depends_on_n) for r in ana.push(lose, reopen).receipts] == [
        ("reason_required", None),
        ("depends_on_refused", 3),
    ]


def test_every_command_that_moves_a_record_is_known_to_lead_somewhere() -> None:
    assert LEADS_TO.keys() == TRANSITIONS.keys()


def test_a_chain_of_commands_depends_on_the_one_that_was_refused(office: Office) -> None:
    """S19: as a unit, whose check-in lands or falls with a note that was refused; the check-out comes behind it."""
    office.put(("visits", "v1", VISIT))
    ana = office.phone("ana")
    unit = {"unit": {"id": "u", "size": 2}}
    came = ana.mutation("visit.check_in", "visits", "v1", base=1, **unit)
    bad = ana.mutation("create", "contacts", "c1", set={"account_key": "nowhere", "name": "C"}, **unit)
    left = ana.mutation("visit.check_out", "visits", "v1", base=1, set={"outcome": "Sold"})
    assert [r.code for r in ana.push(came, bad).receipts] == ["unit_failed", "reference_unknown"]
    (later,) = ana.push(left).receipts
    assert (later.code, later.depends_on_n) == ("depends_on_refused", 1)
    cancel = ana.do("visit.cancel", "visits", "v1", base=1)
    assert cancel.outcome == "applied", "what is legal without the refused one is legal"
    again = ana.do("visit.no_show", "visits", "v1", base=2)
    assert (again.code, again.depends_on_n) == ("illegal_transition", None), "it would be illegal after it as well"


def test_a_dismissed_or_foreign_refusal_is_no_commands_cause(office: Office) -> None:
    office.put(("visits", "v1", VISIT))
    ana = office.phone("ana")
    unit = {"unit": {"id": "u", "size": 2}}
    came = ana.mutation("visit.check_in", "visits", "v1", base=1, **unit)
    bad = ana.mutation("create", "contacts", "c1", set={"account_key": "nowhere", "name": "C"}, **unit)
    ana.push(came, bad)
    other = office.phone("ana", "d-ana-2").do("visit.check_out", "visits", "v1", base=1)
    assert (other.code, other.depends_on_n) == ("illegal_transition", None)
    ana.do("refusal.dismiss", "refusals", "d-ana.1")
    own = ana.do("visit.check_out", "visits", "v1", base=1)
    assert (own.code, own.depends_on_n) == ("illegal_transition", None)
