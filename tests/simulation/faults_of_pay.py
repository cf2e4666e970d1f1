"""Mistakes planted in the ledger of commission (R41)."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete

from sfa.db import commissions, writes
from sfa.db.tables import commission_entries
from tests.simulation.faults import fault

COMMISSIONS: Any = commissions
WRITES: Any = writes


@fault
def commission_does_not_follow_credits() -> Sequence[tuple[Any, str, Any]]:
    real = WRITES.keep_commissions

    def keep(connection: Connection, cells: Any, entries: Any, changed: Any, now_ms: int) -> int:
        return int(real(connection, cells, entries, type(changed)([], set()), now_ms))

    return [(WRITES, "keep_commissions", keep)]


@fault
def commission_does_not_follow_plans() -> Sequence[tuple[Any, str, Any]]:
    return [(COMMISSIONS, "scopes_of", lambda *_: [])]


@fault
def what_was_paid_is_paid_again() -> Sequence[tuple[Any, str, Any]]:
    """A ledger is not compared with what it holds already."""
    real = COMMISSIONS.due
    return [(COMMISSIONS, "due", lambda origin, wanted, _kept, last: real(origin, wanted, [], last))]


@fault
def the_ledger_is_written_anew() -> Sequence[tuple[Any, str, Any]]:
    """Rows are replaced where they ought to be added to."""
    real = COMMISSIONS._lacking

    def lacking(connection: Connection, world: Any, units: Iterable[Any]) -> Iterable[Any]:
        asked = list(units)
        e = commission_entries
        for unit in asked:
            connection.execute(delete(e).where(e.c.user_key == unit.user_key, e.c.plan_key == unit.plan_key))
        yield from real(connection, world, asked)

    return [(COMMISSIONS, "_lacking", lacking)]
