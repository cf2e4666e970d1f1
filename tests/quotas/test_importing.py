"""Quotas as a file: named by people's words, set-based, approved ones refused line by line (R5, R33)."""

from typing import Any

import pytest
from sqlalchemy import event

from sfa.crm.imports import sheets
from tests.crm.desk import Desk
from tests.office import Office
from tests.quotas.conftest import ANAS

pytestmark = pytest.mark.usefixtures("planned")

HEADER = "user_email,period,measure,target,currency\n"


def send(desk: Desk, text: str, user: str = "mia", query: str = "") -> Any:
    answer = desk.post(user, f"/api/imports/quotas{query}", content=text.encode())
    assert answer.status_code == 200, answer.text
    return answer.json()


def faults(told: dict[str, Any]) -> list[tuple[int, str | None, str]]:
    return [(fault["line"], fault["field"], fault["code"]) for fault in told["faults"]]


def test_a_file_of_quotas_creates_changes_and_then_does_nothing(planned: Office, desk: Desk) -> None:
    """R33: decimals in the currency of the line."""
    text = f"{HEADER}Ana@example.com,FY2026,revenue,1250.50,EUR\nbob@example.com,FY2026.Q1,unique_contacts,40,\n"
    assert send(desk, text, query="?dry_run=true")["counts"]["created"] == 1
    assert len(planned.rows("quotas")) == 2, "a dry run writes nothing"
    told = send(desk, text)
    assert (told["counts"], told["faults"]) == ({"created": 1, "updated": 1, "unchanged": 0, "deleted": 0}, [])
    assert planned.row("quotas", "q-ana")["target"] == 125_050
    (bobs,) = [row for row in planned.rows("quotas") if row["user_key"] == "bob"]
    assert (bobs["target"], bobs["currency"], bobs["period_key"], bobs["status"]) == (40, None, "FY2026.Q1", "draft")
    assert send(desk, text)["counts"]["unchanged"] == 2


def test_every_owner_and_unit_is_taken(planned: Office, desk: Desk) -> None:
    planned.put(("teams", "north", {"external_id": "N"}), ("products", "pump", {"external_id": "P-1"}))
    planned.put(("users", "ana", {"external_id": "A"}))
    texts = [
        "team_external_id,period_key,measure,product_external_id,target\nN,FY2026,quantity,P-1,12.5\n",
        "territory_key,period,measure,account_tier,target\nt-north,FY2026,total_contacts,A,-3\n",
        "user_external_id,period,measure,target,currency,overlay\nA,FY2026,revenue,7,JPY,yes\n",
    ]
    for text in texts:
        told = send(desk, text)
        assert (told["counts"]["created"], told["faults"]) == (1, []), text
    made = {row["measure"]: row["target"] for row in planned.rows("quotas") if not row["key"].startswith("q-")}
    assert made == {"quantity": 12_500_000, "total_contacts": -3, "revenue": 7}


def test_bad_lines_are_told_one_by_one_and_the_others_are_written(planned: Office, desk: Desk) -> None:
    """R5: an approved quota is among them."""
    assert planned.phone("mia").do("quota.approve", "quotas", "q-ana", base=1).outcome == "applied"
    lines = [
        "ana@example.com,FY2026,revenue,5,EUR",  # approved
        "nobody@example.com,FY2026,revenue,5,EUR",
        "bob@example.com,FY2030,revenue,5,EUR",
        "bob@example.com,FY2026,revenue,5.123,EUR",
        "bob@example.com,FY2026,revenue,5,",
        "bob@example.com,FY2026,total_contacts,5.5,",
        "mia@example.com,FY2026,revenue,5,EUR",  # her own
        "cleo@example.com,FY2026,revenue,5,EUR",  # out of sight
        "bob@example.com,FY2026,revenue,5,EUR",
        "BOB@example.com,FY2026,revenue,6,EUR",  # again
        ",FY2026,revenue,6,EUR",
    ]
    told = send(desk, HEADER + "\n".join(lines) + "\n")
    assert sorted(faults(told)) == [
        (2, None, "quota_approved"),
        (3, "user_email", "reference_unknown"),
        (4, "period", "reference_unknown"),
        (5, "target", "amount_invalid"),
        (6, "target", "currency_unknown"),
        (7, "target", "amount_invalid"),
        (8, None, "not_permitted"),
        (9, None, "out_of_scope"),
        (12, None, "quota_owner_invalid"),
    ]
    assert told["counts"]["created"] == 1
    assert planned.row("quotas", "q-ana")["target"] == 100_000
    (bobs,) = [row for row in planned.rows("quotas") if row["user_key"] == "bob"]
    assert bobs["target"] == 600, "the same person in other letters: the later line changes it"


