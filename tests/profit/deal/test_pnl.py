"""`GET /api/deals/{key}/pnl`: every figure down to its source row, on both databases (R33-R40, R45)."""

import csv
import io
from typing import Any

import pytest

from sfa.core.money import format_minor
from tests.builders import NOW
from tests.crm.desk import Desk
from tests.office import Office
from tests.profit.conftest import HOUR_MS, amounts, items, later, rates, sold, visited

PNL = "/api/deals/deal-a/pnl"


def told(desk: Desk, as_: str = "dirk", query: str = "") -> dict[str, Any]:
    answer = desk.get(as_, PNL + query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def charge(office: Office, key: str, kind: str, amount: int, **more: Any) -> None:
    said = {"deal_key": "deal-a", "kind": kind, "amount_minor": amount, "currency": "EUR", "booked_on": "2026-01-05"}
    office.put(("deal_charges", key, {**said, **more}))


def test_the_waterfall_goes_from_the_list_price_to_the_profit_and_sums_exactly(office: Office, desk: Desk) -> None:
    """R33, R38, R40: each step a typed item with its source row."""
    rates(office)
    visited(office)
    office.put(
        ("travel_legs", "leg", {"owner_key": "ana", "visit_key": "v1", **leg(12_345)}),
        ("work_entries", "w", {"owner_key": "ana", "deal_key": "deal-a", "minutes": 20, "done_on": "2026-01-05"}),
        ("expenses", "meal", {**spent("meal", 31_50), "account_key": "acme"}),
        (
            "expenses",
            "sample",
            {**spent("sample", None), "deal_key": "deal-a", "product_key": "pump", "quantity": "0.5"},
        ),
    )
    charge(office, "freight", "freight", 4_00)
    sold(office, desk)
    found = told(desk, query="?as_of=2026-01-05")
    assert amounts(found) == {
        "list": 300_00,
        "invoice": 270_00,
        "pocket": 270_00 - 4_00 - 2_70 - 30_00,
        "margin": 53_30,
        "contribution": 53_30 - 180_00 - 6_17 - 20_00 - 31_50,
        "profit": -184_37,
    }
    for step in found["actual"]["steps"]:
        assert step["amount_minor"] == sum(item["value_minor"] for item in step["items"])
    assert (found["partial"], found["actual"]["missing"], found["currency"]) == (False, [], "EUR")
    (terms,) = items(found, "terms")
    assert terms["amount_minor"] == -2_70
    assert terms["basis"] == {
        "days": 50,
        "of_minor": 270_00,
        "rate_bp": 730,
        "cost_rate_key": "r-capital",
        "end": 1,
        "event": "won",
    }
    (visit,) = items(found, "visits")
    assert (visit["entity"], visit["row_key"], visit["user_key"], visit["on"]) == ("visits", "v1", "ana", "2026-01-05")
    assert visit["basis"]["rate_minor"] == 90_00
    assert [i["basis"]["expense"] for i in items(found, "expenses")] == ["meal"]
    (discount,) = items(found, "discount")
    assert (discount["amount_minor"], discount["entity"], discount["row_key"]) == (-30_00, "deal_lines", "l1")


def leg(metres: int) -> dict[str, Any]:
    return {"started_at": NOW - HOUR_MS, "ended_at": NOW, "source": "gps", "distance_m": metres}


def spent(kind: str, amount: int | None) -> dict[str, Any]:
    money = {} if amount is None else {"amount_minor": amount, "currency": "EUR"}
    return {"owner_key": "ana", "kind": kind, "spent_on": "2026-01-05", **money}


def test_the_same_instant_gives_the_same_bytes_and_later_facts_do_not_count(office: Office, desk: Desk) -> None:
    """R12, R38: each fact in its own period."""
    rates(office)
    sold(office, desk)
    before = desk.get("dirk", f"{PNL}?as_of={NOW + 1}").content
    later(office, desk, 3)
    charge(office, "back", "goods_return", 90_00, booked_on="2026-01-08", product_key="pump", quantity="1")
    again = desk.get("dirk", f"{PNL}?as_of={NOW + 1}")
    assert again.content == before
    found = told(desk)
    assert amounts(found)["invoice"] == 270_00
    assert items(found, "goods_return")[0]["on"] == "2026-01-08"
    (back,) = items(found, "returned_goods")
    assert (back["amount_minor"], back["basis"]["cost_on"]) == (60_00, "2026-01-05")


def test_a_return_gives_goods_back_at_what_they_cost_when_they_were_sold(office: Office, desk: Desk) -> None:
    """R39: costs are dated."""
    sold(office, desk)
    office.put(("unit_costs", "c2", {"product_key": "pump", **money(70_00), "valid_from": "2026-01-06"}))
    later(office, desk, 3)
    charge(office, "back", "goods_return", 90_00, booked_on="2026-01-08", product_key="pump", quantity="2")
    assert [i["amount_minor"] for i in items(told(desk), "returned_goods")] == [120_00]


def money(amount: int, currency: str = "EUR") -> dict[str, Any]:
    return {"amount_minor": amount, "currency": currency}


def test_a_reopening_takes_everything_back_in_its_own_period(office: Office, desk: Desk) -> None:
    """R21, R38: and what was quoted is what stands again."""
    rates(office)
    sold(office, desk)
    later(office, desk, 1)
    assert desk.post("ana", "/api/deals/deal-a/reopen", json={"stage_key": "offer"}).status_code == 200
    later(office, desk, 1)
    found = told(desk)
    assert set(amounts(found).values()) == {0}
    assert [(i["amount_minor"], i["on"]) for i in items(found, "invoice")] == [
        (270_00, "2026-01-05"),
        (-270_00, "2026-01-06"),
    ]
    assert [i["amount_minor"] for i in items(found, "terms")] == [-2_70, 2_70]
    assert [i["amount_minor"] for i in items(found, "goods")] == [-180_00, 180_00]
    assert amounts(found, "quoted")["invoice"] == 270_00


def test_splits_share_revenue_and_goods_to_the_cent(office: Office, desk: Desk) -> None:
    """R16, R37."""
    thirds = [{"user_key": u, "share_bp": s} for u, s in (("ana", 3_334), ("bob", 3_333), ("mia", 3_333))]
    sold(office, desk, amount_minor=100_00, splits=thirds, overlays=[{"user_key": "cleo", "share_bp": 5_000}])
    found = told(desk)
    shares = {i["user_key"]: i["amount_minor"] for i in items(found, "invoice")}
    assert shares == {"ana": 33_34, "bob": 33_33, "mia": 33_33}
    assert amounts(found)["invoice"] == 100_00
    assert sum(i["amount_minor"] for i in items(found, "goods")) == -180_00


# -- what is missing -------------------------------------------------------------------------------------------------


def test_a_missing_cost_names_its_product_and_is_never_zero(office: Office, desk: Desk) -> None:
    """R34."""
    office.put(("products", "valve", {"name": "Valve"}))
    office.put(("deal_lines", "l2", {"deal_key": "deal-a", "product_key": "valve", "unit_price_minor": 30_00}))
    sold(office, desk, amount_minor=300_00, payment_days=None)
    found = told(desk)
    assert (amounts(found)["pocket"], amounts(found)["margin"], amounts(found)["profit"]) == (300_00, None, None)
    assert found["actual"]["ratios"]["margin_bp"] is None
    missing = {m["kind"]: m for m in found["actual"]["missing"]}
    assert missing["goods"] == {"code": "cost_missing", "kind": "goods", "products": ["valve"], "on": "2026-01-05"}
    assert missing["list"] == {"code": "list_missing", "kind": "list", "product_key": "valve", "on": "2026-01-05"}
    assert amounts(found)["list"] is None


def test_effort_without_a_rate_leaves_the_margin_and_says_which_rate_is_missing(office: Office, desk: Desk) -> None:
    """R34, R40."""
    visited(office)
    sold(office, desk)
    found = told(desk)
    assert (amounts(found)["margin"], amounts(found)["contribution"]) == (None, None)  # the capital rate is missing too
    office.put(("cost_rates", "r-capital", {"kind": "capital", "rate_bp": 730, "valid_from": "2025-01-01"}))
    found = told(desk)
    assert (amounts(found)["margin"], amounts(found)["contribution"]) == (87_30, None)
    assert found["actual"]["missing"] == [
        {"code": "cost_missing", "kind": "visits", "cost_rate": "visit_hour", "user_key": "ana"}
    ]


def test_money_converts_at_the_rate_of_its_day_or_is_not_computable(office: Office, desk: Desk) -> None:
    """R34: a reversal takes back what the credit was worth."""
    usd = {"base_currency": "EUR", "quote_currency": "USD"}
    office.put(("rates", "r1", {**usd, "rate": "2", "valid_from": "2026-01-05"}))
    office.put(("rates", "r2", {**usd, "rate": "3", "valid_from": "2026-01-07"}))
    sold(office, desk, payment_days=None)
    later(office, desk, 3)
    desk.post("ana", "/api/deals/deal-a/reopen", json={"stage_key": "offer"})
    desk.post("ana", "/api/deals/deal-a/win")
    later(office, desk, 1)
    charge(office, "early", "freight", 1_00, booked_on="2026-01-04")
    found = told(desk, query="?currency=USD")
    assert [(i["amount_minor"], i["value_minor"], i["rate"]) for i in items(found, "invoice")] == [
        (270_00, 540_00, "2"),
        (-270_00, -540_00, "2"),
        (270_00, 810_00, "3"),
    ]
    assert (amounts(found)["invoice"], amounts(found)["pocket"]) == (810_00, None)
    assert found["actual"]["missing"] == [
        {
            "code": "rate_missing",
            "kind": "freight",
            "on": "2026-01-04",
            "from_currency": "EUR",
            "to_currency": "USD",
        }
    ]
    assert desk.get("dirk", f"{PNL}?currency=XXQ").json()["code"] == "currency_unknown"


# -- effort ----------------------------------------------------------------------------------------------------------


def test_effort_that_names_only_the_customer_is_shared_among_its_open_deals(office: Office, desk: Desk) -> None:
    """R37, R40."""
    rates(office)
    office.put(
        ("deals", "deal-a", {"opened_on": "2026-01-01"}),
        ("deals", "deal-b", {"name": "B", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}),
        ("deals", "later", {"name": "L", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}),
        ("deals", "later", {"opened_on": "2026-02-01"}),
    )
    visited(office, hours=1)
    visited(office, "named", hours=3, deal_key="deal-b")
    office.put(("expenses", "e", {**spent("gift", 1_01), "account_key": "acme"}))
    one, other = told(desk), desk.get("dirk", "/api/deals/deal-b/pnl").json()
    assert [i["amount_minor"] for i in items(one, "visits")] == [-45_00]
    assert sorted(i["amount_minor"] for i in items(other, "visits")) == [-270_00, -45_00]
    parts = [i["amount_minor"] for found in (one, other) for i in items(found, "expenses")]
    assert parts == [-51, -50]
    assert items(one, "expenses")[0]["basis"] == {"expense": "gift", "of_minor": 1_01, "deals": 2}
    assert items(desk.get("dirk", "/api/deals/later/pnl").json(), "visits") == []


def test_a_corrected_visit_costs_the_time_that_it_took_after_the_correction(office: Office, desk: Desk) -> None:
    """R14, R40."""
    rates(office)
    visited(office, hours=2)
    fixed = {"visit_key": "v1", "author_key": "ana", "amended_at": NOW, "reason": "clock"}
    for ordinal, hours in enumerate((9, 1), 1):
        said = {"ordinal": ordinal, "field": "checked_in_at", "old": None, "new": NOW - hours * HOUR_MS}
        office.put_server_row("visit_amendments", f"a{ordinal}", {**fixed, **said})
    assert [i["amount_minor"] for i in items(told(desk), "visits")] == [-90_00]


def test_a_persons_own_rate_counts_before_everybodys_and_the_later_one_before_the_earlier(
    office: Office, desk: Desk
) -> None:
    """R40."""
    rates(office)
    own = {"kind": "visit_hour", "user_key": "ana", "currency": "EUR"}
    office.put(("cost_rates", "own", {**own, "amount_minor": 10_00, "valid_from": "2024-01-01"}))
    office.put(("cost_rates", "next", {**own, "amount_minor": 20_00, "valid_from": "2026-01-05"}))
    office.put(("cost_rates", "old", {**own, "amount_minor": 1, "valid_from": "2020-01-01", "valid_to": "2026-01-05"}))
    visited(office, hours=1)
    (visit,) = items(told(desk), "visits")
    assert (visit["amount_minor"], visit["basis"]["cost_rate_key"]) == (-20_00, "next")


# -- rebates ---------------------------------------------------------------------------------------------------------


def test_a_rebate_is_accrued_over_the_customers_credits_and_allocated_back_to_its_deals(
    office: Office, desk: Desk
) -> None:
    """R38: what reaching a tier gives earlier deals is theirs, on the day of the crossing."""
    tiers = [{"from_minor": 0, "rate_bp": 100}, {"from_minor": 500_00, "rate_bp": 300}]
    said = {"account_key": "acme", "mode": "whole", "tiers": tiers, "currency": "EUR"}
    office.put(("rebate_agreements", "ra", {**said, "valid_from": "2026-01-01", "valid_to": "2027-01-01"}))
    sold(office, desk, payment_days=None)
    assert [i["amount_minor"] for i in items(told(desk), "rebate")] == [-2_70]
    later(office, desk, 2)
    other = {"name": "B", "owner_key": "ana", "account_key": "acme", "stage_key": "lead", **money(300_00)}
    office.put(("deals", "deal-b", other))
    desk.post("ana", "/api/deals/deal-b/win")
    later(office, desk, 1)
    found = told(desk)
    assert [(i["amount_minor"], i["on"], i["basis"]["by_deal_key"]) for i in items(found, "rebate")] == [
        (-2_70, "2026-01-05", "deal-a"),
        (-5_40, "2026-01-07", "deal-b"),
    ]
    assert [i["amount_minor"] for i in items(desk.get("dirk", "/api/deals/deal-b/pnl").json(), "rebate")] == [-9_00]


def test_a_rebate_for_a_family_is_of_its_products_only(office: Office, desk: Desk) -> None:
    """R38."""
    office.put(("products", "pump", {"family": "pumps"}), ("products", "valve", {"name": "Valve", "family": "valves"}))
    office.put(("deal_lines", "l2", {"deal_key": "deal-a", "product_key": "valve", "unit_price_minor": 30_00}))
    said = {"account_key": "acme", "tiers": [{"from_minor": 0, "rate_bp": 1_000}], "currency": "EUR"}
    dated = {"valid_from": "2026-01-01", "valid_to": "2027-01-01"}
    office.put(("rebate_agreements", "ra", {**said, **dated, "family": "pumps"}))
    office.put(("rebate_agreements", "over", {**said, "valid_from": "2025-01-01", "valid_to": "2026-01-05"}))
    sold(office, desk, amount_minor=300_00, payment_days=None)
    assert [i["amount_minor"] for i in items(told(desk), "rebate")] == [-27_00]


# -- rights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_", ["ana", "mia", "root"])
def test_who_does_not_see_cost_is_told_open_facts_and_his_own_and_that_it_is_partial(
    office: Office, desk: Desk, as_: str
) -> None:
    """R45: in JSON and in CSV."""
    rates(office)
    visited(office)
    office.put(("unit_costs", "c-pump", {"amount_minor": 57_31}))
    charge(office, "freight", "freight", 4_44)
    charge(office, "note", "credit_note", 5_55)
    office.put(("expenses", "mine", {**spent("meal", 6_66), "owner_key": "ana", "deal_key": "deal-a"}))
    office.put(("expenses", "his", {**spent("meal", 7_77), "owner_key": "bob", "deal_key": "deal-a"}))
    sold(office, desk)
    found = told(desk, as_)
    kinds = {i["kind"] for side in ("actual",) for step in found[side]["steps"] for i in step["items"]}
    assert kinds == {"list", "discount", "invoice", "credit_note"} | ({"expenses"} if as_ == "ana" else set())
    assert (found["partial"], amounts(found)["list"], amounts(found)["invoice"]) == (True, 300_00, 270_00)
    codes = {t["total"]: t["code"] for t in found["actual"]["totals"]}
    assert all(codes[name] == "not_permitted" for name in ("pocket", "margin", "contribution", "profit"))
    if as_ == "ana":
        assert [i["row_key"] for i in items(found, "expenses")] == ["mine"]
    text = desk.get(as_, f"{PNL}?format=csv").text
    for secret in ("5731", "57.31", "17193", "171.93", "180.00", "4.44", "444", "7.77", "777", "r-visit", "capital"):
        assert secret not in text, secret
        assert secret not in desk.get(as_, PNL).text, secret


def test_who_does_not_see_the_deal_is_told_that_there_is_none(office: Office, desk: Desk) -> None:
    sold(office, desk)
    for path in (PNL, f"{PNL}.csv", "/api/deals/nothing/pnl", "/api/deals/-/pnl"):
        answer = desk.get("cleo", path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert desk.get("dirk", f"{PNL}?as_of=soon").json()["code"] == "field_invalid"
    office.delete("deals", "deal-a")
    assert desk.get("dirk", PNL).json()["code"] == "not_found"
    assert desk.client.get(PNL).status_code == 401


# -- the file --------------------------------------------------------------------------------------------------------


def test_the_file_says_what_the_json_says(office: Office, desk: Desk) -> None:
    """R33, R38: whichever way it is asked for."""
    rates(office)
    visited(office)
    sold(office, desk)
    found = told(desk)
    asked = [desk.get("dirk", f"{PNL}?format=csv"), desk.get("dirk", f"{PNL}.csv")]
    headers = {"Authorization": f"Bearer {desk.token('dirk')}", "Accept": "text/csv"}
    asked.append(desk.client.get(PNL, headers=headers))
    assert {a.headers["content-type"] for a in asked} == {"text/csv; charset=utf-8"}
    assert len({a.text for a in asked}) == 1
    lines = list(csv.DictReader(io.StringIO(asked[0].text)))
    totals = {ln["step"]: ln["amount"] for ln in lines if ln["side"] == "actual" and ln["what"] == "total"}
    assert totals == {name: format_minor(amount or 0, "EUR") for name, amount in amounts(found).items()}
    steps = found["actual"]["steps"]
    told_items = [ln for ln in lines if ln["side"] == "actual" and ln["what"] == "item"]
    assert [ln["amount"] for ln in told_items] == [
        format_minor(i["value_minor"], "EUR") for step in steps for i in step["items"]
    ]
    assert {ln["currency"] for ln in lines} == {"EUR"}
    assert desk.get("dirk", f"{PNL}?format=xml").json()["code"] == "request_invalid"


def test_a_text_that_a_spreadsheet_would_reckon_is_kept_from_it(office: Office, desk: Desk) -> None:
    """A key may begin with a sign."""
    office.put(("products", "-2", {"name": "Formula"}))
    office.put(("deal_lines", "-l", {"deal_key": "deal-a", "product_key": "-2", "unit_price_minor": 30_00}))
    sold(office, desk, amount_minor=300_00)
    lines = list(csv.DictReader(io.StringIO(desk.get("dirk", f"{PNL}.csv").text)))
    assert {ln["product_key"] for ln in lines} >= {"'-2", "pump"}
    assert {ln["row_key"] for ln in lines} >= {"'-l", "l1"}
    assert not any(value.startswith(("=", "+", "@", "-l")) for ln in lines for value in ln.values())


def test_an_expense_of_the_first_day_of_the_calendar_shuts_nobody_out(office: Office, desk: Desk) -> None:
    """R34: there is no rate on that day, east of Greenwich either, and the P&L says so."""
    office.put(("organisations", "org", {"zone": "Europe/Berlin"}))
    said = {"deal_key": "deal-a", "owner_key": "ana", "kind": "meal", "amount_minor": 5, "currency": "JPY"}
    office.put(("expenses", "old", {**said, "spent_on": "0001-01-01"}))
    sold(office, desk)
    (meal,) = items(told(desk), "expenses")
    assert (meal["code"], meal["on"]) == ("rate_missing", "0001-01-01")
    lacks = [m for m in told(desk)["actual"]["missing"] if m["code"] == "rate_missing"]
    assert [(m["kind"], m["on"]) for m in lacks] == [("expenses", "0001-01-01")]
