"""Transactions: what a failed one leaves behind for the next."""

import asyncio
import shutil
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from sfa.core.errors import Refused
from sfa.db.database import Database, open_database

PARENT = "CREATE TABLE parent (id INTEGER PRIMARY KEY)"
CHILD = "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"


def run(database: Database, *statements: str) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    database.write(work)


def count(database: Database, table: str) -> int:
    return int(database.read(lambda c: c.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()))


def test_a_commit_that_fails_undoes_all_and_the_next_write_works(database: Database) -> None:
    run(database, PARENT, CHILD)
    for _ in range(2):
        with pytest.raises(DBAPIError):
            run(database, "INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (7)")
    run(database, "INSERT INTO parent VALUES (2)")
    assert (count(database, "parent"), count(database, "child")) == (1, 0)


def test_a_commit_that_fails_in_memory_keeps_what_was_there() -> None:
    database = open_database("sqlite:///:memory:")
    run(database, PARENT, CHILD, "INSERT INTO parent VALUES (1)")
    with pytest.raises(DBAPIError):
        run(database, "INSERT INTO child VALUES (7)")
    run(database, "INSERT INTO parent VALUES (2)")
    assert (count(database, "parent"), count(database, "child")) == (2, 0)
    database.close()


def test_work_that_fails_leaves_the_writer_usable(database: Database) -> None:
    run(database, PARENT)
    with pytest.raises(DBAPIError):
        run(database, "INSERT INTO parent VALUES (1)", "INSERT INTO parent VALUES (1)")
    run(database, "INSERT INTO parent VALUES (1)")
    assert count(database, "parent") == 1


def test_a_full_disk_is_said_undoes_all_and_the_next_write_works(database: Database) -> None:
    run(database, "CREATE TABLE big (text TEXT)")
    if database.dialect == "sqlite":
        full = ["INSERT INTO big VALUES ('x')", f"INSERT INTO big VALUES ('{'x' * 10_000_000}')"]
        run(database, "PRAGMA max_page_count = 1500")  # 6 MB
    else:
        full = [
            "INSERT INTO big VALUES ('x')",
            "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
        ]
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            run(database, *full)
        assert (refused.value.code, refused.value.status) == ("storage_full", 507)
    run(database, "INSERT INTO big VALUES ('y')")
    assert count(database, "big") == 1


def test_a_file_that_is_no_database_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear customer, this is a letter and not a database. " * 100)
    (tmp_path / "folder").mkdir()
    for name, said in (("letter.txt", "is not a SQLite database"), ("folder", "cannot be opened")):
        database = open_database(f"sqlite:///{tmp_path / name}")
        for call in (database.write, database.read):
            with pytest.raises(Refused, match=said) as refused:
                call(lambda c: c.execute(text("SELECT 1")).scalar())
            assert refused.value.code == "setting_invalid"
        database.close()
    with pytest.raises(Refused, match="SFA_DATABASE_URL"):
        open_database(f"sqlite:///{tmp_path}/letter.txt/below/sfa.db")
    assert (tmp_path / "letter.txt").read_text().startswith("Dear customer")


MANY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) INSERT INTO parent SELECT i FROM n"
)


def journal(database: Database) -> str:
    return str(database.read(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar_one()))


def test_a_large_write_alone_that_is_cut_off_leaves_what_there_was(tmp_path: Path) -> None:
    """What lies on the disk in the middle of it is what a killed process leaves."""
    cut = tmp_path / "cut"
    cut.mkdir()

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA cache_size = 10")  # so that most is in the file before the commit
        connection.exec_driver_sql(MANY)
        assert (tmp_path / "one.db").stat().st_size > 200_000
        for file in tmp_path.glob("one.db*"):
            shutil.copy(file, cut)

    with closing(open_database(f"sqlite:///{tmp_path / 'one.db'}", durable=False)) as database:
        run(database, PARENT, "INSERT INTO parent VALUES (0)")
        with database.alone():
            database.write(work)
        assert (count(database, "parent"), journal(database)) == (50_001, "wal")
    assert (cut / "one.db-journal").exists()
    with closing(open_database(f"sqlite:///{cut / 'one.db'}")) as left:
        assert (count(left, "parent"), journal(left)) == (1, "wal")


def test_a_write_alone_leaves_readers_alone_who_have_the_file_open(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    with closing(open_database(url)) as database, closing(open_database(url)) as other:
        run(database, PARENT)
        assert count(other, "parent") == 0
        with database.alone():
            run(database, MANY)
            assert journal(other) == "wal"
            assert count(other, "parent") == 50_000


def test_a_write_alone_is_a_write_on_every_database(database: Database) -> None:
    with database.alone():
        run(database, PARENT, "INSERT INTO parent VALUES (1)")
    with pytest.raises(ZeroDivisionError), database.alone():
        raise ZeroDivisionError
    run(database, "INSERT INTO parent VALUES (2)")
    assert count(database, "parent") == 2


def test_who_reckons_long_between_two_statements_keeps_nobody_waiting(database_url: str) -> None:
    """A read in the middle of its work waits for what only another request can do: both are answered."""

    async def both() -> tuple[list[int], bool]:
        database, done = open_database(database_url, durable=False), threading.Event()

        def long(connection: Connection) -> tuple[list[int], bool]:
            first = connection.execute(text("SELECT 1")).scalar_one()
            assert threading.current_thread() is not threading.main_thread()
            is_done = done.wait(20)
            return [first, connection.execute(text("SELECT 2")).scalar_one()], is_done

        try:
            reckoning = asyncio.create_task(database.read_apart_async(long))
            await asyncio.sleep(0)
            assert await database.read_async(lambda c: c.execute(text("SELECT 3")).scalar_one()) == 3
            done.set()
            return await reckoning
        finally:
            done.set()
            await database.close_async()

    assert asyncio.run(both()) == ([1, 2], True)
