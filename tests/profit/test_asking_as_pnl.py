"""What a what-if says of a deal as it stands is what its P&L says, on the server and on a phone (R38-R41, R44)."""

from typing import Any

import msgspec
import pytest

from sfa.profit.price.whatif import Changes
from sync.device import pricing, whatif
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk
from tests.deals.conftest import stated
from tests.office import Office
from tests.profit.conftest import amounts, items, later, rates, visited
from tests.profit.selling import guided
from tests.sync.device.pocket import pocket

PATH, PNL = "/api/deals/deal-a/what-if", "/api/deals/deal-a/pnl"
SINCE = {"valid_from": "2025-01-01"}
LIMITS: list[tuple[str, str, dict[str, Any]]] = [
    ("discount_limits", "rep", {"role": "rep", "limit_bp": 1_000, **SINCE}),
    ("discount_limits", "manager", {"role": "manager", "limit_bp": 2_000, **SINCE}),
]
LINE = {"deal_key": "deal-a", "product_key": "pump", "quantity": "3", "unit_price_minor": 100_00}
QUARTER = {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}


def offered(office: Office, discount_bp: int = 1_000, **values: Any) -> None:
    office.put(("deal_lines", "l1", {**LINE, "discount_bp": discount_bp}))
    office.put(("deals", "deal-a", {"amount_minor": 270_00, "opened_on": "2026-01-01", **values}))


def asked(desk: Desk, user: str = "dirk") -> dict[str, Any]:
    answer = desk.post(user, PATH, json={})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(desk: Desk, user: str = "dirk") -> dict[str, Any]:
    answer = desk.get(user, PNL)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def facts(side: dict[str, Any], *kinds: str) -> list[tuple[Any, ...]]:
    found = [each for step in side["waterfall"]["steps"] for each in step["items"]]
    beside = [each for each in found if each["item"]["kind"] in kinds and not each["item"]["basis"].get("ahead")]
    return sorted((e["item"]["kind"], e["item"]["row_key"], e["amount_minor"], e["code"]) for e in beside)


BESIDE = ("samples", "goods_return", "returned_goods", "visits", "travel", "work", "expenses")


def spent(office: Office) -> None:
    """A sample with and one without an amount, a meal with the customer, work, a visit, and goods that came back."""
    rates(office)
    common = {"owner_key": "ana", "deal_key": "deal-a", "spent_on": "2026-01-04"}
    of_customer = {**common, "deal_key": None, "account_key": "acme"}
    charge = {"deal_key": "deal-a", "kind": "goods_return", "amount_minor": 90_00, "currency": "EUR"}
    office.put(
        ("expenses", "s1", {**common, "kind": "sample", "amount_minor": 11_00, "currency": "EUR"}),
        ("expenses", "s2", {**common, "kind": "sample", "product_key": "pump", "quantity": "2"}),
        ("expenses", "meal", {**of_customer, "kind": "meal", "amount_minor": 5_01, "currency": "EUR"}),
        ("work_entries", "w", {"owner_key": "ana", "deal_key": "deal-a", "minutes": 60, "done_on": "2026-01-04"}),
        ("deal_charges", "ret", {**charge, "booked_on": "2026-01-04", "product_key": "pump", "quantity": "1"}),
    )
    visited(office)
    office.put(("travel_legs", "leg", {"owner_key": "ana", "visit_key": "v1", **_leg()}))
    office.clock.advance(1)


def _leg() -> dict[str, Any]:
    return {"started_at": NOW - 3_600_000, "ended_at": NOW, "source": "gps", "distance_m": 12_345}


def test_all_that_was_spent_is_in_the_step_where_the_p_and_l_has_it(office: Office, desk: Desk) -> None:
    """R38, R40: samples without an amount, what came back, time and ways; shared among the deals that were open."""
    offered(office)
    other = {"name": "B", "owner_key": "ana", "account_key": "acme", "stage_key": "lead", "currency": "EUR"}
    office.put(("deals", "other", {**other, "amount_minor": 1, "opened_on": "2026-01-01"}))
    spent(office)
    for user in ("dirk", "ana"):
        pnl, found = told(desk, user), asked(desk, user)
        steps = pnl["actual"]["steps"]
        said = [(i["kind"], i["row_key"], i["value_minor"], i["code"]) for s in steps for i in s["items"]]
        assert facts(found["before"], *BESIDE) == sorted(each for each in said if each[0] in BESIDE)
        kinds = {each[0] for each in said}
        assert kinds >= ({*BESIDE} if user == "dirk" else {"goods_return", "expenses"})
        phone = pocket(office, user)
        phone.sync()
        phone.clock = office.clock
        own = msgspec.to_builtins(whatif.what_if(phone, "deal-a", Changes()))
        assert facts(own["compared"]["before"], *BESIDE) == facts(found["before"], *BESIDE)


