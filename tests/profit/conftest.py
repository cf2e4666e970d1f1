"""Screens for the tests of this slice, and a customer on whom money and time were spent."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import DAY_MS
from tests.crm.desk import Desk, opened
from tests.office import Office

HOUR_MS = 3_600_000
RATES: list[tuple[str, str, dict[str, Any]]] = [
    ("cost_rates", "r-visit", {"kind": "visit_hour", "amount_minor": 90_00, "currency": "EUR"}),
    ("cost_rates", "r-work", {"kind": "work_hour", "amount_minor": 60_00, "currency": "EUR"}),
    ("cost_rates", "r-km", {"kind": "kilometre", "amount_minor": 50, "currency": "EUR"}),
    ("cost_rates", "r-capital", {"kind": "capital", "rate_bp": 730}),
]


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


def rates(office: Office) -> None:
    office.put(*((entity, key, {**values, "valid_from": "2025-01-01"}) for entity, key, values in RATES))


def sold(office: Office, desk: Desk, **values: Any) -> None:
    """The deal of Acme: three pumps of 100 less 10 %, in 50 days, won now."""
    line = {"deal_key": "deal-a", "product_key": "pump", "quantity": "3", "unit_price_minor": 100_00}
    office.put(("deal_lines", "l1", {**line, "discount_bp": 1_000}))
    said = {"amount_minor": 270_00, "payment_days": 50, "opened_on": "2026-01-01", **values}
    office.put(("deals", "deal-a", said))
    assert desk.post("ana", "/api/deals/deal-a/win").status_code == 200
    office.clock.advance(1)  # what happens at an instant is not before it


def visited(office: Office, key: str = "v1", hours: int = 2, **values: Any) -> None:
    """Somebody was at Acme, until now."""
    at = office.clock.now_ms()
    said = {"account_key": "acme", "owner_key": "ana", "status": "completed", **values}
    office.put_server_row("visits", key, {**said, "checked_in_at": at - hours * HOUR_MS, "checked_out_at": at})


def later(office: Office, desk: Desk, days: int) -> None:
    office.clock.advance(days * DAY_MS)
    desk.forget_tokens()


def amounts(told: dict[str, Any], side: str = "actual") -> dict[str, int | None]:
    return {total["total"]: total["amount_minor"] for total in told[side]["totals"]}


def items(told: dict[str, Any], kind: str, side: str = "actual") -> list[dict[str, Any]]:
    return [item for step in told[side]["steps"] for item in step["items"] if item["kind"] == kind]
