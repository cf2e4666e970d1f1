"""Locks for whoever settles a conflict or a suggestion: the rows that it is about first, then the row that tells of
them, as whoever moves or changes those rows does (S8). So neither waits for the other for ever.

What is read here without a lock only says whom to lock; it is read again under the lock by whoever acts.
"""

from collections.abc import Iterable

from sqlalchemy import select

from sfa.core.shapes import ABOUT_PAIRS, ABOUT_ROWS, PARENTS
from sfa.db.tables import ROWS
from sfa.db.writes import Door


def rows_about(door: Door, entity: str, keys: Iterable[str]) -> dict[str, set[str]]:
    """entity -> keys of the rows that these conflicts or suggestions are about, and of what they were merged into."""
    if entity not in ABOUT_ROWS:
        return {}
    table = ROWS[entity]
    columns = ("row_key", "other_key") if entity in ABOUT_PAIRS else ("row_key",)
    query = select(table.c.entity, *(table.c[column] for column in columns)).where(table.c.key.in_(sorted(keys)))
    found: dict[str, set[str]] = {}
    for of, *named in door.connection.execute(query):
        found.setdefault(of, set()).update(*((key, door.survivor(of, key)) for key in named if key and of in ROWS))
    return {of: named for of, named in found.items() if of in ROWS}


def lock_first(door: Door, entity: str, key: str) -> None:
    """Before one of them is locked: the rows above its rows shared, then its rows to be changed. Of a proposal the
    deal, whose quote is frozen with it; of a question about it all of that."""
    if entity == "proposal_questions":
        for proposal in sorted(door.peek(entity, "proposal_key", (key,))):
            lock_first(door, "proposals", proposal)
            door.load("proposals", (proposal,))
    if entity == "proposals":
        deals = door.peek(entity, "deal_key", (key,))
        door.load("accounts", door.peek("deals", "account_key", deals), "share")
        door.load("deals", deals)
    for of, keys in sorted(rows_about(door, entity, (key,)).items()):
        above, field = PARENTS.get(of, ("", ""))
        if above:
            parents = door.peek(of, field, keys)
            higher, named = PARENTS.get(above, ("", ""))
            if higher:
                door.load(higher, door.peek(above, named, parents), "share")
            door.load(above, parents, "share")
        door.load(of, keys)
