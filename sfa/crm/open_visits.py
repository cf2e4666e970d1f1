"""One open visit for each person (R13): at a screen a second check-in is refused, offline both are kept and one asks.

Two visits of one person contradict each other where their times meet. A push keeps both and opens one conflict for the
pair, about the one that came later: its losing values would take that check-in back. It lies where that visit lies,
wherever the other one goes, so it never names the other one (S13): `visit_pairs` keeps the pair. A check-out that shows
that they never met dismisses it; a visit that came back with its check-in or lost it, was deleted, or got another
owner, is looked at again. What a person dismissed is not asked again; what was dismissed or taken back otherwise is, if
they meet. Check-ins of one person wait for each other, so two server processes cannot both find nothing open.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select

from sfa.core.errors import Refused
from sfa.core.shapes import SHAPES
from sfa.db.cells import Cell
from sfa.db.tables import ROWS, visit_pairs
from sfa.db.writes import Door, Origin

LONGEST_MS = 24 * 3600 * 1000  # a visit that ended is looked for among those that began a day before, at most
COMMANDS = ("visit.check_in", "visit.check_out")  # after them `settle`, by whoever took them
DECIDE = frozenset({"owner_key", "status", "checked_in_at", "checked_out_at"})  # after a change of them `settle_again`
REASON = "visit_open"
STRATEGY = "one_open"
DISMISSED = "conflict.dismiss"  # by a person, as history says; what is dismissed otherwise has the kind of that edit
BACK = ("status", "checked_in_at", "checked_out_at", "latitude", "longitude", "accuracy_m", "verdict", "distance_m")
_VISITS = ROWS["visits"]


def meets(start: int, end: int | None, other_start: int, other_end: int | None) -> bool:
    """Whether two visits were open at one time; None is still open. Ends are exclusive; a check-in is an instant."""
    if end is not None and end <= start:
        return other_start <= start and (other_end is None or start < other_end)
    return (end is None or other_start < end) and (other_end is None or start < other_end)


def refuse_second(door: Door, held: frozenset[str] | None, cell: Cell) -> None:
    """At a screen: refuse to open `cell` while another visit of its owner is open, and say which, where it lies in a
    bucket that the caller holds (None: all)."""
    _one_at_a_time(door, cell.row["owner_key"])
    found = sorted(row["key"] for row in _others(door, cell, door.now_ms, door.now_ms) if row["checked_out_at"] is None)
    if not found:
        return
    door.load("visits", found, "none")
    lie = ((key, door.buckets(door.cell("visits", key, "none"))) for key in found)
    seen = next((key for key, buckets in lie if held is None or not held.isdisjoint(buckets)), None)
    if seen is None:
        raise Refused(REASON, "a visit that you do not see is open: somebody who sees it checks out of it first")
    raise Refused(REASON, f"visit {seen} is open: check out of it first", key=seen)


def settle(
    door: Door, cell: Cell, command: str, origin: Origin, named: Callable[[int], str] | None = None
) -> list[str]:
    """After a check-in or check-out that was taken; -> the keys of conflicts that it opened. `named(0)`, `named(1)`, …
    are their keys; at a screen those of the pairs."""
    row = cell.row
    if command not in COMMANDS or row["checked_in_at"] is None or cell.gone:
        return []
    if command == "visit.check_out" and row["checked_out_at"] is None:
        return []  # what stood before stands: a person decides about this check-out
    end = row["checked_out_at"] if command == "visit.check_out" else None
    _one_at_a_time(door, row["owner_key"])
    met = _met(door, cell, end)
    if not met and end is None:
        return []
    asked = _asked(door, cell)
    if end is not None:
        _dismiss_apart(door, asked, {o["key"] for o in met}, origin, command)
    return _ask_new(door, cell, met, asked, origin, command, named)


def settle_again(door: Door, cell: Cell, before: Mapping[str, Any], origin: Origin, kind: str) -> None:
    """After an edit that gave a visit another owner, gave its check-in back or took it, or deleted it; `before` is its
    row of then. Its owner is asked about it and those that it meets. What was asked about those that it does not meet,
    of whoever had it before, asks nobody any more."""
    row = cell.row
    if before["checked_in_at"] is None and row["checked_in_at"] is None:
        return
    _one_at_a_time(door, before["owner_key"], row["owner_key"])
    is_there = not cell.gone and row["checked_in_at"] is not None
    met = _met(door, cell, row["checked_out_at"]) if is_there else []
    asked = _asked(door, cell)
    _dismiss_apart(door, asked, {o["key"] for o in met}, origin, kind)
    _ask_new(door, cell, met, asked, origin, kind, None)


def _met(door: Door, cell: Cell, end: int | None) -> list[Mapping[str, Any]]:
    """The owner's other visits that were open at one time with it; None: when it ends is not known yet."""
    start = cell.row["checked_in_at"]
    if end is not None:
        return [o for o in _others(door, cell, start, end) if meets(start, end, *_span(o))]
    others = _others(door, cell, start, start)
    return [o for o in others if o["checked_out_at"] is None or meets(start, start, *_span(o))]


