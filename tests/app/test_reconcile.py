"""The reconciliation report (R55): clean where all is right, and each kind of difference that is planted is listed."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, select, text

from sfa.app import reconcile
from sfa.app.cli_reconcile import reconcile as command
from sfa.app.jobs import JOBS, run_apart
from sfa.app.reconcile import CHECKS, OF_COST, Report
from sfa.app.seed.write import seed
from sfa.core.days import start_of_ms
from sfa.db.database import Database, open_database
from sfa.db.tables import differences, job_runs, reconciliations
from sfa.profit.company import by
from sfa.profit.company.by import Profits
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk, opened
from tests.deals.conftest import line
from tests.office import Office
from tests.proposals.buyer.answers import accept, link, recipient, sent
from tests.proposals.selling import offered, order

SINCE = {"valid_from": "2025-01-01"}
TIERS = [{"from_minor": 0, "rate_bp": 500}]
PERIODS = [
    ("FY2026", {"name": "FY2026", "kind": "year", "start_on": "2026-01-01", "end_on": "2027-01-01"}),
    ("FY2026.Q1", {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}),
]
PLAN = {"name": "Plan", "currency": "EUR", "tiers": TIERS, **SINCE}
QUOTA = {"user_key": "ana", "period_key": "FY2026.Q1", "measure": "revenue", "target": 1_000, "currency": "EUR"}


@pytest.fixture
def books(office: Office) -> Office:
    """A split deal that was won, reopened and won again, one that stays reopened, commission, a closed quarter."""
    office.put(
        *(("fiscal_periods", key, row) for key, row in PERIODS),
        ("commission_plans", "plan", PLAN),
        *(("commission_assignments", f"c-{u}", {"plan_key": "plan", "user_key": u, **SINCE}) for u in ("ana", "bob")),
        ("quotas", "q", QUOTA),
        ("cost_rates", "hour", {"kind": "visit_hour", "amount_minor": 4_000, "currency": "EUR", **SINCE}),
        ("deals", "deal-a", {"splits": [{"user_key": u, "share_bp": 5_000} for u in ("ana", "bob")]}),
        (
            "deals",
            "deal-b",
            {"name": "B", "owner_key": "ana", "stage_key": "lead", "account_key": "acme"} | _money(9_001),
        ),
    )
    for n, deal in enumerate(("deal-a", "deal-b")):
        line(office, f"l{n}", deal)
    assert order(offered(office), "send").outcome == "applied"
    for deal, steps in (("deal-a", 3), ("deal-b", 2)):
        for step in range(steps):
            office.clock.advance(DAY_MS)
            act, said = ("deal.reopen", {"stage_key": "lead"}) if step % 2 else ("deal.win", {})
            assert office.phone("ana").do(act, "deals", deal, base=office.rev("deals", deal), set=said).code is None
    office.clock.advance(90 * DAY_MS)
    assert office.phone("fay").do("period.close", "fiscal_periods", "FY2026.Q1", base=1, set={}).code is None
    return office


def _money(amount: int) -> dict[str, Any]:
    return {"amount_minor": amount, "currency": "EUR"}


def looked(office: Office, *, keeping: bool = False) -> Report:
    found = office.database.read(reconcile.report, office.clock.now_ms())
    if keeping:
        office.database.write(reconcile.keep, found)
    return found


def plant(office: Office, *statements: str) -> None:
    """Past the door, as no part of the product writes."""

    def work(connection: Connection) -> None:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement

    office.database.write(work)


def rules(found: Report) -> set[str]:
    return {each.rule for each in found.items}


def test_where_all_is_right_nothing_differs_and_everything_was_looked_at(books: Office) -> None:
    about = {"name": "C", "owner_key": "ana", "stage_key": "lead", "account_key": "acme"}
    books.put(("deals", "deal-c", about | _money(9_002)))
    sent(books, recipient("carla", "Carla Ruiz", proposal="p2"), key="p2", deal_key="deal-c")
    assert accept(books, link(books, key="p2")).kind == "accepted"
    found = looked(books)
    assert (found.found, found.items) == (0, [])
    assert {check.rule: check.looked > 0 for check in found.checked} == dict.fromkeys(CHECKS, True)


PLANTED: dict[str, tuple[str, set[str]]] = {
    "a credit that is too high": (
        "UPDATE credits SET amount_minor = amount_minor + 1 WHERE deal_key = 'deal-a' AND n = 2 AND user_key = 'ana'",
        {"credits_rebuilt", "credits_of_deals", "commission_due"},
    ),
    "a deal whose amount was changed past the door": (
        "UPDATE deals SET amount_minor = 1 WHERE key = 'deal-a'",
        {"credits_rebuilt", "credits_of_deals"},
    ),
    "a credit that is lost": (
        "DELETE FROM credits WHERE deal_key = 'deal-a' AND n = 2 AND user_key = 'bob'",
        {"credits_rebuilt", "credits_of_deals", "commission_due"},
    ),
    "a reversal that takes back too little": (
        "UPDATE credits SET amount_minor = amount_minor - 1 WHERE deal_key = 'deal-b' AND reversal",
        {"credits_rebuilt", "reversals_of_credits"},
    ),
    "a reversal that is lost": (
        "DELETE FROM credits WHERE deal_key = 'deal-b' AND reversal",
        {"credits_rebuilt", "credits_of_deals", "commission_due"},
    ),
    "a quantity that is lost": (
        "DELETE FROM credited_quantities WHERE deal_key = 'deal-a' AND n = 2",
        {"credits_rebuilt"},
    ),
    "a commission that was raised": (
        "UPDATE commission_entries SET amount_minor = amount_minor + 5 WHERE deal_key = 'deal-a' AND n = 2",
        {"commission_due"},
    ),
    "a clawback that is lost": (
        "DELETE FROM commission_entries WHERE deal_key = 'deal-b' AND kind = 'reversal'",
        {"commission_due", "commission_reversed"},
    ),
    "a clawback of nothing": (
        "UPDATE commission_entries SET reverses = 77 WHERE deal_key = 'deal-b' AND kind = 'reversal'",
        {"commission_reversed"},
    ),
    "a closed figure that was changed": (
        "UPDATE closed_figures SET value = value + 1 WHERE quota_key = 'q'",
        {"closed_sums", "closed_unchanged"},
    ),
    "a contribution of a closed figure that was changed": (
        "UPDATE closed_contributions SET reason = 'other' WHERE quota_key = 'q'",
        {"closed_unchanged"},
    ),
    "a closed figure that is lost": ("DELETE FROM closed_figures WHERE quota_key = 'q'", {"closed_unchanged"}),
}


class Undone(Exception):
    """Takes back what was planted, with what was found of it."""


def test_each_difference_that_is_planted_is_listed(books: Office) -> None:
    """R55: one after the other, each taken back before the next."""
    assert looked(books, keeping=True).found == 0

    def work(connection: Connection, statement: str) -> None:
        assert connection.execute(text(statement)).rowcount > 0, statement
        raise Undone(reconcile.report(connection, books.clock.now_ms()))

    for what, (statement, wanted) in PLANTED.items():
        with pytest.raises(Undone) as undone:
            books.database.write(work, statement)
        (found,) = undone.value.args
        assert rules(found) == wanted, what
        assert {check.rule: check.found for check in found.checked if check.found} == {
            rule: sum(each.rule == rule for each in found.items) for rule in wanted
        }
        assert all(each.row_key and (each.expected != each.found or each.detail) for each in found.items)
    assert looked(books).found == 0


def test_a_difference_names_what_was_expected_and_what_was_found(books: Office) -> None:
    plant(books, "UPDATE credits SET amount_minor = 249999 WHERE deal_key = 'deal-a' AND n = 2 AND user_key = 'ana'")
    by_rule = {each.rule: each for each in looked(books).items}
    each = by_rule["credits_of_deals"]
    assert (each.entity, each.row_key, each.expected, each.found) == ("deals", "deal-a", "500000", "499999")


def test_a_dimension_that_loses_a_fact_does_not_sum_to_the_company(
    books: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R37: what sums in sets, and what stands in credits row by row, is compared; here the sums are made wrong."""
    right: Callable[..., Profits] = by.profits

    def wrong(connection: Connection, asked: str, *args: Any, **kwargs: Any) -> Profits:
        found = right(connection, asked, *args, **kwargs)
        for tally in found.by_key.values() if asked in wrongly else ():
            tally.kinds["invoice"] = tally.kinds.get("invoice", 0) + 1
        return found

    monkeypatch.setattr(by, "profits", wrong)
    for dimension in ("customer", "product", "rep"):
        wrongly = (dimension, "deal")
        found = looked(books)
        assert {e.row_key for e in found.items if e.rule == "profit_by"} == {dimension}
        assert "deal-a" in {e.row_key for e in found.items if e.rule == "profit_of_deals"}


