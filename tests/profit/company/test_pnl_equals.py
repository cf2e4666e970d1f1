"""R37, R40: the P&Ls of all deals, and what belongs to no deal, sum to the company's profit."""

from typing import Any

from sqlalchemy import Connection, select

from sfa.core.credits import day_of
from sfa.db.tables import ROWS
from sfa.profit.company.by import asked_of, facts, profits, span_of
from sfa.profit.company.surroundings import EVERYTHING, read_world
from sfa.profit.deal.pnl import items_of
from sfa.profit.deal.reading import read_deal
from sfa.profit.effort import OpenDays, open_days, open_on
from sfa.profit.items import KINDS
from tests.office import Office
from tests.profit.books import ZONE, charge, leg, paid, rate, visit
from tests.quotas.ledger import at, line, shares, won, write

END = at("2027-06-01")
SHARED = ("visits", "travel", "work", "expenses", "samples")


def deals_total(connection: Connection) -> dict[str, int]:
    """kind -> the sum over every deal's P&L."""
    table, found = ROWS["deals"], dict[str, int]()
    for row in connection.execute(select(table)).mappings().all():
        for item in items_of(read_deal(connection, row["key"], dict(row), ZONE, END), END):
            if item.side == "actual" and KINDS[item.kind].counts:
                assert item.amount_minor is not None, item
                assert item.currency == "EUR"
                found[item.kind] = found.get(item.kind, 0) + item.amount_minor
    return {kind: amount for kind, amount in found.items() if amount}


def no_deal(connection: Connection) -> dict[str, int]:
    """kind -> what names no deal on a day on which its customer had none open."""
    world, span = read_world(connection), span_of("2025-01-01", "2027-06-01")
    asked, _ = asked_of(connection, world, "total", span, EVERYTHING, "month")
    spans: dict[str, list[OpenDays]] = {}
    for row in connection.execute(select(ROWS["deals"])).mappings():
        spans.setdefault(row["account_key"], []).extend(open_days(row["key"], dict(row), ZONE))
    found: dict[str, int] = {}
    for fact in facts(connection, world, asked):
        alone = fact.deal is None and not open_on(spans.get(fact.account or "", ()), day_of(fact.at, ZONE))
        if fact.kind in SHARED and alone:
            assert fact.amount is not None
            found[fact.kind] = found.get(fact.kind, 0) + fact.amount
    return {kind: amount for kind, amount in found.items() if amount}


def test_r37_all_deals_and_what_belongs_to_none_are_the_company_s_profit(office: Office) -> None:
    rates = (rate("v", "visit_hour", 61_17), rate("w", "work_hour", 44_44), rate("k", "kilometre", 43))
    write(office, *rates, rate("c", "capital", 777), ("deals", "deal-a", {"opened_on": "2026-01-05"}))
    tiers = [{"from_minor": 0, "rate_bp": 100}, {"from_minor": 500_00, "rate_bp": 333}]
    span = {"valid_from": "2026-01-01", "valid_to": "2027-01-01"}
    agreed: dict[str, Any] = {"account_key": "acme", "mode": "whole", "tiers": tiers, "currency": "EUR", **span}
    write(office, ("rebate_agreements", "r", agreed))
    for n in range(4):
        opened: dict[str, Any] = {"opened_on": f"2026-01-0{n + 2}", "payment_days": 10 * n}
        halves: dict[str, Any] = {"splits": shares(ana=3_333, bob=6_667)} if n % 2 else {}
        write(office, won(f"d{n}", f"2026-0{n + 1}-10", 200_01 + n, **opened, **halves), line(f"l{n}", f"d{n}", "1.5"))
    for n in range(8):
        named: dict[str, Any] = {"deal_key": "d1"} if n == 3 else {}
        write(office, visit(f"v{n}", f"2026-0{n % 6 + 1}-0{n + 1}", 17 + n, **named))
        write(office, leg(f"g{n}", f"2026-0{n % 6 + 1}-0{n + 1}", 1_237 * n + 1, visit_key=f"v{n}"))
    write(office, visit("alone", "2026-01-08", 60, account_key="zeta", owner_key="cleo"))
    worked: dict[str, Any] = {"owner_key": "ana", "account_key": "acme", "minutes": 95, "done_on": "2026-02-03"}
    write(office, ("work_entries", "k1", worked), charge("f", "d0", "freight", 3_33, "2026-03-03"))
    back: dict[str, Any] = {"product_key": "pump", "quantity": "0.5"}
    write(office, charge("b", "d2", "goods_return", 50_00, "2026-05-05", **back))
    spent: dict[str, Any] = {"owner_key": "bob", "account_key": "acme", "kind": "sample", "product_key": "pump"}
    write(office, ("expenses", "e", {**spent, "spent_on": "2026-02-02"}))
    office.database.write(paid, {"user_key": "ana", "deal_key": "d0", "at": at("2026-02-01"), "amount_minor": 7_77})

    def work(connection: Connection) -> None:
        total = profits(connection, "total", span_of("2025-01-01", "2027-06-01")).total.earned().kinds
        deals, alone = deals_total(connection), no_deal(connection)
        both = {kind: deals.get(kind, 0) + alone.get(kind, 0) for kind in {*deals, *alone}}
        assert both == {kind: amount for kind, amount in total.items() if amount}
        assert alone == {"visits": -(61_17 + 17_33)}  # at Zeta, and at Acme before any deal was open
        assert "rebate" in deals

    office.database.read(work)
