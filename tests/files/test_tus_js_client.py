"""The real tus-js-client in Node uploads to a real `sfa serve`: over a line that breaks, to a server that is killed."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from sfa.core.clock import SystemClock
from sfa.db.tables import blobs, uploads
from sfa.web.auth import set_password_hash
from tests import clients
from tests.crm.desk import HASHED
from tests.files.bad_line import BadLine
from tests.files.cabinet import digest, padded, told, values
from tests.office import Office
from tests.sync.clients.served import Server

pytestmark = pytest.mark.xdist_group("waiting")  # for processes and clocks, while other workers compute

MB = 1_000_000
PATIENT = [10, 50, 100, 200, 400, *([500] * 40)]


@pytest.fixture
def server(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SFA_FILES_URL", f"file://{tmp_path}/files")
    office.database.write(set_password_hash, "ana", HASHED, SystemClock().now_ms())
    found = Server(office.database.url, tmp_path)
    found.start()
    yield found
    found.kill()


class Sender:
    """Ana's app: a file on the disk, a token, and tus-js-client."""

    def __init__(self, server: Server, folder: Path, content: bytes) -> None:
        self.content, self.path = content, folder / "photo.jpg"
        self.path.write_bytes(content)
        device = {"name": "phone", "platform": "test", "app_version": "1"}
        body = {"email": "ana@example.com", "password": "correct horse", "device": device}
        self.home = f"http://127.0.0.1:{server.port}"
        self.token = httpx.post(f"{self.home}/auth/login", json=body, timeout=30).json()["access_token"]

    def send(self, address: str, chunk: int | None = None, **more: Any) -> dict[str, Any]:
        said = {
            "attachment": "pic",
            "sha256": digest(self.content),
            "filetype": "image/jpeg",
            "filename": "Fábrica.jpg",
        }
        asked = {"endpoint": f"{address}/files/uploads", "token": self.token, "path": str(self.path), "url": None}
        asked |= {"metadata": {**said, **more}, "chunk": chunk, "delays": PATIENT}
        found: dict[str, Any] = clients.run("upload.mjs", asked)
        return found

    def fetch(self) -> httpx.Response:
        return httpx.get(f"{self.home}/files/pic", headers={"Authorization": f"Bearer {self.token}"}, timeout=30)


def attach(office: Office, content: bytes) -> None:
    assert office.phone("ana").do("create", "attachments", "pic", set=values(content)).outcome == "applied"


def kept(office: Office) -> list[tuple[Any, ...]]:
    query = select(blobs.c.sha256, blobs.c.state)
    return office.database.read(lambda c: [tuple(row) for row in c.execute(query)])


@pytest.mark.parametrize("chunk", [None, 400_000])
@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
def test_tus_js_client_uploads_a_file(office: Office, server: Server, tmp_path: Path, chunk: int | None) -> None:
    sender = Sender(server, tmp_path, padded(MB))
    attach(office, sender.content)
    found = sender.send(sender.home, chunk)
    assert (found["error"], found["progress"]) == (None, MB)
    assert sender.fetch().content == sender.content
    assert office.row("attachments", "pic")["stored"] is True


@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
def test_tus_js_client_is_told_what_is_wrong_and_does_not_try_for_ever(
    office: Office, server: Server, tmp_path: Path
) -> None:
    sender = Sender(server, tmp_path, padded(10_000))
    assert '"file_differs"' in sender.send(sender.home, sha256="0" * 64)["error"]["body"]
    lie = sender.send(sender.home, filetype="image/png")["error"]
    assert (lie["status"], '"file_type_refused"' in lie["body"]) == (422, True)
    assert sender.send(sender.home, filetype="text/html")["error"]["status"] == 422
    assert kept(office) == []


@pytest.mark.timeout(300)
def test_twenty_megabytes_arrive_whole_and_once_over_cuts_and_kills(
    office: Office, server: Server, tmp_path: Path
) -> None:
    """Must show 4: cuts at random bytes, and kill -9 of the server in between."""
    sender = Sender(server, tmp_path, padded(20 * MB, seed=7))
    attach(office, sender.content)
    kills = [3 * MB, 9 * MB, 16 * MB]
    turn = threading.Lock()

    def die(bytes_up: int) -> None:
        with turn:
            if kills and bytes_up >= kills[0]:
                kills.pop(0)
                server.kill()
                server.start()

    line = BadLine(server.port, 11, 200_000, 3 * MB, die)
    try:
        found = sender.send(line.url)
    finally:
        line.close()
    assert (found["error"], kills) == (None, [])
    assert line.cuts >= 5
    assert line.bytes_up < 20 * MB * 2, "what had arrived was sent again"
    assert sender.fetch().content == sender.content
    assert kept(office) == [(digest(sender.content), "kept")]
    query = select(uploads.c.state, uploads.c.offset).where(uploads.c.attachment_key == "pic")
    assert [tuple(row) for row in office.database.read(lambda c: c.execute(query).all())] == [("done", 20 * MB)]
    assert office.rev("attachments", "pic") == 2
    assert list((tmp_path / "files").glob("parts/*/*")) == []


@pytest.mark.postgresql
@pytest.mark.parametrize("office", ["postgresql"], indirect=True)
def test_an_upload_goes_on_in_another_server_process(office: Office, server: Server, tmp_path: Path) -> None:
    """Nothing is shared but the database and the folder."""
    sender = Sender(server, tmp_path, padded(MB))
    attach(office, sender.content)
    (tmp_path / "second").mkdir()
    second = Server(office.database.url, tmp_path / "second")
    second.start()
    try:
        said = {"Authorization": f"Bearer {sender.token}", "Tus-Resumable": "1.0.0"}
        length = {"Upload-Length": str(MB), "Upload-Metadata": told("pic", sender.content)}
        place = httpx.post(f"{sender.home}/files/uploads", headers=said | length, timeout=30).headers["location"]
        body = {**said, "Content-Type": "application/offset+octet-stream"}
        first, rest = sender.content[:400_000], sender.content[400_000:]
        added = httpx.patch(f"{sender.home}{place}", headers=body | {"Upload-Offset": "0"}, content=first, timeout=30)
        assert added.status_code == 204
        other = f"http://127.0.0.1:{second.port}"
        assert httpx.head(f"{other}{place}", headers=said, timeout=30).headers["upload-offset"] == "400000"
        going_on = body | {"Upload-Offset": "400000"}
        assert httpx.patch(f"{other}{place}", headers=going_on, content=rest, timeout=30).status_code == 204
    finally:
        second.kill()
    assert sender.fetch().content == sender.content