def test_a_missing_rate_is_no_difference_as_long_as_both_sides_say_so(books: Office) -> None:
    """R34."""
    books.put(("organisations", "org", {"currency": "USD"}))
    assert looked(books).found == 0


def test_the_job_stores_its_report_and_a_second_one_finds_its_slot_taken(books: Office) -> None:
    plant(books, "UPDATE credits SET amount_minor = 1 WHERE deal_key = 'deal-a' AND n = 2 AND user_key = 'ana'")

    async def twice() -> None:
        server = open_database(books.database.url, durable=False)
        for _ in range(2):
            await run_apart(server, books.clock, JOBS["reconcile"])
        await server.close_async()

    asyncio.run(twice())
    (row,) = books.all(select(reconciliations))
    assert (row["number"], row["seq"] > 0) == (1, True)
    assert len(books.all(select(differences))) == row["found"] > 0
    (ran,) = books.all(select(job_runs).where(job_runs.c.name == "reconcile"))
    assert ran["outcome"] == f"report 1: {row['found']} differences"


def test_old_reports_are_forgotten_and_a_flood_of_differences_is_counted(
    books: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "REPORTS_KEPT", 2)
    monkeypatch.setattr(reconcile, "DIFFERENCES_MAX", 2)
    plant(books, "UPDATE credits SET amount_minor = 1")
    reports = [looked(books, keeping=True) for _ in range(4)]
    assert all(found.found > len(found.items) == 2 for found in reports)
    assert [row["number"] for row in books.all(select(reconciliations))] == [3, 4]
    assert {row["number"] for row in books.all(select(differences))} == {3, 4}


