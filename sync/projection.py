"""A document of the feed as an older contract version is told it (S32): bytes in, bytes out, or nothing. Pure.

Entities that the version does not know are left out, with their tombstones; fields that it does not know are taken out.
Only documents of entities that differ are decoded, here and nowhere else; all others pass as the bytes they are. Keys
and revisions stay, so a digest differs only by the rows that are left out (`unknown`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

Turn = Callable[[dict[str, Any]], dict[str, Any]]

PREFIX = b'{"entity":"'  # how the feed begins every document
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class Projection:
    """From the newest version to one that knows `known`; both are entity -> fields. `downwards` are the turns of each
    version in between, the newest first."""

    def __init__(
        self,
        known: Mapping[str, Mapping[str, Any]],
        newest: Mapping[str, Mapping[str, Any]],
        downwards: Sequence[Mapping[str, Turn]],
    ) -> None:
        self.unknown = frozenset(newest.keys() - known.keys())
        self._same: set[bytes] = set()
        self._differing: dict[bytes, tuple[tuple[Turn, ...], frozenset[str]]] = {}
        for entity in newest.keys() - self.unknown:
            turns = tuple(down[entity] for down in downwards if entity in down)
            if turns or newest[entity].keys() != known[entity].keys():
                self._differing[entity.encode()] = (turns, frozenset(known[entity]))
            else:
                self._same.add(entity.encode())

    @property
    def is_identity(self) -> bool:
        return not self._differing and not self.unknown

    def doc(self, doc: bytes) -> bytes | None:
        """The document as that version is told it; None where it knows no such entity."""
        start = len(PREFIX)
        entity = doc[start : doc.index(b'"', start)]
        if entity in self._same:
            return doc
        how = self._differing.get(entity)
        if how is None:
            return None
        item = _decode(doc)
        if "row" not in item:
            return doc  # a tombstone says nothing of the row
        row, (turns, fields) = item["row"], how
        for turn in turns:
            row = turn(row)
        item["row"] = {field: value for field, value in row.items() if field in fields}
        return _encode(item)
