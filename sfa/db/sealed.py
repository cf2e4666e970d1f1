"""Rows that are all new, sealed by the door in one place and written in another: what a company that is made up needs.

`seal` is the first half of the door's flush: where rows lie, and values for the driver, which may travel to another
process. `write` is the other half, which numbers them. Both use what the flush uses, without what it reads: this is for
rows that nobody has to judge, whose parents are new too. Credits are not written: whoever is done with all batches
calls `sfa.db.credits.rebuild`, and then `sfa.db.commissions.rebuild`.
"""

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from sfa.core.access import DECIDES_SCOPE
from sfa.db import digests, feed, names, storing
from sfa.db.names import Word
from sfa.db.storing import Values
from sfa.db.writes import Door


class Sealed(Struct, frozen=True, array_like=True):
    """What one flush writes: rows by entity, parents first; their words, entries and versions."""

    rows: dict[str, list[Values]]
    words: list[Word]
    entries: list[feed.Entry]
    versions: list[Values]

    @property
    def counts(self) -> dict[str, int]:
        return {entity: len(values) for entity, values in self.rows.items()}


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Sealed)


def seal(door: Door) -> Sealed:
    """What a flush of this door would write. The door has served its purpose then."""
    cells, versions = door.settled()
    for cell in cells:
        if cell.stored or cell.entity in DECIDES_SCOPE:
            raise ValueError(f"{cell.entity}/{cell.key} is not a new row of a customer")
    return Sealed(
        rows=storing.by_entity(cells),
        words=names.values(cells),
        entries=[entry for cell in cells for entry in feed.entries(cell, ())],
        versions=storing.version_values(versions),
    )


def write(connection: Connection, sealed: Sealed) -> None:
    """A key that is taken fails at its insert."""
    for entity, values in sealed.rows.items():
        storing.insert(connection, entity, values)
    names.write_values(connection, sealed.words)
    last = feed.take(connection, len(sealed.entries) or min(1, len(sealed.versions)))
    feed.write_numbered(connection, sealed.entries, last, digests.added(sealed.entries))
    storing.write_versions(connection, sealed.versions, last)


def packed(sealed: Sealed) -> bytes:
    return _ENCODER.encode(sealed)


def unpacked(content: bytes) -> Sealed:
    return _DECODER.decode(content)
