"""One open visit for each person (R13): at a screen a second check-in is refused, offline both are kept and one asks.

Two visits of one person contradict each other where their times meet. A push keeps both and opens one conflict for the
pair, about the later one, whose losing values would take that check-in back; a check-out that shows that they never met
closes it again. Check-ins of one person wait for each other, so two server processes cannot both find nothing open.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import and_, func, or_, select

from sfa.core.errors import Refused
from sfa.core.shapes import SHAPES
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin

LONGEST_MS = 24 * 3600 * 1000  # a visit that ended is looked for among those that began a day before, at most
REASON = "visit_open"
STRATEGY = "one_open"
BACK = ("status", "checked_in_at", "checked_out_at", "latitude", "longitude", "accuracy_m", "verdict", "distance_m")
_VISITS = ROWS["visits"]


def meets(start: int, end: int | None, other_start: int, other_end: int | None) -> bool:
    """Whether two visits were open at one time; None is still open. Ends are exclusive; a check-in is an instant."""
    if end is not None and end <= start:
        return other_start <= start and (other_end is None or start < other_end)
    return (end is None or other_start < end) and (other_end is None or start < other_end)


def refuse_second(door: Door, cell: Cell) -> None:
    """At a screen: refuse to open `cell` while another visit of its owner is open, and say which."""
    _one_at_a_time(door, cell.row["owner_key"])
    found = [row["key"] for row in _others(door, cell, door.now_ms, door.now_ms) if row["checked_out_at"] is None]
    if found:
        raise Refused(REASON, f"visit {min(found)} is open: check out of it first", key=min(found))


def settle(door: Door, cell: Cell, command: str, origin: Origin) -> list[str]:
    """After a check-in or check-out that was taken; -> the keys of conflicts that ask about a pair now."""
    row = cell.row
    if command not in ("visit.check_in", "visit.check_out") or row["checked_in_at"] is None or cell.gone:
        return []
    _one_at_a_time(door, row["owner_key"])
    start, end = row["checked_in_at"], row["checked_out_at"]
    if command == "visit.check_in":  # when it ends is not known yet
        others = _others(door, cell, start, start)
        met = [o for o in others if o["checked_out_at"] is None or meets(start, start, *_span(o))]
    else:
        met = [o for o in _others(door, cell, start, end) if meets(start, end, *_span(o))]
        _close_apart(door, cell, {o["key"] for o in met}, origin)
    return [key for other in met if (key := _ask(door, cell, other, origin)) is not None]


def _span(row: Mapping[str, Any]) -> tuple[int, int | None]:
    return row["checked_in_at"], row["checked_out_at"]


def _one_at_a_time(door: Door, owner: str) -> None:
    """SQLite has one writer anyway; on PostgreSQL until the end of the transaction."""
    if door.connection.dialect.name == "postgresql":
        number = int.from_bytes(sha256(f"open visit of {owner}".encode()).digest()[:8], "big", signed=True)
        door.connection.execute(select(func.pg_advisory_xact_lock(number)))


def _others(door: Door, cell: Cell, start: int, end: int) -> list[Mapping[str, Any]]:
    """The owner's other visits that are open, or that began near and ended after `start`, as of this transaction."""
    table, owner = _VISITS.c, cell.row["owner_key"]
    near = table.checked_in_at.between(start - LONGEST_MS, max(start, end))
    query = select(table.key, table.checked_in_at, table.checked_out_at).where(
        table.owner_key == owner,
        ~table.gone,
        table.key != cell.key,
        table.checked_in_at.is_not(None),
        or_(table.status == "checked_in", and_(near, table.checked_out_at > start)),
    )
    found: dict[str, Mapping[str, Any]] = {row["key"]: dict(row) for row in door.connection.execute(query).mappings()}
    for other in door.cells_of("visits"):
        found.pop(other.key, None)
        if other.exists and other is not cell and other.row["owner_key"] == owner and other.row["checked_in_at"]:
            found[other.key] = {"key": other.key, **other.row}
    return [found[key] for key in sorted(found)]


def pair_key(one: str, other: str) -> str:
    """The key of the conflict about two visits: there is one, whichever came first."""
    return "open." + sha256("/".join(sorted((one, other))).encode()).hexdigest()[:40]


def _ask(door: Door, cell: Cell, other: Mapping[str, Any], origin: Origin) -> str | None:
    """Open the conflict of a pair, unless a person has settled it: -> its key if it is open."""
    conflict = door.cell("conflicts", pair_key(cell.key, other["key"]))
    if conflict.exists and conflict.row["status"] in ("restored", "dismissed"):
        return None
    if conflict.exists and conflict.row["status"] == "open":
        return conflict.key
    defaults = SHAPES["visits"].defaults
    values = {
        "entity": "visits",
        "row_key": cell.key,
        "other_key": other["key"],
        "field_group": "state",
        "strategy": STRATEGY,
        "losing": {field: "planned" if field == "status" else defaults[field] for field in BACK},
        "standing": {field: cell.row[field] for field in BACK},
        "author_key": origin.author_key,
        "device_key": origin.device_key,
        "n": origin.n,
        "reason": REASON,
        "status": "open",
    }
    door.put(conflict, values, origin, "create")
    return conflict.key


def _close_apart(door: Door, cell: Cell, met: set[str], origin: Origin) -> None:
    """The visit is over: conflicts with those that it did not meet ask nobody any more."""
    for column, beside in (("row_key", "other_key"), ("other_key", "row_key")):
        for conflict in door.load_where("conflicts", column, (cell.key,)):
            row = conflict.row
            if conflict.exists and (row["reason"], row["status"]) == (REASON, "open") and row[beside] not in met:
                door.put(conflict, {"status": "closed"}, origin, "visit.check_out")
