"""What a reopening takes back, and what it leaves alone: money at its rates, past months, pages; on both databases."""

from typing import Any

from sqlalchemy import Connection, select

from sfa.db.tables import ROWS
from sfa.profit.company.by import profits, span_of
from sfa.profit.converting import converted
from sfa.profit.deal.pnl import items_of
from sfa.profit.deal.reading import read_deal
from tests.crm.desk import opened
from tests.db.test_commissions import has, plan
from tests.office import Office
from tests.profit.books import ZONE, at, charge, rate
from tests.quotas.ledger import Q1, Q2, line, won, write
from tests.quotas.ledger import rate as exchange

YEAR = ("2026-01-01", "2027-01-01")


def closing(day: str, reopened: str, amount: int) -> dict[str, Any]:
    said = {"stage_key": "won", "closed_at": at(day), "signed_at": None, "invoiced_at": None, "lost_reason": None}
    said |= {"reopened_at": at(reopened), "owner_key": "ana", "amount_minor": amount, "currency": "EUR"}
    return {**said, "splits": [], "overlays": []}


def kinds(office: Office, from_on: str, to_on: str) -> dict[str, int | None]:
    return office.database.read(lambda c: profits(c, "total", span_of(from_on, to_on))).total.earned().kinds


def told(office: Office, deal: str) -> dict[str, int]:
    """kind -> the sum of a deal's P&L in the company's currency."""

    def read(connection: Connection) -> dict[str, int]:
        row = connection.execute(select(ROWS["deals"]).where(ROWS["deals"].c.key == deal)).mappings().one()
        sources = read_deal(connection, deal, dict(row), ZONE, at("2027-06-01"))
        found: dict[str, int] = {}
        for item in converted(items_of(sources, at("2027-06-01")), "EUR", sources.exchange):
            if item.item.side == "actual" and item.amount_minor is not None:
                found[item.item.kind] = found.get(item.item.kind, 0) + item.amount_minor
        return found

    return office.database.read(read)


def agreement(**values: Any) -> tuple[str, str, dict[str, Any]]:
    said = {"account_key": "acme", "tiers": [{"from_minor": 0, "rate_bp": 1_000}], "currency": "EUR"}
    return "rebate_agreements", "reb", {**said, "valid_from": YEAR[0], "valid_to": YEAR[1], **values}


def test_r21_rebates_and_commission_are_taken_back_at_the_rates_at_which_they_were_given(office: Office) -> None:
    write(office, Q1, Q2, exchange("USD", "EUR", "0.5", "2026-01-01"), exchange("USD", "EUR", "0.9", "2026-04-01"))
    write(office, plan(currency="USD"), has(), agreement(currency="USD"), won("a", "2026-01-10", 100_00))
    before = kinds(office, *YEAR)
    assert (before["rebate"], before["commission"]) == (-10_00, -7_50)  # 200 dollars: 20, and 5 and 10
    write(office, ("deals", "a", {"stage_key": "offer", "closed_at": None}))
    write(office, ("deals", "a", {"closings": [closing("2026-01-10", "2026-04-20", 100_00)]}))
    assert {kind: amount for kind, amount in kinds(office, *YEAR).items() if amount} == {}
    assert {kind: amount for kind, amount in told(office, "a").items() if amount} == {}


def test_a_return_keeps_the_cost_of_the_end_that_stood_when_the_deal_is_won_again(office: Office) -> None:
    write(office, rate("c", "capital", 0), won("a", "2026-01-10", 500_00), line("l", "a", "5"))
    write(office, charge("r", "a", "goods_return", 1_00, "2026-02-05", product_key="pump", quantity="1"))
    february = kinds(office, "2026-02-01", "2026-03-01")
    assert february["returned_goods"] == 60_00
    later = {"product_key": "pump", "amount_minor": 90_00, "currency": "EUR", "valid_from": "2026-03-01"}
    write(office, ("unit_costs", "dear", later))
    write(office, won("a", "2026-05-02", 500_00, closings=[closing("2026-01-10", "2026-04-20", 500_00)]))
    assert kinds(office, "2026-02-01", "2026-03-01") == february
    assert told(office, "a")["returned_goods"] == 60_00


def test_r10_pages_of_a_customer_s_profit_lose_nothing_that_one_event_gave_to_several_deals(office: Office) -> None:
    tiers = [{"from_minor": 0, "rate_bp": 100}, {"from_minor": 250_00, "rate_bp": 500}]
    write(office, rate("c", "capital", 0), agreement(mode="whole", tiers=tiers))
    write(
        office, *(won(f"d{n}", f"2026-01-1{n}", 100_00) for n in range(3)), *(line(f"l{n}", f"d{n}") for n in range(3))
    )
    span = f"from={YEAR[0]}&to={YEAR[1]}&as_of=2026-12-31"
    with opened(office) as desk:
        whole = desk.get("fay", f"/api/accounts/acme/profit?{span}&limit=1000").json()
        items, after = [], ""
        while True:
            page = desk.get("fay", f"/api/accounts/acme/profit?{span}&limit=1{after}").json()
            items += page["items"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
    assert items == whole["items"]
    assert sum(item["amount_minor"] for item in items) == whole["earned"]["profit_minor"]
