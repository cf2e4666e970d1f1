"""All bytes have come: put them together, look what they are, keep the content once, tell the row.

Everything before the last transaction may be done again: a process that dies leaves an upload that lacks its last part,
and the device sends that again. A content that is not what was declared ends the upload; nothing of it stays.
"""

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, update

from sfa.core.errors import Refused
from sfa.db.tables import uploads
from sfa.files import arrivals
from sfa.files import uploads as table
from sfa.files.rules import Content, check_type
from sfa.files.service import Files
from sfa.files.sniffing import sniff
from sfa.files.uploads import Part, Upload


async def finish(files: Files, upload: Upload, holder: str, last: Sequence[Part]) -> None:
    """`last` are the parts that lie there and are not counted yet."""
    counted = await files.database.read_async(table.parts_of, upload.key)
    path = files.place.scratch() / uuid.uuid4().hex
    try:
        content = await files.aside(_put_together, files, upload, [*counted, *last], path)
        now_ms = files.clock.now_ms()
        await files.database.write_async(arrivals.claim, now_ms, content)
        await files.aside(files.place.keep, content.sha256, path)
        await files.database.write_async(_complete, files.clock.now_ms(), upload, holder, content)
    except FileNotFoundError as missing:
        if await files.database.write_async(table.end, upload.key, "upload_gone", holder):
            raise  # the disk has lost what was counted: the log says so, and the device begins anew
        raise Refused("upload_taken") from missing  # somebody else finished or ended it meanwhile
    except Refused as refused:
        if refused.code in ("file_differs", "file_type_refused"):
            if not await files.database.write_async(table.end, upload.key, refused.code, holder):
                raise Refused("upload_taken") from refused  # what was put together was partly another request's
            await files.aside(files.place.drop_upload, upload.key)
        raise
    finally:
        await files.aside(path.unlink, missing_ok=True)
    await files.aside(files.place.drop_upload, upload.key)


def _put_together(files: Files, upload: Upload, parts: Sequence[Part], path: Path) -> Content:
    """One file out of its parts; refuses what is not what was declared."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for part in parts:
            for chunk in files.place.read_part(upload.key, part.name):
                digest.update(chunk)
                file.write(chunk)
                size += len(chunk)
    if size != upload.size or digest.hexdigest() != upload.sha256:
        raise Refused("file_differs", f"declared {upload.sha256}, came {digest.hexdigest()}", sha256=digest.hexdigest())
    seen = sniff(path, upload.media_type)
    kind = check_type(seen.media_type, upload.media_type, files.limits.types)
    return Content(upload.sha256, size, kind, seen.width, seen.height)


def _complete(connection: Connection, now_ms: int, upload: Upload, holder: str, content: Content) -> None:
    """The content is kept, the row is told, and the upload has its size: all of it or nothing."""
    arrivals.keep(connection, now_ms, content)
    linked = arrivals.link(connection, now_ms, upload.attachment_key, content, upload.user_key)
    mine = (uploads.c.key == upload.key, uploads.c.holder == holder, uploads.c.state == "open")
    done = update(uploads).where(*mine).values(state="done", offset=upload.size, holder=None, linked=linked)
    if connection.execute(done).rowcount != 1:
        raise Refused("upload_taken")
    table.forget_parts(connection, [upload.key])
