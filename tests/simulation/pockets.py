"""What a phone carries besides its rows: copies of files that wait for signal, in the reference device or in a model.

The model is written from docs/files.md alone. It may send bytes before their row; the reference device waits until the
server has the row.
"""

import base64
import hashlib
import random
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from sfa.core.errors import Refused
from sync.device import files
from sync.device.session import ServerRefused
from sync.device.transport import ConnectionLost
from sync.protocol import CONTRACT_MAX, DURABLE_AFTER_MS
from tests.simulation.file_line import TUS, FileLine
from tests.simulation.model_device import ModelDevice
from tests.simulation.phones import ModelPhone, Phone, ReferencePhone

TYPE = "text/plain"
HANGS_ON = {"visits": "visit_key", "deals": "deal_key", "notes": "note_key"}
TRIES_MAX = 4
HOUR_MS = 3_600_000
FINAL = ("file_differs", "file_type_refused", "not_permitted")


class Copy(NamedTuple):
    """What the phone says of a file that it keeps."""

    is_sent: bool
    code: str | None
    is_stored: bool  # the server has it, and a backup might not


class Pocket(ABC):
    """`copies` is what the phone would show its user, and `strays` what lies there and is not shown."""

    phone: Phone

    @abstractmethod
    def attach(self, entity: str, row: str, key: str, name: str, content: bytes) -> str | None:
        """-> the attachment's key; None where the app refuses."""

    @abstractmethod
    def upload(self) -> None:
        """Send what waits; raises `ConnectionLost`."""

    @abstractmethod
    def copies(self) -> dict[str, Copy]: ...

    @abstractmethod
    def strays(self) -> list[str]: ...

    @abstractmethod
    def was_erased(self) -> bool:
        """The phone said that everything on it went."""

    @abstractmethod
    def damage(self, key: str) -> None:
        """A byte of a copy rots."""


class ReferencePocket(Pocket):
    def __init__(self, phone: ReferencePhone, folder: Path, line: FileLine, rng: random.Random) -> None:
        self.phone: ReferencePhone = phone
        self._folder, self._rng, self._line = folder, rng, line
        phone.store.folder = folder / "copies"
        phone.wire.line = line

    def attach(self, entity: str, row: str, key: str, name: str, content: bytes) -> str | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{key}.txt"
        path.write_bytes(content)
        try:
            return self.phone.device.attach(entity, row, path, {"name": name, "media_type": TYPE})
        except Refused:
            return None
        finally:
            path.unlink()  # it is deleted from the gallery

    def upload(self) -> None:
        if not self._line.peace and self._rng.random() < 0.1:
            self.phone.store.dies_in = self._rng.randint(1, 30)
        try:
            for _ in self.phone.device.upload():
                pass
        except ServerRefused as refused:
            raise ConnectionLost(refused.code) from refused
        finally:
            self.phone.store.dies_in = None

    def copies(self) -> dict[str, Copy]:
        return {
            item.key: Copy(item.is_sent, item.code, item.stored_at is not None) for item in files.kept(self.phone.store)
        }

    def strays(self) -> list[str]:
        folder = self.phone.store.folder
        known = self.copies()
        there = sorted(path.name for path in folder.iterdir()) if folder is not None and folder.is_dir() else []
        return [name for name in there if name not in known]

    def was_erased(self) -> bool:
        return any(notice.kind == "erased" for notice in self.phone.device.notices())

    def damage(self, key: str) -> None:
        folder = self.phone.store.folder
        assert folder is not None
        path = folder / key
        path.write_bytes(_rotten(path.read_bytes()))

    def copied_to(self, twin: "ReferencePocket") -> None:
        folder, other = self.phone.store.folder, twin.phone.store.folder
        if folder is not None and other is not None and folder.is_dir():
            shutil.copytree(folder, other)


class Carried(Struct):
    """A file of the model device. `epoch` is the server's when it was sent."""

    name: str
    content: bytes
    sha256: str
    size: int
    place: str | None = None
    sent_at: int | None = None
    code: str | None = None
    epoch: str | None = None
    stored_at: int | None = None


