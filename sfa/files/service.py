"""What a process keeps for files: the database, the place of the bytes, limits, and threads that may block."""

import asyncio
import errno
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from sfa.core.clock import Clock
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db.database import Database
from sfa.files import collecting
from sfa.files.local import Folder
from sfa.files.places import Place
from sfa.files.rules import TYPES, canonical
from sfa.files.s3 import Bucket, OutOfReach

THREADS = 8
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
DRAWING_AT_ONCE = 2
P = ParamSpec("P")
T = TypeVar("T")


class FileLimits(Struct, frozen=True):
    """`size_max` in bytes; `upload_ms` is how long an upload waits for its next byte, `grace_ms` how long bytes are
    kept that no row has; `stall_s` how long a request may be silent."""

    size_max: int = 100 << 20
    types: frozenset[str] = frozenset(TYPES)
    upload_ms: int = 7 * 24 * 3600 * 1000
    grace_ms: int = 30 * 24 * 3600 * 1000
    stall_s: float = 60.0


class Files:
    def __init__(self, database: Database, clock: Clock, place: Place, limits: FileLimits | None = None) -> None:
        self.database, self.clock, self.place = database, clock, place
        self.limits = limits or FileLimits()
        self.ids = KeyMaker(clock)
        self.drawing = asyncio.Semaphore(DRAWING_AT_ONCE)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sfa-files")

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what blocks in a thread. Refuses `storage_full`, and `server_busy` where the store is out of reach."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise Refused("storage_full", "there is no room for files left") from error
            raise
        except OutOfReach as error:
            raise Refused("server_busy", "the store of files does not answer", retry_after_s=5) from error

    def stream(self, pieces: Iterator[bytes]) -> "ChunkStream":
        return ChunkStream(self, pieces)

    async def sweep(self) -> str:
        """Take the bytes of what `collecting.collect` decided about."""
        ended, gone = await self.aside(collecting.sweep, self.database, self.place, self.clock.now_ms())
        return f"{ended} uploads and {gone} contents deleted"

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


class ChunkStream:
    """A blocking iterator, read from an event loop: a thread for each chunk."""

    def __init__(self, files: Files, pieces: Iterator[bytes]) -> None:
        self._files, self._pieces = files, pieces

    def __aiter__(self) -> "ChunkStream":
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._files.aside(next, self._pieces, None)
        if chunk is None:
            raise StopAsyncIteration
        return chunk


def types_of(text: str) -> frozenset[str]:
    """The setting: media types by commas; empty for the usual ones."""
    found = frozenset(canonical(part) for part in text.split(",") if part.strip())
    return found or frozenset(TYPES)


def open_place(url: str, database_url: str, access_key: str = "", secret_key: str = "") -> Place:
    """`file:///folder`, `file:folder` or `s3://bucket/prefix?endpoint=…`; empty for a folder beside the SQLite file."""
    if url.startswith("s3://"):
        return Bucket(url, access_key, secret_key)
    if url.startswith("file:"):
        folder = unquote(urlsplit(url).netloc + urlsplit(url).path)
        if not folder:
            raise Refused("setting_invalid", "SFA_FILES_URL names no folder")
        return Folder(Path(folder))
    if database_url.startswith("sqlite:///") and ":memory:" not in database_url:
        path = Path(database_url.removeprefix("sqlite:///").partition("?")[0])
        return Folder(path.with_suffix(".files"))
    return Folder(Path("var/files"))
