"""Where bytes lie: a folder or an S3-compatible store, behind the same few operations.

Parts of uploads are whole pieces that are written once, contents and thumbnails are found by the SHA-256 of the
content. A piece that `put_part` returned for survives a power cut. Everything blocks: callers give it a thread.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 256 << 10


class Place(Protocol):
    """`flush_bytes` and `flush_s` say how much of an upload, and how long, may be in memory before it is a piece."""

    flush_bytes: int
    flush_s: float

    def scratch(self) -> Path:
        """A folder for files that are being put together."""
        ...

    def scraps(self) -> list[Path]:
        """What lies in that folder."""
        ...

    def put_part(self, upload: str, name: str, pieces: Iterable[bytes]) -> None: ...

    def read_part(self, upload: str, name: str) -> Iterator[bytes]: ...

    def drop_part(self, upload: str, name: str) -> None: ...

    def drop_upload(self, upload: str) -> None:
        """All its parts; nothing where there are none."""
        ...

    def uploads(self) -> list[str]:
        """Those that have parts."""
        ...

    def keep(self, sha256: str, made: Path) -> None:
        """Make a finished file the content of that name, in one step; the file is gone then. The same content again
        changes nothing."""
        ...

    def size(self, sha256: str) -> int | None:
        """None where it is not there."""
        ...

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes [start, end) in chunks. `FileNotFoundError`."""
        ...

    def keep_thumbnail(self, sha256: str, pixels: int, content: bytes) -> None: ...

    def thumbnail(self, sha256: str, pixels: int) -> bytes | None: ...

    def drop(self, sha256: str) -> None:
        """The content and its thumbnails; nothing where they are not there."""
        ...


def content_path(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def thumbnail_path(sha256: str, pixels: int) -> str:
    return f"{thumbnails_path(sha256)}/{pixels}.jpg"


def thumbnails_path(sha256: str) -> str:
    return f"thumbnails/{sha256[:2]}/{sha256}"
