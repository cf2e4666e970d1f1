"""Files that wait for signal: attached offline, kept beside the store, uploaded by tus where the last attempt ended.

A copy belongs to the device from the moment of attaching: the picture may be deleted from the gallery. It goes when the
server has had its bytes for as long as receipts take to be durable (a server that is restored from a backup of before
that is sent the bytes again, S21), when its bytes were sent and the row, which was here, is no more, and with
everything else when the registration is wiped. The upload's address is stored before its first byte is sent, so a
device that is killed at any line goes on with the same upload. Two stores of one device may be at it at once: neither
throws away what the other one is attaching, and what one has done the other leaves alone.
"""

import base64
import hashlib
import mimetypes
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from sfa.core.errors import Refused
from sync.device import edits, outbox, session, view
from sync.device.copying import attaching, tidying
from sync.device.session import EXPIRED, ServerRefused
from sync.device.store import Store
from sync.device.transport import ConnectionLost, FileTransport, Transport
from sync.protocol import DURABLE_AFTER_MS

SEND_BYTES = 512 << 10  # in one request; each is acknowledged
READ_BYTES = 1 << 20
TRIES_MAX = 5
UPLOADS = "/files/uploads"
PARENTS = {"visits": "visit_key", "deals": "deal_key", "notes": "note_key"}
FINAL = frozenset({"file_differs", "file_type_refused", "upload_too_large", "not_permitted"})
GONE = (404, 410)
UNTAKEN = (None, "refused", "skipped")
TAKEN = ("applied", "merged", "conflict")  # and so not handed over: others may decide against it
ELSEWHERE = (409, 423)


class Attached(Struct, frozen=True):
    """A file that is kept on this device. `is_known`: the server has taken its row; `was_held`: the row came here by
    sync; `upload` is its address there, and `code` why its content was refused; `stored_at` is when this device learned
    that the server has its bytes."""

    key: str
    name: str
    media_type: str
    size: int
    sha256: str
    upload: str | None = None
    is_known: bool = False
    is_sent: bool = False
    code: str | None = None
    stored_at: int | None = None
    was_held: bool = False


# -- attaching ------------------------------------------------------------------------------------------------------


def attach(
    store: Store, key: str, entity: str, row: str, path: Path, values: Mapping[str, Any], at: int, unit: str | None
) -> int:
    """Keep a copy of a file and queue its row; -> the mutation's number. `values` may say name, kind, media type and
    when it was taken."""
    hangs_on = _place(store, entity, row)
    name = str(values.get("name") or path.name)
    kind = str(values.get("media_type") or mimetypes.guess_type(path.name)[0] or "")
    if not kind:
        raise Refused("field_required", f"nobody can tell by its name what {path.name} is: say its media type")
    copy = _folder(store) / key
    with attaching(copy.parent):
        sha256, size = _copied(path, copy)
        try:
            with store.transaction():
                said = {"name": name, "media_type": kind, "size": size, "sha256": sha256, **hangs_on}
                n = edits.create(store, "attachments", key, {**values, **said}, at, unit)
                _keep(store, (key, name, kind, size, sha256))
                return n
        except BaseException:
            copy.unlink(missing_ok=True)
            raise


def _keep(store: Store, row: tuple[str, str, str, int, str]) -> None:
    store.execute("INSERT INTO files (key, name, media_type, size, sha256) VALUES (?, ?, ?, ?, ?)", row)


def _place(store: Store, entity: str, key: str) -> dict[str, str]:
    row = view.row(store, entity, key)
    if row is None or (entity != "accounts" and entity not in PARENTS):
        raise Refused("row_unknown", f"there is no {entity} row {key!r} on this device that files hang on")
    if entity == "accounts":
        return {"account_key": key}
    if row.get("account_key") is None:
        raise Refused("field_required", f"this {entity} row has no customer for a file to hang on")
    return {"account_key": row["account_key"], PARENTS[entity]: key}


def _folder(store: Store) -> Path:
    if store.folder is None:
        raise Refused("request_invalid", "a store in memory keeps no files")
    store.folder.mkdir(exist_ok=True, mode=0o700)
    return store.folder


