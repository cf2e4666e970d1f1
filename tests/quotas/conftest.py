"""Quotas of the small company, and its screens."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office

PERIODS: list[tuple[str, str, dict[str, Any]]] = [
    ("fiscal_periods", "FY2026", {"name": "FY2026", "kind": "year", "start_on": "2026-01-01", "end_on": "2027-01-01"}),
    *(
        (
            "fiscal_periods",
            f"FY2026.Q{n}",
            {"name": f"FY2026.Q{n}", "kind": "quarter", "start_on": start, "end_on": end, "parent_key": "FY2026"},
        )
        for n, (start, end) in enumerate(
            [
                ("2026-01-01", "2026-04-01"),
                ("2026-04-01", "2026-07-01"),
                ("2026-07-01", "2026-10-01"),
                ("2026-10-01", "2027-01-01"),
            ],
            start=1,
        )
    ),
]
ANAS: dict[str, Any] = {
    "user_key": "ana",
    "period_key": "FY2026",
    "measure": "revenue",
    "target": 100_000,
    "currency": "EUR",
}


@pytest.fixture
def planned(office: Office) -> Office:
    """A year with its quarters, and a draft quota of Ana and of her team."""
    office.put(
        *PERIODS,
        ("quotas", "q-ana", ANAS),
        ("quotas", "q-north", {**ANAS, "user_key": None, "team_key": "north", "target": 250_000}),
    )
    return office


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as found:
        yield found
