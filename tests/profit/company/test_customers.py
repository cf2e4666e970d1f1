"""The job that says how customers stand: as they change, again without effect, in batches, gone with the customer."""

from typing import Any

import pytest
from sqlalchemy import select

from sfa.app.jobs import JOBS
from sfa.db.tables import customer_values
from sfa.profit.company import customers
from tests.builders import DAY_MS
from tests.office import Office
from tests.profit.books import rate, visit
from tests.quotas.ledger import line, won, write

RATES = (rate("v", "visit_hour", 60_00), rate("k", "kilometre", 50))


def run(office: Office) -> tuple[int, int]:
    return office.database.write(customers.judge, office.clock.now_ms())


def values(office: Office) -> dict[str, dict[str, Any]]:
    rows = office.all(select(customer_values).order_by(customer_values.c.account_key))
    return {row["account_key"]: row for row in rows}


@pytest.fixture
def sold(office: Office) -> Office:
    write(office, *RATES, won("a", "2025-06-10", 1_000_00), line("la", "a", "10"))
    write(office, won("b", "2025-06-20", 200_00, account_key="zeta"), line("lb", "b", "2"))
    write(office, *(visit(f"z{n}", f"2025-07-0{n}", 30, account_key="zeta") for n in range(1, 7)))
    return office


def test_each_customer_is_judged_once_with_figures_reasons_and_the_best_change(sold: Office) -> None:
    assert run(sold) == (2, 2)
    found = values(sold)
    assert {key: (row["standing"], row["profit_minor"]) for key, row in found.items()} == {
        "acme": ("profitable", 400_00),
        "zeta": ("unprofitable", 200_00 - 120_00 - 180_00),
    }
    zeta = found["zeta"]
    assert zeta["best_change"] == {"code": "visit_half", "gain_minor": 90_00, "profit_minor": -10_00}
    assert (zeta["revenue_minor"], zeta["cost_minor"], zeta["currency"]) == (200_00, 300_00, "EUR")
    assert zeta["reasons"][0] == {"code": "service_cost_high", "amount_minor": 180_00, "share_bp": 9_000}
    assert run(sold) == (0, 0)


def test_a_change_is_followed_and_nobody_else_is_looked_at(sold: Office) -> None:
    run(sold)
    before = values(sold)
    sold.clock.advance(1_000)
    write(sold, visit("new", "2025-12-01", 60))
    assert run(sold) == (1, 1)
    after = values(sold)
    assert after["acme"]["profit_minor"] == before["acme"]["profit_minor"] - 60_00
    assert after["zeta"] == before["zeta"]
    for change in (line("la", "a", "11"), ("deals", "b", {"amount_minor": 500_00})):
        write(sold, change)
        assert run(sold) == (1, 1), change


def test_a_batch_that_is_too_large_is_done_in_several_runs(sold: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "ACCOUNTS_MAX", 3)
    sold.put(*(("accounts", f"n{n}", {"name": f"N {n}", "territory_key": "t-north"}) for n in range(8)))
    runs = [run(sold) for _ in range(40)]
    assert all(looked <= 3 for looked, _ in runs)
    assert len(values(sold)) == 10
    assert runs[-1] == (0, 0)


def test_everybody_is_judged_again_after_a_day_since_time_goes_by(sold: Office) -> None:
    run(sold)
    sold.clock.advance(200 * DAY_MS)
    assert run(sold) == (2, 2)
    assert values(sold)["acme"]["profit_minor"] == 0  # the sale is more than a year ago


def test_a_run_that_dies_is_done_again_and_a_deleted_customer_loses_its_row(sold: Office) -> None:
    def dies(connection: Any) -> None:
        customers.judge(connection, sold.clock.now_ms())
        raise KeyError("power")

    with pytest.raises(KeyError):
        sold.database.write(dies)
    assert values(sold) == {}
    assert run(sold) == (2, 2)
    sold.put(("accounts", "empty", {"name": "Empty", "territory_key": "t-north"}))
    run(sold)
    assert "empty" in values(sold)
    sold.delete("accounts", "empty")
    run(sold)
    assert "empty" not in values(sold)


def test_the_job_is_in_the_table(sold: Office) -> None:
    told = sold.database.write(JOBS["judge_customers"].work, sold.clock.now_ms())
    assert told == "2 customers judged, 2 differ"
