"""Note bodies as documents that merge (S25): the server's side of the strategy `text`, by Yjs documents of `pycrdt`.

A document is the sum of its updates (`note_updates`), each with the revision that it made and the device that typed it.
It is made and read only when two edits meet or a device speaks Yjs. Whatever else writes a body (an edit that met
nobody, a screen, an import, a restored conflict) is in the row's history, and `Notes.document` takes it from there
before it is used: document and row cannot part, and no other write pays for it.

An edit in plain text is compared with what its device had before it: the document as of `base`, with this device's own
updates since, which no page had shown it yet. Without them a second save would insert the words of the first again.
The difference is an update that merges with what others wrote. Who saved first does not matter to where words end up:
what was inserted at one place is ordered by device. Erasing is not done here.

What it costs is bounded. A transaction compares at most `WORK_MAX`; after that edits that met others are asked about. A
document takes over at most `STEPS_MAX` revisions one by one, older ones together; a base among those has no document,
and is asked about. Every `SNAPSHOT_EVERY` updates the whole document is stored as one (a row with the base `SNAPSHOT`),
and reading begins at the last one that is not newer than the base.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any

from pycrdt import Doc, Text, get_update
from sqlalchemy import func, select

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.tables import history, note_updates
from sfa.db.writes import Door
from sync.words import BODY_CHARACTERS_MAX, Change, Work, changes, glues, whole

ENTITY, FIELD = "notes", "body"
UPDATE_FIELD = "body_update"
UPDATE_BYTES_MAX = 380_000  # in base64 it must fit into a mutation
NUMBER_BITS = 22  # of a client id: the rest is the device, so that devices are ordered before their updates
WORK_MAX = 3_000_000  # words and characters that the comparisons of one transaction may look at
STEPS_MAX = 100  # revisions that a document takes over one by one
ROWS_AT_ONCE = 25  # of history: texts may be long
SNAPSHOT_EVERY = 100  # updates
SNAPSHOT = -1  # the `base` of an update that is the whole document
TYPED = ("create", "update")  # in history, the kinds whose text is what the device itself said


class Notes:
    """The documents of one transaction's notes."""

    def __init__(self, door: Door, device: str) -> None:
        self._door, self._device = door, device
        self._stored: dict[str, tuple[int, list[dict[str, Any]]]] = {}  # and the base from which they were read
        self._made: dict[str, tuple[Document, list[dict[str, Any]]]] = {}  # and what was typed into it here
        self.work = Work(WORK_MAX)

    def merge(self, cell: Cell, base: int, mine: str) -> str | None:
        """The text after an edit in plain text that met others; None where that cannot be said word by word."""
        if base > cell.rev:
            return None  # the base is lost with an older server: what the device had seen is unknown
        document = self.document(cell, base)
        base = document.stands(base, self._device)
        if any(self._is_among(cell, base, together) for together in document.together()):
            return None
        return document.type(base, self._device, mine)

    def merge_update(self, cell: Cell, value: Any, base: int) -> str:
        """The text after an update of a device that speaks Yjs; `Refused` leaves the document as it was."""
        return self.document(cell).take(base, self._device, _decoded(value))

    def document(self, cell: Cell, base: int | None = None) -> "Document":
        """The note's document, brought to what its row says; it knows what devices had at `base` and later."""
        document = self._known(cell, cell.rev if base is None else base)
        last = document.last
        start = max(last, cell.rev - STEPS_MAX)
        for until in sorted({start, min(start, max(last, start if base is None else base))} - {last}):
            device = self._typist(cell, until) if until == last + 1 else None
            document.catch_up(until, device, self._text_at(cell, until), since=last)
            last = until
        if cell.rev > last:
            for made, device, rev, kind in self._door.since(cell, last):
                if FIELD in made:
                    document.catch_up(rev, device if kind in TYPED else None, made[FIELD][1])
        return document

    def _known(self, cell: Cell, base: int) -> "Document":
        """The document as far as it is stored or was made here; what was undone since is not in it."""
        typed = [row for row in self._door.texts if row["key"] == cell.key]
        since, stored = self._stored.get(cell.key, (base, None))
        if stored is None or base < since:
            stored = self._read(cell.key, base) if cell.stored else []
            self._stored[cell.key] = base, stored
            self._made.pop(cell.key, None)
        document, kept = self._made.get(cell.key, (None, []))
        if document is None or len(kept) != len(typed) or any(a is not b for a, b in zip(kept, typed, strict=True)):
            kept = typed
            document = Document(cell.key, cell.rev, [*stored, *typed], self._keeper(kept), self.work)
            self._made[cell.key] = document, kept
        document.rev = cell.rev
        return document

    def _keeper(self, kept: list[dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
        def keep(row: dict[str, Any]) -> None:
            kept.append(row)
            self._door.texts.append(row)

        return keep

    def _read(self, key: str, base: int) -> list[dict[str, Any]]:
        """The updates from the last snapshot that holds nothing newer than `base`."""
        table = note_updates
        of_note = (table.c.entity == ENTITY, table.c.key == key)
        whole = select(func.max(table.c.number)).where(*of_note, table.c.base == SNAPSHOT, table.c.rev <= base)
        first = self._door.connection.execute(whole).scalar() or 0
        query = select(table).where(*of_note, table.c.number >= first).order_by(table.c.number)
        return [dict(row) for row in self._door.connection.execute(query).mappings()]

    def _text_at(self, cell: Cell, rev: int) -> str:
        """What the note said at a revision, from the first change after it."""
        of_note = (history.c.entity == ENTITY, history.c.key == cell.key)
        query = select(history.c.rev, history.c.changes).where(*of_note).order_by(history.c.rev).limit(ROWS_AT_ONCE)
        last = rev
        while rows := self._door.connection.execute(query.where(history.c.rev > last)).all():
            for row in rows:
                if FIELD in row.changes:
                    return row.changes[FIELD][0] or ""
            last = rows[-1].rev
        here = (made[FIELD][0] or "" for made, _, _, _ in self._door.since(cell, last) if FIELD in made)
        return next(here, str(cell.row[FIELD] or ""))

    def _is_among(self, cell: Cell, base: int, together: tuple[int, int]) -> bool:
        """Whether the text that the device had at `base` is lost in revisions (after, until] taken over together."""
        after, until = together
        if base >= until or base > after:
            return base < until
        return base < after or self._device in self._typists(cell, after, until)

    def _typist(self, cell: Cell, rev: int) -> str | None:
        return next(iter(self._typists(cell, rev - 1, rev)), None)

    def _typists(self, cell: Cell, after: int, until: int) -> set[str | None]:
        """The devices that typed one of the revisions (after, until]."""
        columns = (history.c.rev, history.c.device_key, history.c.kind)
        of_note = (history.c.entity == ENTITY, history.c.key == cell.key, history.c.rev > after, history.c.rev <= until)
        stored = self._door.connection.execute(select(*columns).where(*of_note)).all()
        found = {(rev, device, kind) for rev, device, kind in stored}
        last = max((after, *(rev for rev, _, _ in found)))
        if last < until:
            found |= {(rev, device, kind) for _, device, rev, kind in self._door.since(cell, last) if rev <= until}
        return {device for _, device, kind in found if kind in TYPED}


class Document:
    """One note's updates up to revision `rev`; `keep` gets every new one, to be stored with the transaction."""

    def __init__(
        self,
        key: str,
        rev: int,
        updates: Iterable[Mapping[str, Any]],
        keep: Callable[[dict[str, Any]], None],
        work: Work | None = None,
    ) -> None:
        self._key, self.rev, self._updates, self._store = key, rev, list(updates), keep
        self._work = Work(WORK_MAX) if work is None else work
        self._doc = _made_of(row["content"] for row in self._updates[self._snapshot(rev) :])

    @property
    def last(self) -> int:
        """The revision up to which it is made."""
        return max((row["rev"] for row in self._updates), default=0)

    def together(self) -> list[tuple[int, int]]:
        """The revisions (after, until] that were taken over as one."""
        found, last = [], 0
        for row in self._updates:
            is_next = row["device_key"] is None and row["base"] != SNAPSHOT and row["rev"] > last
            if is_next and row["base"] < row["rev"] - 1:
                found.append((row["base"], row["rev"]))
            last = max(last, row["rev"])
        return found

    @property
    def text(self) -> str:
        return str(self._doc["body"])

    def whole_update(self) -> bytes:
        """The document as one update, for a client that starts from nothing."""
        return self._doc.get_update()

    def catch_up(self, rev: int, device: str | None, text: str, since: int | None = None) -> None:
        """A body that was written without meeting anybody; or what all revisions after `since` made of it."""
        if text != self.text or since is not None:
            found = whole(self.text, text, self._work)
            update = write(self._doc, found, self._client(device)) if found else b""
            self._keep(rev, rev - 1 if since is None else since, device, update)

    def type(self, base: int, device: str, mine: str) -> str | None:
        """A device's whole text, made on revision `base`; -> what the note says then."""
        if mine == self.text:
            self._keep(self.rev, self.rev, device, b"")
            return mine
        base = self.stands(base, device)
        fork = self._fork(base, device)
        found = changes(str(fork["body"]), mine, self._work)
        if found is None:
            return None
        before, deltas = self.text, list[list[dict[str, Any]]]()
        update = write(fork, found, self._client(device))
        body = self._doc["body"]
        watching = body.observe(lambda event: deltas.append(event.delta))
        self._doc.apply_update(update)
        body.unobserve(watching)
        seams = _seams(self.text, deltas, [change.words for change in found])
        parting = write(self._doc, seams, self._client(None, 2)) if seams else b""
        text = self.text
        if len(text) > BODY_CHARACTERS_MAX:
            self._doc = _made_of(row["content"] for row in self._updates[self._snapshot(self.rev) :])
            return None
        made = self.rev + (text != before)
        self._keep(made, base, device, update)
        if parting:
            self._keep(made, base, None, parting)
        return text

    def take(self, base: int, device: str, update: bytes) -> str:
        """A device's own Yjs update; -> what the note says then."""
        trial = _made_of([self._doc.get_update()])
        state, before = trial.get_state(), self.text
        try:
            trial.apply_update(update)
            text = str(trial["body"])
            left = get_update(update, trial.get_state())
        except Exception as error:  # whatever the library says of bytes that a stranger sent
            raise _invalid("it is no Yjs update of a text named `body`") from error
        if left[:1] != b"\0":
            raise _invalid("it builds on updates that the server does not have")
        if trial.get_state() == state and text == before:
            raise _invalid("it brings nothing that the document can take")
        if len(text) > BODY_CHARACTERS_MAX:
            raise Refused("note_too_long", f"the note would have {len(text)} characters")
        self._doc.apply_update(update)
        self._keep(self.rev + (text != before or self.rev == 0), base, device, update)
        return text

    def _keep(self, rev: int, base: int, device: str | None, update: bytes) -> None:
        self._add(rev, base, device, update)
        if self._number() - self._updates[self._snapshot(rev)]["number"] >= SNAPSHOT_EVERY:
            self._add(rev, SNAPSHOT, None, self._doc.get_update())

    def _add(self, rev: int, base: int, device: str | None, update: bytes) -> None:
        row = {"entity": ENTITY, "key": self._key, "number": self._number() + 1, "rev": rev, "base": base}
        row |= {"device_key": device, "content": update}
        self._store(row)
        self._updates.append(row)

    def _number(self) -> int:
        return int(self._updates[-1]["number"]) if self._updates else 0

    def _client(self, device: str | None, ahead: int = 1) -> int:
        return client_of(device, self._number() + ahead)

    def _snapshot(self, base: int) -> int:
        """The place of the last snapshot that holds nothing newer than `base`; 0 where there is none."""
        places = range(len(self._updates) - 1, 0, -1)
        found = (i for i in places if self._updates[i]["base"] == SNAPSHOT and self._updates[i]["rev"] <= base)
        return next(found, 0)

    def stands(self, base: int, device: str) -> int:
        """The newest revision that the device is known to have had."""
        mine = (int(row["base"]) for row in self._updates if row["device_key"] == device and row["rev"] > base)
        return max((base, *mine))

    def _fork(self, base: int, device: str) -> Doc[Any]:
        """The document as the device had it: as of `base`, with its own updates since."""
        rows = self._updates[self._snapshot(base) :]
        return _made_of(row["content"] for row in rows if row["rev"] <= base or row["device_key"] == device)


def client_of(device: str | None, number: int) -> int:
    """The Yjs client of one update: below 2^52, devices in the order of their digests, then in their own order."""
    digest = 0 if device is None else 1 + int.from_bytes(hashlib.sha256(device.encode()).digest()[:4]) % (2**30 - 1)
    return digest << NUMBER_BITS | number


def write(doc: Doc[Any], found: list[Change], client: int) -> bytes:
    """Make the changes in a document; -> the update that says so. Offsets of the library are bytes of UTF-8."""
    copy: Doc[Any] = Doc(client_id=client)
    copy["body"] = body = Text()
    copy.apply_update(doc.get_update())
    state = copy.get_state()
    text, places = str(body), list[tuple[int, int, Change]]()
    at = start = end = 0
    for change in found:
        start = end + len(text[at : change.start].encode())
        end, at = start + len(text[change.start : change.end].encode()), change.end
        places.append((start, end, change))
    with copy.transaction():
        for start, end, change in reversed(places):
            if change.words:
                body.insert(end, change.words)
            if end > start:
                del body[start:end]
    update = copy.get_update(state)
    doc.apply_update(update)
    return update


def _made_of(updates: Any) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    doc["body"] = Text()
    for update in updates:
        if update:
            doc.apply_update(update)
    return doc


def _seams(text: str, deltas: list[list[dict[str, Any]]], typed: list[str]) -> list[Change]:
    """Where a merge put two words together that nobody typed as one: at the edges of what it inserted and deleted, and
    between two pieces that were `typed` apart, where others deleted all that stood between them."""
    data, places = text.encode(), set[int]()
    ends = set(accumulate(len(piece.encode()) for piece in typed))  # pieces keep their order in the document
    place = inserted = 0
    for step in (step for delta in deltas for step in delta):
        places.add(place)
        length = len(step.get("insert", "").encode())
        places.update(place + end - inserted for end in ends if inserted < end < inserted + length)
        place, inserted = place + step.get("retain", 0) + length, inserted + length
    found: list[Change] = []
    characters = before = 0
    for edge in sorted({*places, place}):
        characters, before = characters + len(data[before:edge].decode()), edge
        # A word's end shows in the few characters next to it; what is cut off a first or last one is left out.
        left, right = (
            data[max(0, edge - 64) : edge].decode(errors="ignore"),
            data[edge : edge + 64].decode(errors="ignore"),
        )
        if glues(left, right):
            found.append(Change(characters, characters, " "))
    return found


def _decoded(value: Any) -> bytes:
    if not isinstance(value, str) or len(value) > UPDATE_BYTES_MAX * 4 // 3 + 4:
        raise _invalid(f"it must be base64 of at most {UPDATE_BYTES_MAX} bytes")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid("it is not base64") from error


def _invalid(text: str) -> Refused:
    return Refused("note_update_invalid", f"notes.{UPDATE_FIELD}: {text}", field=UPDATE_FIELD)
