"""A submitted visit is read-only; corrections are dated rows beside it (R14)."""

from typing import Any

import pytest

from tests.builders import NOW
from tests.crm.desk import Desk
from tests.office import Office
from tests.sync.net import Net, net  # noqa: F401
from tests.visits.conftest import visit

CHECKLIST = {
    "name": "Shelf",
    "valid_from": "2025-01-01",
    "questions": [{"id": "full", "text": "Is it full?", "kind": "yes_no", "required": True}],
}


def submitted(office: Office, key: str = "v1") -> str:
    visit(office, key)
    phone = office.phone("ana")
    for kind, said in (("check_in", {}), ("check_out", {"outcome": "sold"}), ("submit", {})):
        receipt = phone.do(f"visit.{kind}", "visits", key, base=office.rev("visits", key), set=said)
        assert receipt.outcome == "applied", receipt
    return key


def amend(office: Office, user: str = "ana", reason: str = "typed wrongly", **values: Any) -> Any:
    return office.phone(user).do("visit.amend", "visits", "v1", base=1, set={"values": values, "reason": reason})


def test_a_submitted_visit_takes_no_edits(office: Office) -> None:
    """R14: nor a deletion, nor of a manager."""
    submitted(office)
    for user in ("ana", "mia"):
        assert office.phone(user).edit("visits", "v1", outcome="lost").code == "visit_locked"
        assert office.phone(user).do("delete", "visits", "v1", base=office.rev("visits", "v1")).code == "visit_locked"
    assert office.row("visits", "v1")["outcome"] == "sold"
    assert office.phone("ana").edit("visits", "v1", outcome="sold").outcome == "applied", "it says that already"


def test_an_offline_edit_of_before_is_refused_whole_and_no_conflict(office: Office) -> None:
    """R14: the tablet did not know that the phone had submitted."""
    submitted(office)
    receipt = office.phone("ana", "d-tablet").do("update", "visits", "v1", base=1, set={"outcome": "lost"})
    assert (receipt.outcome, receipt.code) == ("refused", "visit_locked")
    assert office.rows("conflicts") == []
    assert len(office.rows("refusals")) == 1


def test_a_visit_is_submitted_when_it_is_over(office: Office) -> None:
    visit(office, "v1")
    assert office.phone("ana").do("visit.submit", "visits", "v1", base=1).code == "illegal_transition"


def test_submitting_twice_is_submitting_once(office: Office) -> None:
    submitted(office)
    at = office.row("visits", "v1")["submitted_at"]
    office.clock.advance(60_000)
    assert office.phone("ana", "d-tablet").do("visit.submit", "visits", "v1", base=1).outcome in ("applied", "merged")
    assert office.row("visits", "v1")["submitted_at"] == at


def test_a_correction_is_a_dated_row_and_the_visit_stays_as_it_was(office: Office, desk: Desk) -> None:
    """R14."""
    submitted(office)
    before = office.row("visits", "v1")
    assert amend(office, outcome="lost").outcome == "applied"
    office.clock.advance(60_000)
    assert amend(office, "mia", "asked the customer", outcome="postponed").outcome == "applied"
    assert office.row("visits", "v1") == before
    rows = office.rows("visit_amendments")
    said = [(r["author_key"], r["field"], r["old"], r["new"], r["ordinal"], r["reason"]) for r in rows]
    assert sorted(said, key=lambda r: r[4]) == [
        ("ana", "outcome", "sold", "lost", 1, "typed wrongly"),
        ("mia", "outcome", "lost", "postponed", 2, "asked the customer"),
    ]
    assert sorted(r["amended_at"] for r in rows)[1] - sorted(r["amended_at"] for r in rows)[0] == 60_000
    told = desk.get("ana", "/api/visits/v1/effective").json()
    assert told["row"]["outcome"] == "sold"
    assert told["effective"]["outcome"] == "postponed"
    assert [a["row"]["new"] for a in told["amendments"]] == ["lost", "postponed"]


def test_corrections_lie_where_their_visit_lies(office: Office) -> None:
    submitted(office)
    amend(office, outcome="lost")
    (row,) = office.rows("visit_amendments")
    assert row["buckets"] == office.row("visits", "v1")["buckets"]
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    (row,) = office.rows("visit_amendments")
    assert row["buckets"] == office.row("visits", "v1")["buckets"] == ["territory:t-south"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"status": "cancelled"}, "field_read_only"),
        ({"account_key": "zeta"}, "field_read_only"),
        ({"outcome": 7}, "field_invalid"),
        ({"contact_key": "zoe"}, "reference_unknown"),
        ({"checked_out_at": 5}, "invariant_failed"),
        ({"answers": {"a b": 1}}, "invariant_failed"),
        ({"outcome": "nul \x00"}, "command_invalid"),
    ],
)
def test_what_could_not_be_is_not_amended(office: Office, values: dict[str, Any], code: str) -> None:
    submitted(office)
    assert amend(office, **values).code == code
    assert office.rows("visit_amendments") == []


def test_who_may_not_change_the_visit_may_not_amend_it(office: Office) -> None:
    submitted(office)
    assert amend(office, "bob", outcome="lost").code == "not_permitted"
    assert amend(office, "cleo", outcome="lost").code == "row_unknown"
    assert amend(office, reason=" ", outcome="lost").code == "command_invalid"
    assert amend(office, reason="nul \x00", outcome="lost").code == "command_invalid"
    visit(office, "v2")
    sent = {"values": {"outcome": "lost"}, "reason": "r"}
    assert office.phone("ana").do("visit.amend", "visits", "v2", base=1, set=sent).code == "visit_not_submitted"


