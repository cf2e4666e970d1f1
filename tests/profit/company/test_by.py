"""Profit by customer, product, rep, team, territory and period, on both databases: equal to a recount."""

from typing import Any

from sqlalchemy import Connection, event

from sfa.profit.company.by import Profits, profits, span_of
from tests.office import Office
from tests.profit.books import at, charge, check_recounted, leg, paid, rate, visit
from tests.quotas.ledger import line, period, shares, won, write
from tests.quotas.ledger import rate as exchange

YEAR = span_of("2026-01-01", "2027-01-01")
RATES = (
    rate("visit", "visit_hour", 60_00),
    rate("work", "work_hour", 45_00),
    rate("km", "kilometre", 42),
    rate("capital", "capital", 800),
)


def found(office: Office, dimension: str, span: Any = YEAR, **more: Any) -> Profits:
    return office.database.read(lambda c: profits(c, dimension, span, **more))


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
    office.database.read(check_recounted)
    total = found(office, "total").total.earned()
    assert total.invoice_minor == 1_200_01
    assert total.kinds["goods"] == -(180_00 + 90_00)
    assert total.kinds["visits"] == -(50_00 + 25_00)
    assert total.kinds["travel"] == -5_18
    assert total.kinds["work"] == -71_25
    assert total.kinds["returned_goods"] == 60_00
    assert total.kinds["terms"] == -6_58  # 1,000.01 for 30 days at 8 % a year
    assert total.profit_minor == sum(value or 0 for value in total.kinds.values())


def test_r34_a_missing_rate_or_cost_makes_the_figure_not_computable_and_is_named(office: Office) -> None:
    write(office, rate("visit", "visit_hour", 60_00, since="2026-02-01"))
    write(office, won("a", "2026-01-10"), visit("v", "2026-01-31"), won("b", "2026-01-11", account_key="zeta"))
    write(office, won("c", "2026-01-12", 1_000, currency="JPY", account_key="zeta"), line("lb", "b"), line("lc", "c"))
    told = {key: tally.earned() for key, tally in found(office, "customer").by_key.items()}
    acme, zeta = told["acme"], told["zeta"]
    assert (acme.invoice_minor, acme.pocket_minor, acme.margin_minor, acme.profit_minor) == (100_00, 100_00, None, None)
    assert [(m.code, m.kind) for m in acme.missing] == [("cost_missing", "goods"), ("cost_missing", "visits")]
    assert acme.missing[1].about == {"of": "visit_hour", "user_key": "ana", "on": "2026-01-31"}
    assert (zeta.invoice_minor, zeta.kinds["goods"], zeta.profit_minor) == (None, -120_00, None)
    assert zeta.missing[0].about == {"from_currency": "JPY", "to_currency": "EUR", "on": "2026-01-12"}
    total = found(office, "total").total.earned()
    assert (total.profit_minor, total.missing_count) == (None, 3)
    office.database.read(check_recounted)


def test_r34_each_fact_in_another_currency_is_converted_and_rounded_for_itself(office: Office) -> None:
    write(office, exchange("EUR", "JPY", "160", "2026-01-01"), *RATES)
    foreign: dict[str, Any] = {"currency": "JPY", "splits": shares(ana=3_333, bob=6_667), "payment_days": 45}
    write(office, *(won(f"d{n}", "2026-01-10", 101 + n, **foreign) for n in range(5)))
    write(office, *(line(f"l{n}{m}", f"d{n}") for n in range(5) for m in range(3)))
    write(office, charge("c", "d0", "co_op", 33, "2026-02-01", currency="JPY"))
    office.database.read(check_recounted)