def _copied(path: Path, copy: Path) -> tuple[str, int]:
    """-> (SHA-256, size) of the copy, which survives a power cut."""
    digest, size = hashlib.sha256(), 0
    part = copy.with_name(f"{uuid.uuid4().hex}.part")
    try:
        with path.open("rb") as source, part.open("wb") as target:
            while chunk := source.read(READ_BYTES):
                digest.update(chunk)
                size += target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        part.replace(copy)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Refused("request_invalid", f"{path.name} cannot be copied: {error.strerror}") from error
    return digest.hexdigest(), size


def attached(store: Store) -> list[Attached]:
    """What waits here until the server has its bytes, in the order of attaching."""
    return [item for item in kept(store) if item.stored_at is None]


def kept(store: Store) -> list[Attached]:
    """Every copy, also those that the server could only need if it were restored from a backup."""
    columns = "key, name, media_type, size, sha256, upload, is_known, is_sent, code, stored_at, was_held"
    return [
        Attached(key, name, kind, size, sha256, place, bool(is_known), bool(is_sent), code, stored_at, bool(was_held))
        for key, name, kind, size, sha256, place, is_known, is_sent, code, stored_at, was_held in store.execute(
            f"SELECT {columns} FROM files ORDER BY rowid"
        )
    ]


# -- uploading ------------------------------------------------------------------------------------------------------


def upload(store: Store, transport: Transport, now_ms: int) -> Iterator[Attached]:
    """Send what waits, file by file, and say how each ended. Raises `ConnectionLost`; calling again goes on.

    A file goes when the server has taken its row, also where the user does not see the row any more: the customer may
    have gone to somebody else meanwhile, and the picture belongs to the customer."""
    tidy(store, now_ms)
    if not isinstance(transport, FileTransport):
        return
    for key in [item.key for item in kept(store)]:
        item = _now(store, key)
        if item is not None and not item.is_sent and item.code is None and fate(store, item, now_ms) == "send":
            ended = Upload(store, transport, item, now_ms).run()
            if ended is not None:
                yield ended


def _now(store: Store, key: str) -> Attached | None:
    """As it stands; None where another store of this device was done with it."""
    return next((item for item in kept(store) if item.key == key), None)


def tidy(store: Store, now_ms: int) -> None:
    """Let copies go whose bytes are safe at the server, or whose row is no more, and what a killed device left."""
    if store.folder is None or not store.folder.is_dir():
        return
    with tidying(store.folder) as is_alone:
        with store.transaction():  # nothing is queued or settled between the look and the deletion
            for item in kept(store):
                if fate(store, item, now_ms) == "drop":
                    store.execute("DELETE FROM files WHERE key = ?", (item.key,))
            known = {item.key for item in kept(store)}
        if is_alone:  # else there are copies whose rows do not stand yet: another time
            for path in store.folder.glob("*"):
                if path.name not in known:
                    path.unlink(missing_ok=True)


def fate(store: Store, item: Attached, now_ms: int) -> str:
    """`send`, `wait` or `drop`: what the server, as far as this device knows, thinks of the row. `now_ms` is the
    device's clock."""
    synced, queue = view.synced_row(store, "attachments", item.key), outbox.of_row(store, "attachments", item.key)
    if synced is not None and synced.row["stored"]:
        return "drop" if _is_durable(store, item, now_ms) else "wait"
    if synced is not None and item.stored_at is not None and not item.is_sent:  # a restored server lost the bytes
        store.execute("UPDATE files SET stored_at = NULL WHERE key = ?", (item.key,))
    is_queued = any(one.kind == "create" and one.outcome is None for one in queue)
    if synced is None:
        if any(one.kind == "delete" and one.outcome in TAKEN for one in queue):
            return "drop"
        if item.code is not None and not is_queued:
            return "drop"
        if item.is_sent and not is_queued:  # a row that never was here may be too old to travel, or come yet
            return "drop" if item.was_held or _is_durable(store, item, now_ms) else "wait"
    if any(one.kind == "delete" and one.outcome is None for one in queue):
        return "wait"  # the deletion may be refused
    if synced is not None or item.is_known or any(one.outcome not in UNTAKEN for one in queue):
        store.execute("UPDATE files SET is_known = 1 WHERE key = ?", (item.key,))
        return "send"
    is_queued = any(one.outcome is None for one in queue)
    return "wait" if is_queued or _is_refused(store, item.key) else "drop"


