"""Profit by customer, product, rep, team, territory and period on both databases: equal to a recount, and to each other."""

from typing import Any

from sqlalchemy import Connection, event

from sfa.profit.by import DIMENSIONS, Profits, profits, span_of
from tests.office import Office
from tests.profit.books import at, charge, grouped, leg, paid, rate, recount, visit
from tests.quotas.ledger import line, period, shares, won, write
from tests.quotas.ledger import rate as exchange

YEAR = span_of("2026-01-01", "2027-01-01")
FIELDS = {"customer": "account", "product": "product", "rep": "user", "territory": "territory", "total": None}
RATES = (
    rate("visit", "visit_hour", 60_00),
    rate("work", "work_hour", 45_00),
    rate("km", "kilometre", 42),
    rate("capital", "capital", 800),
)


def found(office: Office, dimension: str, span: Any = YEAR, **more: Any) -> Profits:
    return office.database.read(lambda c: profits(c, dimension, span, **more))


def check_recounted(office: Office, start_on: str = "2026-01-01", end_on: str = "2027-01-01") -> None:
    """Every dimension says what a recount says, and all of them sum to the same (R37)."""
    facts = recount(office, start_on, end_on)
    totals = []
    for dimension in (*DIMENSIONS, "total"):
        told = found(office, dimension, span_of(start_on, end_on))
        totals.append(told.total.earned().kinds)
        if dimension in FIELDS:
            expected = grouped(facts, FIELDS[dimension])
            said = {key: tally.earned().kinds for key, tally in told.by_key.items()}
            assert said == {key: _tidy(kinds) for key, kinds in expected.items() if _tidy(kinds)} | {
                key: {} for key in said if key not in expected
            }, dimension
    assert all(kinds == totals[-1] for kinds in totals), totals


def _tidy(kinds: dict[str, int | None]) -> dict[str, int | None]:
    return {kind: value for kind, value in kinds.items() if value != 0}


def test_r37_profit_by_rep_product_customer_territory_and_period_is_the_same_money(office: Office) -> None:
    write(office, *RATES, period("P01", "2026-01-01", "2026-02-01", "month"))
    write(
        office,
        won("a", "2026-01-10", 1_000_01, splits=shares(ana=5_000, bob=5_000), payment_days=30),
        line("la", "a", "3"),
        won("b", "2026-02-10", 200_00, owner_key="cleo", account_key="zeta"),
        line("lb", "b", "1.5"),
        visit("v1", "2026-01-08", 50),
        visit("v2", "2026-02-08", 25, owner_key="cleo", account_key="zeta"),
        leg("w1", "2026-01-08", 12_345, visit_key="v1"),
        charge("c1", "a", "freight", 10_01, "2026-02-01"),
        charge("c2", "a", "goods_return", 33_33, "2026-03-01", product_key="pump", quantity="1"),
        ("expenses", "e1", {"owner_key": "bob", "account_key": "zeta", "kind": "meal", "amount_minor": 2_50,
                            "currency": "EUR", "spent_on": "2026-01-20"}),
        ("work_entries", "k1", {"owner_key": "ana", "deal_key": "a", "minutes": 95, "done_on": "2026-01-09"}),
    )  # fmt: skip
    office.database.write(paid, {"user_key": "ana", "deal_key": "a", "at": at("2026-01-10"), "amount_minor": 25_00})
    check_recounted(office)
    total = found(office, "total").total.earned()
    assert total.invoice_minor == 1_200_01
    assert total.kinds["goods"] == -(180_00 + 90_00)
    assert total.kinds["visits"] == -(50_00 + 25_00)
    assert total.kinds["travel"] == -5_18
    assert total.kinds["work"] == -71_25
    assert total.kinds["returned_goods"] == 60_00
    assert total.kinds["terms"] == -(3_29 + 3_29)  # 500.00 and 500.01 for 30 days at 8 % a year
    assert total.profit_minor == sum(value or 0 for value in total.kinds.values())
