"""Files in a folder: the default, and what several processes share when the folder is shared.

A piece is written under another name, flushed to the disk with its folder, and renamed. Folders are made when they are
needed, so that a server without files leaves none.
"""

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sfa.files.places import CHUNK_BYTES, content_path, thumbnail_path, thumbnails_path

PRIVATE = 0o700


class Folder:
    flush_bytes = 1 << 20
    flush_s = 2.0

    def __init__(self, root: Path) -> None:
        self.root = root

    def scratch(self) -> Path:
        return self._made(self.root / "scratch")

    def scraps(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return list((self.root / "scratch").iterdir())
        return []

    def put_part(self, upload: str, name: str, pieces: Iterable[bytes]) -> None:
        self._write(self._made(self.root / "parts" / upload) / name, pieces)

    def read_part(self, upload: str, name: str) -> Iterator[bytes]:
        return _chunks(self.root / "parts" / upload / name)

    def drop_part(self, upload: str, name: str) -> None:
        (self.root / "parts" / upload / name).unlink(missing_ok=True)

    def drop_upload(self, upload: str) -> None:
        shutil.rmtree(self.root / "parts" / upload, ignore_errors=True)

    def uploads(self) -> list[str]:
        with suppress(FileNotFoundError):
            return sorted(os.listdir(self.root / "parts"))
        return []

    def keep(self, sha256: str, made: Path) -> None:
        with made.open("rb") as file:
            os.fsync(file.fileno())
        path = self.root / content_path(sha256)
        self._made(path.parent)
        made.replace(path)
        _flush_folder(path.parent)

    def size(self, sha256: str) -> int | None:
        with suppress(FileNotFoundError):
            return (self.root / content_path(sha256)).stat().st_size
        return None

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        return _chunks(self.root / content_path(sha256), start, end)

    def keep_thumbnail(self, sha256: str, pixels: int, content: bytes) -> None:
        path = self.root / thumbnail_path(sha256, pixels)
        self._made(path.parent)
        self._write(path, (content,))

    def thumbnail(self, sha256: str, pixels: int) -> bytes | None:
        with suppress(FileNotFoundError):
            return (self.root / thumbnail_path(sha256, pixels)).read_bytes()
        return None

    def drop(self, sha256: str) -> None:
        (self.root / content_path(sha256)).unlink(missing_ok=True)
        shutil.rmtree(self.root / thumbnails_path(sha256), ignore_errors=True)

    def _write(self, path: Path, pieces: Iterable[bytes]) -> None:
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        with part.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _flush_folder(path.parent)

    def _made(self, folder: Path) -> Path:
        """The folder, there after a power cut too."""
        if not folder.is_dir():
            missing = [folder, *(above for above in folder.parents if not above.is_dir())]
            folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            for made in missing:
                _flush_folder(made.parent)
        return folder


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _chunks(path: Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start if end is not None else None
        while chunk := file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
            left = None if left is None else left - len(chunk)
            yield chunk
