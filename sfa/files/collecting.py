"""What is no longer needed goes, and nothing else: expired uploads, contents that no row has after a grace time.

`collect` is the job: it decides, in the database alone. `sweep` then takes the bytes of what was decided, in any
process and any number of times. A content is deleted inside the transaction that holds its row, and whoever is about to
write the same content takes that row first (`arrivals.claim`): either the new bytes come after the deletion, or nothing
is deleted. A process that dies in the middle leaves a row that says "going", and the next sweep does it again.
"""

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, and_, delete, exists, literal, or_, select, update

from sfa.db.database import Database
from sfa.db.tables import blobs, upload_parts, uploads
from sfa.files import arrivals
from sfa.files.places import Place
from sfa.files.uploads import forget_parts

LOOKED_AT_ONCE = 1_000
SWEPT_AT_ONCE = 500
HOUR_MS = 3600 * 1000


def collect(connection: Connection, now_ms: int, grace_ms: int) -> str:
    """One run; bounded, and the next one goes on."""
    ended = _expire(connection, now_ms, grace_ms)
    loose, going = _look(connection, now_ms, grace_ms)
    return f"{ended} uploads ended, {loose} contents without a row, {going} go"


def _expire(connection: Connection, now_ms: int, grace_ms: int) -> int:
    """An open upload ends when its time is over; one that is done and still waits for its row, after the grace time."""
    late = and_(uploads.c.state == "open", uploads.c.expires_at <= now_ms)
    told = and_(uploads.c.state == "done", uploads.c.linked, uploads.c.expires_at <= now_ms)
    alone = and_(uploads.c.state == "done", uploads.c.expires_at <= now_ms - grace_ms)
    query = select(uploads.c.key).where(or_(late, told, alone)).limit(LOOKED_AT_ONCE).with_for_update(skip_locked=True)
    keys = list(connection.execute(query).scalars())
    if keys:
        ended = update(uploads).where(uploads.c.key.in_(keys))
        connection.execute(ended.values(state="ended", code="expired", holder=None))
        forget_parts(connection, keys)
    return len(keys)


def _look(connection: Connection, now_ms: int, grace_ms: int) -> tuple[int, int]:
    """Look at the contents that were not looked at for longest -> (how many have no row, how many go)."""
    due = (blobs.c.state != "going", blobs.c.looked_at <= now_ms - HOUR_MS // 2)
    query = select(blobs.c.sha256).where(*due).order_by(blobs.c.looked_at).limit(LOOKED_AT_ONCE)
    locked = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    if not locked:
        return 0, 0
    here = blobs.c.sha256.in_(locked)
    waiting = exists(
        select(literal(1)).where(uploads.c.sha256 == blobs.c.sha256, uploads.c.state != "ended", ~uploads.c.linked)
    )
    needed = or_(arrivals.in_use(), waiting)
    connection.execute(update(blobs).where(here).values(looked_at=now_ms))
    connection.execute(update(blobs).where(here, needed).values(loose_at=None))
    connection.execute(update(blobs).where(here, ~needed, blobs.c.loose_at.is_(None)).values(loose_at=now_ms))
    loose = list(connection.execute(select(blobs.c.sha256).where(here, blobs.c.loose_at.is_not(None))).scalars())
    over = (blobs.c.loose_at <= now_ms - grace_ms, blobs.c.at <= now_ms - grace_ms)
    ripe = list(connection.execute(select(blobs.c.sha256).where(here, *over)).scalars())
    return len(loose), len(arrivals.let_go(connection, ripe)) if ripe else 0


def sweep(database: Database, place: Place, now_ms: int) -> tuple[int, int]:
    """Delete the bytes of what goes -> (uploads, contents). Blocks; give it a thread."""
    ended = database.read(_ended, now_ms)
    for key in ended:
        place.drop_upload(key)
    if ended:
        database.write(_forget_uploads, ended)
    for key in _unknown(database, place.uploads()):
        place.drop_upload(key)
    _tidy(place.scraps(), now_ms - 24 * HOUR_MS)
    going = database.read(_going)
    return len(ended), sum(database.write(_delete, place, sha256) for sha256 in going)


def _tidy(scraps: list[Path], before_ms: int) -> None:
    """What a process that died was putting together."""
    for path in scraps:
        with suppress(FileNotFoundError):
            if path.stat().st_mtime * 1000 < before_ms:
                path.unlink()


def _ended(connection: Connection, now_ms: int) -> list[str]:
    """An ended upload is remembered for a day after its time, so that its sender is told that it has ended."""
    old = or_(uploads.c.expires_at <= now_ms - 24 * HOUR_MS, uploads.c.code == "expired")
    query = select(uploads.c.key).where(uploads.c.state == "ended", old).order_by(uploads.c.expires_at)
    return list(connection.execute(query.limit(SWEPT_AT_ONCE)).scalars())


def _forget_uploads(connection: Connection, keys: list[str]) -> None:
    connection.execute(delete(upload_parts).where(upload_parts.c.upload_key.in_(keys)))
    connection.execute(delete(uploads).where(uploads.c.key.in_(keys), uploads.c.state == "ended"))


def _unknown(database: Database, there: list[str]) -> list[str]:
    """Parts whose upload is not open: a row is always there before its first part."""
    found: list[str] = []
    for start in range(0, len(there), SWEPT_AT_ONCE):
        some = there[start : start + SWEPT_AT_ONCE]
        open_ones = database.read(_open, some)
        found += [key for key in some if key not in open_ones]
    return found


def _open(connection: Connection, keys: list[str]) -> set[str]:
    return set(
        connection.execute(select(uploads.c.key).where(uploads.c.key.in_(keys), uploads.c.state == "open")).scalars()
    )


def _going(connection: Connection) -> list[str]:
    return list(
        connection.execute(select(blobs.c.sha256).where(blobs.c.state == "going").limit(SWEPT_AT_ONCE)).scalars()
    )


def _delete(connection: Connection, place: Place, sha256: str) -> int:
    """Bytes and row, while nobody else can write the same content; deleting twice is deleting once."""
    locked = select(blobs.c.sha256).where(blobs.c.sha256 == sha256, blobs.c.state == "going").with_for_update()
    if connection.execute(locked).first() is None:
        return 0
    place.drop(sha256)
    return connection.execute(delete(blobs).where(blobs.c.sha256 == sha256)).rowcount
