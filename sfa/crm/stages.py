"""A stage that deals are in, or ended in, stays what it is: open, won or lost.

Another `kind` would turn what was credited into what was lost, or the other way round, without a dated reversal (R21).
Its name, place, dates and criteria may change, and it may be deleted. Asked only when a kind changes, which is rare: it
looks along the deals that were reopened once, as the credits that follow from a kind do.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Text, cast, select

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.tables import ROWS

_DEALS = ROWS["deals"]


def check_kind(connection: Connection, cell: Cell, values: Mapping[str, Any]) -> None:
    """Refuse another kind of a stage that a deal names, deleted or not."""
    if cell.entity != "stages" or cell.rev == 0 or values.get("kind", cell.row["kind"]) == cell.row["kind"]:
        return
    if _is_named(connection, cell.key):
        raise Refused("stage_in_use", key=cell.key, field="kind")


def _is_named(connection: Connection, key: str) -> bool:
    standing = select(_DEALS.c.key).where(_DEALS.c.stage_key == key).limit(1)
    if connection.execute(standing).first() is not None:
        return True
    named = cast(_DEALS.c.closings, Text).contains(f'"{key}"', autoescape=True)
    found = connection.execute(select(_DEALS.c.closings).where(named)).scalars()
    return any(end.get("stage_key") == key for closings in found for end in closings)
