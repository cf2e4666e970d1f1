"""Files on the reference device: attached without signal, uploaded with resume, kept until the server has them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, text

from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db import scope
from sfa.db.tables import METADATA
from sync.device import ConnectionLost, Device, Store, view
from sync.device.files import tidy, upload
from sync.device.http import HttpTransport
from sync.device.transport import Content
from sync.protocol import DURABLE_AFTER_MS
from tests.builders import DAY_MS
from tests.files.cabinet import Cabinet, digest, opened, padded
from tests.office import Office

CONTENT = padded(1_500_000)
on_sqlite = pytest.mark.parametrize("office", ["sqlite"], indirect=True)
pytestmark = on_sqlite


class Weak(HttpTransport):
    """Loses a PATCH now and then: its answer, or all of it. `methods` is what was sent."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__("http://testserver.local", client)
        self.methods: list[str] = []
        self.lose: dict[int, str] = {}  # the number of a PATCH -> "request" or "answer"

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        self.methods.append(method)
        fate = self.lose.pop(self.methods.count("PATCH"), None) if method == "PATCH" else None
        if fate == "request":
            raise ConnectionLost("lost on its way")
        answer = super().send(method, path, headers, body, token)
        if fate == "answer":
            raise ConnectionLost("the answer was lost")
        return answer


@pytest.fixture
def cabinet(office: Office, tmp_path: Path) -> Iterator[Cabinet]:
    with opened(office, tmp_path / "files") as found:
        yield found


@pytest.fixture
def line(cabinet: Cabinet) -> Weak:
    return Weak(cabinet.client)


@pytest.fixture
def ana(cabinet: Cabinet, line: Weak, tmp_path: Path) -> Iterator[Device]:
    clock = cabinet.office.clock
    store = Store(tmp_path / "ana.sqlite")
    found = Device(store, line, clock, KeyMaker(clock))
    found.login("ana@example.com", "correct horse")
    found.sync()
    yield found
    store.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "factory.jpg"
    path.write_bytes(CONTENT)
    return path


def copies(device: Device) -> list[str]:
    folder = device.store.folder
    assert folder is not None
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_photo_is_attached_offline_and_seen_at_once(ana: Device, photo: Path) -> None:
    key = ana.attach("accounts", "acme", photo, {"kind": "photo"})
    photo.unlink()
    row = ana.get("attachments", key)
    assert row is not None
    assert (row["name"], row["kind"], row["media_type"], row["size"]) == (
        *("factory.jpg", "photo", "image/jpeg"),
        len(CONTENT),
    )
    assert (row["sha256"], row["stored"], row["author_key"]) == (digest(CONTENT), False, "ana")
    assert copies(ana) == [key]
    assert list(ana.upload()) == []  # the server does not have the row yet
    assert copies(ana) == [key]


def test_a_sync_and_an_upload_bring_it_to_the_server_and_free_the_copy(
    ana: Device, photo: Path, cabinet: Cabinet
) -> None:
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    (sent,) = ana.upload()
    assert (sent.key, sent.is_sent, sent.code) == (key, True, None)
    assert cabinet.ask("GET", f"/files/{key}", "bob").content == CONTENT
    ana.sync()
    assert list(ana.upload()) == []
    assert (copies(ana), ana.files()) == ([key], []), "it is there, and not in last night's backup"
    row = ana.get("attachments", key)
    assert row is not None
    assert row["stored"] is True
    cabinet.advance(DURABLE_AFTER_MS - 1)
    assert list(ana.upload()) == []
    assert copies(ana) == [key]
    cabinet.advance(1)
    assert list(ana.upload()) == []
    assert copies(ana) == [key], "the server may be another one by now"
    ana.login("ana@example.com", "correct horse")
    ana.sync()
    assert list(ana.upload()) == []
    assert copies(ana) == []


def test_a_server_that_was_restored_is_sent_the_bytes_again(ana: Device, photo: Path, cabinet: Cabinet) -> None:
    """S21: what a device was told is kept until no backup is older. Content that the restored server does not know is
    given to nobody who only names its digest, so the bytes come once more."""
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    cabinet.office.database.write(keep_tables)
    assert [sent.is_sent for sent in ana.upload()] == [True]
    ana.sync()
    assert (list(ana.upload()), ana.files()) == ([], [])
    cabinet.office.database.write(restore_tables)
    cabinet.office.database.write(scope.renew_epoch, "r" * 32)
    assert cabinet.row(key)["stored"] is False
    ana.sync()
    assert [item.key for item in ana.files()] == [key], "the user sees that it waits again"
    assert [sent.is_sent for sent in ana.upload()] == [True]
    assert cabinet.ask("GET", f"/files/{key}", "bob").content == CONTENT
    assert cabinet.contents() == [digest(CONTENT)]


def keep_tables(connection: Connection) -> None:
    for table in METADATA.sorted_tables:
        connection.execute(text(f'CREATE TABLE "saved_{table.name}" AS SELECT * FROM "{table.name}"'))


