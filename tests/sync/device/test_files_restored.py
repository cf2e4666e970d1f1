"""Files on a device whose server was restored from a backup: what the server lost is sent again (S21)."""

import sqlite3
from pathlib import Path

from sqlalchemy.engine import make_url

from sfa.core.ids import KeyMaker
from sfa.db import scope
from sync.device import Device, files, settle
from tests.files.cabinet import Cabinet
from tests.sync.device.test_files import CONTENT, Weak, ana, cabinet, copies, line, photo, pytestmark

__all__ = ["ana", "cabinet", "line", "photo", "pytestmark"]


def backup(source: str, target: str) -> None:
    """The whole database, as it stands, in one transaction."""
    with sqlite3.connect(source) as read, sqlite3.connect(target) as written:
        read.backup(written)
    read.close()
    written.close()


def test_bytes_that_a_restored_server_lost_are_sent_again(
    ana: Device, photo: Path, cabinet: Cabinet, line: Weak, tmp_path: Path
) -> None:
    database = cabinet.office.database
    place, kept = str(make_url(database.url).database), str(tmp_path / "kept.sqlite")
    backup(place, kept)
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    assert [sent.is_sent for sent in ana.upload()] == [True]
    backup(kept, place)
    database.write(scope.renew_epoch, KeyMaker(cabinet.office.clock).new())
    assert ana.sync().resets == ("epoch_changed",)
    (waiting,) = ana.files()
    assert (waiting.is_sent, waiting.upload, waiting.code) == (False, None, None)
    assert files.fate(ana.store, waiting, cabinet.office.clock.now_ms()) == "send"
    assert [sent.is_sent for sent in ana.upload()] == [True]
    assert line.methods.count("POST") == 2
    assert cabinet.ask("GET", f"/files/{key}").content == CONTENT
    ana.sync()
    assert (list(ana.upload()), ana.files(), copies(ana)) == ([], [], [key])


def test_a_copy_waits_until_its_row_was_sent_to_the_restored_server_again(
    ana: Device, photo: Path, cabinet: Cabinet
) -> None:
    """It was sent and is forgotten: neither is it dropped, nor sent for a row that the server does not have."""
    ana.attach("accounts", "acme", photo)
    ana.sync()
    assert [sent.is_sent for sent in ana.upload()] == [True]
    with ana.store.transaction():
        settle._forget_epoch(ana.store)
        ana.store.execute("DELETE FROM memberships")
        ana.store.execute("DELETE FROM rows")
    (waiting,) = ana.files()
    assert (waiting.is_sent, files.fate(ana.store, waiting, cabinet.office.clock.now_ms())) == (False, "wait")


def test_what_the_device_knew_before_the_restore_hides_no_file_that_must_be_sent_again(
    ana: Device, photo: Path, cabinet: Cabinet, tmp_path: Path
) -> None:
    """The epoch is new, the pages of the restored server have not all come: the row still says `stored`."""
    database = cabinet.office.database
    place, kept = str(make_url(database.url).database), str(tmp_path / "kept.sqlite")
    key = ana.attach("accounts", "acme", photo)
    ana.sync()
    backup(place, kept)
    assert [sent.is_sent for sent in ana.upload()] == [True]
    ana.sync()
    backup(kept, place)
    epoch = KeyMaker(cabinet.office.clock).new()
    database.write(scope.renew_epoch, epoch)
    with ana.store.transaction():  # as after an answer that brought no page
        settle._forget_epoch(ana.store)
        ana.store.set_state(epoch=epoch)
    files.tidy(ana.store, cabinet.office.clock.now_ms())
    assert ana.files() == [], "by what it knows"
    ana.sync()
    files.tidy(ana.store, cabinet.office.clock.now_ms())
    assert [item.key for item in ana.files()] == [key]
    assert [sent.is_sent for sent in ana.upload()] == [True]
    assert ana.files() == []
