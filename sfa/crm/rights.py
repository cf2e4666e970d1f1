"""What a person may change of rows that he may write: the decisions that look at the row, not only at role and field.

A change that moves work between territories, shares out money or sets the own target is somebody else's decision
(R53). `held` None sees and may everything (imports and jobs).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from sfa.core.access import NEVER_DELETED, SEES_EVERYTHING
from sfa.core.deal_states import DATED
from sfa.core.errors import Refused
from sfa.core.shapes import PARENTS
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door

# Of a deal: a split partner works on it, its owner shares it out.
OWNERS_SET = frozenset({"splits", "overlays", "account_key"})
PARENTS_MAX = 20  # storeys of a customer's hierarchy
FAMILIES_LOCK = 7_319_044_101  # an advisory lock of this database: one change of who lies below whom at a time


def check_change(door: Door, role: str, user: str | None, held: frozenset[str] | None, cell: Cell, to: Any) -> None:
    """Refuse a change of `cell` to the values `to` that this person may not decide."""
    if held is None:
        return
    changed = {field for field, value in to.items() if cell.row[field] != value}
    if cell.entity == "deals" and changed & OWNERS_SET and f"book:{cell.row['owner_key']}" not in held:
        raise Refused("field_not_permitted", "a deal's owner shares it out and says whose it is", field="splits")
    if cell.entity == "deals":
        _check_corrects(role, user, held, cell, to)
    place = PARENTS.get(cell.entity)
    if place is not None and place[0] == "accounts" and place[1] in changed and role == "rep":
        _check_same_territory(door, cell.row[place[1]], to[place[1]], place[1])
    if cell.entity == "quotas":
        check_sets_target(role, user, held, cell.row)
        check_sets_target(role, user, held, {**cell.row, **to})


def _check_corrects(role: str, user: str | None, held: frozenset[str], cell: Cell, to: Mapping[str, Any]) -> None:
    """When a deal was signed or invoiced decides which period counts it: once said, somebody above corrects it. Of
    another end it is said anew."""
    if to.get("closed_at", cell.row["closed_at"]) != cell.row["closed_at"]:
        return
    owner = cell.row["owner_key"]
    above = role != "rep" and f"book:{owner}" in held and (owner != user or role in SEES_EVERYTHING)
    for field in DATED:
        if cell.row[field] is not None and to.get(field, cell.row[field]) != cell.row[field] and not above:
            raise Refused("field_not_permitted", f"deals.{field} is corrected by a manager or finance", field=field)


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


def check_sets_target(role: str, user: str | None, held: frozenset[str], quota: Mapping[str, Any]) -> None:
    """Not the own one; and who is only a member of a team does not set its target."""
    check_own_target(role, user, quota)
    team = quota["team_key"]
    if team is not None and f"team:{team}" in held and f"manage:{team}" not in held:
        raise Refused("not_permitted", "whoever manages a team sets its quota")


def check_delete(role: str, user: str | None, held: frozenset[str] | None, cell: Cell) -> None:
    """A rep who knows a customer only through its account team does not delete it for the others; what somebody allowed
    or withdrew stays on record; a target is deleted by who may set it, and a deal that was closed not by who has only a
    share in it."""
    ends = cell.entity == "deals" and cell.row and (cell.row["closed_at"] is not None or cell.row["closings"])
    if held is not None and ends and f"book:{cell.row['owner_key']}" not in held:
        raise Refused("not_permitted", "a deal that was closed is deleted by its owner, or somebody above")
    if held is not None and cell.entity == "quotas":
        check_sets_target(role, user, held, cell.row)
    if held is not None and cell.entity in NEVER_DELETED:
        raise Refused("not_permitted", f"{cell.entity} stay: the latest one counts")
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
