"""What the database knows of an upload: who sends it, how far it is, and which request may add to it.

The offset rule: `offset` is what lies durably in counted parts, and is moved only by the request that holds the upload.
A newer request takes the hold away (a phone that lost its connection comes back before the server has noticed), and
what the older one still writes is not counted. It reaches the size only together with everything that follows from
being complete (`sfa.files.finishing`), so that an upload that looks complete is. Each function is part of one
transaction.
"""

from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, insert, select, text, update

from sfa.core.errors import Refused
from sfa.db.tables import upload_parts, uploads
from sfa.files.rules import Declared

OPEN_MAX = 100  # unfinished uploads of one person
OPEN_BYTES_MAX = 4 << 30


class Upload(Struct, frozen=True):
    key: str
    user_key: str
    attachment_key: str
    sha256: str
    media_type: str
    size: int
    metadata: str
    offset: int
    state: str
    code: str | None
    expires_at: int


class Part(Struct, frozen=True):
    """A piece that was written and, once it is in the table, counts."""

    start: int
    size: int
    name: str


COLUMNS = tuple(uploads.c[name] for name in Upload.__struct_fields__)


def begin(
    connection: Connection, now_ms: int, key: str, user: str, what: Declared, size: int, metadata: str, ttl_ms: int
) -> Upload:
    """A new upload; or the one that was begun the same way and has nothing yet, whose answer was lost."""
    _one_at_a_time(connection, user)
    mine = (uploads.c.user_key == user, uploads.c.state == "open", uploads.c.expires_at > now_ms)
    same = (uploads.c.attachment_key == what.attachment, uploads.c.sha256 == what.sha256, uploads.c.size == size)
    blank = (uploads.c.metadata == metadata, uploads.c.offset == 0, uploads.c.holder.is_(None))
    known = connection.execute(select(*COLUMNS).where(*mine, *same, *blank).limit(1)).first()
    if known is not None:
        return _upload(known)
    count, waiting = connection.execute(
        select(func.count(), func.coalesce(func.sum(uploads.c.size - uploads.c.offset), 0)).where(*mine)
    ).one()
    if count >= OPEN_MAX or waiting + size > OPEN_BYTES_MAX:
        raise Refused("upload_limit", uploads=count, uploads_max=OPEN_MAX, bytes_max=OPEN_BYTES_MAX)
    made = Upload(
        key=key,
        user_key=user,
        attachment_key=what.attachment,
        sha256=what.sha256,
        media_type=what.media_type,
        size=size,
        metadata=metadata,
        offset=0,
        state="open",
        code=None,
        expires_at=now_ms + ttl_ms,
    )
    more = {"holder": None, "linked": False, "created_at": now_ms}
    connection.execute(insert(uploads), {**structs.asdict(made), **more})
    return made


def _one_at_a_time(connection: Connection, user: str) -> None:
    """What is counted next stands until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"uploads:{user}"}
        )


def read(connection: Connection, now_ms: int, key: str, user: str) -> Upload:
    """The upload as it stands: `not_found` alike for none and for somebody else's, `upload_gone` for one that ended."""
    return _standing(connection.execute(select(*COLUMNS).where(uploads.c.key == key)).first(), user, now_ms)


def claim(connection: Connection, now_ms: int, key: str, user: str, offset: int, holder: str) -> Upload:
    """From here on `holder` may add bytes, and nobody who could before."""
    query = select(*COLUMNS).where(uploads.c.key == key).with_for_update()
    found = _standing(connection.execute(query).first(), user, now_ms)
    if found.offset != offset:
        raise Refused("upload_offset", f"the upload stands at {found.offset}", offset=found.offset)
    if found.state == "open":
        connection.execute(update(uploads).where(uploads.c.key == key).values(holder=holder))
    return found


def advance(connection: Connection, key: str, holder: str, parts: list[Part], expires_at: int) -> None:
    """Count parts that are on the disk. Refuses `upload_taken` where another request holds the upload by now."""
    end = parts[-1].start + parts[-1].size
    mine = (uploads.c.key == key, uploads.c.holder == holder, uploads.c.state == "open")
    at = uploads.c.offset == parts[0].start
    moved = connection.execute(update(uploads).where(*mine, at).values(offset=end, expires_at=expires_at))
    if moved.rowcount != 1:
        raise Refused("upload_taken")
    rows = [{"upload_key": key, "start": p.start, "size": p.size, "name": p.name} for p in parts]
    connection.execute(insert(upload_parts), rows)


def parts_of(connection: Connection, key: str) -> list[Part]:
    columns = (upload_parts.c.start, upload_parts.c.size, upload_parts.c.name)
    query = select(*columns).where(upload_parts.c.upload_key == key).order_by(upload_parts.c.start)
    return [Part(*row) for row in connection.execute(query)]


def release(connection: Connection, key: str, holder: str) -> None:
    connection.execute(update(uploads).where(uploads.c.key == key, uploads.c.holder == holder).values(holder=None))


def end(connection: Connection, key: str, code: str, holder: str | None = None) -> bool:
    """No more bytes come; -> whether this ended it. `holder`: only while that request has it."""
    mine: tuple[Any, ...] = (uploads.c.key == key, uploads.c.state != "ended")
    if holder is not None:
        mine = (*mine, uploads.c.holder == holder)
    ended = connection.execute(update(uploads).where(*mine).values(state="ended", code=code, holder=None))
    if ended.rowcount == 1:
        forget_parts(connection, [key])
    return ended.rowcount == 1


def terminate(connection: Connection, now_ms: int, key: str, user: str) -> None:
    """The user wants it no more."""
    read(connection, now_ms, key, user)
    end(connection, key, "upload_gone")


def forget_parts(connection: Connection, keys: list[str]) -> None:
    connection.execute(delete(upload_parts).where(upload_parts.c.upload_key.in_(keys)))


def _upload(row: Any) -> Upload:
    return Upload(*row)


def _standing(row: Any, user: str, now_ms: int) -> Upload:
    if row is None or row.user_key != user:
        raise Refused("not_found")
    found = _upload(row)
    if found.state == "ended" or found.expires_at <= now_ms:
        raise Refused("upload_gone", reason=found.code)
    return found
