"""Where merged keys lead (S22), as of one transaction: what is stored, and what this one merges and undoes.

Chains are flattened, so that a stored key is one step from its survivor; `into_key` keeps the row that it was merged
into itself, so that a merge in the middle of a chain can be undone. Like the rest of the door it is kept in memory, may
be undone there, and is written with the flush.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from sfa.db.tables import redirects

ENDS = "ends"


class Redirects:
    """`log` is what this transaction did, in order: rows of the table, and ends of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.log: list[dict[str, Any]] = []

    def survivor(self, entity: str, key: str) -> str:
        """Where a merged key leads; the key itself where it was not merged."""
        query = select(redirects.c.survivor_key).where(redirects.c.entity == entity, redirects.c.loser_key == key)
        found = str(self._connection.execute(query).scalar() or key)
        for row in self.log:
            if row["entity"] != entity:
                continue
            if row.get(ENDS) is not None:
                found = row["loser_key"] if key == row["loser_key"] or key in row[ENDS] else found
            elif row["loser_key"] == found:
                found = str(row["survivor_key"])
        return found

    def leading_to(self, entity: str, survivor: str) -> dict[str, Mapping[str, Any]]:
        """loser -> its row, of every key that leads to this row."""
        merged = [row["loser_key"] for row in self.log if row["entity"] == entity and row.get(ENDS) is None]
        query = select(redirects).where(redirects.c.entity == entity)
        stored = self._connection.execute(query.where(redirects.c.survivor_key.in_([survivor, *merged])))
        found: dict[str, dict[str, Any]] = {row["loser_key"]: dict(row) for row in stored.mappings()}
        for row in self.log:
            if row["entity"] != entity:
                continue
            if row.get(ENDS) is not None:
                found.pop(row["loser_key"], None)
                for key in row[ENDS]:
                    found.get(key, {})["survivor_key"] = row["loser_key"]
            else:
                for other in found.values():
                    if other["survivor_key"] == row["loser_key"]:
                        other["survivor_key"] = row["survivor_key"]
                found[row["loser_key"]] = dict(row)
        return {key: row for key, row in found.items() if row["survivor_key"] == survivor}

    def begin(self, row: Mapping[str, Any]) -> None:
        self.log.append(dict(row))

    def end(self, entity: str, loser: str, freed: Iterable[str]) -> None:
        """The loser is a row again, and the keys in `freed`, which were merged into it, lead to it."""
        self.log.append({"entity": entity, "loser_key": loser, ENDS: sorted(freed)})

    def write(self) -> None:
        for row in self.log:
            leads = update(redirects).where(redirects.c.entity == row["entity"])
            if row.get(ENDS) is not None:
                mine = (redirects.c.entity == row["entity"], redirects.c.loser_key == row["loser_key"])
                self._connection.execute(delete(redirects).where(*mine))
                if row[ENDS]:
                    freed = leads.where(redirects.c.loser_key.in_(row[ENDS]))
                    self._connection.execute(freed.values(survivor_key=row["loser_key"]))
            else:
                flat = leads.where(redirects.c.survivor_key == row["loser_key"])
                self._connection.execute(flat.values(survivor_key=row["survivor_key"]))
                self._connection.execute(insert(redirects), [row])
        self.log.clear()
