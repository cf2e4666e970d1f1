"""A server restored from a real copy of its database, as an operator does it: nothing acknowledged within seven days is
missing, and nothing is applied twice (S21). On SQLite the file is copied, on PostgreSQL the database."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from sfa.app.cli import main
from sfa.core.errors import Refused
from sfa.db.database import open_database
from sync.decisions import COMMANDS
from sync.round import Round
from tests.builders import DAY_MS
from tests.office import SECRET, Office
from tests.postgres import Postgres
from tests.sync.device.pocket import Pocket, numbers, of_scope, pocket
from tests.sync.device.test_disasters import move

COPY = "restored"


class Backups:
    """Takes copies of the office's database, and puts one in its place with everything that was open closed."""

    def __init__(self, office: Office, postgres: Postgres | None) -> None:
        self.office, self.postgres = office, postgres
        self.url = make_url(office.database.url)

    def take(self) -> None:
        self._close()
        if self.postgres is None:
            shutil.copy(self._path, f"{self._path}.backup")
        else:
            self.postgres.leave(str(self.url.database))
            self.postgres.create(COPY, template=str(self.url.database))
        self._open(self.office.database.url)

    def restore(self) -> None:
        self._close()
        url = self.office.database.url
        if self.postgres is None:
            for left in ("-wal", "-shm"):
                Path(self._path + left).unlink(missing_ok=True)
            shutil.copy(f"{self._path}.backup", self._path)
        else:
            url = self.postgres.url(COPY)
        done = CliRunner().invoke(main, ["restored"], env={"SFA_DATABASE_URL": url})
        assert done.exit_code == 0, done.output
        self._open(url)

    @property
    def _path(self) -> str:
        return str(self.url.database)

    def _close(self) -> None:
        self.office.database.close()

    def _open(self, url: str) -> None:
        self.office.database = open_database(url, durable=False)
        self.office.round = Round(self.office.database, self.office.clock, SECRET, COMMANDS)


@pytest.fixture
def backups(office: Office, request: pytest.FixtureRequest) -> Iterator[Backups]:
    is_postgres = office.database.dialect == "postgresql"
    postgres: Postgres | None = request.getfixturevalue("postgres") if is_postgres else None
    first = office.database
    yield Backups(office, postgres)
    office.database.close()
    office.database = first
    if postgres is not None:
        postgres.drop(COPY)


def titles(office: Office) -> list[str]:
    return sorted(row["title"] for row in office.rows("tasks"))


def typed(device: Pocket, *words: str) -> None:
    for word in words:
        device.create("tasks", {"title": word}, key=f"t-{word}")


def test_nothing_acknowledged_within_seven_days_is_missing_and_nothing_happens_twice(
    office: Office, backups: Backups
) -> None:
    ana, mia = pocket(office, "ana"), pocket(office, "mia")
    for device in (ana, mia):
        device.sync()
    typed(ana, "before")
    typed(mia, "mias")
    ana.update("contacts", "carl", {"phone": "4"})
    ana.sync()
    mia.sync()
    backups.take()
    for day in range(6):
        typed(ana, f"day-{day}")
        mia.update("contacts", "carl", {"title": f"Title {day}"})
        for device in (ana, mia):
            device.sync()
        office.clock.advance(DAY_MS)
    told = {(d.line.device, item.n): item.outcome for d in (ana, mia) for item in d.kept()}
    assert set(told.values()) == {"applied"}
    rev = office.rev("contacts", "carl")
    backups.restore()
    assert titles(office) == ["before", "mias"]
    typed(ana, "queued")
    for _ in range(2):
        for device in (ana, mia):
            device.sync()
    assert titles(office) == sorted(["before", "mias", "queued", *(f"day-{day}" for day in range(6))])
    carl = office.row("contacts", "carl")
    assert (carl["phone"], carl["title"]) == ("4", "Title 5")
    assert office.rev("contacts", "carl") == rev, "each change once more, and none twice"
    marks = [(e["device_key"], e["n"]) for row in office.rows("tasks") for e in office.history("tasks", row["key"])]
    marks += [(e["device_key"], e["n"]) for e in office.history("contacts", "carl") if e["device_key"]]
    assert len(marks) == len(set(marks)) == len(told) + 1
    for device, user in ((ana, "ana"), (mia, "mia")):
        assert device.rows() == of_scope(office, user)
        assert device.refusals() == device.conflicts() == {}


