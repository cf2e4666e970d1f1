"""Rows that are all new, sealed by the door in one place and written in another: what a company that is made up needs.

`seal` is the pure half of the door's flush: values for the driver, with their numbers of the clock, which may travel to
another process. `write` is the other half and does no work for each row. It is for rows that nobody has to judge, whose
parents are new too, written to a database in which nobody else writes meanwhile: whoever did is noticed by the clock.
"""

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from sfa.core.access import DECIDES_SCOPE
from sfa.core.errors import Refused
from sfa.db import digests, feed, names, storing
from sfa.db.storing import Values
from sfa.db.writes import Door


class Sealed(Struct, frozen=True, array_like=True):
    """One transaction. `last` is the number of the clock after it, `taken` how many it takes."""

    counts: dict[str, int]
    taken: int
    last: int
    rows: dict[str, list[Values]]
    words: list[Values]
    entries: list[Values]
    heads: list[Values]
    versions: list[Values]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Sealed)


def seal(door: Door, after: int) -> Sealed:
    """What a flush of this door would write after that number of the clock. The door has served its purpose then."""
    cells, versions = door.settled()
    for cell in cells:
        if cell.stored or cell.entity in DECIDES_SCOPE:
            raise ValueError(f"{cell.entity}/{cell.key} is not a new row of a customer")
    entries = [entry for cell in cells for entry in feed.entries(cell, ())]
    last = after + len(entries)
    rows, heads = feed.values(entries, last, digests.added(entries))
    stored = storing.by_entity(cells)
    return Sealed(
        counts={entity: len(values) for entity, values in stored.items()},
        taken=len(entries),
        last=last,
        rows=stored,
        words=names.values(cells),
        entries=rows,
        heads=heads,
        versions=storing.version_values(versions, last),
    )


def write(connection: Connection, sealed: Sealed) -> None:
    """`server_busy` where the clock says that somebody else wrote."""
    if feed.take(connection, sealed.taken) != sealed.last:
        raise Refused("server_busy", "somebody else writes to this database: a company is made up in one that is idle")
    for entity, values in sealed.rows.items():
        storing.insert(connection, entity, values)
    names.write_values(connection, sealed.words)
    feed.write_values(connection, sealed.entries, sealed.heads)
    storing.write_versions(connection, sealed.versions)


def packed(sealed: Sealed) -> bytes:
    return _ENCODER.encode(sealed)


def unpacked(content: bytes) -> Sealed:
    return _DECODER.decode(content)
