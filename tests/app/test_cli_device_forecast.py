"""`sfa device forecast` and `sfa device call` in the terminal, without signal."""

from collections.abc import Callable

from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.forecasting.review import ENTITY, begun
from tests.office import Office


@on_sqlite
def test_a_rep_looks_at_his_forecast_and_names_his_number_without_signal(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    begun(office)
    ages = {"kind": "quarter", "start_on": "2026-01-01", "end_on": "2100-01-01"}  # a terminal has the clock of the wall
    office.put(("fiscal_periods", "long", {"name": "Long", **ages}))
    about = {"owner_key": "ana", "stage_key": "offer", "category": "commit"}
    money = {"amount_minor": 300_01, "currency": "EUR"}
    office.put(("deals", "d", {"name": "Valves", **about, **money, "close_on": "2099-02-01"}))
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    rows = {row["key"]: row for row in ana.json("forecast", "--period", "Long")}
    assert (rows["commit"]["amount"], rows["commit"]["weighted"], rows["commit"]["deals"]) == ("300.01", "150.01", 1)
    assert [rows[view]["cumulative"] for view in ("commit", "pipeline")] == ["300.01", "300.01"]
    assert rows["slipped"]["cumulative"] is None
    shown = ana.run("forecast", "--period", "long")
    assert "300.01" in shown
    assert "deal deal-a (close_on_missing)" in shown
    key = ana.run("call", "280.50", "--likely", "300", "--period", "long", "--note", "two are sure").strip()
    assert "amount_invalid" in ana.run("call", "much", "--period", "long", code=1)
    assert "row_unknown" in ana.run("call", "1", "--period", "long", "--team", "west", code=1)
    assert "currency_unknown" in ana.run("forecast", "--period", "long", "--currency", "XQX", code=1)
    ana.signal = True
    ana.run("sync")
    row = office.row(ENTITY, key)
    assert (row["commit_minor"], row["likely_minor"], row["currency"], row["user_key"]) == (
        280_50,
        300_00,
        "EUR",
        "ana",
    )
    assert (row["note"], row["based_on"]["commit"]) == ("two are sure", 300_01)
