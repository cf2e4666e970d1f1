"""Transactions: what a failed one leaves behind for the next."""

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
