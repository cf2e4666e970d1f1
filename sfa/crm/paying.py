"""What other rows forbid of commission plans and of who has them, online and offline alike (R41).

A plan by which somebody was paid keeps its terms: what was accrued, and what draws ended periods paid, stays what it
was. Its name may change, and it may end later, or earlier on a day after all that it paid for. On one day a person is
paid by one plan of a measure (and by one more that counts overlay credit). An assignment that was a mistake can be
dated otherwise or deleted: the ledger takes back what follows no longer, by further rows; a draw that an ended period
paid stays paid, and owed.

Both are looked at behind the lock of plans, which everybody who is paid shares.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.crm.rivals import Rivals, rivals
from sfa.db.cells import Cell
from sfa.db.commissions import lock_plans
from sfa.db.draws import has_drawn
from sfa.db.earnings import read_zone
from sfa.db.tables import ROWS, commission_entries
from sfa.db.writes import Door

PLANS, ASSIGNMENTS = "commission_plans", "commission_assignments"
FREE = frozenset({"name", "valid_to"})
SAME = ("measure", "overlay")
FOR_EVER = "9999-12-31"


def check_kept(door: Door, cell: Cell, values: Mapping[str, Any] | None) -> None:
    """The terms of a plan that has paid somebody stay; None is its deletion."""
    if cell.entity != PLANS or not cell.rev:
        return
    changed = sorted(f for f, v in (values or {}).items() if f not in FREE and cell.row[f] != v)
    ends = (values or {}).get("valid_to", cell.row["valid_to"])
    earlier = ends is not None and ends < (cell.row["valid_to"] or FOR_EVER)
    if values is not None and not changed and not earlier:
        return
    lock_plans(door.connection)
    since = None if values is None or changed else ends
    if has_accrued(door.connection, cell.key, since) or has_drawn(door.connection, cell.key, since, door.now_ms):
        raise Refused("plan_kept", key=cell.key, fields=changed or (["valid_to"] if values is not None else []))


def has_accrued(connection: Connection, plan_key: str, from_on: str | None) -> bool:
    """Whether somebody accrued by a plan, for what was credited on a day or later; None is ever."""
    e, assigned = commission_entries.c, ROWS[ASSIGNMENTS].c
    had = select(assigned.user_key).where(assigned.plan_key == plan_key)
    query = select(e.number).where(e.user_key.in_(had), e.plan_key == plan_key, e.kind == "accrual").limit(1)
    if from_on is not None:
        query = query.where(e.at >= start_of_ms(from_on, read_zone(connection)))
    return connection.execute(query).first() is not None


def check_apart(door: Door, cell: Cell, before: Mapping[str, Any]) -> None:
    """After a change of an assignment, or of a plan that people have, nobody has two plans of a measure on one day."""
    if cell.entity == ASSIGNMENTS:
        if any(before.get(f) != cell.row[f] for f in ("plan_key", "user_key", "valid_from", "valid_to")):
            _check(door, (cell,))
    elif before and any(before[f] != cell.row[f] for f in (*SAME, "valid_from", "valid_to")):
        lock_plans(door.connection)
        _check(door, [a for a in door.load_where(ASSIGNMENTS, "plan_key", (cell.key,)) if a.exists])


def _check(door: Door, cells: Iterable[Cell]) -> None:
    stored, mine = assignments(door), list(cells)
    stored.read(cell.row for cell in mine)
    others = {cell.key: stored.others(cell) for cell in mine}
    plans = {cell.row["plan_key"] for cell in mine}
    plans |= {row["plan_key"] for found in others.values() for row in found.values()}
    door.load(PLANS, plans, "none")
    met = [found for cell in mine for key, row in others[cell.key].items() if (found := _met(door, cell.row, key, row))]
    if met:
        on, key, user, plan = min(met)
        raise Refused("plan_overlap", f"{user} is paid by {plan} on {on}", on=on, key=key, plan=plan)


def _met(door: Door, row: Mapping[str, Any], key: str, other: Mapping[str, Any]) -> tuple[str, str, str, str] | None:
    """(the first day on which both pay, the other assignment, the person, its plan), or None."""
    one, two = (door.cell(PLANS, r["plan_key"], "none") for r in (row, other))
    if not one.exists or not two.exists or any(one.row[f] != two.row[f] for f in SAME):
        return None
    dated = (row, other, one.row, two.row)
    start = max(r["valid_from"] for r in dated)
    if start < min(r["valid_to"] or FOR_EVER for r in dated):
        return start, key, other["user_key"], other["plan_key"]
    return None


def assignments(door: Door) -> Rivals:
    """Who has which plans, as stored."""
    return rivals(door, ASSIGNMENTS, ("user_key",), lock_plans)
