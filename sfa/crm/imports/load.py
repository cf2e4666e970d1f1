"""A plan meets the database: rehearsed as a whole first, then written through the one door in bounded batches.

Promises: one bad row writes nothing at all, unless its errors are to be skipped; a row that says what the database says
is not written; every batch is one transaction, parents before children, so an import that was killed goes on when it is
run again. Rows are found by their key or, where the company gave the external id to another one, by that (`recognise`).
Does not do: delete rows that a file no longer names, or bring back rows that people deleted.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.core.shapes import SHAPES
from sfa.crm import edits
from sfa.crm.imports.plan import Planned
from sfa.crm.imports.recognise import recognise
from sfa.crm.imports.table import Fault
from sfa.db.cells import Lock
from sfa.db.database import Database
from sfa.db.writes import Door, Origin

BATCH_ROWS = 2_000
OUTCOMES = ("created", "updated", "unchanged", "deleted")

Counts = dict[str, dict[str, int]]


class Report(Struct, frozen=True):
    """`counts[entity][outcome]` in rows, entities in the order of the plan; `faults` are the rows that were refused."""

    counts: Counts
    faults: tuple[Fault, ...]

    def total(self, *outcomes: str) -> int:
        return sum(of[outcome] for of in self.counts.values() for outcome in outcomes)


def rehearse(database: Database, plan: Sequence[Planned], now_ms: int) -> Report:
    """What a run would do now; writes nothing."""
    return database.read(_rehearse, plan, now_ms)[1]


def load(
    database: Database,
    plan: Sequence[Planned],
    now_ms: int,
    *,
    faults: Sequence[Fault] = (),
    skip_errors: bool = False,
    after_batch: Callable[[int, int], None] | None = None,
) -> Report:
    """Write the plan. `import_invalid` with all errors, those of the reading (`faults`) among them, where a row is bad,
    before anything is written; with `skip_errors` the good rows are written. `after_batch(done, all)` is told the rows
    after each commit. The report's faults are those of the reading and of the database."""
    rows, rehearsed = database.read(_rehearse, plan, now_ms)
    every = (*faults, *rehearsed.faults)
    if every and not skip_errors:
        raise invalid(every)
    if not rehearsed.total("created", "updated"):
        return Report(rehearsed.counts, every)
    counts: Counts = {}
    left_out = [*faults, *(fault for fault in rehearsed.faults if fault.code == "duplicate_external_id")]
    done = 0
    for batch in _batches(rows):
        report = database.write(_write, batch, now_ms, skip_errors)
        _add(counts, report.counts)
        left_out += report.faults
        done += len(batch)
        if after_batch is not None:
            after_batch(done, len(rows))
    return Report(counts, tuple(left_out))


def invalid(faults: Sequence[Fault]) -> Refused:
    listed = [msgspec.to_builtins(fault) for fault in faults]
    return Refused("import_invalid", f"{len(faults)} errors; nothing was written", errors=listed)


def _rehearse(connection: Connection, plan: Sequence[Planned], now_ms: int) -> tuple[list[Planned], Report]:
    """The rows under the keys that the company has for them, and what writing them would do: all of it happens in the
    memory of a door that is never flushed."""
    rows, faults = recognise(connection, plan)
    door = Door(connection, now_ms)
    counts: Counts = {}
    for batch in _batches(rows):
        faults += _put(door, batch, counts, now_ms, "none")
    return rows, Report(counts, tuple(faults))


def _write(connection: Connection, batch: Sequence[Planned], now_ms: int, skip_errors: bool) -> Report:
    door = Door(connection, now_ms)
    counts: Counts = {}
    faults = _put(door, batch, counts, now_ms, "update")
    if faults and not skip_errors:
        raise invalid(faults)  # somebody wrote between the rehearsal and this batch
    door.flush()
    return Report(counts, tuple(faults))


def _batches(rows: Sequence[Planned]) -> Iterator[Sequence[Planned]]:
    """Consecutive stretches; a line stays with its deal. Customers begin a new one: what their rows depend on (the
    organisation's settings, who is who) is committed then."""
    start = 0
    customers = next((place for place, row in enumerate(rows) if row.entity == "accounts"), len(rows))
    while start < len(rows):
        end = start + BATCH_ROWS if start >= customers else min(start + BATCH_ROWS, customers)
        while end < len(rows) and rows[end].entity == "deal_lines":
            end += 1
        yield rows[start:end]
        start = end


def _put(door: Door, rows: Sequence[Planned], counts: Counts, now_ms: int, lock: Lock) -> list[Fault]:
    """Change the rows in the door's memory; a row that is refused leaves no trace but its fault."""
    _bring(door, rows, lock)
    origin = Origin(author_key=None, at=now_ms, stored_at=now_ms)
    faults: list[Fault] = []
    for row in rows:
        mark = door.mark()
        try:
            outcome = edits.imported(door, row.entity, row.key, row.values, row.once, origin)
        except Refused as refused:
            door.undo_to(mark)
            field = refused.details.get("field")
            faults.append(Fault(row.file, row.line, field, refused.code, f"{row.entity}: {refused.text}"))
        else:
            _add(counts, {row.entity: {outcome: 1}})
    return faults


def _bring(door: Door, rows: Sequence[Planned], lock: Lock) -> None:
    """Load the rows and all that they refer to, a few queries for each entity, so that no row asks for itself."""
    own: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for row in rows:
        own.setdefault(row.entity, set()).add(row.key)
        for field, target in SHAPES[row.entity].references.items():
            key: Any = row.values.get(field) or row.once.get(field)
            if key is not None:
                named.setdefault(target, set()).add(key)
    for entity, keys in own.items():
        door.load(entity, keys, lock)
    for entity, keys in named.items():
        door.load(entity, keys, "share" if lock == "update" else lock)


def _add(counts: Counts, more: Counts) -> None:
    for entity, of in more.items():
        mine = counts.setdefault(entity, dict.fromkeys(OUTCOMES, 0))
        for outcome, count in of.items():
            mine[outcome] += count
