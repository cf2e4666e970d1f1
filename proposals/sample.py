"""A made-up offer, to look at a template with: what it says is the template's own, but for the goods and the buyer."""

from typing import Any

from proposals.document import Party

TEXT = "Made to measure, delivered and **installed**."
_LINE: dict[str, Any] = {
    "position": 0,
    "section_key": None,
    "product_key": None,
    "text": None,
    "quantity": "1",
    "unit": "piece",
    "unit_price_minor": 0,
    "discounts": [],
    "tax_name": "VAT",
    "tax_rate_bp": 2_100,
    "optional": False,
    "group_key": None,
    "chosen": True,
    "quantity_min": None,
    "quantity_max": None,
    "quantity_step": None,
}
ROW: dict[str, Any] = {
    "deal_key": "sample",
    "author_key": "sample",
    "title": "Sample",
    "contact_key": None,
    "valid_until": None,
    "tax_inclusive": False,
    "rounding": "half_up",
    "rounding_per": "line",
    "discounts": [{"share_bp": 500, "text": "New customer"}],
    "deposit": {"share_bp": 3_000},
    "instalments": [{"share_bp": 10_000, "due_days": 30}],
    "payment_days": None,
    "summary": None,
    "terms": None,
    "closing": None,
    "sections": [{"key": "goods", "title": "1", "text": TEXT}],
    "enclosures": [],
    "version": 0,
}
LINES: dict[str, dict[str, Any]] = {
    "a": {**_LINE, "name": "Pump", "text": TEXT, "quantity": "3", "unit_price_minor": 100_00},
    "b": {**_LINE, "position": 1, "section_key": "goods", "name": "Valve", "unit_price_minor": 40_00},
    "c": {**_LINE, "position": 2, "section_key": "goods", "name": "Service", "optional": True, "chosen": False},
}
BUYER = Party(name="Acme", person="Alex Doe", title="CEO", address=("Main Street 1", "Springfield"))
