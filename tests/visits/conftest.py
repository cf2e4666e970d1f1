"""Screens for the tests of this slice, and customers with a place."""

from collections.abc import Iterator

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office

HERE = {"latitude": 43.2630, "longitude": -2.9350}  # where Acme is
FAR = {"latitude": 43.2700, "longitude": -2.9350}  # 778 m to the north


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


@pytest.fixture
def placed(office: Office) -> Office:
    """Acme has a place."""
    office.put(("accounts", "acme", HERE))
    return office


def visit(office: Office, key: str, **values: object) -> str:
    office.put(("visits", key, {"account_key": "acme", "owner_key": "ana", **values}))
    return key
