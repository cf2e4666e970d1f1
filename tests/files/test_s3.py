"""The same on an S3-compatible store: a real server on loopback, spoken to over HTTP by the library of production."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from sfa.core.errors import Refused
from sfa.files import collecting
from sfa.files.arrivals import forget
from sfa.files.local import Folder
from sfa.files.places import Place
from sfa.files.s3 import Bucket
from sfa.files.service import open_place
from tests.files.cabinet import Cabinet, digest, jpeg, opened, padded, values
from tests.office import Office

KEYS = {"files_access_key": "key", "files_secret_key": "secret"}
on_sqlite = pytest.mark.parametrize("office", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a store with an empty bucket `company`."""
    server: BaseWSGIServer = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    address = f"http://127.0.0.1:{server.server_port}"
    assert httpx.put(f"{address}/company").status_code == 200
    yield address
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Folder(tmp_path / "files")
    address = request.getfixturevalue("s3")
    return Bucket(f"s3://company/{tmp_path.name}?endpoint={address}", "key", "secret")


def content_of(place: Place, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    made = place.scratch() / f"made-{sha256}"
    made.write_bytes(content)
    place.keep(sha256, made)
    assert not made.exists()
    return sha256


def test_every_place_keeps_contents_and_parts_alike(place: Place) -> None:
    content = padded(6_000_000)
    sha256 = content_of(place, content)
    assert content_of(place, content) == sha256
    assert place.size(sha256) == len(content)
    assert b"".join(place.read(sha256, 0, len(content))) == content
    assert b"".join(place.read(sha256, 100_000, 5_900_001)) == content[100_000:5_900_001]
    assert b"".join(place.read(sha256, 5, 5)) == b""
    assert place.size("0" * 64) is None

    place.put_part("up", "000-a", [b"one ", b"two"])
    place.put_part("up", "007-b", [b" three"])
    place.put_part("other", "000-c", [b"x"])
    assert b"".join(place.read_part("up", "000-a")) == b"one two"
    assert place.uploads() == ["other", "up"]
    place.drop_part("up", "000-a")
    place.drop_part("up", "000-a")
    assert b"".join(place.read_part("up", "007-b")) == b" three"
    place.drop_upload("up")
    place.drop_upload("up")
    assert place.uploads() == ["other"]

    assert place.thumbnail(sha256, 96) is None
    place.keep_thumbnail(sha256, 96, b"small")
    assert place.thumbnail(sha256, 96) == b"small"
    place.drop(sha256)
    place.drop(sha256)
    assert (place.size(sha256), place.thumbnail(sha256, 96)) == (None, None)


@pytest.fixture
def bucket(office: Office, tmp_path: Path, s3: str) -> Iterator[Cabinet]:
    url = f"s3://company/{tmp_path.name}?endpoint={s3}&region=eu-west-1"
    with opened(office, tmp_path / "files", url, **KEYS) as found:
        yield found


@on_sqlite
def test_a_file_comes_in_pieces_and_goes_as_a_whole(bucket: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, "flush_bytes", 300_000)
    content = padded(2_000_000)
    bucket.office.phone("ana").do("create", "attachments", "pic", set=values(content))
    place, sent = bucket.begin("pic", content), 0
    for size in (700_000, 1, 450_000):
        bucket.cut(place, sent, content[sent : sent + size], pieces=4)
        sent += size
        assert bucket.offset(place) == sent
    assert bucket.add(place, sent, content[sent:]).status_code == 204
    assert bucket.row("pic")["stored"] is True
    assert bucket.files.place.uploads() == []
    assert bucket.ask("GET", "/files/pic").content == content
    part = bucket.ask("GET", "/files/pic", headers={"Range": "bytes=1000000-1999999"})
    assert (part.status_code, part.content) == (206, content[1_000_000:])
    assert bucket.ask("GET", "/files/pic/thumbnail?size=96").status_code == 200
    assert not bucket.folder.exists()


@on_sqlite
def test_what_is_deleted_leaves_the_store(bucket: Cabinet) -> None:
    content = jpeg()
    bucket.office.phone("ana").do("create", "attachments", "pic", set=values(content))
    bucket.upload("pic", content)
    bucket.ask("GET", "/files/pic/thumbnail?size=96")
    bucket.office.delete("attachments", "pic")
    bucket.office.database.write(forget, [digest(content)])
    assert collecting.sweep(bucket.office.database, bucket.files.place, bucket.office.clock.now_ms())[1] == 1
    assert bucket.files.place.size(digest(content)) is None


@on_sqlite
def test_a_store_out_of_reach_is_told_as_busy_and_nothing_is_counted(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "s3://company/x?endpoint=http://127.0.0.1:9"
    monkeypatch.setattr("sfa.files.s3.RETRY", {"max_retries": 0})
    with opened(office, tmp_path / "files", url, **KEYS) as cabinet:
        place = cabinet.begin("pic", jpeg())
        answer = cabinet.add(place, 0, jpeg())
        assert (answer.status_code, answer.json()["code"]) == (503, "server_busy")
        assert cabinet.offset(place) == 0


def test_the_setting_says_where_bytes_lie(tmp_path: Path) -> None:
    beside = open_place("", f"sqlite:///{tmp_path}/company.db")
    assert isinstance(beside, Folder)
    assert beside.root == tmp_path / "company.files"
    named = open_place(f"file://{tmp_path}/a%20b", "postgresql://host/name")
    assert isinstance(named, Folder)
    assert named.root == tmp_path / "a b"
    for url in ("s3://bucket?endpont=x", "s3:///prefix", "file://"):
        with pytest.raises(Refused) as caught:
            open_place(url, "")
        assert caught.value.code == "setting_invalid"