def test_the_same_correction_again_changes_nothing(office: Office, desk: Desk) -> None:
    """S2: the answer was lost, so the screen asks again."""
    submitted(office)
    body = {"values": {"outcome": "lost"}, "reason": "typed wrongly"}
    for _ in range(2):
        assert desk.post("ana", "/api/visits/v1/amend", json=body).json()["effective"]["outcome"] == "lost"
    assert len(office.rows("visit_amendments")) == 1
    desk.post("ana", "/api/visits/v1/amend", json={**body, "values": {"outcome": "sold"}})
    desk.post("ana", "/api/visits/v1/amend", json=body)
    assert sorted(row["ordinal"] for row in office.rows("visit_amendments")) == [1, 2, 3]


def test_a_refused_edit_of_a_locked_visit_is_repaired_into_an_amendment(net: Net) -> None:  # noqa: F811
    """R14, S19: nothing that was typed is lost."""
    office = net.office
    visit(office, "v1")
    tablet = net.phone("ana")
    submit_all(office)
    tablet.update("visits", "v1", {"outcome": "lost"})
    tablet.sync()
    (refusal,) = tablet.refusals()
    tablet.repair(refusal, {}, reason="the tablet was offline")
    result = tablet.sync()
    assert not result.refused
    assert tablet.refusals() == {}
    (row,) = office.rows("visit_amendments")
    assert (row["field"], row["old"], row["new"]) == ("outcome", "sold", "lost")
    assert row["reason"] == "the tablet was offline"


def submit_all(office: Office) -> None:
    for kind, said in (("check_in", {}), ("check_out", {"outcome": "sold"}), ("submit", {})):
        rev = office.rev("visits", "v1")
        assert office.phone("ana").do(f"visit.{kind}", "visits", "v1", base=rev, set=said).outcome == "applied"


def test_a_refused_edit_becomes_an_amendment_at_a_screen_too(office: Office, desk: Desk) -> None:
    """R14, S19."""
    submitted(office)
    refused = office.phone("ana", "d-tablet").do("update", "visits", "v1", base=1, set={"outcome": "lost"})
    answer = desk.post("ana", f"/api/refusals/d-tablet.{refused.n}/repair", json={"reason": "offline"})
    assert answer.status_code == 200, answer.json()
    assert [row["new"] for row in office.rows("visit_amendments")] == ["lost"]


def test_a_policy_may_want_the_checklist_before_and_submit_by_itself(office: Office) -> None:
    policy = {"requires_checklist": True, "auto_submit": True, "valid_from": "2025-01-01"}
    office.put(("visit_policies", "p", policy), ("checklist_templates", "t", CHECKLIST))
    visit(office, "v1")
    phone = office.phone("ana")
    phone.do("visit.check_in", "visits", "v1", base=1)
    phone.do("visit.check_out", "visits", "v1", base=2)
    assert office.row("visits", "v1")["submitted"] is False
    refused = phone.do("visit.submit", "visits", "v1", base=3)
    assert (refused.code, refused.details) == ("checklist_incomplete", {"questions": ["full"]})
    phone.edit("visits", "v1", answers={"full": True})
    assert phone.do("visit.submit", "visits", "v1", base=office.rev("visits", "v1")).outcome == "applied"
    visit(office, "v2", answers={"full": False})
    phone.do("visit.check_in", "visits", "v2", base=1)
    phone.do("visit.check_out", "visits", "v2", base=2)
    assert office.row("visits", "v2")["submitted"] is True


def test_who_goes_along_has_the_visit_and_nobody_counts_it_twice(office: Office) -> None:
    """A joint visit is one row in two people's buckets."""
    visit(office, "v1", participants=["cleo"])
    cleo, ana = office.phone("cleo"), office.phone("ana")
    cleo.catch_up(), ana.catch_up()
    assert "v1" in cleo.keys("visits")
    assert "acme" not in cleo.keys("accounts")
    assert len(office.rows("visits")) == 1
    assert cleo.edit("visits", "v1", outcome="mine").code == "not_permitted"
    assert ana.edit("visits", "v1", participants=["cleo", "nobody"]).code == "reference_unknown"
    ana.edit("visits", "v1", participants=[])
    cleo.catch_up()
    assert "v1" not in cleo.keys("visits")


def test_a_number_is_amended_again_and_again(office: Office) -> None:
    """R14, on both databases: SQLite answers a JSON value that is a number as a number."""
    at = NOW - 3_600_000
    visit = {"status": "completed", "submitted": True, "checked_in_at": at, "checked_out_at": at + 60_000}
    office.put_server_row("visits", "v-often", {"account_key": "acme", "owner_key": "ana", **visit})
    for minutes in (1, 2, 3):
        said = {"values": {"checked_in_at": at - minutes * 60_000}, "reason": "the clock"}
        assert office.phone("ana").do("visit.amend", "visits", "v-often", set=said).outcome == "applied"
    rows = sorted(office.rows("visit_amendments"), key=lambda row: row["ordinal"])
    assert [row["new"] for row in rows] == [at - 60_000, at - 120_000, at - 180_000]
    assert [row["old"] for row in rows] == [at, at - 60_000, at - 120_000]