class ModelPocket(Pocket):
    def __init__(self, phone: ModelPhone, line: FileLine) -> None:
        self.phone: ModelPhone = phone
        self._line = line

    @property
    def _device(self) -> ModelDevice:
        return self.phone.device

    def attach(self, entity: str, row: str, key: str, name: str, content: bytes) -> str | None:
        account = row if entity == "accounts" else self._device.rows[entity, row][1]["account_key"]
        if account is None:
            return None
        sha256, size = hashlib.sha256(content).hexdigest(), len(content)
        said = {"account_key": account, "author_key": self.phone.user, "name": name}
        said |= {"media_type": TYPE, "size": size, "sha256": sha256}
        said |= {HANGS_ON[entity]: row} if entity in HANGS_ON else {}
        self._device.queue("create", "attachments", key, said)
        self._device.carried[key] = Carried(name, content, sha256, size)
        return key

    def upload(self) -> None:
        carried: dict[str, Carried] = self._device.carried
        for key, item in list(carried.items()):
            if item.epoch not in (None, self._device.epoch):  # a restored server may have nothing of it
                item.place = item.sent_at = item.code = item.stored_at = None
                item.epoch = self._device.epoch
            fate = self._fate(key, item)
            if fate == "drop":
                del carried[key]
            elif fate == "send":
                item.epoch = self._device.epoch
                self._send(key, item)

    def _fate(self, key: str, item: Carried) -> str:
        row = self._device.rows.get(("attachments", key), (0, None))[1]
        if row is not None and row["stored"]:
            now_ms = self.phone.clock.now_ms()
            item.stored_at, item.epoch = item.stored_at or now_ms, self._device.epoch
            safe_at = item.stored_at + DURABLE_AFTER_MS
            return "drop" if min(now_ms, self._device.heard_at) >= safe_at else "wait"
        queued = [m["kind"] for m in self._device.outbox if (m["entity"], m["key"]) == ("attachments", key)]
        if "delete" in queued or item.code is not None:
            return "wait"
        if item.sent_at is None:
            return "send"
        if row is not None:  # nobody had it at once: perhaps it waited for the row for too long
            return "send" if self.phone.clock.now_ms() > item.sent_at + HOUR_MS else "wait"
        return "wait" if queued or self._is_refused(key) else "drop"

    def _is_refused(self, key: str) -> bool:
        rows = [row for (entity, _), (_, row) in self._device.rows.items() if entity == "refusals"]
        return any(row["row_key"] == key and row["status"] == "open" for row in rows)

    def _send(self, key: str, item: Carried) -> None:
        for _ in range(TRIES_MAX):
            status = self._go_on(key, item)
            if status in (404, 410):
                item.place = None
            elif status == 204:
                item.sent_at = self.phone.clock.now_ms()
                return
            elif item.code is not None:
                return

    def _go_on(self, key: str, item: Carried) -> int:
        """-> 204 where all of it is there."""
        offset = 0
        if item.place is None:
            pairs = {"attachment": key, "sha256": item.sha256, "filetype": TYPE}
            words = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs.items())
            status, told, _ = self._ask("POST", "/files/uploads", item, {"Upload-Metadata": words})
            if status != 201:
                return status
            item.place = told["location"]
        else:
            status, told, _ = self._ask("HEAD", item.place, item, {})
            if status != 200:
                return status
            offset = int(told["upload-offset"])
            if offset == item.size:
                return 204
        kind = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return self._ask("PATCH", item.place, item, kind, item.content[offset:])[0]

    def _ask(
        self, method: str, path: str, item: Carried, more: dict[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {**TUS, **more} | ({"Upload-Length": str(item.size)} if method == "POST" else {})
        status, told, answer = self._line.send(self.phone.user, self.phone.key, method, path, headers, body)
        item.code = next((code for code in FINAL if f'"{code}"'.encode() in answer), None)
        return status, dict(told), answer

    def copies(self) -> dict[str, Copy]:
        carried: dict[str, Carried] = self._device.carried
        return {k: Copy(i.sent_at is not None, i.code, i.stored_at is not None) for k, i in carried.items()}

    def strays(self) -> list[str]:
        return []

    def was_erased(self) -> bool:
        return self._device.erasures > 0

    def damage(self, key: str) -> None:
        item = self._device.carried[key]
        item.content = _rotten(item.content)


def pocket_of(phone: Phone, folder: Path, line: FileLine, rng: random.Random) -> Pocket:
    if isinstance(phone, ReferencePhone):
        return ReferencePocket(phone, folder, line, rng)
    assert isinstance(phone, ModelPhone)
    return ModelPocket(phone, line)


def can_attach(phone: Phone) -> bool:
    """Its app knows files."""
    return phone.contract == CONTRACT_MAX and not phone.is_out()


def _rotten(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


assert files.PARENTS == HANGS_ON
