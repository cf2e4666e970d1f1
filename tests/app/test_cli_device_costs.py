"""`sfa device …` of expenses, samples, work and offers, without signal (R39, R40)."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from sfa.db.tables import deal_quotes
from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.office import Office


@on_sqlite
def test_a_rep_writes_down_what_he_spent_and_worked_without_signal(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
    tmp_path: Path,
) -> None:
    receipt = tmp_path / "lunch.txt"
    receipt.write_text("Menu 31.50")
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    ana.run("expense", "meal", "31.50", "--deal", "Pumps", "--on", "2026-01-05", "--receipt", str(receipt))
    ana.run("expense", "gift", "20", "--account", "Acme", "--currency", "USD", "--text", "Wine")
    ana.run("sample", "Pump", "0.5", "--account", "Acme")
    ana.run("work", "45", "--deal", "Pumps", "--text", "Drawing")
    ana.run("quote", "Pumps")
    assert "amount_invalid" in ana.run("expense", "gift", "1.234", "--account", "Acme", code=1)
    assert "field_required" in ana.run("expense", "gift", "1", "--receipt", str(receipt), code=1)
    shown = ana.run("spent")
    assert shown.splitlines()[-2:] == ["31.50 EUR", "20.00 USD"]
    assert [row["amount_minor"] for row in ana.json("spent", "--until", "2026-01-06")] == [3_150]
    ana.signal = True
    told = ana.run("sync")
    assert "refused" not in told
    rows = {row["kind"]: row for row in office.rows("expenses")}
    assert (rows["meal"]["account_key"], rows["meal"]["deal_key"]) == ("acme", "deal-a")
    assert office.row("attachments", rows["meal"]["receipt_key"])["kind"] == "receipt"
    assert (rows["sample"]["quantity"], rows["sample"]["amount_minor"]) == ("0.5", None)
    assert [(row["minutes"], row["account_key"], row["kind"]) for row in office.rows("work_entries")] == [
        (45, "acme", "proposal")
    ]
    assert [row["amount_minor"] for row in office.all(select(deal_quotes))] == [500_000]
    assert {row["account_key"] for row in ana.json("list", "expenses")} == {"acme"}


@on_sqlite
def test_of_an_expense_that_is_refused_no_receipt_is_kept(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
    tmp_path: Path,
) -> None:
    """On the device and, as one unit, at the server (S20)."""
    receipt = tmp_path / "lunch.txt"
    receipt.write_text("Menu 31.50")
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    spent = ("expense", "meal", "31.50", "--deal", "Pumps", "--receipt", str(receipt))
    assert "field_invalid" in ana.run(*spent, "--text", "x" * 100_000, code=1)
    assert ana.json("list", "attachments") == []
    ana.run(*spent)
    office.delete("deals", "deal-a")
    office.clock.advance(1)
    assert "unit_failed" in ana.run("sync")
    assert (office.rows("attachments"), office.rows("expenses")) == ([], [])
