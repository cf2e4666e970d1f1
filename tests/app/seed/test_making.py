"""A company made by the short way is the company that the door writes, wherever its customers are made."""

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, text

from sfa.app.seed import write
from sfa.app.seed.company import make_company
from sfa.app.seed.customers import Customers
from sfa.app.seed.made import Days, Dice, key_maker
from sfa.app.seed.making import Order, batches, put, sealed_batches
from sfa.core.profiles import profiles_of
from sfa.db import credit_rows, digests, feed
from sfa.db.ageing import HISTORY_DAYS_DEFAULT
from sfa.db.database import Database, open_database
from sfa.db.sealed import packed
from sfa.db.tables import METADATA
from sfa.db.writes import Door

TODAY = "2026-03-02"
REPS, ACCOUNTS, NUMBER, BATCH_ROWS = 9, 120, 3, 300
Opened = Callable[[str], Database]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """As many empty databases as a test asks for, by name."""
    with ExitStack() as stack:

        def sqlite(name: str) -> Database:
            template = request.getfixturevalue("sqlite_template")
            path = shutil.copy(template, tmp_path / f"{name}.db")
            return stack.enter_context(closing(open_database(f"sqlite:///{path}", durable=False)))

        def postgresql(name: str) -> Database:
            server = request.getfixturevalue("postgres")
            url = server.create(name, template=request.getfixturevalue("postgres_template"))
            stack.callback(server.drop, name)
            return stack.enter_context(closing(open_database(url)))

        yield sqlite if request.param == "sqlite" else postgresql


def order(**other: Any) -> Order:
    asked = {"reps": REPS, "accounts": ACCOUNTS, "seed": NUMBER, "today": TODAY, "batch_rows": BATCH_ROWS}
    return Order(**{**asked, "profiles": profiles_of((), HISTORY_DAYS_DEFAULT), **other})


EARNED = (
    "SELECT user_key, plan_key, period_key, currency, SUM(amount_minor) FROM commission_entries "
    "GROUP BY user_key, plan_key, period_key, currency"
)


def everything(database: Database) -> dict[str, list[Any]]:
    """Every table as it is stored, on SQLite with the types of its values; the epoch is the database's own. A ledger
    tells in which order things came, which is not the same here: of commission what each period comes to."""

    def read(connection: Connection) -> dict[str, list[Any]]:
        found = {}
        for name, table in METADATA.tables.items():
            columns = [column.name for column in table.c if (name, column.name) != ("clock", "epoch")]
            told = ", ".join(f'"{column}"' for column in columns)
            if connection.dialect.name == "sqlite":
                told += ", " + ", ".join(f'typeof("{column}")' for column in columns)
            query = f'SELECT {told} FROM "{name}"' if name != "commission_entries" else EARNED
            found[name] = sorted(map(repr, connection.execute(text(query))))
        return found

    return database.read(read)


def through_the_door(database: Database) -> None:
    """The same batches, each a transaction in which the door loads, settles and flushes."""
    days, dice = Days(TODAY), Dice(NUMBER)
    company = make_company(REPS, days, dice)
    customers = Customers(company, ACCOUNTS, days, dice, key_maker(NUMBER, days))
    database.write(write.begin, company, days.now_ms, "x")

    def flush(connection: Connection, rows: Any) -> None:
        door = Door(connection, days.now_ms)
        put(door, rows)
        door.flush()

    for rows in batches((customers.make(number) for number in range(ACCOUNTS)), BATCH_ROWS):
        database.write(flush, rows)


def test_every_table_holds_what_the_door_would_have_written(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """S8: rows, versions, feed with its numbers, heads with their sums, words, layers, intervals and the clock."""
    door = opened("door")
    through_the_door(door)
    door.write(_as_rebuilt)
    expected = everything(door)
    del expected["webhook_events"]  # a seed makes what was before: no other system is told of it
    for name, apart_from in (("here", ACCOUNTS + 1), ("apart", ACCOUNTS)):
        database = opened(name)
        monkeypatch.setattr(write, "APART_FROM", apart_from)
        told: list[int] = []
        counts, _ = write.seed(
            database,
            reps=REPS,
            accounts=ACCOUNTS,
            seed=NUMBER,
            today=TODAY,
            password_hash="x",
            batch_rows=BATCH_ROWS,
            after_batch=told.append,
        )
        found = everything(database)
        assert len(told) > 3
        assert told[-1] == counts.total()
        for table, rows in expected.items():
            assert found[table] == rows, (name, table)
        assert database.read(digests.wrong) == {}
    for table in ("accounts", "visits", "deals", "history", "feed", "name_words", "bucket_heads", "scope_intervals"):
        assert len(expected[table]) > 8, table


def _as_rebuilt(connection: Connection) -> None:
    """The seed makes its credits at the end, which moves the clock and is noted."""
    credit_rows.note_rebuilt(connection, feed.take(connection, 1))


def test_another_process_makes_the_same_batches() -> None:
    """Byte for byte, but for the order of words, which are a set until they are written."""

    def made(*, apart: bool) -> list[bytes]:
        return [packed(replace(b, words=sorted(b.words))) for b in sealed_batches(order(), apart=apart)]

    here = made(apart=False)
    assert made(apart=True) == here
    assert len(here) > 3


def test_a_maker_ends_with_its_reader() -> None:
    making = sealed_batches(order(accounts=100_000), apart=True)
    assert next(making).rows
    (maker,) = multiprocessing.active_children()
    making.close()
    assert not maker.is_alive()


def test_who_stops_reading_leaves_neither_a_thread_nor_a_pipe() -> None:
    """Its reader has a batch in its hands that nobody takes any more."""
    open_before = psutil.Process().num_fds()
    making = sealed_batches(order(accounts=100_000), apart=True)
    next(making)
    time.sleep(1.0)
    making.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "sfa-seed-reader"] == []
    assert psutil.Process().num_fds() <= open_before + 1  # multiprocessing keeps a tracker of its own


def test_a_maker_that_was_killed_is_noticed() -> None:
    making = sealed_batches(order(accounts=100_000), apart=True)
    assert next(making).rows
    (maker,) = multiprocessing.active_children()
    assert maker.pid is not None
    os.kill(maker.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="ended before its work did"):
        list(making)
    assert not maker.is_alive()


def test_a_maker_that_fails_is_noticed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ended before its work did"):
        list(sealed_batches(order(today="no day"), apart=True))
    assert "ValueError" in capfd.readouterr().err
