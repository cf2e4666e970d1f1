"""One file of one entity becomes rows, by a person with a role (docs/import.md): in bounded batches, resumable.

Promises: a line creates the row that its identity names or changes it, by the functions and with the rights of every
other edit of this person (R53); a line that is refused leaves no trace but its fault, and the others are written. Each
batch of `BATCH_LINES` is one transaction together with how far the file has come (`import_runs`), so an import that was
killed, sent again, goes on where it was and does nothing twice; two at once share the work. A dry run does all of it in
memory.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, insert, select, update

from sfa.core.access import may_write
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.rules import check_values
from sfa.core.shapes import SHAPES
from sfa.crm import beside, edits, rates
from sfa.crm.edits import Who
from sfa.crm.imports.columns import IDENTITY, Columns, Stated, columns_of, header_faults, in_order, stated
from sfa.crm.imports.keys import external_key
from sfa.crm.imports.load import invalid
from sfa.crm.imports.table import Fault, parsed
from sfa.crm.online import begin, person
from sfa.db.cells import Lock
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, import_runs
from sfa.db.writes import Door, Origin

BATCH_LINES = 500
LINES_MAX = 200_000
FAULTS_KEPT = 1_000
KEPT_MS = 30 * 24 * 3600 * 1000
IMPORTERS = frozenset({"manager", "director", "finance", "admin"})
TAKEN = "this identity cannot be used: several rows have it, or one that you may not see"
FOLDED = frozenset({"email"})  # people type them in any case
OUTCOMES = ("created", "updated", "unchanged", "deleted")


class Sheet(Struct, frozen=True):
    """A file that was read: its good lines in the order of writing, and the faults of the others."""

    key: str
    user_key: str
    entity: str
    file: str
    columns: Columns
    lines: tuple[Stated, ...]
    faults: tuple[Fault, ...]


class Progress(Struct, frozen=True):
    """How far an import is: `done` of `lines` that could be read are decided. `faults` are the first
    ones in the order in which they were met, `faulty` counts all."""

    key: str
    entity: str
    dry_run: bool
    lines: int
    done: int
    counts: dict[str, int]
    faulty: int
    faults: list[Fault]


def read_sheet(user_key: str, entity: str, data: bytes, file: str = "file") -> Sheet:
    """Refuses `import_invalid` for a header with faults, and for too many lines. One line more of the same row is
    `duplicate_external_id`."""
    if entity not in IDENTITY:
        raise Refused("entity_unknown", f"{', '.join(IDENTITY)} can be imported")
    names: list[str] = []

    def check(header: Sequence[str]) -> tuple[Fault, ...]:
        names.extend(header)
        return header_faults(entity, file, header)

    table = parsed(data, file, check, LINES_MAX)
    if not table.usable:
        raise invalid(table.faults)
    columns = columns_of(entity, names)
    good: list[Stated] = []
    faults = list(table.faults)
    seen: dict[tuple[str, ...], int] = {}
    for line in table.lines:
        found = stated(entity, columns, line, file)
        if isinstance(found, Fault):
            faults.append(found)
            continue
        first = seen.setdefault(_identity(entity, found), found.line)
        if first != found.line:
            text = f"line {first} is about the same row"
            faults.append(Fault(file, found.line, IDENTITY[entity][0], "duplicate_external_id", text))
        else:
            good.append(found)
    key = hashlib.sha256(b"\0".join((user_key.encode(), entity.encode(), data))).hexdigest()[:32]
    faults.sort(key=lambda fault: fault.line)
    return Sheet(key, user_key, entity, file, columns, tuple(in_order(entity, good)), tuple(faults))


def _identity(entity: str, item: Stated) -> tuple[str, ...]:
    return tuple(f"{item.values.get(field)}/{item.named.get(field)}" for field in IDENTITY[entity])


def check_importer(who: Who, entity: str) -> None:
    if who.role not in IMPORTERS or not may_write(who.role, entity):
        raise Refused("not_permitted", f"the role {who.role} does not import {entity}")


# -- the three transactions ------------------------------------------------------------------------------------------


def rehearse(connection: Connection, now_ms: int, sheet: Sheet) -> Progress:
    """What an import would do now; writes nothing."""
    who = person(connection, sheet.user_key)
    check_importer(who, sheet.entity)
    door = Door(connection, now_ms)
    counts, faults = dict.fromkeys(OUTCOMES, 0), list(sheet.faults)
    for part in _parts(sheet.lines):
        faults += _put(door, who, sheet, part, counts, now_ms, "none")
    count = len(sheet.lines)
    return Progress("", sheet.entity, True, count, count, counts, len(faults), faults[:FAULTS_KEPT])


def start(connection: Connection, now_ms: int, sheet: Sheet) -> Progress:
    """Begin, or find where the same file stopped. One that was finished begins anew."""
    check_importer(person(connection, sheet.user_key), sheet.entity)
    found = _standing(connection, sheet.key, locked=True)
    if found is not None and found.done < found.lines:
        return found
    faults = [msgspec.to_builtins(fault) for fault in sheet.faults[:FAULTS_KEPT]]
    state = {"lines": len(sheet.lines), "done": 0, "begun_at": now_ms, "faults": faults, "faulty": len(sheet.faults)}
    row = {"user_key": sheet.user_key, "entity": sheet.entity, "counts": dict.fromkeys(OUTCOMES, 0), **state}
    if found is None:
        connection.execute(insert(import_runs), [{"key": sheet.key, **row}])
    else:
        connection.execute(update(import_runs).where(import_runs.c.key == sheet.key).values(row))
    return _must_stand(connection, sheet.key)


def advance(connection: Connection, now_ms: int, sheet: Sheet) -> Progress:
    """The next batch, wherever the import is by now; -> where it is after that. Raises `scope.Due` as a push does."""
    screen = begin(connection, now_ms, sheet.user_key)
    check_importer(screen.who, sheet.entity)
    now = _must_stand(connection, sheet.key, locked=True)
    part = sheet.lines[now.done : now.done + BATCH_LINES]
    if not part:
        return now
    counts = dict(now.counts)
    faults = _put(screen.door, screen.who, sheet, part, counts, now_ms, "update")
    screen.door.flush()
    kept = [*now.faults, *faults][:FAULTS_KEPT]
    after = structs.replace(now, done=now.done + len(part), counts=counts, faults=kept, faulty=now.faulty + len(faults))
    state = {"done": after.done, "counts": counts, "faults": msgspec.to_builtins(kept), "faulty": after.faulty}
    connection.execute(update(import_runs).where(import_runs.c.key == sheet.key).values(state))
    return after


def progress(connection: Connection, user_key: str, key: str) -> Progress:
    """Of an import of the caller; `not_found` for any other."""
    found = _standing(connection, key, of=user_key) if is_key(key) else None
    if found is None:
        raise Refused("not_found")
    return found


def forget(connection: Connection, now_ms: int) -> int:
    """Delete what is known of old imports; -> how many."""
    return connection.execute(delete(import_runs).where(import_runs.c.begun_at <= now_ms - KEPT_MS)).rowcount


def _standing(connection: Connection, key: str, *, locked: bool = False, of: str | None = None) -> Progress | None:
    query = select(import_runs).where(import_runs.c.key == key)
    if of is not None:
        query = query.where(import_runs.c.user_key == of)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    if row is None:
        return None
    faults = [Fault(**fault) for fault in row["faults"]]
    return Progress(key, row["entity"], False, row["lines"], row["done"], row["counts"], row["faulty"], faults)


def _must_stand(connection: Connection, key: str, *, locked: bool = False) -> Progress:
    found = _standing(connection, key, locked=locked)
    assert found is not None, "an import advances after its start"
    return found


# -- lines into the door ---------------------------------------------------------------------------------------------


def _parts(lines: Sequence[Stated]) -> Iterator[Sequence[Stated]]:
    for begin_ in range(0, len(lines), BATCH_LINES):
        yield lines[begin_ : begin_ + BATCH_LINES]


def _put(
    door: Door, who: Who, sheet: Sheet, part: Sequence[Stated], counts: dict[str, int], now_ms: int, lock: Lock
) -> list[Fault]:
    """Change the rows in the door's memory; a line that is refused leaves no trace but its fault."""
    origin = Origin(author_key=who.user_key, at=now_ms, stored_at=now_ms)
    named = _found(door, who, sheet, part)
    keyed = [values for item in part if isinstance(values := _resolved(sheet, item, named), dict)]
    known = _known(door, sheet.entity, keyed)
    _bring(door, sheet.entity, [(_key(sheet.entity, values, known), values) for values in keyed], lock)
    if sheet.entity in rates.SAYS_WHEN:  # at once, not line by line, and behind the locks of rows, as a push does
        fields = rates.SAYS_WHEN[sheet.entity]
        rates.standing(door, sheet.entity).read(row for row in keyed if all(is_key(row.get(f)) for f in fields))
    faults: list[Fault] = []
    for item in part:
        values = _resolved(sheet, item, named)
        if isinstance(values, Fault):
            faults.append(values)
            continue
        mark = door.mark()
        try:
            counts[_one(door, who, sheet.entity, values, known, origin)] += 1
        except Refused as refused:
            door.undo_to(mark)
            field = refused.details.get("field")
            faults.append(Fault(sheet.file, item.line, field, refused.code, refused.text))
        else:  # what follows in this batch may name it
            place = (sheet.entity, "external_id", str(values.get("external_id")))
            named.setdefault(place, [_key(sheet.entity, values, known)])
    return faults


