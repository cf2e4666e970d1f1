"""A database that tests have one after the other is to each of them a new one, and so are the connections to it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

import tests.kept
from sfa.db.database import Database, open_database
from tests.kept import Kept, as_new
from tests.postgres import Postgres

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def little(postgres: Postgres) -> str:
    """The name of a template with one row in one table and none in another."""

    def fill(connection: Connection) -> None:
        for statement in ("CREATE TABLE t (id int PRIMARY KEY, word text)", "CREATE TABLE u (id int)"):
            connection.execute(text(statement))
        connection.execute(text("INSERT INTO t VALUES (1, 'as made')"))

    def migrate(url: str) -> None:
        database = open_database(url)
        database.write(fill)
        database.close()

    return postgres.template("little", migrate)


@pytest.fixture(scope="module")
def kept(postgres: Postgres, little: str) -> Iterator[Kept]:
    found = Kept(postgres, "kept", little)
    yield found
    found.close()
    postgres.drop("kept")


def do(connection: Connection, *statements: str) -> list[tuple[object, ...]]:
    """What the last statement answers."""
    for statement in statements[:-1]:
        connection.execute(text(statement))
    return [tuple(row) for row in connection.execute(text(statements[-1]))]


def alter(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def process(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def rows(database: Database) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    return database.read(do, "SELECT id, word FROM t ORDER BY id"), database.read(do, "SELECT id FROM u")


@pytest.mark.parametrize(
    "written",
    [
        "INSERT INTO t VALUES (2, 'new')",
        "UPDATE t SET word = 'changed'",
        "DELETE FROM t",
        "WITH d AS (DELETE FROM t) INSERT INTO t VALUES (2, 'another')",
        "INSERT INTO u VALUES (1)",
    ],
)
def test_the_next_one_finds_the_rows_of_the_template(kept: Kept, written: str) -> None:
    for _ in range(3):
        kept.url()
        with kept.opened() as database:
            assert rows(database) == ([(1, "as made")], [])
            database.write(do, f"{written} RETURNING id")
            assert rows(database) != ([(1, "as made")], [])


def test_connections_are_handed_on_without_what_was_set_locked_and_listened_to(kept: Kept) -> None:
    kept.url()
    with kept.opened() as database:
        first = database.write(process), database.read(process)
        database.write(
            do, "SET search_path = nowhere", "SET statement_timeout = 1234", "LISTEN news", "SELECT pg_advisory_lock(7)"
        )
    kept.url()
    with kept.opened() as database:
        assert (database.write(process), database.read(process)) == first
        assert database.write(do, "SHOW search_path") == [('"$user", public',)]
        assert database.write(do, "SHOW statement_timeout") == [("0",)]
        assert database.write(do, "SELECT pg_listening_channels()") == []
        assert database.read(do, "SELECT pg_try_advisory_xact_lock(7)") == [(True,)]


@pytest.mark.parametrize("changed", ["ALTER TABLE t ADD more int", "CREATE TEMP TABLE t (id int)", "ANALYZE t"])
def test_whoever_changes_the_schema_leaves_neither_database_nor_connections(kept: Kept, changed: str) -> None:
    kept.url()
    with kept.opened() as database:
        first = database.write(process)
        before = database.read(do, "SELECT oid FROM pg_database WHERE datname = 'kept'")
        database.write(alter, changed)
    kept.url()
    with kept.opened() as database:
        assert database.write(process) != first
        assert database.read(do, "SELECT oid FROM pg_database WHERE datname = 'kept'") != before
        assert rows(database) == ([(1, "as made")], [])


def test_a_database_that_its_test_closed_is_closed(kept: Kept) -> None:
    kept.url()
    with kept.opened() as database:
        first = database.write(process)
        database.close()
        count = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {first}"
        assert database.read(do, count) == [(0,)]
        again = database.write(process)
    kept.url()
    with kept.opened() as database:
        assert database.write(process) == again != first


def test_a_connection_that_its_test_cut_is_not_handed_on(kept: Kept) -> None:
    kept.url()
    with kept.opened() as database:
        first = database.write(process)
        with pytest.raises(DBAPIError):
            database.write(do, "SELECT pg_terminate_backend(pg_backend_pid())")
    kept.url()
    with kept.opened() as database:
        assert database.write(process) != first


def test_connections_that_somebody_still_has_are_not_handed_on(kept: Kept) -> None:
    kept.url()
    with kept.opened() as database:
        database.read(process)
        assert database._runner is not None
        assert database._blocking is not None
        engine = database._blocking._engines["REPEATABLE READ"]

        async def meanwhile() -> list[int] | None:
            async with engine.connect():
                return await as_new([engine])

        assert database._runner.run(meanwhile()) is None
        assert database._runner.run(as_new([engine])) == [database.read(process)]


def test_whoever_has_it_open_besides_is_gone(kept: Kept) -> None:
    other = open_database(kept.url())
    stays = other.read(process)
    kept.url()
    with kept.opened() as database:
        assert database.read(do, f"SELECT count(*) FROM pg_stat_activity WHERE pid = {stays}") == [(0,)]
    other.close()


def test_a_database_that_has_grown_is_made_anew(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    oid = "SELECT oid FROM pg_database WHERE datname = 'kept'"
    monkeypatch.setattr(tests.kept, "LOG_BYTES", 1 << 20)
    monkeypatch.setattr(tests.kept, "GROWN_BYTES", 1 << 20)
    kept.url()
    with kept.opened() as database:
        before = database.read(do, oid)
        database.write(do, "INSERT INTO u VALUES (1) RETURNING id")
    kept.url()
    with kept.opened() as database:
        assert database.read(do, oid) == before
        database.write(do, "INSERT INTO u SELECT n FROM generate_series(1, 40000) n RETURNING 1")
    kept.url()
    with kept.opened() as database:
        assert database.read(do, oid) != before
