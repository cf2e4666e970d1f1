"""Transactions: what a failed one leaves behind for the next."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

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
