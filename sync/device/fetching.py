"""Contents that the server keeps, brought to this device: in pieces, and on from where the last attempt ended.

What has come lies beside its target until all of it is there and is what the row says by its digest; the target is
either not there or whole. Pieces of another content are thrown away and fetched again, once.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sfa.core.errors import Refused
from sync.device import session, view
from sync.device.session import EXPIRED, ServerRefused
from sync.device.store import Store
from sync.device.transport import ConnectionLost, FileTransport, Transport

PIECE_BYTES = 1 << 20  # asked for at once; what is on the disk is not asked for again
READ_BYTES = 1 << 20


def fetch(store: Store, transport: Transport, key: str, target: Path) -> int:
    """Bring the content of an attachment that this device holds; -> its size. Refuses `row_unknown`, `file_awaited`
    where nobody has sent it yet, `file_differs` where what comes is something else. Raises `ConnectionLost` and
    `ServerRefused`; called again, it goes on."""
    row = view.row(store, "attachments", key)
    if row is None:
        raise Refused("row_unknown", f"there is no attachments row {key!r} on this device")
    if not row["stored"]:
        raise Refused("file_awaited")
    if not isinstance(transport, FileTransport):
        raise Refused("request_invalid", "this transport carries no files")
    part = target.with_name(f".{target.name[:100]}.{row['sha256'][:16]}.part")
    for _ in range(2):
        _complete(store, transport, key, part, row["size"])
        if _digest(part) == row["sha256"]:
            part.replace(target)
            return int(row["size"])
        part.unlink()
    raise Refused("file_differs", "the server sent another content than the row says")


def _complete(store: Store, transport: FileTransport, key: str, part: Path, size: int) -> None:
    while (there := part.stat().st_size if part.exists() else 0) < size or not part.exists():
        headers = {"Range": f"bytes={there}-{min(there + PIECE_BYTES, size) - 1}", "Accept-Encoding": "identity"}
        status, body = _get(store, transport, f"/files/{key}", headers if size else {})
        if status not in (200, 206):
            raise session.refusal_of(status, body)
        if size and not body:
            raise ConnectionLost("the answer was empty")
        with part.open("ab" if status == 206 else "wb") as file:
            file.write(body)


def _get(store: Store, transport: FileTransport, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    token = store.state().access_token
    status, _, body = transport.send("GET", path, headers, b"", token)
    if status == 401 and _is_expired(body):
        token = session.renewed(store, transport, token)
        status, _, body = transport.send("GET", path, headers, b"", token)
    return status, body


def _is_expired(body: bytes) -> bool:
    refused: ServerRefused = session.refusal_of(401, body)
    return refused.code in EXPIRED


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
