"""When a device was last heard of, noted in memory and written in batches: a poll stays a read (S5, S31).

Every sync leaves a note (a dict entry); the server writes what is new once a minute, and when it stops. A process that
dies loses a minute of notes and nothing else. A push writes its own time besides, with its receipts.
"""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, or_, update

from sfa.core.clock import skew_is_large
from sfa.db.database import Database
from sfa.db.tables import devices
from sync.wakes.claims import note_reached

WRITE_EVERY_S = 60


class Note(Struct, frozen=True):
    """What a request told: `queued` mutations wait beside those in it, as far as the device said."""

    at: int
    contract: int
    skew_ms: int
    queued: int | None
    seq: int = 0  # what a page that was complete reached: no wake is needed up to there


class Seen:
    def __init__(self) -> None:
        self._notes: dict[str, Note] = {}

    def note(self, device: str, note: Note) -> None:
        before = self._notes.get(device)
        if before is not None and before.seq > note.seq:
            note = msgspec.structs.replace(note, seq=before.seq)
        self._notes[device] = note

    def reached(self) -> dict[str, int]:
        """device -> the number that its last completed page reached, of those that are not written yet."""
        return {device: note.seq for device, note in self._notes.items() if note.seq}

    async def write(self, database: Database) -> int:
        """Write what was noted since the last time; -> how many registrations. After a failure the notes stay."""
        notes, self._notes = self._notes, {}
        if notes:
            try:
                await database.write_async(store, notes)
            except Exception:
                self._notes = {**notes, **self._notes}
                raise
        return len(notes)


_SEEN = (
    update(devices)
    .where(
        devices.c.key == bindparam("device"),
        or_(devices.c.last_seen_at.is_(None), devices.c.last_seen_at <= bindparam("at")),
    )
    .values(
        last_seen_at=bindparam("at"),
        contract=bindparam("version"),
        queued=bindparam("waiting"),
        skew_ms=bindparam("skew"),
        skewed=bindparam("large"),
    )
)


def store(connection: Connection, notes: dict[str, Note]) -> None:
    """Also for wakes. In the order of keys, so that two processes never wait for each other. Older news than what
    stands is dropped."""
    rows: list[dict[str, Any]] = [
        {
            "device": device,
            "at": note.at,
            "version": note.contract,
            "waiting": note.queued,
            "skew": note.skew_ms,
            "large": skew_is_large(note.skew_ms),
        }
        for device, note in sorted(notes.items())
    ]
    connection.execute(_SEEN, rows)
    note_reached(connection, [(device, note.seq) for device, note in notes.items() if note.seq])
