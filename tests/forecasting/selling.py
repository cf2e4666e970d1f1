"""A small company that sells: open deals, one in dollars, the quarters of a year; and its days, one after another."""

from typing import Any

import pytest

from forecasting import frozen, kept, taking
from forecasting.answers import Basis
from tests.builders import DAY_MS, NOW
from tests.office import Office
from tests.quotas.conftest import PERIODS

Q1, Q2 = "FY2026.Q1", "FY2026.Q2"
DOLLARS = {"base_currency": "USD", "quote_currency": "EUR", "rate": "0.5", "valid_from": "2025-01-01"}
OFFER = {"owner_key": "bob", "stage_key": "offer", "close_on": "2026-03-01"}


@pytest.fixture
def selling(office: Office) -> Office:
    """Deals of Ana, of Bob and Cleo together, and of Bob in dollars."""
    euros = {"amount_minor": 100_000, "currency": "EUR", "splits": shares(bob=6_000, cleo=4_000)}
    office.put(
        *PERIODS,
        ("currencies", "USD", {"code": "USD", "name": "US dollar", "minor_digits": 2}),
        ("rates", "usd", DOLLARS),
        ("deals", "deal-a", {"close_on": "2026-02-10"}),
        ("deals", "deal-b", {"name": "Valves", **OFFER, **euros, "account_key": "zeta"}),
        ("deals", "deal-c", {"name": "Hoses", **OFFER, "amount_minor": 30_000, "currency": "USD"}),
        ("deal_lines", "line-b1", {"deal_key": "deal-b", "product_key": "pump", "unit_price_minor": 7}),
    )
    return office


def shares(**of: int) -> list[dict[str, Any]]:
    return [{"user_key": user, "share_bp": share} for user, share in of.items()]


def order(office: Office, command: str, key: str, day: int = 0, **arguments: Any) -> None:
    """An administrator does it, on the day so many after the first."""
    office.clock.advance(max(0, NOW + day * DAY_MS - office.clock.now_ms()))
    receipt = office.phone("root").do(command, "deals", key, base=office.rev("deals", key), set=arguments)
    assert receipt.outcome == "applied", receipt


def take(office: Office, day: int = 0) -> str:
    return office.database.write(taking.take, NOW + day * DAY_MS)


def basis(office: Office, number: int, period: str = Q1) -> Basis:
    return office.database.read(lambda c: frozen.basis(c, kept.numbered(c, number), period))
