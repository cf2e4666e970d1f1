"""Screens for the tests of this slice, and customers with a place."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from sfa.db.tables import visit_pairs
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


def asked(office: Office) -> list[tuple[str, str, str]]:
    """(about which visit, which other one, status) of every question about two visits, the rows naming only the one."""
    found = [row for row in office.rows("conflicts") if row["reason"] == "visit_open"]
    assert {row["other_key"] for row in found} <= {None}
    kept = office.database.read(lambda connection: connection.execute(select(visit_pairs)).all())
    pairs = {key: {one, other} for key, one, other in kept}
    return sorted((r["row_key"], *(pairs[r["key"]] - {r["row_key"]}), r["status"]) for r in found)


def visit(office: Office, key: str, **values: object) -> str:
    office.put(("visits", key, {"account_key": "acme", "owner_key": "ana", **values}))
    return key
