"""Forecasts of the small company, and its screens."""

from collections.abc import Iterator

import pytest

from tests.crm.desk import Desk, opened
from tests.forecasting.selling import selling
from tests.office import Office
from tests.quotas.books import Q1, Q2

__all__ = ["selling"]


@pytest.fixture
def quarters(office: Office) -> Office:
    """The first two quarters of 2026, and Ana's deal closes in the first of them."""
    office.put(
        ("fiscal_periods", "q1", Q1),
        ("fiscal_periods", "q2", Q2),
        ("fiscal_periods", "q0", {**Q1, "name": "FY2025.Q4", "start_on": "2025-10-01", "end_on": "2026-01-01"}),
        ("deals", "deal-a", {"close_on": "2026-02-10", "category": "commit"}),
    )
    return office


@pytest.fixture
def desk(quarters: Office) -> Iterator[Desk]:
    with opened(quarters) as found:
        yield found
