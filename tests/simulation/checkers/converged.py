"""Everybody converges (promise 3): in peace each device holds exactly its user's scope, equal field by field.

The server's own books are audited too: stored buckets and open scope intervals are what the pure rules say.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from sfa.db.tables import scope_intervals
from tests.simulation.checkers.no_skips import difference
from tests.simulation.failure import Failed
from tests.simulation.phones import Phone
from tests.simulation.snapshot import Snapshot


def check(phones: Iterable[Phone], snapshot: Snapshot) -> None:
    for stored in snapshot.rows.values():
        if stored.buckets != snapshot.buckets(stored):
            raise Failed(
                "converged",
                f"{stored.entity} {stored.key} is stored in {stored.buckets}, must lie in {snapshot.buckets(stored)}",
            )
        deal = snapshot.rows.get(("deals", stored.row.get("deal_key", "")))
        if deal is not None and (stored.aged, stored.layers) != (deal.aged, deal.layers):
            raise Failed("converged", f"{stored.entity} {stored.key} and its deal differ in age")
    for phone in phones:
        if phone.pending():
            raise Failed("converged", f"{phone.key} still has {phone.pending()} mutations to send")
        found = difference(phone.rows(), {} if phone.over else phone.should(snapshot))
        if found is not None:
            raise Failed("converged", f"in peace {phone.key} differs from the server: {found}")


def check_intervals(connection: Connection, snapshot: Snapshot) -> None:
    """Open intervals are the scope of today, for everybody."""
    holds: dict[str, set[str]] = {}
    query = select(scope_intervals.c.user_key, scope_intervals.c.bucket)
    for user, bucket in connection.execute(query.where(scope_intervals.c.until_seq.is_(None))):
        holds.setdefault(user, set()).add(bucket)
    for user in sorted(holds.keys() | snapshot.held.keys()):
        if holds.get(user, set()) != set(snapshot.held.get(user, ())):
            wrong = sorted(holds.get(user, set()) ^ set(snapshot.held.get(user, ())))
            raise Failed("converged", f"the intervals of {user} are wrong in {wrong}")
