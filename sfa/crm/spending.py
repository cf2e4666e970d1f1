"""Expenses and work say whose they are: the customer and deal that go with what their author named.

Who names a visit or a deal need not name its customer: it is filled in, so that every sum finds it by the row alone.
What is named together belongs together, or the row is refused with `expense_elsewhere`.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.errors import Refused
from sfa.db.writes import Door

ENTITIES = frozenset({"expenses", "work_entries"})
PLACES = frozenset({"account_key", "deal_key", "visit_key"})


def completed(door: Door, entity: str, before: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with what follows from the places that they name; of other entities, and of values that name none, as
    they are."""
    if entity not in ENTITIES or PLACES.isdisjoint(values):
        return values
    after, found = {**before, **values}, dict(values)
    visit = _row(door, "visits", after.get("visit_key"))
    if visit and visit["deal_key"] and after.get("deal_key") is None and "deal_key" not in values:
        after["deal_key"] = found["deal_key"] = visit["deal_key"]
    deal = _row(door, "deals", after.get("deal_key"))
    named = {field: row["account_key"] for field, row in (("visit_key", visit), ("deal_key", deal)) if row}
    of = next((key for key in (after.get("account_key"), *named.values()) if key is not None), None)
    for field, account in named.items():
        if account is not None and account != of:
            text = f"{entity}.{field} belongs to customer {account}, not to {of}"
            raise Refused("expense_elsewhere", text, field=field, account_key=of)
    if of is not None and after.get("account_key") is None:
        found["account_key"] = of
    return found


def _row(door: Door, entity: str, key: str | None) -> Mapping[str, Any] | None:
    cell = door.cell(entity, key, "share") if key is not None else None
    return cell.row if cell is not None and cell.rev else None
