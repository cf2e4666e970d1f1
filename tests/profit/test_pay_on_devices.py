"""What a deal would pay is the same at a screen and on a phone without signal, whatever the plan goes by (R41, R44)."""

from typing import Any

import msgspec
import pytest

from sfa.profit.price.whatif import Changes
from sync.device import whatif
from tests.builders import DAY_MS
from tests.crm.desk import Desk
from tests.office import Office
from tests.profit.conftest import later
from tests.profit.test_asking_as_pnl import LINE, QUARTER, SINCE, asked, offered
from tests.quotas.ledger import Row
from tests.sync.device.pocket import pocket

TIERS = [{"from_minor": 0, "rate_bp": 500}, {"from_minor": 200_00, "rate_bp": 2_000}]
OF_QUOTA: dict[str, Any] = {
    "of_quota": True,
    "tiers": [{"from_bp": 0, "rate_bp": 500}, {"from_bp": 10_000, "rate_bp": 2_000}],
}
PERIOD = ("fiscal_periods", "FY2026.Q1", QUARTER)
QUOTA = {"user_key": "ana", "period_key": "FY2026.Q1", "measure": "revenue", "target": 100_00, "currency": "EUR"}


def paid_by(office: Office, *rows: Row, user: str = "ana", **values: Any) -> None:
    """A plan of two bands that somebody has."""
    plan = {"name": "P", "measure": "revenue", "tiers": TIERS, "currency": "EUR", **SINCE, **values}
    has = {"plan_key": "plan", "user_key": user, **SINCE}
    office.put(*rows, ("commission_plans", "plan", plan), ("commission_assignments", "ca", has))


def won(office: Office, desk: Desk, key: str = "other", **values: Any) -> None:
    deal = {"name": key, "owner_key": "ana", "account_key": "acme", "stage_key": "lead", "currency": "EUR"}
    office.put(
        ("deals", key, {**deal, "amount_minor": 300_00, **values}),
        ("deal_lines", f"l-{key}", {**LINE, "deal_key": key}),
    )
    answer = desk.post("ana", f"/api/deals/{key}/win")
    assert answer.status_code == 200, answer.text
    office.clock.advance(1)


def both(office: Office, desk: Desk, user: str = "ana") -> list[tuple[Any, ...]]:
    """(period, pay, code) of each plan, which are the same on both sides."""
    screen = asked(desk, user)["before"]["commission"]
    phone = pocket(office, user)
    phone.sync()
    phone.clock = office.clock
    found = msgspec.to_builtins(whatif.what_if(phone, "deal-a", Changes()))["compared"]["before"]["commission"]
    assert found == screen
    return [(each["period_key"], each["amount_minor"], each["code"]) for each in found]


def test_a_plan_on_margins_counts_what_was_earned_before_as_margins(office: Office, desk: Desk) -> None:
    """R11: 300 less the costs of three pumps, and not 300, came before."""
    paid_by(office, PERIOD, measure="margin")
    offered(office)
    assert both(office, desk, "dirk") == [("FY2026.Q1", 4_50, None)]  # 90 of margin at 5 %
    won(office, desk)
    assert both(office, desk, "dirk") == [("FY2026.Q1", 6_00, None)]  # above 120: only 10 of it at 20 %
    won(office, desk, "third")
    assert both(office, desk, "dirk") == [("FY2026.Q1", 18_00, None)]  # above 240: all of it


def test_a_margin_is_shared_as_its_deal_is_and_without_a_cost_it_counts_for_nothing(office: Office, desk: Desk) -> None:
    paid_by(office, PERIOD, measure="margin")
    offered(office)
    halves = [{"user_key": user, "share_bp": 5_000} for user in ("ana", "bob")]
    won(office, desk, "shared", splits=halves, amount_minor=1_000_01)
    (shared,) = both(office, desk, "dirk")
    assert shared == ("FY2026.Q1", 18_00, None)
    office.put(("products", "bare", {"name": "Bare", "sku": "bare"}))
    won(office, desk, "bare")
    office.put(("deal_lines", "l-bare", {"product_key": "bare"}), ("deals", "shared", {"splits": []}))
    office.put(("deal_lines", "l-shared", {"product_key": "bare"}))
    assert both(office, desk, "dirk") == [("FY2026.Q1", 4_50, None)]


@pytest.mark.parametrize("kind", ["month", "quarter", "year"])
def test_without_rows_of_periods_the_calendar_says_them(office: Office, desk: Desk, kind: str) -> None:
    """R31: and rows of another kind are no periods of this one."""
    other = {**QUARTER, "name": "P", "kind": "period", "end_on": "2026-02-01"}
    paid_by(office, ("fiscal_periods", "other", other), period=kind)
    won(office, desk)
    offered(office)
    named = {"month": "FY2026.P01", "quarter": "FY2026.Q1", "year": "FY2026"}[kind]
    assert both(office, desk) == [(named, 54_00, None)]
    office.put(("fiscal_calendars", "c", {"kind": "months", "start_month": 2}))
    named = {"month": "FY2026.P12", "quarter": "FY2026.Q4", "year": "FY2026"}[kind]
    assert both(office, desk) == [(named, 54_00, None)]


def test_what_came_before_the_plan_counts_for_no_tier(office: Office, desk: Desk) -> None:
    paid_by(office, PERIOD)
    won(office, desk)
    later(office, desk, 2)
    offered(office)
    assert both(office, desk) == [("FY2026.Q1", 54_00, None)]
    office.put(("commission_assignments", "ca", {"valid_from": "2026-01-06"}))
    assert both(office, desk) == [("FY2026.Q1", 24_00, None)]  # 200 at 5 % and 70 at 20 %


def test_a_credit_without_a_rate_counts_for_nothing_and_the_deal_is_paid(office: Office, desk: Desk) -> None:
    """R34: as in the ledger, which accrues it when the rate comes."""
    paid_by(office, PERIOD)
    won(office, desk, currency="USD")
    offered(office)
    assert both(office, desk) == [("FY2026.Q1", 24_00, None)]


def test_a_missing_quota_has_one_name_and_one_that_is_reset_counts_as_it_was(office: Office, desk: Desk) -> None:
    """R5: what was approved counts until something else is; a quota of one product is no quota of everything."""
    of_pumps = {**QUOTA, "measure": "quantity", "product_key": "pump", "currency": None}
    paid_by(office, PERIOD, ("quotas", "q", QUOTA), ("quotas", "pumps", of_pumps), **OF_QUOTA)
    offered(office)
    assert both(office, desk) == [("FY2026.Q1", None, "quota_missing")]
    mia = office.phone("mia")

    def order(command: str, **said: Any) -> None:
        receipt = mia.do(f"quota.{command}", "quotas", "q", base=office.rev("quotas", "q"), set=said)
        assert receipt.outcome == "applied", receipt

    order("approve")
    counted = [("FY2026.Q1", 39_00, None)]
    assert both(office, desk) == counted
    office.clock.advance(DAY_MS)
    desk.forget_tokens()
    order("reset")
    assert mia.edit("quotas", "q", target=1_000_00).outcome == "applied"
    assert both(office, desk) == counted
