"""What deals name stays: a stage that deals are in, or ended in, is open, won or lost; products are there for lines.

Another `kind` would turn what was credited into what was lost, or the other way round, without a dated reversal (R21);
and a device that lost a won stage, or the unit of a product, could not count what the server counts. Other than that a
stage may change its name, place, dates and criteria, and an open one may be deleted. Asked only when a kind changes or
something is deleted, which is rare: it looks along the deals that were reopened once, as the credits that follow from a
kind do.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Text, cast, select

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door

_DEALS, _LINES = ROWS["deals"], ROWS["deal_lines"]


def check_kind(connection: Connection, cell: Cell, values: Mapping[str, Any]) -> None:
    """Refuse another kind of a stage that a deal names, deleted or not."""
    if cell.entity != "stages" or cell.rev == 0 or values.get("kind", cell.row["kind"]) == cell.row["kind"]:
        return
    if _is_named(connection, cell.key):
        raise Refused("stage_in_use", key=cell.key, field="kind")


def check_unnamed(door: Door, cell: Cell) -> None:
    """Refuse the deletion of a won or lost stage that a deal names, deleted or not, and of a product that lines name.
    Whoever names one shares its lock."""
    if cell.entity == "stages" and cell.row["kind"] != "open":
        here = (deal.row for deal in door.cells_of("deals") if deal.touched)
        if any(_names(deal, cell.key) for deal in here) or _is_named(door.connection, cell.key):
            raise Refused("stage_in_use", key=cell.key)
    if cell.entity == "products":
        named = select(_LINES.c.key).where(_LINES.c.product_key == cell.key, ~_LINES.c.gone).limit(1)
        here = (line.row for line in door.cells_of("deal_lines") if line.touched and line.exists)
        if any(line["product_key"] == cell.key for line in here) or door.connection.execute(named).first() is not None:
            raise Refused("product_in_use", key=cell.key)


def _names(deal: Mapping[str, Any], key: str) -> bool:
    return deal["stage_key"] == key or any(end.get("stage_key") == key for end in deal["closings"] or ())


def _is_named(connection: Connection, key: str) -> bool:
    standing = select(_DEALS.c.key).where(_DEALS.c.stage_key == key).limit(1)
    if connection.execute(standing).first() is not None:
        return True
    named = cast(_DEALS.c.closings, Text).contains(f'"{key}"', autoescape=True)
    found = connection.execute(select(_DEALS.c.closings).where(named)).scalars()
    return any(end.get("stage_key") == key for closings in found for end in closings)
