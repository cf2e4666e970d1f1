"""What the P&Ls of deals say in any currency sums to what steps, customer and company say (R34, R37, R38)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.entities import Rate
from sfa.profit.company.by import profits, span_of
from sfa.profit.converting import converted
from sfa.profit.dated import EffortRates
from sfa.profit.deal.sold import Catalogue, actual
from sfa.profit.items import Item
from sfa.quotas.conversion import Exchange
from tests.builders import NOW, delete_row
from tests.crm.desk import Desk
from tests.office import Office
from tests.profit.conftest import HOUR_MS, items, rates, sold, visited

SPAN = span_of("2026-01-01", "2026-02-01")
EURO = {"base_currency": "EUR", "quote_currency": "USD", "valid_from": "2025-01-01"}
DEAL = {"name": "B", "owner_key": "ana", "account_key": "acme", "stage_key": "lead", "currency": "EUR"}


def told(desk: Desk, deal: str = "deal-a", query: str = "") -> dict[str, Any]:
    answer = desk.get("dirk", f"/api/deals/{deal}/pnl{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def step(found: dict[str, Any], name: str) -> int:
    (amount,) = (s["amount_minor"] for s in found["actual"]["steps"] if s["step"] == name)
    assert isinstance(amount, int)
    return amount


def test_list_and_discounts_are_the_invoice_in_every_currency(office: Office, desk: Desk) -> None:
    """R38: seven lines whose parts each round another way."""
    office.put(("rates", "usd", {**EURO, "rate": "1.0937"}), ("prices", "p-pump", {"amount_minor": 101}))
    said = {"deal_key": "deal-a", "product_key": "pump", "quantity": "1", "unit_price_minor": 101, "discount_bp": 333}
    office.put(*(("deal_lines", f"l{n}", said) for n in range(7)))
    office.put(("deals", "deal-a", {"amount_minor": 683}))
    assert desk.post("ana", "/api/deals/deal-a/win").status_code == 200
    office.clock.advance(1)
    for query in ("", "?currency=USD"):
        found = told(desk, query=query)
        assert step(found, "list") + step(found, "discount") == step(found, "invoice")


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(1, 10**5), st.integers(0, 9_999)), min_size=1, max_size=6),
    st.sampled_from(["0.0071", "1.0937", "160", "3.3333"]),
    st.booleans(),
)
def test_whatever_the_rate_list_and_discounts_sum_to_the_invoice(
    parts: list[int], said: list[tuple[int, int]], rate: str, reversal: bool
) -> None:
    """R38, R34: also of a reversal, and of a deal that several share."""
    exchange = Exchange(
        [("r", Rate(base_currency="EUR", quote_currency="USD", rate=rate, valid_from="2025-01-01"))], "UTC"
    )
    lines: list[dict[str, Any]] = [
        {"key": f"l{n}", "product_key": "pump", "quantity": "1", "unit_price_minor": price, "discount_bp": discount}
        | {"list_minor": price, "list_currency": "EUR"}
        for n, (price, discount) in enumerate(said)
    ]
    credit = {"deal_key": "d", "n": 1, "reversal": reversal, "overlay": False, "event": "won", "at": NOW}
    credit |= {"rated_at": NOW, "share_bp": 10_000, "currency": "EUR", "cost_minor": 0, "cost_currency": "EUR"}
    credits_ = [{**credit, "user_key": f"u{n}", "amount_minor": amount} for n, amount in enumerate(parts)]
    facts = converted(
        actual(credits_, lines, None, Catalogue({}, {}, EffortRates(()), exchange), "UTC"), "USD", exchange
    )
    sums = {
        kind: sum(fact.amount_minor or 0 for fact in facts if fact.item.kind == kind)
        for kind in ("list", "discount", "invoice")
    }
    assert sums["list"] + sums["discount"] == sums["invoice"]
    assert {type(fact.item) for fact in facts} == {Item}, "how it is a part is nothing that is told"


def test_what_deals_share_in_another_currency_sums_to_what_the_customer_cost(office: Office, desk: Desk) -> None:
    """R37: an hour of 3.02 dollars, at half a euro each, among three deals."""
    office.put(("rates", "usd", {**EURO, "rate": "2.00"}))
    hour = {"kind": "visit_hour", "amount_minor": 3_02, "currency": "USD", "valid_from": "2025-01-01"}
    office.put(("cost_rates", "hour", hour), ("deals", "deal-a", {"opened_on": "2026-01-01"}))
    office.put(*(("deals", f"d{n}", {**DEAL, "amount_minor": 1, "opened_on": "2026-01-01"}) for n in range(2)))
    visited(office, hours=1)
    office.clock.advance(1)
    parts = [step(told(desk, key, "?currency=EUR"), "serve") for key in ("deal-a", "d0", "d1")]
    customers = office.database.read(profits, "customer", SPAN).by_key
    assert sum(parts) == customers["acme"].earned().kinds["visits"] == -1_51


def test_the_way_to_a_visit_that_was_deleted_costs_nobody(office: Office, desk: Desk) -> None:
    """R37: one rule for a deal and for the company."""
    rates(office)
    visited(office, deal_key="deal-a")
    way = {"started_at": NOW - HOUR_MS, "ended_at": NOW, "source": "gps", "distance_m": 10_000}
    office.put(("travel_legs", "leg", {"owner_key": "ana", "visit_key": "v1", **way}))
    office.clock.advance(1)
    for serve, kinds in ((-185_00, {"visits": -180_00, "travel": -5_00}), (0, {})):
        assert step(told(desk), "serve") == serve
        assert office.database.read(profits, "total", SPAN).total.earned().kinds == kinds
        if serve:
            office.database.write(delete_row, "visits", "v1")


def test_what_was_spent_on_a_visit_is_of_the_deal_that_the_visit_is_given_later(office: Office, desk: Desk) -> None:
    """R37, R40: all of the meal, although another deal was open."""
    office.put(("deals", "deal-a", {"opened_on": "2026-01-01"}))
    office.put(("deals", "other", {**DEAL, "amount_minor": 1, "opened_on": "2026-01-01"}))
    visited(office)
    meal = {"owner_key": "ana", "kind": "meal", "amount_minor": 10_00, "currency": "EUR", "spent_on": "2026-01-05"}
    office.put(("expenses", "meal", {**meal, "account_key": "acme", "visit_key": "v1"}))
    office.put_server_row("visits", "v1", {"deal_key": "deal-a"})
    office.clock.advance(1)
    by_deal = office.database.read(profits, "deal", SPAN).by_key
    assert by_deal["deal-a"].earned().kinds["expenses"] == -10_00
    assert [i["amount_minor"] for i in items(told(desk), "expenses")] == [-10_00]
    assert items(told(desk, "other"), "expenses") == []


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Madrid"])
def test_one_expense_of_the_first_day_shuts_nobody_out(office: Office, desk: Desk, zone: str) -> None:
    """R34: in a currency without a rate it is missing, by its day."""
    office.put(("organisations", "org", {"zone": zone}))
    meal = {"owner_key": "ana", "kind": "meal", "amount_minor": 5, "currency": "JPY", "spent_on": "0001-01-01"}
    office.put(("expenses", "meal", {**meal, "account_key": "acme", "deal_key": "deal-a"}))
    (lacking,) = (m for m in told(desk)["actual"]["missing"] if m["kind"] == "expenses")
    assert (lacking["code"], lacking["on"]) == ("rate_missing", "0001-01-01")
    assert desk.post("dirk", "/api/deals/deal-a/what-if", json={}).status_code == 200
    company = office.database.read(profits, "total", span_of("0001-01-01", "2027-01-01")).total
    assert company.earned().kinds.get("expenses") is None


def test_goods_that_cost_in_two_currencies_are_named(office: Office, desk: Desk) -> None:
    """R34."""
    valve = {"product_key": "valve", "valid_from": "2025-01-01"}
    office.put(
        ("products", "valve", {"name": "Valve"}),
        ("unit_costs", "c-valve", {**valve, "amount_minor": 33_00, "currency": "USD"}),
        ("deal_lines", "l2", {"deal_key": "deal-a", "product_key": "valve", "quantity": "1", "unit_price_minor": 1}),
    )
    sold(office, desk)
    (lacking,) = (m for m in told(desk)["actual"]["missing"] if m["kind"] == "goods")
    assert (lacking["products"], lacking["currencies"]) == (["pump", "valve"], ["EUR", "USD"])


def test_a_rebate_that_cannot_be_computed_names_the_deal_that_it_lacks(office: Office, desk: Desk) -> None:
    """R34: one that was won without an amount."""
    office.put(("deals", "bare", {**DEAL, "currency": None}))
    tiers = [{"from_minor": 0, "rate_bp": 1_000}]
    span = {"valid_from": "2026-01-01", "valid_to": "2027-01-01"}
    office.put(("rebate_agreements", "ra", {"account_key": "acme", "tiers": tiers, "currency": "EUR", **span}))
    assert desk.post("ana", "/api/deals/bare/win").status_code == 200
    office.clock.advance(1)
    sold(office, desk)
    (lacking,) = (m for m in told(desk)["actual"]["missing"] if m["kind"] == "rebate")
    assert (lacking["code"], lacking["rebate_agreement"], lacking["deal_key"]) == ("amount_missing", "ra", "bare")