def restore_tables(connection: Connection) -> None:
    """As last night's backup has it."""
    for table in reversed(METADATA.sorted_tables):
        connection.execute(text(f'DELETE FROM "{table.name}"'))
    for table in METADATA.sorted_tables:
        connection.execute(text(f'INSERT INTO "{table.name}" SELECT * FROM "saved_{table.name}"'))


def test_a_clock_that_was_put_back_keeps_a_copy_for_longer_and_not_for_ever(
    ana: Device, photo: Path, cabinet: Cabinet, line: Weak
) -> None:
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    now_ms = cabinet.office.clock.now_ms()
    assert [sent.is_sent for sent in upload(ana.store, line, now_ms + 400 * DAY_MS)] == [True]
    ana.sync()
    tidy(ana.store, now_ms)
    tidy(ana.store, now_ms + DURABLE_AFTER_MS - 1)
    assert copies(ana) == [key]
    tidy(ana.store, now_ms + DURABLE_AFTER_MS)
    assert copies(ana) == [key], "it has not heard of the server since"
    cabinet.advance(DURABLE_AFTER_MS)
    ana.login("ana@example.com", "correct horse")
    ana.sync()
    tidy(ana.store, now_ms + DURABLE_AFTER_MS)
    assert copies(ana) == []


@pytest.mark.parametrize("fate", ["request", "answer"])
@pytest.mark.parametrize("patch", [1, 2, 3])
def test_an_upload_that_was_cut_goes_on_where_it_was(
    ana: Device, photo: Path, line: Weak, cabinet: Cabinet, fate: str, patch: int
) -> None:
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    line.lose = {patch: fate}
    with pytest.raises(ConnectionLost):
        list(ana.upload())
    (waiting,) = ana.files()
    assert (waiting.is_sent, waiting.upload is not None) == (False, True)
    (sent,) = ana.upload()
    assert sent.is_sent
    assert line.methods.count("POST") == 1
    assert line.methods.count("PATCH") == (4 if fate == "request" else 3)
    assert cabinet.ask("GET", f"/files/{key}").content == CONTENT


def test_an_upload_that_has_expired_begins_anew(ana: Device, photo: Path, line: Weak, cabinet: Cabinet) -> None:
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    line.lose = {2: "request"}
    with pytest.raises(ConnectionLost):
        list(ana.upload())
    cabinet.advance(8 * 24 * 3600 * 1000)
    ana.sync()
    (sent,) = ana.upload()
    assert sent.is_sent
    assert line.methods.count("POST") == 2
    assert cabinet.ask("GET", f"/files/{key}").content == CONTENT


def test_a_file_hangs_on_a_visit_a_deal_or_a_note_of_its_customer(ana: Device, photo: Path) -> None:
    visit = ana.create("visits", {"account_key": "acme"})
    for entity, row, field in (("visits", visit, "visit_key"), ("deals", "deal-a", "deal_key")):
        found = ana.get("attachments", ana.attach(entity, row, photo))
        assert found is not None
        assert (found["account_key"], found[field]) == ("acme", row)
    ana.sync()
    assert [sent.code for sent in ana.upload()] == [None, None]


def test_what_cannot_be_attached_is_refused_and_leaves_nothing(ana: Device, photo: Path, tmp_path: Path) -> None:
    odd = tmp_path / "what"
    odd.write_bytes(b"x")
    for entity, row, path, code in (
        ("accounts", "nothing", photo, "row_unknown"),
        ("products", "pump", photo, "row_unknown"),
        ("accounts", "acme", odd, "field_required"),
        ("accounts", "acme", tmp_path / "no-file.jpg", "request_invalid"),
    ):
        with pytest.raises(Refused) as caught:
            ana.attach(entity, row, path)
        assert caught.value.code == code
    (tmp_path / "empty.txt").touch()
    with pytest.raises(Refused):
        ana.attach("accounts", "acme", tmp_path / "empty.txt")
    assert (copies(ana), ana.files(), ana.pending()) == ([], [], [])


def test_content_that_the_server_refuses_is_told_and_not_sent_again(ana: Device, tmp_path: Path, line: Weak) -> None:
    lie = tmp_path / "lie.png"
    lie.write_bytes(CONTENT)
    ana.attach("accounts", "acme", lie)
    ana.sync()
    (refused,) = ana.upload()
    assert (refused.code, refused.is_sent) == ("file_type_refused", False)
    sent = len(line.methods)
    assert list(ana.upload()) == []
    assert len(line.methods) == sent


@pytest.mark.parametrize("how", ["aged", "later"])
def test_a_copy_whose_row_did_not_come_is_kept_until_no_backup_is_older(
    ana: Device, photo: Path, cabinet: Cabinet, how: str
) -> None:
    """S10, S21: the row is too old for any device, or its page has not come yet; the server may still be restored."""
    taken_at = cabinet.office.clock.now_ms() - 800 * DAY_MS if how == "aged" else None
    key = ana.attach("accounts", "acme", photo, {"taken_at": taken_at})
    ana.sync()
    if how == "later":
        with ana.store.transaction():
            for table in ("rows", "memberships"):
                ana.store.execute(f"DELETE FROM {table} WHERE entity = 'attachments'")
            ana.store.execute("UPDATE files SET was_held = 0")
    assert view.synced_row(ana.store, "attachments", key) is None
    assert [sent.is_sent for sent in ana.upload()] == [True]
    assert (list(ana.upload()), copies(ana), ana.files()) == ([], [key], [])
    cabinet.advance(DURABLE_AFTER_MS - 1)
    assert (list(ana.upload()), copies(ana)) == ([], [key])
    cabinet.advance(1)
    ana.login("ana@example.com", "correct horse")
    ana.sync()
    assert (list(ana.upload()), copies(ana)) == ([], [])