Known = dict[tuple[Any, ...], list[str]]
Names = dict[tuple[str, str, str], list[str]]  # (entity, by which field, name) -> keys


def _resolved(sheet: Sheet, item: Stated, named: Names) -> dict[str, Any] | Fault:
    values = dict(item.values)
    for field, text in item.named.items():
        column, of, by = sheet.columns.named[field]
        keys = named.get((of, by, _folded(by, text)), [])
        if len(keys) != 1:
            found = "no row" if not keys else "several rows"
            return Fault(sheet.file, item.line, column, "reference_unknown", f"{found} of {of} with {text[:60]!r}")
        values[field] = keys[0]
    return values


def _found(door: Door, who: Who, sheet: Sheet, part: Sequence[Stated]) -> Names:
    """The rows that these lines name, stored or made in this transaction, as far as the person sees them: whether there
    is another is not told."""
    found: Names = {}
    for entity, by in sorted({(of, by) for _, of, by in sheet.columns.named.values()}):
        fields = [field for field, (_, of, how) in sheet.columns.named.items() if (of, how) == (entity, by)]
        texts = {_folded(by, item.named[field]) for item in part for field in fields if field in item.named}
        table = ROWS[entity]
        column = func.lower(table.c[by]) if by in FOLDED else table.c[by]
        query = select(column, table.c.key).where(among(column, "texts"), ~table.c.gone)
        bound = {"texts": listed(door.connection, sorted(texts))}
        if who.held is not None:
            query = query.where(lies_in(table.c.buckets, "held"))
            bound["held"] = listed(door.connection, who.held)
        pairs = {(text, key) for text, key in door.connection.execute(query, bound)}
        here = door.cells_of(entity) if entity == sheet.entity else ()
        pairs |= {(_folded(by, str(cell.row[by])), cell.key) for cell in here if cell.exists and cell.touched}
        for text, key in sorted(pair for pair in pairs if pair[0] in texts):
            found.setdefault((entity, by, text), []).append(key)
    return found


