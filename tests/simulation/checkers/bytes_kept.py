"""Bytes are kept: in peace every attachment that stands has its content, once and whole, and no phone has anything left
to send; what a phone still has, it says why. Much later every content is there that a row has, and nothing else.

It is right that nobody has the bytes of an attachment where its phone was erased or is used no more, where the server
was restored after they had come and gone from the phone, where somebody had deleted it, where nobody decided about its
row within the time of grace, and where they were not what was declared: then their phone says so.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from sfa.db.tables import blobs, uploads
from tests.simulation.attaching import GRACE_MS, Attaching, Made
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed
from tests.simulation.phones import Phone
from tests.simulation.pockets import can_attach
from tests.simulation.snapshot import Snapshot, Stored

if TYPE_CHECKING:
    from tests.simulation.world import World

REFUSED = ("file_differs", "file_type_refused", "not_permitted")


def check(connection: Connection, books: Books, world: "World") -> None:
    """In peace."""
    attaching = world.attaching
    if not attaching.is_on:
        return
    _check_store(connection, books.snapshot, attaching, is_late=False)
    for stored in books.snapshot.live("attachments"):
        if not stored.row["stored"] and stored.key in attaching.made:
            _check_awaited(books, stored, attaching.made[stored.key], world)
    for phone in world.phones:
        if can_attach(phone):
            _check_phone(books.snapshot, phone, attaching)


def check_much_later(connection: Connection, snapshot: Snapshot, attaching: Attaching) -> None:
    """After the collector: what nobody needs is gone, with what came of uploads that ended."""
    _check_store(connection, snapshot, attaching, is_late=True)
    if attaching.server.parts():
        raise Failed("bytes_kept", f"parts of {attaching.server.parts()} still lie there")
    open_ones = list(connection.execute(select(uploads.c.key).where(uploads.c.state == "open")).scalars())
    if open_ones:
        raise Failed("bytes_kept", f"{open_ones} still wait for bytes")


def _check_store(connection: Connection, snapshot: Snapshot, attaching: Attaching, *, is_late: bool) -> None:
    kept = dict(connection.execute(select(blobs.c.sha256, blobs.c.size).where(blobs.c.state == "kept")).all())
    there = attaching.server.contents()
    for name, (sha256, size) in there.items():
        if sha256 != name:
            raise Failed("bytes_kept", f"the content {name} is another one: {sha256}, {size} bytes")
    for name, size in kept.items():
        if there.get(name) != (name, size):
            raise Failed("bytes_kept", f"the content {name} of {size} bytes is kept, there is {there.get(name)}")
    needed = {}
    for stored in snapshot.live("attachments"):
        if stored.row["stored"]:
            needed[stored.row["sha256"]] = stored.key
            if kept.get(stored.row["sha256"]) != stored.row["size"]:
                raise Failed("bytes_kept", f"{stored.key} says that its bytes are there: {stored.row['sha256']}")
    unknown = there.keys() - (needed.keys() if is_late else _noted(connection)) - attaching.forgotten
    if unknown or (is_late and kept.keys() - needed.keys()):
        raise Failed("bytes_kept", f"nobody needs {sorted(unknown | (kept.keys() - needed.keys()))}")


def _noted(connection: Connection) -> set[str]:
    return set(connection.execute(select(blobs.c.sha256)).scalars())


def _check_awaited(books: Books, stored: Stored, made: Made, world: "World") -> None:
    """A row without its bytes."""
    attaching, told = world.attaching, False
    for phone in world.phones:
        copy = attaching.pocket(phone).copies().get(made.key)
        told = told or (copy is not None and (copy.code is not None or not can_attach(phone)))
    if not told and not _is_excused(books, made, stored.row, world):
        raise Failed("bytes_kept", f"{made.key} of {made.user} stands, and no phone has its bytes or says why")


def _is_excused(books: Books, made: Made, row: Mapping[str, Any], world: "World") -> bool:
    own = [entry for entry in books.history if (entry["entity"], entry["key"]) == ("attachments", made.key)]
    deleted = any(entry["kind"] not in ("create", "update") for entry in own)
    late = any(entry["kind"] == "create" and entry["stored_at"] > made.at + GRACE_MS for entry in own)
    was_there = any("stored" in (entry["changes"] or {}) for entry in own)
    phones = [phone for phone in world.phones if phone.user == made.user]
    erased = any(phone.over or world.attaching.pocket(phone).was_erased() for phone in phones)
    return bool(made.excuses) or made.is_rotten or deleted or late or was_there or erased


def _check_phone(snapshot: Snapshot, phone: Phone, attaching: Attaching) -> None:
    pocket = attaching.pocket(phone)
    if pocket.strays():
        raise Failed("bytes_kept", f"{phone.key} has copies that it does not know: {pocket.strays()}")
    for key, copy in pocket.copies().items():
        if copy.code is not None and not _is_true(snapshot, attaching.made[key], copy.code):
            raise Failed("bytes_kept", f"{phone.key} was told {copy.code} of {key}, which is whole")
        if copy.code is None and not copy.is_stored and not _waits_rightly(snapshot, phone, key):
            raise Failed("bytes_kept", f"{phone.key} has signal and still keeps {key}: {copy}")


def _is_true(snapshot: Snapshot, made: Made, code: str) -> bool:
    return code == "not_permitted" or made.is_rotten


def _waits_rightly(snapshot: Snapshot, phone: Phone, key: str) -> bool:
    """Its row was refused, and its author may still repair it."""
    rows = [s.row for s in snapshot.live("refusals") if s.row["row_key"] == key]
    return any(row["status"] == "open" for row in rows)
