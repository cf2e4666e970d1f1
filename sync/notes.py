"""Note bodies as documents that merge (S25): the server's side of the strategy `text`, by Yjs documents of `pycrdt`.

A document is the sum of its updates (`note_updates`), each with the revision that it made and the device that typed it.
It is made and read only when two edits meet or a device speaks Yjs. Whatever else writes a body (an edit that met
nobody, a screen, an import, a restored conflict) is in the row's history, and `Notes.document` takes it from there
before it is used: document and row cannot part, and no other write pays for it.

An edit in plain text is compared with what its device had before it: the document as of `base`, with this device's own
updates since, which no page had shown it yet. Without them a second save would insert the words of the first again.
The difference is an update that merges with what others wrote. Who saved first does not matter to where words end up:
what was inserted at one place is ordered by device. Erasing is not done here.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any

from pycrdt import Doc, Text, get_update
from sqlalchemy import select

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.tables import note_updates
from sfa.db.writes import Door
from sync.words import BODY_CHARACTERS_MAX, Change, changes, glues, whole

ENTITY, FIELD = "notes", "body"
UPDATE_FIELD = "body_update"
UPDATE_BYTES_MAX = 380_000  # in base64 it must fit into a mutation
NUMBER_BITS = 22  # of a client id: the rest is the device, so that devices are ordered before their updates
TYPED = ("create", "update")  # in history, the kinds whose text is what the device itself said


class Notes:
    """The documents of one transaction's notes."""

    def __init__(self, door: Door, device: str) -> None:
        self._door, self._device = door, device
        self._stored: dict[str, list[dict[str, Any]]] = {}

    def merge(self, cell: Cell, base: int, mine: str) -> str | None:
        """The text after an edit in plain text that met others; None where that cannot be said word by word."""
        if base > cell.rev:
            return None  # the base is lost with an older server: what the device had seen is unknown
        return self.document(cell).type(base, self._device, mine)

    def merge_update(self, cell: Cell, value: Any, base: int) -> str:
        """The text after an update of a device that speaks Yjs; `Refused` leaves the document as it was."""
        return self.document(cell).take(base, self._device, _decoded(value))

    def document(self, cell: Cell) -> "Document":
        """The note's document, brought to what its row says."""
        if cell.key not in self._stored:
            self._stored[cell.key] = self._read(cell.key) if cell.stored else []
        texts = self._door.texts
        known = [*self._stored[cell.key], *(row for row in texts if row["key"] == cell.key)]
        document = Document(cell.key, cell.rev, known, texts.append)
        for made, device, rev, kind in self._door.since(cell, max((row["rev"] for row in known), default=0)):
            if FIELD in made:
                document.catch_up(rev, device if kind in TYPED else None, made[FIELD][1])
        return document

    def _read(self, key: str) -> list[dict[str, Any]]:
        table = note_updates
        query = select(table).where(table.c.entity == ENTITY, table.c.key == key).order_by(table.c.number)
        return [dict(row) for row in self._door.connection.execute(query).mappings()]


class Document:
    """One note's updates up to revision `rev`; `keep` gets every new one, to be stored with the transaction."""

    def __init__(
        self, key: str, rev: int, updates: Iterable[Mapping[str, Any]], keep: Callable[[dict[str, Any]], None]
    ) -> None:
        self._key, self._rev, self._updates, self._store = key, rev, list(updates), keep
        self._doc = _made_of(row["content"] for row in self._updates)

    @property
    def text(self) -> str:
        return str(self._doc["body"])

    def whole_update(self) -> bytes:
        """The document as one update, for a client that starts from nothing."""
        return self._doc.get_update()

    def catch_up(self, rev: int, device: str | None, text: str) -> None:
        """A body that was written without meeting anybody."""
        if text != self.text:
            update = write(self._doc, whole(self.text, text), self._client(device))
            self._keep(rev, rev - 1, device, update)

    def type(self, base: int, device: str, mine: str) -> str | None:
        """A device's whole text, made on revision `base`; -> what the note says then."""
        if mine == self.text:
            self._keep(self._rev, self._rev, device, b"")
            return mine
        base = self._stands(base, device)
        fork = self._fork(base, device)
        found = changes(str(fork["body"]), mine)
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
            return None
        made = self._rev + (text != before)
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
        self._keep(self._rev + (text != before or self._rev == 0), base, device, update)
        return text

    def _keep(self, rev: int, base: int, device: str | None, update: bytes) -> None:
        row = {"entity": ENTITY, "key": self._key, "number": len(self._updates) + 1, "rev": rev, "base": base}
        row |= {"device_key": device, "content": update}
        self._store(row)
        self._updates.append(row)

    def _client(self, device: str | None, ahead: int = 1) -> int:
        return client_of(device, len(self._updates) + ahead)

    def _stands(self, base: int, device: str) -> int:
        """The newest revision that the device is known to have had."""
        mine = (int(row["base"]) for row in self._updates if row["device_key"] == device and row["rev"] > base)
        return max((base, *mine))

    def _fork(self, base: int, device: str) -> Doc[Any]:
        """The document as the device had it: as of `base`, with its own updates since."""
        return _made_of(row["content"] for row in self._updates if row["rev"] <= base or row["device_key"] == device)


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
    text = str(body)
    with copy.transaction():
        for change in reversed(found):
            start = len(text[: change.start].encode())
            end = start + len(text[change.start : change.end].encode())
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
    for edge in sorted({*places, place}):
        before, after = data[:edge].decode(), data[edge:].decode()
        if glues(before, after):
            found.append(Change(len(before), len(before), " "))
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
