"""A call that was named lands once, and of each person or team and lock one counts: that which was made last (R29).

When everybody has come to rest the lock runs once more. Nothing then waits for a lock that has been; what counts is the
latest of what was on time; what came late counts nowhere; and each call that a phone was told of is there as was said.
"""

from typing import TYPE_CHECKING, Any

from forecasting import locking
from sfa.core.forecast_cycles import COUNTS, LATE, LOCKED, SUBMITTED
from sfa.crm.calling import ENTITY
from sfa.db.tables import forecast_locks
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed

if TYPE_CHECKING:
    from tests.simulation.world import World

SAID = ("period_key", "user_key", "team_key", "author_key", "commit_minor", "note")


def check(world: "World") -> None:
    if not world.calling.is_on:
        return
    world.server.write(locking.run, world.clock.now_ms())
    again = world.server.write(locking.run, world.clock.now_ms())
    if again != locking.Locked(0, 0):
        raise Failed("called", f"the second of two locks did {again}")
    world.server.database.read(_check, world)


def _check(connection: Any, world: "World") -> None:
    books = Books(connection, world.server.take(connection), world.ledger)
    rows = {stored.key: stored.row for stored in books.snapshot.live(ENTITY)}
    for mark, mutation in books.sent.items():
        told = books.told.get(mark)
        if mutation.get("entity") == ENTITY and told is not None and told["outcome"] in ("applied", "merged"):
            row = rows.get(told["key"])
            if row is None or any(row[f] != mutation["set"].get(f) for f in SAID):
                raise Failed("called", f"{mark} named {mutation}, and {row} is there")
    nodes: dict[tuple[Any, ...], list[tuple[int, str, str]]] = {}
    for key, row in rows.items():
        if row["status"] != LATE:
            place = tuple(row[f] for f in ("period_key", "due_on", "user_key", "team_key"))
            nodes.setdefault(place, []).append((row["called_at"], key, row["status"]))
    locks = {(row["period_key"], row["due_on"]): row["due_at"] for row in connection.execute(_LOCKS).mappings()}
    for place, calls in nodes.items():
        counting = [call for call in calls if call[2] in COUNTS]
        if counting != [max(calls)]:
            raise Failed("called", f"of {place} {counting} count, of {sorted(calls)}")
        has_been = locks.get((place[0], place[1]))
        if (counting[0][2] == LOCKED) != (has_been is not None):
            raise Failed("called", f"{counting} of {place} is {counting[0][2]}, its lock was at {has_been}")
        if has_been is not None and any(made >= has_been for made, _, _ in calls):
            raise Failed("called", f"{calls} of {place} were made after {has_been} and are on time")
        if counting[0][2] == SUBMITTED and counting[0][0] > world.clock.now_ms():
            raise Failed("called", f"{counting} was made in the future")


_LOCKS = forecast_locks.select()