def _ask_new(
    door: Door,
    cell: Cell,
    met: Iterable[Mapping[str, Any]],
    asked: Mapping[str, Cell],
    origin: Origin,
    kind: str,
    named: Callable[[int], str] | None,
) -> list[str]:
    found: list[str] = []
    new = 0
    for other in met:
        conflict = asked.get(other["key"])
        if conflict is None:
            key = named(new) if named is not None else pair_key(cell.key, other["key"])
            found.append(_ask(door, key, cell, other, origin))
            new += 1
        elif not _is_asked(door, conflict):
            row = cell.row if conflict.row["row_key"] == cell.key else other
            values = {"standing": {field: row[field] for field in BACK}, "status": "open"}
            door.put(conflict, values, origin, kind)
            found.append(conflict.key)
    return found


def _is_asked(door: Door, conflict: Cell) -> bool:
    """Whether it asks, or a person let both stand. What asked nobody any more, or was taken back, is asked again."""
    if conflict.row["status"] != "dismissed":
        return bool(conflict.row["status"] == "open")
    kinds = [kind for changes, _, _, kind in door.since(conflict, 0) if "status" in changes]
    return kinds[-1] == DISMISSED


def _span(row: Mapping[str, Any]) -> tuple[int, int | None]:
    return row["checked_in_at"], row["checked_out_at"]


def _one_at_a_time(door: Door, *owners: str) -> None:
    """SQLite has one writer anyway; on PostgreSQL until the end of the transaction, in one order for everybody."""
    if door.connection.dialect.name == "postgresql":
        for owner in sorted(set(owners)):
            number = int.from_bytes(sha256(f"open visit of {owner}".encode()).digest()[:8], "big", signed=True)
            door.connection.execute(select(func.pg_advisory_xact_lock(number)))


def _others(door: Door, cell: Cell, start: int, end: int) -> list[Mapping[str, Any]]:
    """The owner's other visits that are open, or that began near and ended after `start`, as of this transaction."""
    table, owner = _VISITS.c, cell.row["owner_key"]
    near = table.checked_in_at.between(start - LONGEST_MS, max(start, end))
    query = select(table.key, *(table[field] for field in BACK)).where(
        table.owner_key == owner,
        ~table.gone,
        table.key != cell.key,
        table.checked_in_at.is_not(None),
        or_(table.status == "checked_in", and_(near, table.checked_out_at > start)),
    )
    found: dict[str, Mapping[str, Any]] = {row["key"]: dict(row) for row in door.connection.execute(query).mappings()}
    for other in door.cells_of("visits"):
        if not other.touched:
            continue  # perhaps read before the others of this person waited: what was found now is newer
        found.pop(other.key, None)
        if other.exists and other is not cell and other.row["owner_key"] == owner and other.row["checked_in_at"]:
            found[other.key] = {"key": other.key, **other.row}
    return [found[key] for key in sorted(found)]


def pair_key(one: str, other: str) -> str:
    """The key of a conflict about two visits that no mutation met: whichever came first."""
    return "open." + sha256("/".join(sorted((one, other))).encode()).hexdigest()[:40]


def _asked(door: Door, cell: Cell) -> dict[str, Cell]:
    """The other visit -> the conflict of the pair, settled or not."""
    pairs, beside = visit_pairs.c, dict[str, str]()
    for mine, other in ((pairs.visit_key, pairs.other_key), (pairs.other_key, pairs.visit_key)):
        kept = door.connection.execute(select(pairs.conflict_key, other).where(mine == cell.key))
        beside.update((key, of) for key, of in kept)
    door.load("conflicts", beside)
    found = {of: door.cell("conflicts", key) for key, of in sorted(beside.items())}
    return {of: conflict for of, conflict in found.items() if conflict.exists and conflict.row["reason"] == REASON}


def _ask(door: Door, key: str, cell: Cell, other: Mapping[str, Any], origin: Origin) -> str:
    defaults = SHAPES["visits"].defaults
    values = {
        "entity": "visits",
        "row_key": cell.key,
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
    _keep_pair(door, key, cell.key, other["key"])
    door.put(door.cell("conflicts", key), values, origin, "create")
    return key


def _keep_pair(door: Door, key: str, one: str, other: str) -> None:
    """It stays where the mutation is undone, and is of no conflict then: whoever comes to this key again says anew."""
    door.connection.execute(delete(visit_pairs).where(visit_pairs.c.conflict_key == key))
    door.connection.execute(insert(visit_pairs), [{"conflict_key": key, "visit_key": one, "other_key": other}])


def _dismiss_apart(door: Door, asked: Mapping[str, Cell], met: set[str], origin: Origin, kind: str) -> None:
    """Conflicts with those that it did not meet ask nobody any more."""
    for other, conflict in asked.items():
        if conflict.row["status"] == "open" and other not in met:
            door.put(conflict, {"status": "dismissed"}, origin, kind)