def test_a_file_sent_again_does_not_overwrite_a_quota_that_became_somebody_elses(planned: Office, desk: Desk) -> None:
    """The key of the quota that a line made is made of the line."""
    text = HEADER + "bob@example.com,FY2026.Q1,revenue,100,EUR\nbob@example.com,FY2026.Q2,revenue,100,EUR\n"
    assert send(desk, text)["counts"]["created"] == 2
    (key,) = [row["key"] for row in planned.rows("quotas") if row["period_key"] == "FY2026.Q1"]
    assert planned.phone("mia").edit("quotas", key, user_key="ana", target=777).outcome == "applied"
    told = send(desk, text)
    assert (faults(told), told["counts"]["unchanged"]) == ([(2, None, "key_taken")], 1)
    row = planned.row("quotas", key)
    assert (row["user_key"], row["target"]) == ("ana", 777)
    assert planned.phone("mia").do("delete", "quotas", key, base=planned.rev("quotas", key)).outcome == "applied"
    assert faults(send(desk, text)) == [(2, None, "key_taken")], "nor is it taken for the line's own that was deleted"


@pytest.mark.parametrize(
    ("header", "field"),
    [("period,measure,target", "user_key"), ("user_key,measure,target", "period_key"), ("user_key,period", "measure")],
)
def test_a_header_without_owner_period_or_measure_writes_nothing(
    planned: Office, desk: Desk, header: str, field: str
) -> None:
    answer = desk.post("mia", "/api/imports/quotas", content=f"{header}\n".encode())
    assert answer.json()["code"] == "import_invalid"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_thousand_lines_ask_once_for_a_batch_and_not_for_each_line(planned: Office) -> None:
    """Set-based: twice as many lines cost no more questions."""
    people = [("users", f"u{n}", {"name": f"U{n}", "email": f"u{n}@example.com", "role": "rep"}) for n in range(250)]
    planned.put(*people)
    asked: list[str] = []

    def listen(*told: Any) -> None:
        asked.append(told[2])

    def count(lines: int) -> int:
        text = HEADER + "".join(
            f"u{n // 4}@example.com,FY2026.Q{n % 4 + 1},revenue,{n + 1},EUR\n" for n in range(lines)
        )
        sheet = sheets.read_sheet("fay", "quotas", text.encode())

        def work(connection: Any) -> sheets.Progress:
            event.listen(connection, "before_cursor_execute", listen)
            try:
                return sheets.rehearse(connection, planned.clock.now_ms(), sheet)
            finally:
                event.remove(connection, "before_cursor_execute", listen)

        asked.clear()
        assert planned.database.read(work).counts["created"] == lines
        return len(asked)

    few, many = count(20), count(500)
    assert many <= few + 2
    assert count(1_000) <= 2 * many + 2


def test_a_thousand_lines_are_written(planned: Office, desk: Desk) -> None:
    people = [("users", f"u{n}", {"name": f"U{n}", "email": f"u{n}@example.com", "role": "rep"}) for n in range(300)]
    planned.put(*people, ("quotas", "mine", {**ANAS, "user_key": "u7", "period_key": "FY2026.Q4"}))
    text = HEADER + "".join(f"u{n // 4}@example.com,FY2026.Q{n % 4 + 1},revenue,{n + 1}.25,EUR\n" for n in range(1_200))
    told = send(desk, text, "fay")
    assert (told["counts"]["created"], told["counts"]["updated"], told["faulty"]) == (1_199, 1, 0)
    assert planned.row("quotas", "mine")["target"] == 3_225
    assert send(desk, text, "fay")["counts"]["unchanged"] == 1_200