def test_a_plan_on_margins_pays_ahead_what_the_ledger_will_book(office: Office, desk: Desk) -> None:
    """R11, R41: freight, terms and what came back make no margin of a commission."""
    spent(office)
    plan = {"name": "P", "measure": "margin", "tiers": [{"from_minor": 0, "rate_bp": 1_000}], "currency": "EUR"}
    freight = {"deal_key": "deal-a", "kind": "freight", "amount_minor": 50_00, "currency": "EUR"}
    office.put(
        ("fiscal_periods", "FY2026.Q1", QUARTER),
        ("commission_plans", "plan", {**plan, **SINCE}),
        ("commission_assignments", "ca", {"plan_key": "plan", "user_key": "ana", **SINCE}),
        ("deal_charges", "fr", {**freight, "booked_on": "2026-01-04"}),
    )
    offered(office, payment_days=50)
    (ahead,) = asked(desk)["before"]["commission"]
    assert desk.post("ana", "/api/deals/deal-a/win").status_code == 200
    office.clock.advance(1)
    (booked,) = items(told(desk), "commission")
    (after,) = asked(desk)["before"]["commission"]
    assert ahead["amount_minor"] == after["amount_minor"] == -booked["amount_minor"] == 9_00


def test_a_deal_in_another_currency_has_prices_costs_and_approvals_of_its_day(office: Office, desk: Desk) -> None:
    """R34, R53: 480 yen of 4,800 need the director, though prices are in euros."""
    rates(office)
    office.put(*LIMITS)
    rate = {"base_currency": "EUR", "quote_currency": "JPY", "rate": "160", "valid_from": "2026-01-02"}
    offered(office, 9_000, currency="JPY", amount_minor=4_800)
    office.put(("deal_lines", "l1", {"unit_price_minor": 16_000}))
    before = asked(desk, "ana")["before"]
    assert (before["approver"], before["approvals"][0]["code"]) == ("unknown", "no_list_price")
    missing = [m for m in before["waterfall"]["missing"] if m["kind"] == "list"]
    assert missing == [
        {"code": "rate_missing", "kind": "list", "product_key": "pump", "from_currency": "EUR", "to_currency": "JPY"}
        | {"on": "2026-01-05"}
    ]
    office.put(("rates", "yen", rate))
    side, quoted = asked(desk)["before"], amounts(told(desk), "quoted")
    assert side["approver"] == "director"
    assert side["lines"][0]["list_minor"] == 16_000
    known = {t["total"]: t["amount_minor"] for t in side["waterfall"]["totals"]}
    assert [known[name] for name in ("list", "invoice", "margin")] == [48_000, 4_800, -24_000]
    assert [quoted[name] for name in ("list", "invoice", "margin")] == [48_000, 4_800, -24_000]
    phone = pocket(office, "ana")
    phone.sync()
    (judged,) = pricing.priced(phone, "deal-a")
    assert (judged.list_minor, judged.price_bp, judged.approval.role) == (16_000, 1_000, "director")


def test_a_discount_given_through_the_amount_is_a_discount_of_every_line(office: Office, desk: Desk) -> None:
    """R44, R53: lines at list price, and a tenth of them asked for."""
    office.put(*LIMITS)
    offered(office, 0, amount_minor=30_00)
    side = asked(desk, "ana")["before"]
    assert (side["approver"], side["approvals"][0]["discount_bp"], side["lines"][0]["price_bp"]) == (
        "director",
        9_000,
        1_000,
    )
    phone = pocket(office, "ana")
    phone.sync()
    (judged,) = pricing.priced(phone, "deal-a")
    assert (judged.price_bp, judged.approval.role) == (1_000, "director")


def test_guides_know_what_was_asked_for_and_not_what_lines_say(office: Office, desk: Desk) -> None:
    rows: list[tuple[str, str, dict[str, Any]]] = []
    for n in range(5):
        deal = {"name": f"w{n}", "owner_key": "ana", "account_key": "acme", "stage_key": "won", "currency": "EUR"}
        rows.append(("deals", f"w{n}", {**deal, "closed_at": NOW - (n + 1) * DAY_MS, "amount_minor": 80_00}))
        rows.append(("deal_lines", f"w{n}-l", {**LINE, "deal_key": f"w{n}", "quantity": "1"}))
    stated(office, *rows)
    guided(office)
    page = desk.get("dirk", "/api/pricing/guides").json()["items"]
    assert {each["norm_bp"] for each in page} == {8_000}
    assert {each["margins"]["norm_bp"] for each in page} == {2_500}


