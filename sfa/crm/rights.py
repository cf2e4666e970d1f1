"""What a person may change of rows that he may write: the decisions that look at the row, not only at role and field.

A change that moves work between territories, shares out money or sets the own target is somebody else's decision
(R53). `held` None sees and may everything (imports and jobs).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from sfa.core.access import NEVER_DELETED
from sfa.core.errors import Refused
from sfa.core.shapes import PARENTS
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door

# Of a deal: a split partner works on it, its owner shares it out.
OWNERS_SET = frozenset({"splits", "overlays", "account_key"})
DAYS_OF_PERIODS = frozenset({"start_on", "end_on"})
PARENTS_MAX = 20  # storeys of a customer's hierarchy
FAMILIES_LOCK = 7_319_044_101  # an advisory lock of this database: one change of who lies below whom at a time


def check_change(door: Door, role: str, user: str | None, held: frozenset[str] | None, cell: Cell, to: Any) -> None:
    """Refuse a change of `cell` to the values `to` that this person may not decide."""
    if held is None:
        return
    changed = {field for field, value in to.items() if cell.row[field] != value}
    if cell.entity == "deals" and changed & OWNERS_SET and f"book:{cell.row['owner_key']}" not in held:
        raise Refused("field_not_permitted", "a deal's owner shares it out and says whose it is", field="splits")
    place = PARENTS.get(cell.entity)
    if place is not None and place[0] == "accounts" and place[1] in changed and role == "rep":
        _check_same_territory(door, cell.row[place[1]], to[place[1]], place[1])
    if cell.entity == "quotas":
        check_own_target(role, user, cell.row)
    if cell.entity == "fiscal_periods" and changed & DAYS_OF_PERIODS:
        _check_not_closed(door, cell)


def _check_not_closed(door: Door, period: Cell) -> None:
    """What was frozen belongs to these days (R2)."""
    closings = ROWS["period_closings"].c
    query = select(closings.number).where(closings.period_key == period.key).limit(1)
    if door.connection.execute(query).first() is not None:
        raise Refused("period_closed", f"period {period.key} was closed: its days stay", key=period.key)


def _check_same_territory(door: Door, before: str | None, after: str | None, field: str) -> None:
    if before is None or after is None:
        return
    here, there = (door.cell("accounts", key, "share").row for key in (before, after))
    if here["territory_key"] != there["territory_key"]:
        raise Refused("field_not_permitted", "moving work between territories is a manager's decision", field=field)


def check_own_target(role: str, user: str | None, quota: Mapping[str, Any]) -> None:
    """Nobody below finance sets the target that he is paid by."""
    if quota["user_key"] is not None and quota["user_key"] == user and role in ("rep", "manager", "director"):
        raise Refused("not_permitted", "somebody else sets your own quota")


def check_delete(door: Door, role: str, held: frozenset[str] | None, cell: Cell) -> None:
    """A rep who knows a customer only through its account team does not delete it for the others; what somebody allowed
    or withdrew stays on record."""
    if held is not None and cell.entity in NEVER_DELETED:
        raise Refused("not_permitted", f"{cell.entity} stay: the latest one counts")
    if held is not None and cell.entity == "fiscal_periods":
        _check_not_closed(door, cell)
    if held is None or cell.entity != "accounts" or role != "rep":
        return
    if cell.row["territory_key"] is None or f"territory:{cell.row['territory_key']}" not in held:
        raise Refused("not_permitted", "who covers the territory deletes its customers")


def check_no_cycle(door: Door, account: Cell) -> None:
    """A customer is not its own parent, however many storeys above (R19). Two moves that are fine alone may be a circle
    together, so one is checked at a time, and by what is stored then."""
    if account.stored and account.row["parent_key"] != _stored_parents(door, (account.key,)).get(account.key):
        lock_families(door.connection)
    here = {cell.key: cell.row["parent_key"] for cell in door.cells_of("accounts") if cell.touched}
    above = account.row["parent_key"]
    for _ in range(PARENTS_MAX):
        if above is None:
            return
        if above == account.key:
            break
        above = here[above] if above in here else _stored_parents(door, (above,)).get(above)
    raise Refused("hierarchy_cycle", f"the customer would be its own parent, or lie below {PARENTS_MAX} others")


def lock_families(connection: Connection) -> None:
    """Until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(FAMILIES_LOCK)))


def _stored_parents(door: Door, keys: Iterable[str]) -> dict[str, str | None]:
    table = ROWS["accounts"]
    query = select(table.c.key, table.c.parent_key).where(table.c.key.in_(list(keys)))
    return {row[0]: row[1] for row in door.connection.execute(query)}