def test_a_copy_goes_with_its_row_and_with_the_device(ana: Device, photo: Path, cabinet: Cabinet) -> None:
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    ana.delete("attachments", key)
    ana.sync()
    assert list(ana.upload()) == []
    assert (copies(ana), ana.files()) == ([], [])
    ana.attach("accounts", "acme", photo)
    ana.store.erase(0, "device_wiped")
    assert ana.store.folder is not None
    assert not ana.store.folder.exists()
    assert ana.files() == []


def test_a_photo_of_a_customer_that_went_to_somebody_else_still_arrives(
    ana: Device, photo: Path, cabinet: Cabinet
) -> None:
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    cabinet.office.put(("accounts", "acme", {"territory_key": "t-south"}))
    ana.sync()
    assert ana.get("attachments", key) is None
    assert [sent.is_sent for sent in ana.upload()] == [True]
    assert cabinet.ask("GET", f"/files/{key}", "cleo").content == CONTENT
    assert list(ana.upload()) == []
    assert (copies(ana), ana.files()) == ([], [])


def test_a_photo_whose_row_was_handed_over_is_there_when_it_is_accepted(
    ana: Device, photo: Path, cabinet: Cabinet
) -> None:
    """S37: the bytes wait at the server for the decision."""
    key = ana.attach("accounts", "acme", photo)
    cabinet.office.put(("accounts", "acme", {"territory_key": "t-south"}))
    ana.sync()
    assert [sent.is_sent for sent in ana.upload()] == [True]
    (suggestion,) = cabinet.ask("GET", "/api/suggestions", "cleo").json()["items"]
    assert cabinet.ask("POST", f"/api/suggestions/{suggestion['key']}/accept", "cleo").status_code == 200
    assert cabinet.ask("GET", f"/files/{key}", "cleo").content == CONTENT


def test_a_photo_of_a_row_that_its_author_lost_waits_for_signal_longer_than_its_receipt(
    ana: Device, photo: Path, cabinet: Cabinet
) -> None:
    """S37: receipts are forgotten after a week, copies that nobody else has are not."""
    first, moved = (ana.attach("accounts", "acme", photo) for _ in range(2))
    ana.sync()
    cabinet.office.put(("accounts", "acme", {"territory_key": "t-south"}))
    late = ana.attach("accounts", "acme", photo)
    ana.sync()
    cabinet.advance(2 * DURABLE_AFTER_MS)
    ana.login("ana@example.com", "correct horse")
    ana.create("tasks", {"title": "Call", "owner_key": "ana"})
    ana.sync()
    assert [item.entity for item in ana.kept()] == ["tasks"]
    assert [(sent.key, sent.is_sent) for sent in ana.upload()] == [(key, True) for key in (first, moved, late)]
    assert cabinet.ask("GET", f"/files/{moved}", "cleo").content == CONTENT


def test_a_copy_stays_when_its_deletion_was_handed_over_and_declined(
    ana: Device, photo: Path, cabinet: Cabinet
) -> None:
    """S37: the row stands until somebody decides otherwise, and its bytes are nowhere else."""
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    ana.delete("attachments", key)
    cabinet.office.put(("accounts", "acme", {"territory_key": "t-south"}))
    ana.sync()
    (suggestion,) = cabinet.ask("GET", "/api/suggestions", "cleo").json()["items"]
    assert cabinet.ask("POST", f"/api/suggestions/{suggestion['key']}/decline", "cleo").status_code == 200
    ana.sync()
    assert [sent.is_sent for sent in ana.upload()] == [True]
    assert cabinet.ask("GET", f"/files/{key}", "cleo").content == CONTENT


def test_a_copy_waits_while_its_row_is_refused_and_may_be_repaired(ana: Device, photo: Path, cabinet: Cabinet) -> None:
    key = ana.attach("accounts", "acme", photo, {"visit_key": "nothing"})
    ana.sync()
    (refusal,) = ana.refusals()
    assert list(ana.upload()) == []
    assert copies(ana) == [key]
    ana.repair(refusal, {}, without=["visit_key"])
    ana.sync()
    assert [sent.is_sent for sent in ana.upload()] == [True]
    assert cabinet.row(key)["stored"] is True


def test_a_copy_goes_when_its_refusal_is_dismissed(ana: Device, photo: Path) -> None:
    ana.attach("accounts", "acme", photo, {"visit_key": "nothing"})
    ana.sync()
    (refusal,) = ana.refusals()
    ana.command("refusal.dismiss", refusal)
    ana.sync()
    assert list(ana.upload()) == []
    assert (copies(ana), ana.files()) == ([], [])