def test_a_deal_without_lines_has_no_list_price(office: Office, desk: Desk) -> None:
    """R34: as in its P&L."""
    office.put(("deals", "deal-a", {"amount_minor": 270_00}))
    side, pnl = asked(desk)["before"], told(desk)
    assert side["waterfall"]["totals"][0] == {"total": "list", "amount_minor": None, "code": "list_missing"}
    assert side["waterfall"]["ratios"]["discount_bp"] is None is amounts(pnl, "quoted")["list"]


def test_money_costs_the_company_s_rate_whoever_owns_the_deal(office: Office, desk: Desk) -> None:
    rates(office)
    office.put(("cost_rates", "own", {"kind": "capital", "user_key": "ana", "rate_bp": 7_300, **SINCE}))
    offered(office, payment_days=50)
    (terms,) = items(told(desk), "terms", "quoted")
    assert facts(asked(desk)["before"], "terms") == [("terms", "deal-a", terms["amount_minor"], None)]
    assert terms["amount_minor"] == -2_70


def test_a_deal_is_paid_in_the_period_in_which_it_counts_for_the_quota(office: Office, desk: Desk) -> None:
    """R41, R44: expected in the second quarter."""
    plan = {"name": "P", "measure": "revenue", "tiers": [{"from_minor": 0, "rate_bp": 1_000}], "currency": "EUR"}
    quota = {"user_key": "ana", "measure": "revenue", "target": 1_000_00, "currency": "EUR"}
    second = {**QUARTER, "name": "Q2", "start_on": "2026-04-01", "end_on": "2026-07-01"}
    office.put(
        ("fiscal_periods", "FY2026.Q1", QUARTER),
        ("fiscal_periods", "FY2026.Q2", second),
        ("quotas", "q2", {**quota, "period_key": "FY2026.Q2"}),
        ("commission_plans", "plan", {**plan, **SINCE}),
        ("commission_assignments", "ca", {"plan_key": "plan", "user_key": "ana", **SINCE}),
    )
    offered(office, close_on="2026-04-20")
    found = asked(desk, "ana")
    assert [q["period_key"] for q in found["quotas"]] == ["FY2026.Q2"]
    assert [p["period_key"] for p in found["before"]["commission"]] == ["FY2026.Q2"]
    phone = pocket(office, "ana")
    phone.sync()
    own = whatif.what_if(phone, "deal-a", Changes())
    assert [p.period_key for p in own.compared.before.commission] == ["FY2026.Q2"]


def test_a_won_deal_that_is_not_signed_yet_is_added_to_the_quota(office: Office, desk: Desk) -> None:
    """R12, R44: where deals count once they are signed, winning alone counts for nothing."""
    quota = {"user_key": "ana", "measure": "revenue", "target": 1_000_00, "currency": "EUR"}
    office.put(
        ("fiscal_periods", "FY2026.Q1", QUARTER),
        ("quotas", "q1", {**quota, "period_key": "FY2026.Q1"}),
        ("credit_rules", "r", {"event": "signed", **SINCE}),
    )
    offered(office)
    assert desk.post("ana", "/api/deals/deal-a/win").status_code == 200
    office.clock.advance(1)
    (effect,) = asked(desk, "ana")["quotas"]
    assert (effect["now"], effect["before"]) == (0, 270_00)
    phone = pocket(office, "ana")
    phone.sync()
    assert [(q.now, q.before) for q in whatif.what_if(phone, "deal-a", Changes()).quotas] == [(0, 270_00)]


@pytest.mark.parametrize("user", ["dirk"])
def test_what_was_taken_back_later_still_lies_where_its_credit_was(office: Office, desk: Desk, user: str) -> None:
    """R38: a sale before the agreement that was reopened within it takes nothing off what stands."""
    other = {"name": "B", "owner_key": "ana", "account_key": "acme", "stage_key": "lead", "currency": "EUR"}
    kept = {**other, "amount_minor": 500_00}
    office.put(("deals", "early", {**other, "amount_minor": 400_00}), ("deals", "kept", kept))
    assert desk.post("ana", "/api/deals/early/win").status_code == 200
    later(office, desk, 5)
    tiers = [{"from_minor": 0, "rate_bp": 0}, {"from_minor": 500_00, "rate_bp": 1_000}]
    span = {"valid_from": "2026-01-07", "valid_to": "2027-01-01"}
    office.put(("rebate_agreements", "ra", {"account_key": "acme", "tiers": tiers, "currency": "EUR", **span}))
    assert desk.post("ana", "/api/deals/kept/win").status_code == 200
    assert desk.post("ana", "/api/deals/early/reopen", json={"stage_key": "lead"}).status_code == 200
    offered(office)
    office.clock.advance(1)
    assert facts(asked(desk, user)["before"], "rebate") == [("rebate", "ra", -27_00, None)]
