"""People who attach files: the application in process with a folder of its own, asked over HTTP and cut at will.

`Cabinet.tus` speaks one request of the protocol; `cut` sends a part of a body and then loses the connection, which a
test client for whole requests cannot.
"""

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient
from PIL import Image

from sfa.app.settings import Settings
from sfa.files.service import Files
from sfa.web.auth import set_password_hash
from tests.builders import NOW, USERS
from tests.crm.desk import CHEAP, HASHED
from tests.office import Office
from tests.served import served

VERSION = {"Tus-Resumable": "1.0.0"}
BODY_TYPE = {"Content-Type": "application/offset+octet-stream"}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def told(key: str, content: bytes, kind: str = "image/jpeg", name: str = "photo.jpg") -> str:
    """`Upload-Metadata` of an attachment's content."""
    pairs = {"attachment": key, "sha256": digest(content), "filetype": kind, "filename": name}
    return ",".join(f"{key} {b64(value)}" for key, value in pairs.items())


def jpeg(width: int = 40, height: int = 30, colour: str = "red", orientation: int | None = None) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    exif[0x010F] = "A camera of somebody"
    Image.new("RGB", (width, height), colour).save(out, "JPEG", exif=exif)
    return out.getvalue()


def padded(size: int, seed: int = 0) -> bytes:
    """A JPEG of exactly this size: what follows the picture is no picture."""
    head = jpeg()
    tail = hashlib.shake_128(str(seed).encode()).digest(max(0, size - len(head)))
    return (head + tail)[:size] if size >= len(head) else head


def values(content: bytes, **more: Any) -> dict[str, Any]:
    """The fields of an attachment row of Acme's."""
    said = {"account_key": "acme", "name": "photo.jpg", "kind": "photo", "media_type": "image/jpeg"}
    return {**said, "size": len(content), "sha256": digest(content), **more}


class Cabinet:
    def __init__(self, office: Office, client: TestClient[Litestar], folder: Path) -> None:
        self.office, self.client, self.folder = office, client, folder
        self.files: Files = client.app.state.services.files
        self._tokens: dict[str, str] = {}

    def token(self, as_: str) -> str:
        if as_ not in self._tokens:
            device = {"name": "desk", "platform": "web", "app_version": "1"}
            body = {"email": f"{as_}@example.com", "password": "correct horse", "device": device}
            self._tokens[as_] = self.client.post("/auth/login", json=body).json()["access_token"]
        return self._tokens[as_]

    def ask(self, method: str, path: str, as_: str = "ana", headers: dict[str, str] | None = None, **more: Any) -> Any:
        said = {"Authorization": f"Bearer {self.token(as_)}", **(headers or {})}
        return self.client.request(method, path, headers=said, **more)

    def tus(self, method: str, path: str, as_: str = "ana", body: Any = None, **headers: str) -> Any:
        """Header names are written with underscores."""
        said = {**VERSION, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.ask(method, path, as_, said, content=body)

    def begin(self, key: str, content: bytes, as_: str = "ana", **more: str) -> str:
        """-> where the upload is."""
        metadata = told(key, content, **more)
        answer = self.tus("POST", "/files/uploads", as_, Upload_Length=str(len(content)), Upload_Metadata=metadata)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["location"])

    def add(self, place: str, offset: int, body: bytes, as_: str = "ana", **headers: str) -> Any:
        return self.tus("PATCH", place, as_, body, Upload_Offset=str(offset), **BODY_TYPE_, **headers)

    def offset(self, place: str, as_: str = "ana") -> int:
        answer = self.tus("HEAD", place, as_)
        assert answer.status_code == 200, answer.headers
        return int(answer.headers["upload-offset"])

    def upload(self, key: str, content: bytes, as_: str = "ana", **more: str) -> Any:
        return self.add(self.begin(key, content, as_, **more), 0, content, as_)

    def cut(self, place: str, offset: int, body: bytes, pieces: int = 3, **headers: str) -> None:
        """A PATCH whose connection breaks after `body`, which is a part of what was announced."""
        said = {**VERSION, **BODY_TYPE, "Upload-Offset": str(offset), **headers}
        said["Authorization"] = f"Bearer {self.token('ana')}"
        raw = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in said.items()]
        step = max(1, -(-len(body) // pieces))
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": body[i : i + step], "more_body": True} for i in range(0, len(body), step)
        ]

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            pass

        scope: Any = {"type": "http", "method": "PATCH", "path": place, "raw_path": place.encode(), "headers": raw}
        scope |= {"query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1", "asgi": {}}
        scope |= {"client": ("127.0.0.1", 1), "server": ("testserver", 80)}

        async def play() -> None:
            await self.client.app(scope, receive, send)

        with self.client.portal() as portal:
            portal.call(play)

    def advance(self, ms: int) -> None:
        """Time goes by; who comes back logs in again."""
        self.office.clock.advance(ms)
        self._tokens.clear()

    def row(self, key: str) -> dict[str, Any]:
        return self.office.row("attachments", key)

    def contents(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("blobs/*/*/*"))

    def parts(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("parts/*/*"))


BODY_TYPE_ = {"Content_Type": "application/offset+octet-stream"}


@contextmanager
def opened(office: Office, folder: Path, url: str | None = None, **settings: Any) -> Iterator[Cabinet]:
    def passwords(connection: Any) -> None:
        for user in USERS:
            set_password_hash(connection, user, HASHED, NOW)

    office.database.write(passwords)
    said = Settings(access_ttl_s=3600, files_url=url or f"file://{folder}", **settings)
    with served(said, office.clock, office.database, CHEAP) as app, TestClient(app) as client:
        yield Cabinet(office, client, folder)
