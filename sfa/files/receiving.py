"""The bytes of one request, taken as they come: pieces are put on the disk, then counted, never the other way round.

Whatever ends the request (the end of the body, a cut, silence) what came is kept; with a checksum only all of it or
nothing, as tus says. At most one piece of an upload is in memory. The last bytes of a file are counted by `finishing`.
"""

import asyncio
import uuid
from typing import Any

from litestar.types import Receive

from sfa.core.errors import Refused
from sfa.files import uploads as table
from sfa.files.finishing import finish
from sfa.files.rules import Checksum
from sfa.files.service import Files
from sfa.files.uploads import Part, Upload

QUIET_S, LAST_S = 0.05, 1.0  # a request that was stopped ends when nothing comes any more, or after so long


class Receiving:
    """One request that adds to an upload which it holds."""

    def __init__(self, files: Files, upload: Upload, holder: str, checksum: Checksum | None) -> None:
        self._files, self._upload, self._holder, self._checksum = files, upload, holder, checksum
        self.offset = upload.offset
        self._digest: Any = checksum.start() if checksum is not None else None
        self._pieces: list[bytes] = []
        self._held = 0  # bytes in memory
        self._pending: list[Part] = []  # on the disk, not counted: their checksum is not known yet
        self._since = asyncio.get_running_loop().time()
        self._patience: asyncio.Timeout | None = None  # while it waits for bytes
        self._stop_at: float | None = None  # the last moment of one that was stopped
        self.is_finishing = False
        self.done = asyncio.Event()

    def stop(self) -> None:
        """A newer request wants to go on: what has arrived is read and counted, and then this one ends."""
        if self._stop_at is None:
            now = asyncio.get_running_loop().time()
            self._stop_at = now + LAST_S
            if self._patience is not None:
                self._patience.reschedule(now + QUIET_S)

    async def run(self, receive: Receive) -> int:
        """-> the offset after it. Refuses what was cut only where that means that nothing counts."""
        try:
            whole = await self._read(receive)
            if self._checksum is not None:
                self._check(whole)
            await self._end()
        except Refused:
            await self._drop_pending()
            raise
        finally:
            self.done.set()
        if self._stop_at is not None and not whole:
            raise Refused("upload_taken", offset=self.offset)
        return self.offset

    async def _read(self, receive: Receive) -> bool:
        """Take the body -> whether it came to its end."""
        room = self._upload.size - self.offset
        now = asyncio.get_running_loop().time
        while self._stop_at is None or now() < self._stop_at:
            quiet_s = self._files.limits.stall_s if self._stop_at is None else QUIET_S
            try:
                async with asyncio.timeout(quiet_s) as self._patience:
                    message = await receive()
            except TimeoutError:
                return False
            finally:
                self._patience = None
            if message["type"] != "http.request":
                return False
            piece = message.get("body") or b""
            room -= len(piece)
            if room < 0:
                raise Refused("upload_too_large", f"Upload-Length is {self._upload.size}")
            if piece:
                await self._take(piece, is_last=room == 0)
            if not message.get("more_body", False):
                return True
        return False

    async def _take(self, piece: bytes, *, is_last: bool) -> None:
        if self._digest is not None:
            self._digest.update(piece)
        self._pieces.append(piece)
        self._held += len(piece)
        place, now = self._files.place, asyncio.get_running_loop().time()
        if not is_last and (self._held >= place.flush_bytes or now - self._since >= place.flush_s):
            await self._put()
            if self._checksum is None:
                await self._count()

    async def _put(self) -> None:
        """What is in memory becomes a part on the disk."""
        self._since = asyncio.get_running_loop().time()
        if not self._held:
            return
        start = self._pending[-1].start + self._pending[-1].size if self._pending else self.offset
        part = Part(start, self._held, f"{start:015d}-{uuid.uuid4().hex}")
        pieces, self._pieces, self._held = self._pieces, [], 0
        await self._files.aside(self._files.place.put_part, self._upload.key, part.name, pieces)
        self._pending.append(part)

    async def _count(self) -> None:
        if not self._pending:
            return
        files = self._files
        until = files.clock.now_ms() + files.limits.upload_ms
        await files.database.write_async(table.advance, self._upload.key, self._holder, self._pending, until)
        self.offset = self._pending[-1].start + self._pending[-1].size
        self._pending = []

    def _check(self, whole: bool) -> None:
        if self._checksum is not None:
            if not whole:
                raise Refused("upload_checksum", "the body was cut: nothing of it counts")
            self._checksum.check(self._digest.digest())

    async def _end(self) -> None:
        await self._put()
        end = self._pending[-1].start + self._pending[-1].size if self._pending else self.offset
        if end == self._upload.size:
            self.is_finishing = True
            last, self._pending = self._pending, []
            await finish(self._files, self._upload, self._holder, last)
            self.offset = end
        else:
            await self._count()
            await self._files.database.write_async(table.release, self._upload.key, self._holder)

    async def _drop_pending(self) -> None:
        for part in self._pending:
            await self._files.aside(self._files.place.drop_part, self._upload.key, part.name)
        self._pending = []