def test_r21_a_reopening_takes_back_revenue_goods_and_terms_in_its_own_period(office: Office) -> None:
    write(office, *RATES, period("P01", "2026-01-01", "2026-02-01", "month"))
    write(office, period("P02", "2026-02-01", "2026-03-01", "month"))
    write(office, won("a", "2026-01-10", 500_00, payment_days=60), line("la", "a", "2"))
    closing = {"stage_key": "won", "closed_at": at("2026-01-10"), "signed_at": None, "invoiced_at": None}
    closing |= {"reopened_at": at("2026-02-03"), "owner_key": "ana", "amount_minor": 500_00, "currency": "EUR"}
    closing |= {"splits": [], "overlays": []}
    write(office, ("deals", "a", {"closed_at": None, "stage_key": "lead", "closings": [closing]}))
    told = {key: tally.earned().kinds for key, tally in found(office, "period").by_key.items()}
    assert told["P01"] == {"invoice": 500_00, "terms": -6_58, "goods": -120_00}
    assert told["P02"] == {"invoice": -500_00, "terms": 6_58, "goods": 120_00}
    assert found(office, "total").total.earned().profit_minor == 0
    office.database.read(check_recounted)


def test_r14_a_corrected_visit_costs_what_it_took_after_the_correction(office: Office) -> None:
    write(office, *RATES, visit("v", "2026-01-08", 60, submitted=True), visit("w", "2026-01-09", 60))
    said = {"visit_key": "v", "author_key": "ana", "amended_at": at("2026-01-10"), "reason": "forgot", "ordinal": 1}
    moved = {**said, "field": "checked_out_at", "old": None, "new": at("2026-01-08", 12) + 20 * 60_000}
    write(office, ("visit_amendments", "am", moved))
    assert found(office, "total").total.earned().kinds == {"visits": -(20_00 + 60_00)}
    office.database.read(check_recounted)


def test_r40_the_rate_is_that_of_the_person_on_the_day(office: Office) -> None:
    write(office, *RATES, rate("ana", "visit_hour", 90_00, "2026-02-01", user_key="ana", valid_to="2026-03-01"))
    write(office, *(visit(f"v{n}", f"2026-0{n}-15") for n in (1, 2, 3)), visit("b", "2026-02-15", owner_key="bob"))
    told = {key: tally.earned().kinds["visits"] for key, tally in found(office, "rep").by_key.items()}
    assert told == {"ana": -(60_00 + 90_00 + 60_00), "bob": -60_00}
    office.database.read(check_recounted)


def test_r18_a_fact_is_of_the_team_in_which_its_person_was_on_that_day(office: Office) -> None:
    write(office, *RATES, ("team_members", "m-ana", {"valid_to": "2026-02-09"}))
    write(office, ("team_members", "m-ana-2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-02-09"}))
    write(office, visit("v", "2026-02-08"), visit("w", "2026-02-09", 30))
    told = {key: tally.earned().kinds["visits"] for key, tally in found(office, "team").by_key.items()}
    assert told == {"north": -60_00, "south": -30_00}


def test_amounts_that_no_product_of_two_numbers_holds_are_still_exact(office: Office) -> None:
    write(office, rate("visit", "visit_hour", 10**15), rate("capital", "capital", 100_000))
    write(office, visit("v", "2026-01-08", 700), won("a", "2026-01-10", 10**15, payment_days=3_650), line("l", "a"))
    told = found(office, "total").total.earned().kinds
    assert told["visits"] == -(10**15 * 700 // 60 + 1)
    assert told["terms"] == -(10**15 * 3_650 * 100_000 // (365 * 10_000))
    office.database.read(check_recounted)


def test_statements_do_not_grow_with_what_there_is(office: Office) -> None:
    def statements(dimension: str) -> int:
        count = 0

        def counting(*_: Any) -> None:
            nonlocal count
            count += 1

        def work(connection: Connection) -> None:
            event.listen(connection, "before_cursor_execute", counting)
            profits(connection, dimension, YEAR)
            event.remove(connection, "before_cursor_execute", counting)

        office.database.read(work)
        return count

    write(office, *RATES, won("a", "2026-01-10"), visit("v", "2026-01-08"))
    few = {dimension: statements(dimension) for dimension in ("customer", "product", "rep", "team")}
    write(office, *(won(f"d{n}", "2026-01-10") for n in range(30)), *(line(f"l{n}", f"d{n}") for n in range(30)))
    write(office, *(visit(f"v{n}", "2026-01-09") for n in range(30)))
    assert {dimension: statements(dimension) for dimension in few} == few
    assert max(few.values()) < 25
