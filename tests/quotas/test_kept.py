"""What was approved once or closed stays what it was: whom and what a quota measures, and when (R2, R5, R45)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, select

from sfa.crm.imports import sheets
from sfa.db.tables import closed_figures
from tests.crm.desk import Desk
from tests.office import Office
from tests.quotas.books import close, quarter, quota, until, win
from tests.quotas.conftest import ANAS

CHANGES: list[dict[str, Any]] = [
    {"user_key": "bob"},
    {"user_key": None, "team_key": "north"},
    {"period_key": "FY2026.Q1"},
    {"measure": "margin"},
    {"measure": "total_contacts", "currency": None},
    {"currency": "USD"},
    {"overlay": True},
]


def fields(receipt: Any) -> list[str]:
    """Which fields a refusal names."""
    found: list[str] = receipt.details["fields"]
    return found


def approved_once(planned: Office) -> None:
    """Ana's quota, that is a draft again."""
    phone = planned.phone("mia")
    for command, base in (("quota.approve", 1), ("quota.reset", 2)):
        assert phone.do(command, "quotas", "q-ana", base=base).outcome == "applied"


@pytest.mark.parametrize("changed", CHANGES)
def test_r5_an_approved_quota_becomes_no_other_one_as_a_draft(
    planned: Office, desk: Desk, changed: dict[str, Any]
) -> None:
    """By sync and by REST; its version would tell of what nobody approved."""
    approved_once(planned)
    before = planned.row("quotas", "q-ana")
    receipt = planned.phone("mia").edit("quotas", "q-ana", target=5, **changed)
    assert (receipt.code, fields(receipt)) == ("quota_kept", sorted(changed))
    told = desk.ask("mia", "PATCH", "/api/quotas/q-ana", json={"row": changed})
    assert (told.status_code, told.json()["code"], told.json()["fields"]) == (422, "quota_kept", sorted(changed))
    assert planned.row("quotas", "q-ana") == before


def test_r5_its_target_may_change_and_it_may_go_but_comes_back_as_itself(planned: Office) -> None:
    approved_once(planned)
    mia = planned.phone("mia")
    assert (
        mia.edit("quotas", "q-ana", target=5, counts_no_show=True, user_key="ana", overlay=False).outcome == "applied"
    )
    assert mia.do("delete", "quotas", "q-ana", base=planned.rev("quotas", "q-ana")).outcome == "applied"
    assert mia.edit("quotas", "q-ana", measure="margin").code == "quota_kept"
    assert mia.do("create", "quotas", "q-ana", set={**ANAS, "user_key": "bob"}).code == "quota_kept"
    assert mia.edit("quotas", "q-ana", target=6).outcome == "merged"
    assert planned.row("quotas", "q-ana")["measure"] == "revenue"


def test_a_draft_that_was_never_approved_nor_closed_is_free(planned: Office) -> None:
    planned.delete("quotas", "q-north")
    for changed in CHANGES:
        back = {field: ANAS.get(field) for field in changed}
        assert planned.phone("mia").edit("quotas", "q-ana", **changed).outcome == "applied", changed
        assert planned.phone("mia").edit("quotas", "q-ana", **{**back, "overlay": False}).outcome == "applied"


def test_r45_a_closed_margin_does_not_become_revenue(office: Office, desk: Desk) -> None:
    """Who does not see cost would read what was closed."""
    quarter(office)
    office.put(
        ("products", "pump", {"name": "Pump"}),
        (
            "unit_costs",
            "c1",
            {"product_key": "pump", "amount_minor": 100, "currency": "EUR", "valid_from": "2026-01-01"},
        ),
        quota("q-margin", "margin", user_key="ana"),
    )
    win(office.phone("ana"), "won", 50_000)
    office.put(("deal_lines", "l1", {"deal_key": "won", "product_key": "pump", "quantity": "3"}))
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    receipt = office.phone("mia").edit("quotas", "q-margin", measure="revenue", overlay=True)
    assert (receipt.code, fields(receipt)) == ("quota_kept", ["measure", "overlay"])
    for path in ("closings", "restatement", "restatement.csv"):
        assert desk.get("mia", f"/api/quotas/q-margin/{path}").status_code == 403
    assert desk.get("mia", "/api/quotas/q-margin/attainment").json()["closed"] is None


