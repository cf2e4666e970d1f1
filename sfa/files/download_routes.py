"""`GET /files/{attachment}` and its thumbnail: for whoever sees the row, and for nobody else is there anything.

The content's digest is its ETag, so a file is fetched once and a broken download goes on where it was. Bytes are
streamed from their place; no file is ever whole in memory.
"""

import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.types import Send
from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.db import scope as scopes
from sfa.db.tables import ROWS, blobs
from sfa.files import serving, thumbnails
from sfa.files.service import Files
from sfa.files.sniffing import DECODED
from sfa.files.wire import Asked, Door, allowed, answer, plain, refuse, stream
from sfa.web.principal import Principal


class Found(Struct, frozen=True):
    """A content that its asker may have, under the name that the row gives it."""

    sha256: str
    size: int
    media_type: str
    name: str


Find = Callable[[Connection, str, Asked], Found]


def download_routes(files: Files, door: Door) -> list[HTTPRouteHandler]:
    serving_files = Serving(files)

    async def whole(asked: Asked, send: Send) -> None:
        await serving_files.handle(asked, send, door, small=False)

    async def small(asked: Asked, send: Send) -> None:
        await serving_files.handle(asked, send, door, small=True)

    methods = (HttpMethod.GET, HttpMethod.HEAD)
    return [plain("/files/{key:str}", methods, whole), plain("/files/{key:str}/thumbnail", methods, small)]


class Serving:
    """`find` says which content a request is about, and whether its asker may have it; if it is not said, that of an
    attachment by its key."""

    def __init__(self, files: Files, find: Find | None = None) -> None:
        self._files, self._find_content = files, find or _of_attachment

    async def handle(self, asked: Asked, send: Send, door: Door, *, small: bool) -> None:
        started = False

        async def tell(message: object) -> None:
            nonlocal started
            started = True
            await send(message)  # type: ignore[arg-type]

        try:
            allowed(asked, "GET", "HEAD")
            who = await door.enter(asked)
            await (self._small if small else self._whole)(asked, who, tell)
        except Exception as error:  # the translator logs what it does not know
            if started:
                raise  # too late for an answer: the connection breaks, and the client knows how much is missing
            more = (
                [("content-range", f"bytes */{error.details['size']}")]
                if isinstance(error, Refused) and "size" in error.details
                else []
            )
            await refuse(send, error, more, silent=asked.method == "HEAD")

    async def _find(self, asked: Asked, who: Principal) -> Found:
        return await self._files.database.read_async(self._find_content, who.user_key, asked)

    async def _whole(self, asked: Asked, who: Principal, send: Send) -> None:
        found, files = await self._find(asked, who), self._files
        etag = f'"{found.sha256}"'
        named = [("etag", etag), ("accept-ranges", "bytes"), *serving.PROTECTED]
        if serving.matches(asked.get("if-none-match"), etag):
            await answer(send, 304, named)
            return
        wanted = serving.wanted_span(asked.get("range"), asked.get("if-range"), etag, found.size)
        headers = [
            *named,
            ("content-type", serving.content_type(found.media_type)),
            ("content-disposition", serving.disposition(found.name, found.media_type)),
            ("content-length", str(wanted.end - wanted.start)),
        ]
        if wanted.is_part:
            headers.append(("content-range", f"bytes {wanted.start}-{wanted.end - 1}/{wanted.size}"))
        if await files.aside(files.place.size, found.sha256) != found.size:
            raise FileNotFoundError(f"the content {found.sha256} is kept and is not in its place")
        status = 206 if wanted.is_part else 200
        if asked.method == "HEAD":
            await answer(send, status, headers)
            return
        await stream(send, status, headers, files.stream(files.place.read(found.sha256, wanted.start, wanted.end)))

    async def _small(self, asked: Asked, who: Principal, send: Send) -> None:
        said = parse_qs(asked.query).get("size", ["256"])[-1]
        if said not in map(str, thumbnails.SIZES):
            raise Refused("request_invalid", f"size is one of {', '.join(map(str, thumbnails.SIZES))}")
        found, pixels = await self._find(asked, who), int(said)
        etag = f'"{found.sha256}-{pixels}"'
        named = [("etag", etag), *serving.PROTECTED]
        if serving.matches(asked.get("if-none-match"), etag):
            await answer(send, 304, named)
            return
        content = await self._thumbnail(found, pixels)
        headers = [*named, ("content-type", "image/jpeg"), ("content-length", str(len(content)))]
        await answer(send, 200, headers, b"" if asked.method == "HEAD" else content)

    async def _thumbnail(self, found: Found, pixels: int) -> bytes:
        """As it was made once, or made now: a few at a time, in threads."""
        files = self._files
        kept = await files.aside(files.place.thumbnail, found.sha256, pixels)
        if kept is not None:
            return kept
        async with files.drawing:
            return await files.aside(self._draw, found, pixels)

    def _draw(self, found: Found, pixels: int) -> bytes:
        place = self._files.place
        if found.media_type not in DECODED:
            raise Refused("thumbnail_impossible", f"{found.media_type} is no image that can be drawn small")
        path: Path = place.scratch() / uuid.uuid4().hex
        try:
            with path.open("wb") as file:
                file.writelines(place.read(found.sha256, 0, found.size))
            content = thumbnails.draw(path, found.media_type, pixels)
        finally:
            path.unlink(missing_ok=True)
        place.keep_thumbnail(found.sha256, pixels, content)
        return content


def _of_attachment(connection: Connection, user: str, asked: Asked) -> Found:
    return find(connection, user, str(asked.parameters["key"]))


def find(connection: Connection, user: str, key: str) -> Found:
    """`not_found` alike for no attachment, a deleted one and one out of scope; `file_awaited` while it has no bytes."""
    rows = ROWS["attachments"]
    columns = (rows.c.sha256, rows.c.name, rows.c.stored, rows.c.buckets)
    row = connection.execute(select(*columns).where(rows.c.key == key, ~rows.c.gone)).first() if is_key(key) else None
    if row is None or scopes.held_now(connection, user).isdisjoint(row.buckets):
        raise Refused("not_found")
    if not row.stored:
        raise Refused("file_awaited")
    return kept(connection, row.sha256, row.name)


def kept(connection: Connection, sha256: str, name: str) -> Found:
    """A content by its digest; `file_awaited` where it is not kept."""
    query = select(blobs.c.size, blobs.c.media_type).where(blobs.c.sha256 == sha256, blobs.c.state == "kept")
    content = connection.execute(query).first()
    if content is None:
        raise Refused("file_awaited")
    return Found(sha256, content.size, content.media_type, name)
