"""Expenses and work say whose they are: the customer and deal that go with what their author named.

Who names a visit or a deal need not name its customer: it is filled in, so that every sum finds it by the row alone.
What is moved to another deal or visit is its customer's then, and what names a deal goes with it to another customer.
What is named together belongs together, or the row is refused with `expense_elsewhere`; a visit about a deal of another
customer with `visit_elsewhere`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin

ENTITIES = frozenset({"expenses", "work_entries"})
PLACES = frozenset({"account_key", "deal_key", "visit_key"})


def completed(door: Door, entity: str, before: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with what follows from the places that they name; of other entities, and of values that name no other
    place than before, as they are."""
    moved = {field for field in PLACES & values.keys() if values[field] != before.get(field)}
    if entity == "visits" and moved & {"account_key", "deal_key"}:
        _check_visit(door, {**before, **values})
    if entity not in ENTITIES or not moved:
        return values
    after, found = {**before, **values}, dict(values)
    visit = _row(door, "visits", after.get("visit_key"))
    if visit and visit["deal_key"] and after.get("deal_key") is None and "deal_key" not in values:
        after["deal_key"] = found["deal_key"] = visit["deal_key"]
    deal = _row(door, "deals", after.get("deal_key"))
    named = {field: row["account_key"] for field, row in (("visit_key", visit), ("deal_key", deal)) if row}
    of = _customer(values, moved, named) or after.get("account_key")
    for field, account in named.items():
        if account is not None and account != of:
            text = f"{entity}.{field} belongs to customer {account}, not to {of}"
            raise Refused("expense_elsewhere", text, field=field, account_key=of)
    if of is not None and after.get("account_key") != of:
        found["account_key"] = of
    return found


def _customer(values: Mapping[str, Any], moved: set[str], named: Mapping[str, str | None]) -> str | None:
    """Whose it is: of the customer that is said, else of that of the deal or visit that it was moved to."""
    if values.get("account_key") is not None:
        return str(values["account_key"])
    places = [named.get(field) for field in ("deal_key", "visit_key") if field in moved]
    places += [account for field, account in named.items() if "account_key" in moved]  # it says that it has none
    return next((account for account in places if account is not None), None)


def _check_visit(door: Door, after: Mapping[str, Any]) -> None:
    deal, of = _row(door, "deals", after.get("deal_key")), after["account_key"]
    if deal is not None and deal["account_key"] not in (None, of):
        text = f"the deal belongs to customer {deal['account_key']}, not to {of}"
        raise Refused("visit_elsewhere", text, field="deal_key", account_key=of)


def follow(door: Door, cell: Cell, before: Mapping[str, Any], origin: Origin) -> None:
    """After a change of a deal: what was spent on it is its customer's."""
    of = cell.row.get("account_key")
    if cell.entity != "deals" or not before or of is None or of == before.get("account_key"):
        return
    for entity in sorted(ENTITIES):
        for spent in door.load_where(entity, "deal_key", (cell.key,)):
            if spent.exists and spent.row["account_key"] != of:
                door.put(spent, {"account_key": of}, origin, "follow")


def settle(door: Door, accounts: Iterable[str], origin: Origin) -> None:
    """After deals and visits of some customers went back and forth between them: what was spent goes with its deal, or
    with its visit where it names no deal."""
    among = set(accounts)
    for entity in sorted(ENTITIES):
        found = [cell for cell in door.load_where(entity, "account_key", sorted(among)) if cell.exists]
        for above, field in (("deals", "deal_key"), ("visits", "visit_key")):
            door.load(above, {key for cell in found if (key := cell.row.get(field)) is not None}, "share")
        for spent in found:
            place = _row(door, "deals", spent.row["deal_key"]) or _row(door, "visits", spent.row.get("visit_key"))
            of = place["account_key"] if place is not None else None
            if of in among and of != spent.row["account_key"]:
                door.put(spent, {"account_key": of}, origin, "follow")


def _row(door: Door, entity: str, key: str | None) -> Mapping[str, Any] | None:
    cell = door.cell(entity, key, "share") if key is not None else None
    return cell.row if cell is not None and cell.rev else None