def _is_durable(store: Store, item: Attached, now_ms: int) -> bool:
    """Whether the server has had the bytes for longer than any backup is old that would be restored, and has answered
    since as the one that it was."""
    if item.stored_at is None or now_ms < item.stored_at:  # or the clock was put back
        store.execute("UPDATE files SET stored_at = ? WHERE key = ?", (now_ms, item.key))
        return False
    heard_at = store.state().heard_at
    return heard_at is not None and min(heard_at, now_ms) - item.stored_at >= DURABLE_AFTER_MS


def _is_refused(store: Store, key: str) -> bool:
    """And not settled: the user may repair it."""
    refusals = view.rows(store, "refusals").values()
    return any(row["row_key"] == key and row["status"] == "open" for row in refusals)


class Upload:
    """One file on its way."""

    def __init__(self, store: Store, transport: FileTransport, item: Attached, now_ms: int) -> None:
        self._store, self._transport, self._item, self._now_ms = store, transport, item, now_ms
        self._place = item.upload

    def run(self) -> Attached | None:
        """How it ended; None where another store of this device was done with it meanwhile."""
        for _ in range(TRIES_MAX):
            try:
                if self._try():
                    return self._note_sent()
            except FileNotFoundError:
                if _now(self._store, self._item.key) is not None:
                    raise
                return None
            except ServerRefused as refused:
                if refused.code in FINAL:
                    return self._note("code", refused.code)
                raise
        raise ConnectionLost("the upload does not come forward: again later")

    def _try(self) -> bool:
        """-> whether all bytes are there; not, where the upload is gone or stands elsewhere."""
        offset = self._begin() if self._place is None else self._ask()
        if offset is None:
            return False
        assert self._place is not None
        with (_folder(self._store) / self._item.key).open("rb") as file:
            while offset < self._item.size:
                file.seek(offset)
                headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                status, told, body = self._send("PATCH", self._place, headers, file.read(SEND_BYTES))
                if status in (*GONE, *ELSEWHERE):
                    return False
                offset = self._number(status, told, body)
        return True

    def _begin(self) -> int:
        said = {"attachment": self._item.key, "sha256": self._item.sha256, "filetype": self._item.media_type}
        said["filename"] = self._item.name
        pairs = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in said.items())
        headers = {"Upload-Length": str(self._item.size), "Upload-Metadata": pairs}
        status, told, body = self._send("POST", UPLOADS, headers, b"")
        if status != 201 or "location" not in told:
            raise session.refusal_of(status, body)
        self._place = told["location"]
        self._note("upload", self._place)
        return 0

    def _ask(self) -> int | None:
        assert self._place is not None
        status, told, body = self._send("HEAD", self._place, {}, b"")
        if status in GONE:
            self._place = None
            self._note("upload", None)
            return None
        return self._number(status, told, body)

    def _number(self, status: int, told: Mapping[str, str], body: bytes) -> int:
        text = told.get("upload-offset", "")
        if not 200 <= status < 300:
            raise session.refusal_of(status, body)
        if not text.isdigit():
            raise ConnectionLost(f"HTTP {status} without an offset: somebody between answered")
        return int(text)

    def _send(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        said = {"Tus-Resumable": "1.0.0", **headers}
        token = self._store.state().access_token
        answer = self._transport.send(method, path, said, body, token)
        if answer[0] == 401 and _code(answer[2]) in (*EXPIRED, ""):
            token = session.renewed(self._store, self._transport, token)
            answer = self._transport.send(method, path, said, body, token)
        return answer

    def _note_sent(self) -> Attached | None:
        at = (self._now_ms, self._item.key)
        self._store.execute("UPDATE files SET is_sent = 1, stored_at = ? WHERE key = ?", at)
        return _now(self._store, self._item.key)

    def _note(self, column: str, value: Any) -> Attached | None:
        self._store.execute(f"UPDATE files SET {column} = ? WHERE key = ?", (value, self._item.key))
        return _now(self._store, self._item.key)


def _code(body: bytes) -> str:
    """Of a problem body; HEAD has none."""
    try:
        return session.refusal_of(401, body).code
    except ConnectionLost:
        return ""