def test_r2_what_a_closing_holds_neither_moves_to_another_period_nor_goes(office: Office, desk: Desk) -> None:
    quarter(office)
    win(office.phone("ana"), "won", 50_000)
    until(office, "2026-04-01 08:00")
    mia = office.phone("mia")
    assert mia.do("delete", "quotas", "q-bob", base=1).outcome == "applied", "no closing holds it yet"
    assert close(office).outcome == "applied"
    assert mia.edit("quotas", "q-ana", period_key="q2", overlay=True).code == "quota_kept"
    receipt = mia.do("delete", "quotas", "q-ana", base=1)
    assert (receipt.code, fields(receipt)) == ("quota_kept", [])
    assert desk.ask("dirk", "DELETE", "/api/quotas/q-ana").json()["code"] == "quota_kept"
    (closed,) = desk.get("fay", "/api/quotas/q-ana/closings").json()["items"]
    assert closed["value"] == 50_000
    assert mia.edit("quotas", "q-ana", target=7).outcome == "applied"
    assert mia.edit("quotas", "q-ana-2", overlay=True).outcome == "applied", "its period is not closed"


def test_r2_what_one_push_closes_the_same_push_does_not_change(office: Office) -> None:
    quarter(office)
    until(office, "2026-04-01 08:00")
    fay = office.phone("fay")
    pushed = [
        fay.mutation("update", "quotas", "q-ana", base=1, set={"overlay": True}),
        fay.mutation("period.close", "fiscal_periods", "q1"),
        fay.mutation("update", "quotas", "q-bob", base=1, set={"overlay": True}),
    ]
    assert [receipt.code for receipt in fay.push(*pushed).receipts] == [None, None, "quota_kept"]


def test_r2_a_closing_and_an_edit_at_once_agree_on_what_was_closed(office: Office) -> None:
    """Whichever comes first: as a quota of overlays it has nothing, else what Ana won."""
    quarter(office)
    win(office.phone("ana"), "won", 50_000)
    until(office, "2026-04-01 08:00")
    phones = [office.phone("fay"), office.phone("mia")]

    def act(number: int) -> Any:
        return close(office) if number == 0 else phones[1].edit("quotas", "q-ana", base=1, overlay=True)

    with ThreadPoolExecutor(2) as pool:
        closed, edited = pool.map(act, range(2))
    assert closed.outcome == "applied"
    assert edited.code in (None, "quota_kept")
    values = {row["quota_key"]: row["value"] for row in office.all(select(closed_figures))}
    assert values["q-ana"] == (0 if edited.code is None else 50_000)
    assert office.row("quotas", "q-ana")["overlay"] is (edited.code is None)


def test_r2_a_spread_takes_no_part_away_that_was_closed(planned: Office) -> None:
    mia = planned.phone("mia")
    assert mia.do("quota.spread", "quotas", "q-ana", set={"children": "quarter"}).outcome == "applied"
    until(planned, "2026-04-01 08:00")
    assert close(planned, period="FY2026.Q1").outcome == "applied"
    receipt = mia.do("quota.spread", "quotas", "q-ana", set={"children": "quarter", "from_on": "2026-04-01"})
    assert (receipt.code, (receipt.details or {})["key"]) == ("quota_kept", "q-ana-FY2026.Q1")
    planned.put(("quotas", "q-ana", {"currency": "USD"}))
    receipt = mia.do("quota.spread", "quotas", "q-ana", set={"children": "quarter"})
    assert (receipt.code, fields(receipt)) == ("quota_kept", ["currency"])


def test_a_file_of_closed_quotas_is_refused_line_by_line_and_asks_once(planned: Office) -> None:
    count = 120
    people = [("users", f"u{n}", {"name": f"U{n}", "email": f"u{n}@example.com", "role": "rep"}) for n in range(count)]
    theirs = [("quotas", f"k{n}", {**ANAS, "user_key": f"u{n}", "period_key": "FY2026.Q1"}) for n in range(count)]
    planned.put(*people, *theirs)
    until(planned, "2026-04-01 08:00")
    assert close(planned, period="FY2026.Q1").outcome == "applied"
    lines = [f"u{n}@example.com,FY2026.Q1,revenue,5,USD\n" for n in range(count)]
    sheet = sheets.read_sheet(
        "fay", "quotas", ("user_email,period,measure,target,currency\n" + "".join(lines)).encode()
    )
    asked: list[str] = []

    def listen(*told: Any) -> None:
        asked.append(told[2])

    def work(connection: Any) -> sheets.Progress:
        event.listen(connection, "before_cursor_execute", listen)
        try:
            return sheets.rehearse(connection, planned.clock.now_ms(), sheet)
        finally:
            event.remove(connection, "before_cursor_execute", listen)

    told = planned.database.read(work)
    assert (told.faulty, {fault.code for fault in told.faults}) == (count, {"quota_kept"})
    assert sum("closed_figures" in statement for statement in asked) == 1
