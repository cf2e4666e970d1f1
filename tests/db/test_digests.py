"""S16: the running sums of every bucket are those of its live entries, whatever was written."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text

from sfa.app import jobs
from sfa.core.digests import of_rows
from sfa.db import digests, feed, migrations
from sfa.db.database import Database, open_database
from sfa.db.feed import Entry
from sfa.db.reissue import reissue
from sfa.db.tables import bucket_heads
from sfa.db.tables import feed as entries
from tests.builders import DAY_MS
from tests.office import Office
from tests.simulation.databases import Worlds, worlds_of

KEPT = text("SELECT bucket, entity, key, rev FROM feed WHERE NOT gone")


def differences(connection: Connection) -> list[str]:
    """Buckets whose kept digest is not that of their live entries."""
    live: dict[str, list[tuple[str, str, int]]] = {}
    for bucket, *row in connection.execute(KEPT):
        live.setdefault(bucket, []).append((row[0], row[1], row[2]))
    every = list(connection.execute(select(bucket_heads.c.bucket)).scalars())
    kept = digests.read(connection, every)
    right = {bucket: of_rows(rows) for bucket, rows in live.items()}
    assert sorted(digests.wrong(connection)) == sorted(b for b in {*kept, *right} if kept.get(b) != right.get(b))
    return sorted(digests.wrong(connection))


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    with worlds_of("sqlite") as found:
        yield found


writes = st.dictionaries(
    st.tuples(st.sampled_from("AB"), st.sampled_from("xyz")), st.tuples(st.integers(1, 4), st.booleans()), max_size=4
)


@given(st.lists(st.one_of(writes, st.just("purge")), max_size=10))
def test_sums_are_those_of_the_live_entries_after_any_writes(worlds: Worlds, trace: list[Any]) -> None:
    database = worlds.fresh()
    for step in trace:

        def work(connection: Connection, step: Any = step) -> None:
            if step == "purge":
                feed.purge(connection, feed.face(connection).seq)
                return
            found = [Entry(b, "tasks", key, rev, gone, b"{}") for (b, key), (rev, gone) in step.items()]
            feed.write(connection, found, feed.take(connection, len(found)))

        database.write(work)
        assert database.read(differences) == []


@pytest.mark.parametrize("seed", range(3))
def test_sums_hold_through_edits_moves_merges_ageing_purges_and_reissues(office: Office, seed: int) -> None:
    """S16, through the one door."""
    rng, mia, made = random.Random(seed), office.phone("mia"), ["carl"]
    for i in range(40):
        roll, key = rng.randrange(9), rng.choice(made)
        if roll <= 1:
            made.append(f"c-{i}")
            office.put(("contacts", made[-1], {"account_key": "acme", "name": f"Name {i}"}))
        elif roll == 2:
            office.put(("accounts", "acme", {"territory_key": rng.choice(("t-north", "t-south", None))}))
        elif roll == 3:
            office.put(("contacts", key, {"title": f"Title {i}", "account_key": rng.choice(("acme", "zeta"))}))
        elif roll == 4:
            office.delete("contacts", key)
        elif roll == 5 and len(made) > 1:
            mia.do("contact.merge", "contacts", key, base=office.rev("contacts", key), set={"into": rng.choice(made)})
        elif roll == 6:
            office.database.write(lambda c: feed.purge(c, feed.face(c).seq))
        elif roll == 7:
            office.database.write(reissue, "contacts", "", office.clock.now_ms())
        else:
            office.clock.advance(rng.choice((0, 200, 600)) * DAY_MS)
            office.database.write(jobs.age_rows, office.clock.now_ms())
        assert office.database.read(differences) == []


def test_a_wrong_sum_is_found_and_set_right(office: Office) -> None:
    office.database.write(lambda c: c.execute(text("UPDATE bucket_heads SET digest_low = 7 WHERE bucket = 'all'")))
    assert office.database.read(differences) == ["all"]
    assert list(office.database.write(digests.repair)) == ["all"]
    assert office.database.read(differences) == []
    assert office.database.write(digests.repair) == {}


def _migrate_with_rows(url: str) -> list[str]:
    """A database of the schema before digests, with entries of three batches, brought up to date; -> wrong buckets."""
    database = open_database(url)

    def step(connection: Connection, to: str) -> None:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)

    def fill(connection: Connection) -> None:
        for i, bucket in enumerate(("a", "a", "b", "b", "b", "empty")):
            values = {"bucket": bucket, "entity": "tasks", "key": f"k-{i}", "seq": i + 1, "first": 1, "rev": i + 1}
            connection.execute(entries.insert(), {**values, "gone": i in (3, 5), "doc": b"{}"})
        for bucket in ("a", "b", "empty"):
            connection.execute(text("INSERT INTO bucket_heads (bucket, seq) VALUES (:bucket, 6)"), {"bucket": bucket})

    try:
        database.write(step, "0003")
        database.write(fill)
        database.write(step, "head")
        assert set(database.read(digests.read, ["a", "b", "empty"])) == {"a", "b"}
        return database.read(differences)
    finally:
        database.close()


def test_a_migration_sums_up_what_is_there_already_on_sqlite(tmp_path: Path) -> None:
    assert _migrate_with_rows(f"sqlite:///{tmp_path / 'old.db'}") == []


@pytest.mark.postgresql
def test_a_migration_sums_up_what_is_there_already_on_postgresql(bare_postgres_url: str) -> None:
    assert _migrate_with_rows(bare_postgres_url) == []


def test_a_fresh_database_has_no_sums(database: Database) -> None:
    assert database.read(digests.recomputed) == {}