def test_finance_directors_and_administrators_read_the_report_in_pages(books: Office) -> None:
    """R45: to an administrator amounts that may lead to a cost are not told."""
    with opened(books) as desk:
        assert desk.get("fay", "/api/reconciliation").json()["number"] is None
        plant(books, PLANTED["a credit that is too high"][0])
        found = looked(books, keeping=True)
        for user in ("ana", "mia"):
            answer = desk.get(user, "/api/reconciliation")
            assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
        told = desk.get("dirk", "/api/reconciliation").json()
        assert (told["number"], told["found"], told["partial"]) == (1, found.found, False)
        assert [i["row_key"] for i in told["items"]] == [each.row_key for each in found.items]
        paged = _pages(desk)
        assert paged == told["items"]
        blind = desk.get("root", "/api/reconciliation").json()
        assert blind["partial"] is True
        for item in blind["items"]:
            assert item["hidden"] == (item["rule"] in OF_COST)
            if item["hidden"]:
                assert (item["expected"], item["found"], item["detail"]) == (None, None, {})
        for wrong in ("limit=0", "limit=501", "after=-1", "after=99999999999999999999999"):
            assert desk.get("fay", f"/api/reconciliation?{wrong}").json()["code"] == "request_invalid"


def test_an_administrator_is_not_told_a_closed_figure_that_may_be_a_margin(books: Office) -> None:
    """R45."""
    with opened(books) as desk:
        plant(books, PLANTED["a closed figure that was changed"][0])
        looked(books, keeping=True)
        for user, hidden in (("root", True), ("dirk", False)):
            items = desk.get(user, "/api/reconciliation").json()["items"]
            assert [i["hidden"] for i in items if i["rule"] == "closed_sums"] == [hidden]
            assert ([i["found"] for i in items if i["rule"] == "closed_sums"] == [None]) == hidden


def _pages(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = desk.get("fay", f"/api/reconciliation?limit=1&after={after}").json()
        found += page["items"]
        after = page["next"]
    return found


def test_the_terminal_ends_with_1_where_something_differs(
    books: Office, database_url_of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SFA_DATABASE_URL", database_url_of)
    right = CliRunner().invoke(command, ["--dry-run"])
    assert (right.exit_code, "0 differ" in right.output) == (0, True), right.output
    assert books.all(select(reconciliations)) == []
    plant(books, PLANTED["a clawback that is lost"][0])
    wrong = CliRunner().invoke(command, [])
    assert (wrong.exit_code, "commission_reversed: deals deal-b: expected 0" in wrong.output) == (1, True), wrong.output
    assert CliRunner().invoke(command, ["--json"]).exit_code == 1
    assert len(books.all(select(reconciliations))) == 2


@pytest.fixture
def database_url_of(books: Office) -> str:
    return books.database.url


def test_the_time_of_the_report_comes_from_outside(books: Office) -> None:
    """R12: the same instant and database, the same report."""
    first, second = (books.database.read(reconcile.report, NOW + 200 * DAY_MS) for _ in range(2))
    assert first == second


def test_a_seeded_company_is_clean_and_was_looked_at(database: Database) -> None:
    """R55: two years of business that another process made, with rebates and commission."""
    seed(database, reps=4, accounts=40, seed=5, today="2026-11-20", password_hash="x")
    found = database.read(reconcile.report, start_of_ms("2026-11-21", "UTC"))
    assert (found.found, found.items) == (0, [])
    looked_at = {each.rule for each in found.checked if each.looked}
    assert looked_at >= {"credits_rebuilt", "credits_of_deals", "commission_due", "profit_of_deals", "profit_by"}
