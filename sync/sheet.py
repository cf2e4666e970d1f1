"""A page while it is written: its limits, how far it has come, and where it is cut into lines.

A *line* is a small page with a cursor of its own (S14): whoever loses the rest goes on behind it. Lines are cut out of
one page, so they are one snapshot, and a line is exactly what a page would be that had to end there. `At` is how far
the rows written so far go; a part is closed before the row that does not fit into it, so its `At` never runs ahead of
it.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

LINE_BYTES = 32 << 10  # of rows in a line: some seconds of a slow line, once compressed
FIRST_LINE_BYTES = 4 << 10  # receipts travel in the first one, and are wanted soon
CURSOR_SHARE = 1_000  # bytes of a cursor for which a line may be once LINE_BYTES long: cursors compress badly
EARLY_START = (0, "", "")
Place = tuple[int, str, str]  # rank, entity, key


class At(Struct):
    """How far a page has come: position `c` in the feed, the buckets being filled, the last row sent early."""

    c: int
    fills: dict[str, tuple[str, str]]
    early: Place | None = None

    def copy(self) -> "At":
        return At(self.c, dict(self.fills), self.early)


class Part(Struct, frozen=True):
    """The rows of one line, by bucket, and how far they go. `early` is what it tells of today's rows."""

    changes: Mapping[str, list[bytes]]
    rows: int
    at: At
    early: str | None


class Sheet:
    """`add` takes a document if it fits; the first one always does, so that a page is never stuck. The caller moves
    `at` on after each that was taken. `told` makes of a document what an older version is told (S32); one of which it
    is told nothing is taken and takes no room."""

    def __init__(
        self,
        at: At,
        rows_max: int,
        bytes_max: int,
        line_bytes: int | None,
        cursor_bytes: int = 0,
        told: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        self._told = told
        self.at = at
        self.rows, self.bytes = 0, 0
        self.early: str | None = "part" if at.early is not None else None
        self.parts: list[Part] = []
        self._rows_max, self._bytes_max = rows_max, bytes_max
        self._line_bytes = line_bytes and line_bytes * max(1, cursor_bytes // CURSOR_SHARE)
        self._room = min(FIRST_LINE_BYTES, line_bytes) if line_bytes else bytes_max
        self._begin()

    @property
    def in_lines(self) -> bool:
        return self._line_bytes is not None

    @property
    def left(self) -> int:
        return 0 if self.bytes >= self._bytes_max else self._rows_max - self.rows

    def add(self, bucket: str, doc: bytes) -> bool:
        if self._told is not None:
            projected = self._told(doc)
            if projected is None:
                return True
            doc = projected
        if self.rows and (self.rows >= self._rows_max or self.bytes + len(doc) > self._bytes_max):
            return False
        if self._line_bytes is not None and self._changes and len(doc) > self._room:
            self.cut()
        self._changes.setdefault(bucket, []).append(doc)
        self._rows_here += 1
        self._room -= len(doc)
        self.rows += 1
        self.bytes += len(doc)
        return True

    def cut(self) -> None:
        """The rows so far are a line."""
        self.parts.append(Part(self._changes, self._rows_here, self.at.copy(), self.early))
        self._room = self._line_bytes or 0
        self._begin()

    def _begin(self) -> None:
        self._changes: dict[str, list[bytes]] = {}
        self._rows_here = 0

    def finished(self) -> list[Part]:
        """Every part; the last one goes as far as the page does."""
        self.cut()
        return self.parts


def in_lines(answer: bytes) -> bool:
    """Whether an answer's bytes are lines: JSON as it is written here holds no line break."""
    return answer.endswith(b"\n")
