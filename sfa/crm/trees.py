"""The dated trees of teams and territories must stay trees on every day (R19): checked whenever an edge changes."""

from sqlalchemy import select

from sfa.core.hierarchy import Edge, Tree
from sfa.db import scope
from sfa.db.tables import ROWS
from sfa.db.writes import Door

TREES = {"team_edges": "team_key", "territory_edges": "territory_key"}


def check(door: Door, entity: str) -> None:
    """Refuse cycles, two parents on one day and parents that are in no tree that day. Two edges that are fine alone may
    be a circle together, so one change is checked at a time."""
    scope.lock_organisation(door.connection)
    child = TREES[entity]
    table = ROWS[entity]
    query = select(table.c.key, table.c[child], table.c.parent_key, table.c.valid_from, table.c.valid_to)
    edges = {row[0]: Edge(*row[1:]) for row in door.connection.execute(query.where(~table.c.gone))}
    for cell in door.cells_of(entity):
        edges.pop(cell.key, None)
        if cell.exists:
            row = cell.row
            edges[cell.key] = Edge(row[child], row["parent_key"], row["valid_from"], row["valid_to"])
    Tree(edges.values())
