"""The finder of duplicates (S30): a job looks at the customers and contacts that changed and suggests what may be one.

It goes through the feed by number, a bounded batch a run, and keeps how far it came in the transaction of its work. A
changed row is compared with the rows that share a block with it (`sfa/crm/likeness.py`). A suggestion lies where the
row that it is about lies, and only rows that lie in the same buckets are put side by side. It does not look again at a
suggestion whose rows parted later: accepting that is refused. A pair is suggested once, whatever became of it.
"""

from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select, text

from sfa.crm.likeness import SUGGESTED_FROM_BP, Face, blocks, face_of, likeness
from sfa.db import feed
from sfa.db.cells import Cell
from sfa.db.tables import likeness_blocks, server_state
from sfa.db.writes import Door, Origin

ENTITIES = ("accounts", "contacts")
ROWS_MAX = 500  # looked at in one run
HEAP_MAX = 50  # a block with more rows says nothing: everybody is called that
POSITION = "duplicates_seq"
_CHANGED = text(
    "SELECT f.entity, f.key, f.seq FROM bucket_heads h CROSS JOIN feed f "
    "WHERE h.seq > :seq AND f.bucket = h.bucket AND f.seq > :seq AND f.entity IN ('accounts', 'contacts') "
    "AND NOT f.gone ORDER BY f.seq LIMIT :limit"
)


def find(connection: Connection, now_ms: int) -> tuple[int, int]:
    """Look at the next batch; -> (rows looked at, suggestions made)."""
    seq, reached = _position(connection), feed.face(connection).seq  # before the feed: what commits now is next time's
    changed = connection.execute(_CHANGED, {"seq": seq, "limit": ROWS_MAX}).all()
    if len(changed) == ROWS_MAX:
        reached = changed[-1][2]
    door = Door(connection, now_ms)
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    made = 0
    for entity in ENTITIES:
        keys = sorted({row[1] for row in changed if row[0] == entity})
        made += _look(door, entity, keys, origin)
    door.flush()
    _keep(connection, reached)
    return len({(row[0], row[1]) for row in changed}), made


def _position(connection: Connection) -> int:
    found = connection.execute(select(server_state.c.value).where(server_state.c.name == POSITION)).scalar()
    return int(found) if found else 0


def _keep(connection: Connection, seq: int) -> None:
    connection.execute(delete(server_state).where(server_state.c.name == POSITION))
    connection.execute(insert(server_state), {"name": POSITION, "value": str(seq).encode()})


def _look(door: Door, entity: str, keys: list[str], origin: Origin) -> int:
    door.load(entity, keys, "share")
    cells = [cell for key in keys if (cell := door.cell(entity, key, "share")).exists]
    _index(door.connection, entity, keys, cells)
    made = 0
    for cell in cells:
        face = face_of(cell.row)
        near = _near(door.connection, entity, face) - {cell.key}
        door.load(entity, sorted(near), "share")
        for key in sorted(near):
            other = door.cell(entity, key, "share")
            if other.exists and other.buckets == cell.buckets:
                made += _suggest(door, cell, other, face, origin)
    return made


def _index(connection: Connection, entity: str, keys: Iterable[str], cells: Iterable[Cell]) -> None:
    table = likeness_blocks
    connection.execute(delete(table).where(table.c.entity == entity, table.c.key.in_(list(keys))))
    rows = [
        {"entity": entity, "block": b, "key": cell.key} for cell in cells for b in sorted(blocks(face_of(cell.row)))
    ]
    if rows:
        connection.execute(insert(table), rows)


def _near(connection: Connection, entity: str, face: Face) -> set[str]:
    found: set[str] = set()
    table = likeness_blocks
    for block in sorted(blocks(face)):
        query = select(table.c.key).where(table.c.entity == entity, table.c.block == block).limit(HEAP_MAX + 1)
        heap = connection.execute(query).scalars().all()
        found.update(heap if len(heap) <= HEAP_MAX else ())
    return found


def _suggest(door: Door, one: Cell, two: Cell, face: Face, origin: Origin) -> int:
    found = likeness(face, face_of(two.row))
    if found.score_bp < SUGGESTED_FROM_BP:
        return 0
    older, newer = sorted((one, two), key=lambda cell: (cell.row["created_at"] or 0, cell.key))
    cell = door.cell("suggestions", suggestion_key(one.entity, older.key, newer.key))
    if cell.rev:
        return 0
    values = {"entity": one.entity, "row_key": newer.key, "other_key": older.key, "kind": "duplicate"}
    door.put(cell, {**values, "score_bp": found.score_bp, "reasons": list(found.reasons)}, origin, "create")
    return 1


def suggestion_key(entity: str, one: str, two: str) -> str:
    """The same for a pair in either order."""
    return "dup." + sha256("/".join((entity, *sorted((one, two)))).encode()).hexdigest()[:32]