def test_a_change_acknowledged_before_the_backup_is_not_applied_again_over_a_later_one(
    office: Office, backups: Backups
) -> None:
    """The device keeps it for seven days, and sends only what the server expects."""
    ana, mia = pocket(office, "ana"), pocket(office, "mia")
    for device in (ana, mia):
        device.sync()
    ana.update("contacts", "carl", {"phone": "anas"})
    ana.sync()
    mia.sync()
    mia.update("contacts", "carl", {"phone": "mias"})
    mia.sync()
    backups.take()
    typed(ana, "after")
    ana.sync()
    backups.restore()
    assert [item.n for item in ana.kept()] == [1, 2]
    ana.sync()
    assert office.row("contacts", "carl")["phone"] == "mias"
    assert [n for part in numbers(ana.line.requests[-2:]) for n in part].count(1) <= 1
    assert [e["n"] for e in office.history("contacts", "carl") if e["device_key"] == "d-ana"] == [1]
    assert titles(office) == ["after"]


def test_two_devices_of_one_person_whose_numbers_diverged_both_come_back(office: Office, backups: Backups) -> None:
    """One had sent nine, the other two; of the first one's nine the backup has three."""
    one, two = pocket(office, "ana"), pocket(office, "ana", device="d-ana-2")
    for device in (one, two):
        device.sync()
    typed(one, "a1", "a2", "a3")
    one.sync()
    backups.take()
    typed(one, *(f"a{n}" for n in range(4, 10)))
    typed(two, "b1", "b2")
    for device in (one, two):
        device.sync()
    assert (office.device("d-ana")["last_n"], office.device("d-ana-2")["last_n"]) == (9, 2)
    backups.restore()
    assert (office.device("d-ana")["last_n"], office.device("d-ana-2")["last_n"]) == (3, 0)
    typed(two, "b3")
    for device in (two, one, two):
        device.sync()
    assert (office.device("d-ana")["last_n"], office.device("d-ana-2")["last_n"]) == (9, 3)
    assert titles(office) == sorted([*(f"a{n}" for n in range(1, 10)), "b1", "b2", "b3"])
    assert one.rows() == two.rows() == of_scope(office, "ana")


def test_of_a_copied_phone_the_copy_whose_numbers_were_used_after_the_restore_brings_its_work_again(
    office: Office, backups: Backups, tmp_path: Path
) -> None:
    """S18, S21: the backup knows neither; the other copy is the first to use the numbers again."""
    one = pocket(office, "ana", tmp_path / "one.db")
    one.sync()
    one.store.close()
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    one, two = one.reopened(tmp_path / "one.db"), one.reopened(tmp_path / "two.db")
    backups.take()
    typed(one, "a1", "a2")
    one.sync()
    backups.restore()
    typed(two, "b1", "b2", "b3")
    two.sync()
    assert one.sync().register_anew
    move(office, one, "d-ana-2")
    one.sync()
    assert titles(office) == ["a1", "a2", "b1", "b2", "b3"]
    two.sync()
    assert one.rows() == two.rows() == of_scope(office, "ana")


def test_a_registration_made_after_the_backup_logs_in_anew_and_brings_all_it_has(
    office: Office, backups: Backups
) -> None:
    backups.take()
    ana = pocket(office, "ana", device="d-ana-new")
    ana.sync()
    typed(ana, "sent")
    ana.sync()
    typed(ana, "queued")
    backups.restore()
    with pytest.raises(Exception, match="device_unknown"):
        ana.sync()
    assert [item.n for item in ana.kept()] == [1, 2]
    move(office, ana, "d-ana-newer")
    ana.sync()
    assert titles(office) == ["queued", "sent"]
    assert ana.rows() == of_scope(office, "ana")


def test_what_was_durable_and_dropped_is_declared_and_the_rest_goes_on(office: Office, backups: Backups) -> None:
    """Eight days old: the device had been told that it may forget. It says so, and the server keeps that."""
    ana = pocket(office, "ana")
    ana.sync()
    backups.take()
    typed(ana, "old-1", "old-2")
    ana.sync()
    office.clock.advance(8 * DAY_MS)
    typed(ana, "new")
    ana.sync()
    assert [item.n for item in ana.kept()] == [3]
    backups.restore()
    ana.sync()
    assert titles(office) == ["new"]
    assert ("skip", "1..2") in [(notice.kind, notice.text) for notice in ana.notices()]
    told = office.phone("ana").push({"n": 2, "entity": "tasks", "key": "t-x", "kind": "delete", "at": 0})
    assert told.receipts[0].code == "mutation_reused", "and nobody can use its number"
    with pytest.raises(Refused, match="sequence_gap"):
        office.phone("ana").push(skip={"first_n": 9, "last_n": 9})
