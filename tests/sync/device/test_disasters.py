"""A server restored from a backup, a phone restored from a backup, a cloned phone: nothing is lost (S18, S21)."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.office import Office
from tests.sync.device.pocket import Pocket, numbers, of_scope, opened, pocket

on_sqlite = pytest.mark.parametrize("office", ["sqlite"], indirect=True)  # a backup is a copy of one file


class Backup:
    """The server's database as it was; `restore` puts it back under a new epoch, as an operator has to."""

    def __init__(self, office: Office) -> None:
        self.path = str(make_url(office.database.url).database)
        self.copy = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(self.path)) as live:
            live.backup(self.copy)

    def restore(self, epoch: str) -> None:
        self.copy.execute("UPDATE clock SET epoch = ?", (epoch,))  # as `sfa restored` does
        self.copy.commit()
        with closing(sqlite3.connect(self.path)) as live:
            self.copy.backup(live)
        self.copy.close()


@on_sqlite
def test_a_restored_server_gets_again_what_it_lost(office: Office) -> None:
    """S21."""
    ana = pocket(office, "ana")
    ana.sync()
    kept = ana.create("contacts", {"account_key": "acme", "name": "Before"})
    ana.sync()
    backup = Backup(office)
    lost = ana.create("contacts", {"account_key": "acme", "name": "After"})
    ana.command("deal.move", "deal-a", {"stage_key": "offer"})
    ana.sync()
    for i in range(5):
        office.put(("contacts", "carl", {"title": f"Title {i}"}))
    ana.sync()
    backup.restore("restored")
    assert office.find("contacts", lost) is None
    ana.create("contacts", {"account_key": "acme", "name": "Queued"})
    result = ana.sync()
    assert (result.resets, result.outcomes) == (("epoch_changed",), {"applied": 4}), "what it has is answered again"
    assert {kept, lost} <= ana.list("contacts").keys()
    assert len(office.history("contacts", kept)) == 1
    assert office.row("deals", "deal-a")["stage_key"] == "offer"
    assert ana.rows() == of_scope(office, "ana")


@on_sqlite
def test_numbers_that_a_restored_server_waits_for_and_nobody_has_are_skipped(office: Office) -> None:
    """S21: what was durable for the device is lost with the backup; it is said, and the queue goes on."""
    ana = pocket(office, "ana")
    ana.sync()
    backup = Backup(office)
    for i in range(3):
        ana.create("tasks", {"title": str(i)})
    ana.sync()
    office.clock.advance(8 * 24 * 3600 * 1000)
    ana.create("tasks", {"title": "now"})
    ana.sync()
    assert [found.n for found in ana.kept()] == [4]
    backup.restore("restored")
    result = ana.sync()
    assert result.outcomes == {"applied": 1}
    assert ("skip", "1..3") in [(notice.kind, notice.text) for notice in ana.notices()]
    assert [row["title"] for row in ana.list("tasks").values()] == ["now"]
    ana.create("tasks", {"title": "next"})
    assert ana.sync().outcomes == {"applied": 1}
    assert ana.rows() == of_scope(office, "ana")


def test_a_cloned_phone_registers_anew_and_loses_nothing(office: Office, tmp_path: Path) -> None:
    """S18."""
    ana = pocket(office, "ana", tmp_path / "one.db")
    ana.sync()
    ana.store.close()
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    ana, clone = ana.reopened(tmp_path / "one.db"), ana.reopened(tmp_path / "two.db")
    for title in ("a", "b"):
        ana.create("tasks", {"title": title})
    for title in ("x", "y", "z"):
        clone.create("tasks", {"title": title})
    ana.sync()
    result = clone.sync()
    assert result.register_anew
    assert result.caught_up
    assert titles(clone) == ["a", "b", "x", "y", "z"]
    assert not clone.sync().pushed, "a dead registration pushes nothing more"
    move(office, clone, "d-ana-2")
    assert clone.sync().pushed == 3, "nothing behind the first reused number was taken under the dead registration"
    ana.sync()
    assert titles(ana) == titles(clone) == ["a", "b", "x", "y", "z"]
    assert ana.rows() == clone.rows() == of_scope(office, "ana")
    assert ana.refusals() == {}, "what was sent again, under the new registration, is no open question"
    assert [row["status"] for row in ana.list("refusals").values()] == ["repaired"] * 2


def test_a_phone_restored_from_its_backup_registers_anew_and_loses_nothing(office: Office, tmp_path: Path) -> None:
    """S18: the server knows more numbers than the phone remembers."""
    ana = pocket(office, "ana", tmp_path / "now.db")
    ana.sync()
    ana.store.close()
    shutil.copy(tmp_path / "now.db", tmp_path / "backup.db")
    ana = ana.reopened(tmp_path / "now.db")
    for i in range(4):
        ana.create("tasks", {"title": str(i)})
    ana.sync()
    restored = ana.reopened(tmp_path / "backup.db")
    restored.create("tasks", {"title": "new"})
    assert restored.sync().register_anew
    move(office, restored, "d-ana-2")
    assert restored.sync().outcomes == {"applied": 1}
    assert titles(restored) == ["0", "1", "2", "3", "new"]
    assert restored.rows() == of_scope(office, "ana")


def test_a_server_that_lags_behind_the_last_push_is_asked_without_the_demand_once(office: Office) -> None:
    """S35: a page from an older state never counts as caught up."""
    ana = pocket(office, "ana")
    ana.sync()
    ana.store.set_state(push_seq=office.seq() + 5)
    assert not ana.sync().caught_up
    ana.store.set_state(push_seq=office.seq())
    assert ana.sync().caught_up
    assert numbers(ana.line.requests) == [[]] * len(ana.line.requests)


def move(office: Office, device: Pocket, registration: str) -> None:
    """The user logs in again, and the server makes a new registration."""
    office.phone("ana", registration)
    device.line.device = registration
    device.login("ana@example.com", "password")


def titles(device: Pocket) -> list[str]:
    return sorted(str(row["title"]) for row in device.list("tasks").values())


def test_a_store_opened_by_another_app_object_is_the_same_device(office: Office) -> None:
    ana = pocket(office, "ana")
    ana.sync()
    ana.create("tasks", {"title": "kept"})
    again = opened(ana.line, ana.store)
    assert titles(again) == ["kept"]
    assert again.sync().pushed == 1
