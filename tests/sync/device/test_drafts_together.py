"""Whatever two phones do to one draft without signal, both show one offer in the end, and so does the server (S24)."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.core.pricing import price
from sfa.core.pricing.checking import REASONS
from sfa.core.pricing.rows import offer_of
from sync.device import drafting, proposals
from tests.deals.conftest import line
from tests.office import Office
from tests.sync.device.pocket import Pocket, of_scope, pocket

HEADER = st.sampled_from(
    [
        {"title": "Other"},
        {"discounts": [{"share_bp": 1_000}]},
        {"discounts": [{"amount_minor": 12_000}, {"share_bp": 500}]},
        {"tax_inclusive": True, "rounding_per": "document"},
        {"deposit": {"share_bp": 5_000}},
        {"instalments": [{"share_bp": 5_000}, {"share_bp": 5_000, "due_days": 30}]},
        {"payment_days": 60, "summary": "Short"},
    ]
)
LINE = st.sampled_from(
    [
        {"unit_price_minor": 4_999},
        {"unit_price_minor": -500},
        {"quantity": "2.5"},
        {"quantity": "4", "quantity_min": "1", "quantity_max": "9"},
        {"tax_name": "VAT", "tax_rate_bp": 2_100},
        {"discounts": [{"share_bp": 3_333}]},
        {"optional": True, "chosen": False},
        {"group_key": "g"},
        {"name": "Renamed", "position": 7},
    ]
)
STEP = st.tuples(
    st.booleans(),
    st.sampled_from(("header", "line", "line", "add", "remove", "sync")),
    HEADER,
    LINE,
    st.integers(0, 5),
)


@pytest.fixture
def two(office: Office) -> tuple[Office, Pocket, Pocket]:
    line(office, "l1", "deal-a", quantity="3", unit_price_minor=4_500)
    line(office, "l2", "deal-a", quantity="1.5", unit_price_minor=333)
    phones = pocket(office, "ana"), pocket(office, "ana", device="tablet")
    for phone in phones:
        phone.sync()
    return office, *phones


def do(phone: Pocket, key: str, what: str, header: dict[str, Any], change: dict[str, Any], place: int) -> None:
    """What the phone itself refuses is not done."""
    lines = list(phone.list("proposal_lines", {"proposal_key": key}))
    try:
        if what == "header":
            phone.update("proposals", key, header)
        elif what == "add":
            drafting.add_line(phone, key, {"name": "More", "unit_price_minor": 700, **change})
        elif what == "line" and lines:
            phone.update("proposal_lines", lines[place % len(lines)], change)
        elif what == "remove" and lines:
            phone.delete("proposal_lines", lines[place % len(lines)])
        elif what == "sync":
            phone.sync()
    except Refused as refused:
        if refused.code not in ("proposal_invalid", "invariant_failed"):
            raise


def there(office: Office, key: str) -> object:
    """What it comes to by the server's rows, or why it comes to nothing."""
    lines = {row["key"]: row for row in office.rows("proposal_lines") if row["proposal_key"] == key}
    try:
        return price(offer_of(office.row("proposals", key), lines))
    except Refused as refused:
        return REASONS[refused.details["reason"]]


@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(STEP, min_size=4, max_size=10))
def test_two_phones_at_one_draft_agree_with_the_server_in_the_end(
    two: tuple[Office, Pocket, Pocket], played: list[Any]
) -> None:
    office, *phones = two
    key = drafting.draft(phones[0], "deal-a")
    for phone in phones:
        phone.sync()
    for on_tablet, what, header, change, place in played:
        office.clock.advance(1_000)
        do(phones[on_tablet], key, what, header, change, place)
    for _ in range(2):
        for phone in phones:
            phone.sync()
    seen = [proposals.shown(phone, key) for phone in phones]
    assert seen[0] == seen[1]
    told = seen[0]
    assert (told.priced or told.problems[0].text.partition(": ")[2]) == there(office, key)
    for phone in phones:
        assert phone.rows() == of_scope(office, "ana")
