"""Money of a currency that there is not: refused where it is written, and no file fails for it (R34)."""

import csv
import io
from typing import Any

import pytest

from tests.crm.desk import Desk
from tests.office import Office
from tests.profit.conftest import sold

PNL = "/api/deals/deal-a/pnl"
YEAR = {"valid_from": "2026-01-01", "valid_to": "2027-01-01"}


@pytest.mark.parametrize(
    ("entity", "values"),
    [
        ("cost_rates", {"kind": "visit_hour", "amount_minor": 1, "valid_from": "2026-01-01"}),
        ("deal_charges", {"deal_key": "deal-a", "kind": "freight", "amount_minor": 1, "booked_on": "2026-01-01"}),
        ("expenses", {"owner_key": "dirk", "kind": "meal", "amount_minor": 1, "spent_on": "2026-01-01"}),
        ("campaign_costs", {"campaign_key": "fair", "amount_minor": 1, "booked_on": "2026-01-01"}),
        (
            "rebate_agreements",
            {"account_key": "acme", "tiers": [{"from_minor": 0, "rate_bp": 1}], **YEAR},
        ),
        (
            "commission_plans",
            {"name": "P", "tiers": [{"from_minor": 0, "rate_bp": 1}], "valid_from": "2026-01-01"},
        ),
    ],
)
def test_money_of_a_currency_that_there_is_not_is_refused(office: Office, entity: str, values: dict[str, Any]) -> None:
    """R34: nobody could convert it, nor write it down."""
    office.put(("campaigns", "fair", {"name": "Fair", "start_on": "2026-01-01"}))
    dirk = office.phone("dirk")
    assert dirk.do("create", entity, "x", set={**values, "currency": "XYZ"}).code == "currency_unknown"
    assert dirk.do("create", entity, "x", set={**values, "currency": "EUR"}).outcome == "applied"


def test_a_deal_in_a_currency_that_there_is_not_has_a_file_all_the_same(office: Office, desk: Desk) -> None:
    sold(office, desk, currency="XYZ")
    answer = desk.get("dirk", f"{PNL}.csv")
    assert answer.status_code == 200, answer.text
    (invoice,) = (row for row in csv.DictReader(io.StringIO(answer.text)) if row["kind"] == "invoice")
    assert (invoice["own_amount"], invoice["own_currency"], invoice["code"]) == ("", "XYZ", "currency_unknown")
