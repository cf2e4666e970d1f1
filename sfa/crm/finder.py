"""The finder of duplicates (S30): a job looks at the customers and contacts that changed and suggests what may be one.

It goes through the feed by number, a bounded batch at a time, and keeps how far it came in the transaction of its work.
A changed row is compared with the rows that share a block with it (`sfa/crm/likeness.py`). A suggestion lies where both
rows lie, and only rows that lie in the same buckets are put side by side. An open one whose rows part, or of which one
is deleted, is withdrawn, and opened again when they come together; what a person decided stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, text

from sfa.crm.likeness import SUGGESTED_FROM_BP, Face, blocks, face_of, likeness
from sfa.db import feed
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, likeness_blocks, redirects, server_state
from sfa.db.writes import Door, Origin

ENTITIES = ("accounts", "contacts")
ROWS_MAX = 500  # looked at in one batch
WINDOW = 2_000  # numbers of the feed that are gone through at once
WINDOWS_MAX = 50  # of them without a customer or contact, in one batch
HEAP_MAX = 50  # a block with more rows says nothing: everybody is called that
POSITION = "duplicates_seq"
_CHANGED = text(
    "SELECT f.entity, f.key, f.seq FROM bucket_heads h CROSS JOIN feed f "
    "WHERE h.seq > :seq AND f.bucket = h.bucket AND f.seq > :seq AND f.seq <= :until "
    "AND f.entity IN ('accounts', 'contacts') ORDER BY f.seq LIMIT :limit"
)
_NEXT = text(
    "SELECT min(n.seq) FROM (SELECT (SELECT min(f.seq) FROM feed f WHERE f.bucket = h.bucket AND f.seq > :seq) AS seq "
    "FROM bucket_heads h WHERE h.seq > :seq) n"
)
# A heap is counted up to its limit and no further, so that a name that everybody has costs as little as a rare one.
_HEAPS = text(
    "WITH named AS MATERIALIZED (SELECT DISTINCT block FROM likeness_blocks WHERE entity = :entity AND key IN :keys), "
    "small AS MATERIALIZED (SELECT n.block FROM named n WHERE (SELECT count(*) FROM (SELECT 1 FROM likeness_blocks b "
    "WHERE b.entity = :entity AND b.block = n.block LIMIT :heap) AS counted) < :heap) "
    "SELECT other.block, other.key FROM small CROSS JOIN likeness_blocks other "
    "WHERE other.entity = :entity AND other.block = small.block"
).bindparams(bindparam("keys", expanding=True))


def find(connection: Connection, now_ms: int) -> tuple[int, int]:
    """Look at the next batch; -> (rows looked at, suggestions made)."""
    seq, reached = _position(connection), feed.face(connection).seq  # before the feed: what commits now is next time's
    changed, reached = _changed(connection, seq, reached)
    door = Door(connection, now_ms)
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    made = 0
    for entity in ENTITIES:
        keys = sorted({row[1] for row in changed if row[0] == entity})
        if keys:
            made += _look(door, entity, keys, origin)
    door.flush()
    _keep(connection, reached)
    return len({(row[0], row[1]) for row in changed}), made


def _changed(connection: Connection, seq: int, head: int) -> tuple[Sequence[Any], int]:
    """-> (entity, key, number) of the next batch, how far it reaches. Numbers are used once, so a window of them holds
    a bounded number of entries; windows begin where the next entry is, however many numbers nothing has any more."""
    for _ in range(WINDOWS_MAX):
        first = connection.execute(_NEXT, {"seq": seq}).scalar()
        if first is None or first > head:
            return (), head
        seq, until = first - 1, min(first - 1 + WINDOW, head)
        changed = connection.execute(_CHANGED, {"seq": seq, "until": until, "limit": ROWS_MAX}).all()
        if len(changed) == ROWS_MAX:
            return changed, int(changed[-1][2])
        if changed:
            return changed, until
        seq = until
    return (), seq


def _position(connection: Connection) -> int:
    found = connection.execute(select(server_state.c.value).where(server_state.c.name == POSITION)).scalar()
    return int(found) if found else 0


def _keep(connection: Connection, seq: int) -> None:
    connection.execute(delete(server_state).where(server_state.c.name == POSITION))
    connection.execute(insert(server_state), {"name": POSITION, "value": str(seq).encode()})


def _look(door: Door, entity: str, keys: list[str], origin: Origin) -> int:
    door.load(entity, keys, "share")
    faces = {key: face_of(cell.row) for key in keys if (cell := door.cell(entity, key, "share")).exists}
    _index(door.connection, entity, keys, faces)
    near = _near(door.connection, entity, faces)
    about = {*keys, *_survivors(door.connection, entity, [key for key in keys if key not in faces])}
    beside = _beside(door.connection, entity, about)
    door.load(entity, {other for _, other in near} | beside, "share")  # the rows first, then what tells of them (S8)
    for column in ("row_key", "other_key"):
        door.load_where("suggestions", column, about)
    alike = dict(found for key, other in near if (found := _alike(door, entity, key, other, faces)))
    _withdraw(door, entity, about, origin)
    door.load("suggestions", alike)
    return sum(_suggest(door.cell("suggestions", key), values, door, origin) for key, values in sorted(alike.items()))


def _index(connection: Connection, entity: str, keys: Iterable[str], faces: Mapping[str, Face]) -> None:
    table = likeness_blocks
    connection.execute(delete(table).where(table.c.entity == entity, table.c.key.in_(list(keys))))
    rows = [{"entity": entity, "block": b, "key": key} for key, face in faces.items() for b in sorted(blocks(face))]
    if rows:
        connection.execute(insert(table), rows)


def _near(connection: Connection, entity: str, faces: Mapping[str, Face]) -> list[tuple[str, str]]:
    """Pairs worth comparing, of a row that changed and one that shares a small heap with it; each pair once."""
    if not faces:
        return []
    heaps: dict[str, list[str]] = {}
    for block, key in connection.execute(_HEAPS, {"entity": entity, "keys": list(faces), "heap": HEAP_MAX + 1}):
        heaps.setdefault(block, []).append(key)
    pairs = {(key, other) for heap in heaps.values() for key in heap if key in faces for other in heap if other != key}
    return sorted((key, other) for key, other in pairs if other not in faces or key < other)


def _alike(
    door: Door, entity: str, key: str, other: str, faces: Mapping[str, Face]
) -> tuple[str, dict[str, Any]] | None:
    """The suggestion that the two are one, its key first, if they are alike and lie together."""
    one, two = door.cell(entity, key, "share"), door.cell(entity, other, "share")
    if not two.exists or one.buckets != two.buckets:
        return None
    found = likeness(faces[key], faces.get(other) or face_of(two.row))
    if found.score_bp < SUGGESTED_FROM_BP:
        return None
    older, newer = sorted((one, two), key=lambda cell: (cell.row["created_at"] or 0, cell.key))
    values = {"entity": entity, "row_key": newer.key, "other_key": older.key, "kind": "duplicate"}
    return suggestion_key(entity, key, other), {
        **values,
        "score_bp": found.score_bp,
        "reasons": list(found.reasons),
        "status": "open",
    }


def _survivors(connection: Connection, entity: str, keys: list[str]) -> Iterable[str]:
    """Suggestions about a merged row tell of the one that it became."""
    mapped = (redirects.c.entity == entity, redirects.c.loser_key.in_(keys))
    return connection.execute(select(redirects.c.survivor_key).where(*mapped)).scalars() if keys else ()


def _beside(connection: Connection, entity: str, keys: set[str]) -> set[str]:
    """The other halves of open suggestions about these rows, read without a lock."""
    table = ROWS["suggestions"]
    told = (table.c.entity == entity, table.c.status == "open")
    found: set[str] = set()
    for one, two in ((table.c.row_key, table.c.other_key), (table.c.other_key, table.c.row_key)):
        found.update(connection.execute(select(two).where(*told, one.in_(keys))).scalars())
    return found


def _open(door: Door, entity: str) -> list[Cell]:
    every = (cell for cell in door.cells_of("suggestions") if cell.exists)
    return [c for c in every if (c.row["entity"], c.row["kind"], c.row["status"]) == (entity, "duplicate", "open")]


def _rows_of(cell: Cell) -> tuple[str, str]:
    return cell.row["row_key"], cell.row["other_key"]


def _withdraw(door: Door, entity: str, changed: set[str], origin: Origin) -> None:
    """Open suggestions about changed rows that can come true no more; one that came true another way is accepted."""
    for suggestion in _open(door, entity):
        if changed.isdisjoint(_rows_of(suggestion)):
            continue
        one, two = (door.cell(entity, key, "share") for key in _rows_of(suggestion))
        merged = not (one.exists and two.exists) and door.survivor(entity, one.key) == door.survivor(entity, two.key)
        if one is two or merged:
            door.put(suggestion, {"status": "accepted"}, origin, "suggestion.accept")
        elif not (one.exists and two.exists and one.buckets == two.buckets):
            door.put(suggestion, {"status": "withdrawn"}, origin, "suggestion.withdraw")


def _suggest(cell: Cell, values: Mapping[str, Any], door: Door, origin: Origin) -> int:
    if cell.rev and cell.row["status"] != "withdrawn":
        return 0
    door.put(cell, values, origin, "update" if cell.rev else "create")
    return 1


def suggestion_key(entity: str, one: str, two: str) -> str:
    """The same for a pair in either order."""
    return "dup." + sha256("/".join((entity, *sorted((one, two)))).encode()).hexdigest()[:32]
