"""A note as it came to be: every version with who wrote it, and the document behind it for apps that speak Yjs (S25).

Told to whoever sees the note now. A version says which words came and went, so that a page of versions stays small;
its whole text is asked for by itself. The document is brought to what the row says before it is handed out, which may
store updates: it is a write.
"""

import base64
from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm import online
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, history
from sync.notes import ENTITY, FIELD, Notes
from sync.words import Work, changes

VERSIONS_DEFAULT = 20
VERSIONS_MAX = 100
ROWS_AT_ONCE = 25
REV_MAX = 2**53  # beyond it a number is not one in JSON
WORK_MAX = 3_000_000  # words and characters that the comparisons of one page may look at


class Edited(Struct, frozen=True):
    """`start` counts the characters (code points) of the text before; `removed` became `added`."""

    start: int
    removed: str
    added: str


class Version(Struct, frozen=True):
    """One revision that changed the text. `device_at` is what that device's clock said, `at` is corrected, `stored_at`
    when the server took it. `via` is the merged key that the edit named. `edits` is None where the texts differ too
    much to be compared word by word, or the versions above it on the page took all the time for that."""

    rev: int
    kind: str
    author_key: str | None
    device_key: str | None
    device_at: int | None
    at: int
    stored_at: int
    via: str | None
    edits: list[Edited] | None
    text: str | None = None


class Versions(Struct, frozen=True):
    """The newest first; `next` is the `before` of the following page, None on the last one."""

    key: str
    items: list[Version]
    next: int | None


class NoteDocument(Struct, frozen=True):
    """`update` is base64 of the whole document, whose text is named `body`; `rev` the revision that it is of."""

    key: str
    rev: int
    update: str


def versions(connection: Connection, user_key: str, key: str, before: int | None, limit: int) -> Versions:
    """A page of the versions of a note's text. Raises `not_found` where the caller sees no such note."""
    if not 1 <= limit <= VERSIONS_MAX:
        raise Refused("request_invalid", f"a page has 1 to {VERSIONS_MAX} versions")
    if before is not None and not 0 <= before <= REV_MAX:
        raise Refused("request_invalid", "`before` is a revision, 0 to 2^53")
    _check_seen(connection, user_key, key)
    rows = list(islice(_texts(connection, key, before), limit + 1))
    work = Work(WORK_MAX)
    items = [_version(row, work) for row in rows[:limit]]
    return Versions(key, items, rows[limit - 1].rev if len(rows) > limit else None)


def version(connection: Connection, user_key: str, key: str, rev: int) -> Version:
    """The version that stood at a revision, with its text."""
    _check_seen(connection, user_key, key)
    found = next(_texts(connection, key, rev + 1), None) if 0 <= rev <= REV_MAX else None
    if found is None:
        raise Refused("not_found")
    return _version(found, Work(WORK_MAX), whole=True)


def document(connection: Connection, now_ms: int, user_key: str, key: str) -> NoteDocument:
    """The document of a note that the caller sees."""
    screen = online.begin(connection, now_ms, user_key)
    cell = online.seen(screen, ENTITY, key)
    if cell.gone:
        raise Refused("not_found")
    found = Notes(screen.door, "").document(cell)
    screen.door.flush()
    return NoteDocument(key, cell.rev, base64.b64encode(found.whole_update()).decode())


def _check_seen(connection: Connection, user_key: str, key: str) -> None:
    who = online.person(connection, user_key)
    table = ROWS[ENTITY]
    mine = (table.c.key == key, ~table.c.gone, lies_in(table.c.buckets, "held"))
    query = select(table.c.key).where(*mine)
    if not is_key(key) or connection.execute(query, {"held": listed(connection, who.held or ())}).first() is None:
        raise Refused("not_found")


def _texts(connection: Connection, key: str, before: int | None) -> Iterator[Row[Any]]:
    """The entries of history that changed the text, the newest first, read a few at a time: texts may be long."""
    query = select(history).where(history.c.entity == ENTITY, history.c.key == key).order_by(history.c.rev.desc())
    while True:
        part = query.where(history.c.rev < before) if before is not None else query
        rows = connection.execute(part.limit(ROWS_AT_ONCE)).all()
        yield from (row for row in rows if FIELD in row.changes)
        if len(rows) < ROWS_AT_ONCE:
            return
        before = rows[-1].rev


def _version(row: Row[Any], work: Work, *, whole: bool = False) -> Version:
    old, new = row.changes[FIELD]
    old = old or ""
    found = changes(old, new, work)
    edits = None if found is None else [Edited(c.start, old[c.start : c.end], c.words) for c in found]
    who = (row.rev, row.kind, row.author_key, row.device_key, row.device_at, row.at, row.stored_at, row.via)
    return Version(*who, edits, new if whole else None)
