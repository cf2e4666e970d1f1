"""`/files/uploads`: tus 1.0 with creation, creation-with-upload, expiration, checksum and termination.

A body is taken while it arrives and under a limit of its own. An upload belongs to the
person who began it; for everybody else there is none.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.types import Send
from sqlalchemy import Connection, select

from sfa.core.access import may_write
from sfa.core.errors import Refused
from sfa.db.tables import ROWS
from sfa.files import rules
from sfa.files import uploads as table
from sfa.files.receiving import Receiving
from sfa.files.service import Files
from sfa.files.uploads import Upload
from sfa.files.wire import Asked, Door, allowed, answer, plain, refuse
from sfa.web.principal import Principal

RESUMABLE = ("tus-resumable", rules.TUS_VERSION)
STOPPING_S, FINISHING_S = 2.0, 30.0  # how long a newer request waits for an older one
NO_STORE = ("cache-control", "no-store")
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
Handle = Callable[[Asked, Principal, Send], Awaitable[None]]


def upload_routes(files: Files, door: Door) -> list[HTTPRouteHandler]:
    uploading = Uploading(files)
    ways = {"HEAD": uploading.tell, "PATCH": uploading.add, "DELETE": uploading.end}

    async def begin(asked: Asked, send: Send) -> None:
        await uploading.handle(asked, send, door, {"POST": uploading.create})

    async def go_on(asked: Asked, send: Send) -> None:
        await uploading.handle(asked, send, door, ways)

    post, options = HttpMethod.POST, HttpMethod.OPTIONS
    ones = (HttpMethod.HEAD, HttpMethod.PATCH, HttpMethod.DELETE, post, options)  # POST says the method in a header
    return [plain("/files/uploads", (post, options), begin), plain("/files/uploads/{upload:str}", ones, go_on)]


class Uploading:
    """`_running` are the requests of this process that take bytes: an older one is stopped when a newer one comes for
    its upload, and what it has is counted before the newer one looks. Between processes the newer one just takes over.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._running: dict[str, Receiving] = {}

    async def handle(self, asked: Asked, send: Send, door: Door, ways: Mapping[str, Handle]) -> None:
        try:
            if asked.method == "OPTIONS":
                await self._options(send)
                return
            if asked.get("tus-resumable") != rules.TUS_VERSION:
                raise Refused("upload_version", tus_version=rules.TUS_VERSION)
            allowed(asked, *ways, "OPTIONS")
            who = await door.enter(asked)
            await ways[asked.method](asked, who, send)
        except Exception as error:  # the translator logs what it does not know
            more = [RESUMABLE, ("tus-version", rules.TUS_VERSION)]
            await refuse(send, error, more, silent=asked.method == "HEAD")

    async def _options(self, send: Send) -> None:
        told = [("tus-version", rules.TUS_VERSION), ("tus-extension", EXTENSIONS)]
        told += [("tus-max-size", str(self._files.limits.size_max))]
        await answer(send, 204, [RESUMABLE, *told, ("tus-checksum-algorithm", ",".join(rules.CHECKSUMS))])

    # -- one method each ----------------------------------------------------------------------------------------

    async def create(self, asked: Asked, who: Principal, send: Send) -> None:
        files = self._files
        said = asked.get("upload-metadata") or ""
        what = rules.declared(rules.metadata(said))
        size = self._size(asked)
        if what.media_type not in files.limits.types:
            raise Refused("file_type_refused", f"{what.media_type[:100]} is not taken", found=None)
        checksum = rules.checksum(asked.get("upload-checksum"))
        is_with_upload = asked.get("content-type") == rules.OFFSET_TYPE
        await files.database.read_async(_check_may, who.user_key)
        now_ms, ttl_ms = files.clock.now_ms(), files.limits.upload_ms
        begun = (files.ids.new(), who.user_key, what, size, said, ttl_ms)
        upload = await files.database.write_async(table.begin, now_ms, *begun)
        offset = upload.offset
        if is_with_upload and _has_body(asked):
            offset = await self._receive(upload.key, asked, who, 0, checksum)
        location = f"{asked.path.rstrip('/')}/{upload.key}"
        more = [("upload-offset", str(offset))] if is_with_upload else []
        await answer(send, 201, [RESUMABLE, NO_STORE, ("location", location), *more, *_expires(upload)])

    def _size(self, asked: Asked) -> int:
        if asked.get("upload-defer-length") is not None:
            raise Refused("upload_invalid", "Upload-Defer-Length is not served: say Upload-Length")
        size = rules.number(asked.get("upload-length"), "Upload-Length")
        if size == 0:
            raise Refused("upload_invalid", "an empty file is no attachment", header="Upload-Length")
        if size > self._files.limits.size_max:
            raise Refused("upload_too_large", bytes_max=self._files.limits.size_max)
        return size

    async def tell(self, asked: Asked, who: Principal, send: Send) -> None:
        await self._read(asked, who)
        await self._stop_older(str(asked.parameters["upload"]))
        upload = await self._read(asked, who)
        told = [("upload-offset", str(upload.offset)), ("upload-length", str(upload.size))]
        if upload.metadata:
            told.append(("upload-metadata", upload.metadata))
        await answer(send, 200, [RESUMABLE, NO_STORE, *told, *_expires(upload)])

    async def add(self, asked: Asked, who: Principal, send: Send) -> None:
        if asked.get("content-type") != rules.OFFSET_TYPE:
            raise Refused("upload_type")
        if asked.get("content-encoding") not in (None, "identity"):
            raise Refused("encoding_unknown", "the bytes of a file are not compressed on their way")
        offset = rules.number(asked.get("upload-offset"), "Upload-Offset")
        checksum = rules.checksum(asked.get("upload-checksum"))
        upload = await self._read(asked, who)
        length = asked.get("content-length")
        if length is not None and offset + rules.number(length, "Content-Length") > upload.size:
            raise Refused("upload_too_large", f"Upload-Length is {upload.size}")
        end = await self._receive(upload.key, asked, who, offset, checksum)
        left = await self._read(asked, who)
        await answer(send, 204, [RESUMABLE, NO_STORE, ("upload-offset", str(end)), *_expires(left)])

    async def end(self, asked: Asked, who: Principal, send: Send) -> None:
        files, key = self._files, str(asked.parameters["upload"])
        await files.database.write_async(table.terminate, files.clock.now_ms(), key, who.user_key)
        await files.aside(files.place.drop_upload, key)
        await answer(send, 204, [RESUMABLE])

    # -- what they share ----------------------------------------------------------------------------------------

    async def _read(self, asked: Asked, who: Principal) -> Upload:
        files, key = self._files, str(asked.parameters["upload"])
        return await files.database.read_async(table.read, files.clock.now_ms(), key, who.user_key)

    async def _receive(
        self, key: str, asked: Asked, who: Principal, offset: int, checksum: rules.Checksum | None
    ) -> int:
        files, holder = self._files, uuid.uuid4().hex
        await self._stop_older(key)
        claimed = (files.clock.now_ms(), key, who.user_key, offset, holder)
        upload = await files.database.write_async(table.claim, *claimed)
        if upload.state == "done":
            return upload.offset
        self._running[key] = receiving = Receiving(files, upload, holder, checksum)
        try:
            return await receiving.run(asked.receive)
        finally:
            if self._running.get(key) is receiving:
                del self._running[key]

    async def _stop_older(self, key: str) -> None:
        """A phone that comes back is mostly faster than the news that its last connection is dead."""
        older = self._running.get(key)
        if older is not None:
            older.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(FINISHING_S if older.is_finishing else STOPPING_S):
                    await older.done.wait()


def _has_body(asked: Asked) -> bool:
    return asked.get("content-length") not in (None, "0") or asked.get("transfer-encoding") is not None


def _check_may(connection: Connection, user: str) -> None:
    """Whether this person may attach anything at all, as he stands now."""
    users = ROWS["users"]
    query = select(users.c.role).where(users.c.key == user, users.c.active, ~users.c.gone)
    role = connection.execute(query).scalar()
    if role is None or not may_write(role, "attachments"):
        raise Refused("not_permitted", f"the role {role} may not write attachments")


def _expires(upload: Upload) -> list[tuple[str, str]]:
    """Only while it waits for bytes."""
    if upload.state != "open":
        return []
    when = datetime.fromtimestamp(upload.expires_at / 1000, UTC)
    return [("upload-expires", format_datetime(when, usegmt=True))]
