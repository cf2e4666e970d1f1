"""What an earlier version left half decided can be decided after the upgrade (S31)."""

from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, null, select

from sfa.db import migrations
from sfa.db.tables import drains
from tests.office import Office


def _migration() -> Any:
    (found,) = (Path(migrations.__file__).parent / "versions").glob("*_review_steps.py")
    return import_module(f"{migrations.__name__}.versions.{found.stem}")


def _decided(connection: Connection) -> None:
    """Four drains of one registration, as an earlier version left them."""
    row = {"device_key": "d-ana", "part": 1, "parts": 1, "drained_at": 1, "digest": "", "size": 2, "body": b""}
    by_mia = {"decision": "apply", "decided_at": 2, "decided_by": "mia", "applied_as": "d-ana"}
    stopped = {"outcomes": {"applied": 1}, "stopped": "sequence_gap"}
    whole = {"outcomes": {"applied": 2}, "stopped": None}
    connection.execute(insert(drains).values({**row, **by_mia, "drain": "half", "result": stopped}))
    connection.execute(insert(drains).values({**row, **by_mia, "drain": "whole", "result": whole}))
    connection.execute(insert(drains).values({**row, **by_mia, "drain": "none", "result": null()}))
    connection.execute(insert(drains).values({**row, "drain": "waits", "result": null()}))


def test_a_drain_that_stopped_in_the_middle_waits_for_a_decision_again(office: Office) -> None:
    office.database.write(_decided)
    office.database.write(_migration().repair)
    columns = (drains.c.decision, drains.c.decided_at, drains.c.decided_by, drains.c.applied_as, drains.c.result)
    query = select(drains.c.drain, *columns)
    found = {row[0]: tuple(row[1:]) for row in office.database.read(lambda c: c.execute(query).all())}
    assert found["half"] == found["waits"] == (None,) * 5
    assert found["whole"][:4] == ("apply", 2, "mia", "d-ana")
    assert found["whole"][4]["outcomes"] == {"applied": 2}
    assert found["none"][4] == {"outcomes": {}}
    without = select(drains.c.drain).where(drains.c.result.is_(None)).order_by(drains.c.drain)
    assert office.database.read(lambda c: c.execute(without).scalars().all()) == ["half", "waits"]