def _folded(by: str, text: str) -> str:
    return text.lower() if by in FOLDED else text


def _known(door: Door, entity: str, rows: Sequence[dict[str, Any]]) -> Known:
    """identity -> keys of the live rows that have it."""
    fields = IDENTITY[entity]
    if entity == "quotas":
        standing = beside.standing(door)
        standing.read(door.connection, rows)
        return {of: sorted(keys) for of, keys in standing.keys.items()}
    table = ROWS[entity]
    query = select(table.c.key, *(table.c[field] for field in fields))
    query = query.where(among(table.c[fields[0]], "firsts"), ~table.c.gone)
    firsts = listed(door.connection, sorted({str(values[fields[0]]) for values in rows}))
    found: Known = {}
    for key, *identity in door.connection.execute(query, {"firsts": firsts}):
        found.setdefault(tuple(identity), []).append(key)
    return found


def _key(entity: str, values: dict[str, Any], known: Known) -> str:
    """The row that has this identity, or the key that it gets by it."""
    identity = _identity_of(entity, values)
    keys = known.get(identity)
    if keys:
        return keys[0]
    name = "\0".join("" if part is None else str(part) for part in identity)
    return external_key(entity[:12].rstrip("s_"), name)


def _identity_of(entity: str, values: dict[str, Any]) -> tuple[Any, ...]:
    return beside.identity(values) if entity == "quotas" else tuple(values[field] for field in IDENTITY[entity])


def _bring(door: Door, entity: str, rows: Sequence[tuple[str, dict[str, Any]]], lock: Lock) -> None:
    """Load the rows and what they refer to, a query for each entity."""
    named: dict[str, set[str]] = {}
    for _, values in rows:
        for field, target in SHAPES[entity].references.items():
            if values.get(field) is not None:
                named.setdefault(target, set()).add(values[field])
    for target in sorted(named):
        door.load(target, named[target], "share" if lock == "update" else lock)
    door.load(entity, [key for key, _ in rows], lock)


def _one(door: Door, who: Who, entity: str, values: dict[str, Any], known: Known, origin: Origin) -> str:
    """Create or change the row of one line; -> what happened."""
    if len(known.get(_identity_of(entity, values), ())) > 1:
        raise Refused("duplicate_external_id", TAKEN, field=IDENTITY[entity][0])
    cell = door.cell(entity, _key(entity, values, known))
    if cell.rev == 0:
        edits.create(door, who, entity, cell.key, values, origin)
        return "created"
    if not edits.is_visible(door, who, cell):
        raise Refused("duplicate_external_id", TAKEN, field=IDENTITY[entity][0])
    if entity == "quotas" and beside.identity(cell.row) != beside.identity(values):
        text = f"{cell.key} was made for this line and is another quota by now"
        raise Refused("key_taken", text, key=cell.key)
    if cell.gone:
        return "deleted"
    check_values(entity, values)
    wanted = {field: value for field, value in values.items() if cell.row[field] != value}
    edits.check_rights(who, entity, wanted, creating=False)
    if not wanted:
        return "unchanged"
    edits.update(door, who, cell, wanted, origin, kind="import")
    return "updated"
