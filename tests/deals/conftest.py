"""Screens for the tests of this slice, and a deal with lines."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from sfa.crm import edits
from sfa.db.writes import Door, Origin
from tests.crm.desk import Desk, opened
from tests.office import Office


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


def stated(office: Office, *rows: tuple[str, str, dict[str, Any]]) -> None:
    """Rows as a trusted file states them: closed deals, and those that stand in a stage since some day."""

    def work(connection: Connection) -> None:
        now = office.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key=None, at=now, stored_at=now)
        for entity, key, values in rows:
            edits.imported(door, entity, key, values, {}, origin)
        door.flush()

    office.database.write(work)


def deal(office: Office, key: str, **values: Any) -> str:
    office.put(("deals", key, {"name": key, "owner_key": "ana", "stage_key": "lead", **values}))
    return key


def line(office: Office, key: str, on: str, **values: Any) -> None:
    office.put(("deal_lines", key, {"deal_key": on, "product_key": "pump", "unit_price_minor": 10_000, **values}))
