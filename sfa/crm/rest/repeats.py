"""`Idempotency-Key`: a request that is sent again is answered again and does nothing.

The key belongs to its user; it is kept with a digest of the request and with the answer, in the transaction of the
work, for `KEPT_MS`. Of two at once one waits for the other's commit (the primary key sees to it) and gets its answer. A
refused request is not kept: nothing happened, so the same key may try again.
"""

import hashlib
import re
from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection, LargeBinary, bindparam, delete, insert, select, text, update

from sfa.core.errors import Refused
from sfa.db.tables import idempotency_keys as kept

ERASED = 410
KEPT_MS = 24 * 3600 * 1000
KEY_CHARACTERS_MAX = 255
_KEY = re.compile(rf"[!-~]{{1,{KEY_CHARACTERS_MAX}}}")


class Repeat(Struct, frozen=True):
    """What makes two requests the same one."""

    key: str
    digest: str


class Answer(Struct, frozen=True):
    """What a write answers: `body` is the row as JSON, empty with status 204; `rev` makes its ETag."""

    status: int
    body: bytes = b""
    rev: int | None = None
    location: str | None = None


def repeat_of(key: str | None, *parts: bytes) -> Repeat | None:
    """From the header and what the request says; None without a header."""
    if key is None:
        return None
    if _KEY.fullmatch(key) is None:
        raise Refused("request_invalid", f"Idempotency-Key has 1 to {KEY_CHARACTERS_MAX} visible ASCII characters")
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return Repeat(key, digest.hexdigest())


def answered(connection: Connection, now_ms: int, user_key: str, repeat: Repeat | None) -> Answer | None:
    """The answer of the first time; None claims the key for this transaction. Refuses `idempotency_key_reused`."""
    if repeat is None:
        return None
    mine = (kept.c.user_key == user_key, kept.c.key == repeat.key)
    found = connection.execute(select(kept).where(*mine)).mappings().first()
    if found is not None and found["at"] > now_ms - KEPT_MS:
        if found["digest"] != repeat.digest:
            raise Refused("idempotency_key_reused")
        if found["status"] == ERASED:
            raise Refused("erased")
        return Answer(found["status"], bytes(found["body"]), found["rev"], found["location"])
    if found is not None:
        connection.execute(delete(kept).where(*mine))
    row = {"user_key": user_key, "key": repeat.key, "at": now_ms, "digest": repeat.digest, "status": 0, "body": b""}
    connection.execute(insert(kept), [row])
    return None


def keep(connection: Connection, user_key: str, repeat: Repeat | None, answer: Answer) -> Answer:
    if repeat is not None:
        said = {"status": answer.status, "body": answer.body, "rev": answer.rev, "location": answer.location}
        mine = (kept.c.user_key == user_key, kept.c.key == repeat.key)
        connection.execute(update(kept).where(*mine).values(said))
    return answer


def erase(connection: Connection, keys: Iterable[str]) -> None:
    """Empty the answers that tell of these rows: all of the last day are looked at."""
    place = "instr(body, :key)" if connection.dialect.name == "sqlite" else "position(:key in body)"
    for key in keys:
        tells = text(f"{place} > 0").bindparams(bindparam("key", b'"%b"' % key.encode(), LargeBinary))
        connection.execute(update(kept).where(tells).values(status=ERASED, body=b"", rev=None, location=None))


def forget(connection: Connection, now_ms: int) -> int:
    """Delete what is older than it is kept; -> how many. Safe to run twice."""
    return connection.execute(delete(kept).where(kept.c.at <= now_ms - KEPT_MS)).rowcount
