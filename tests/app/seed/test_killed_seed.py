"""A seed that ends early leaves no company that looks whole, and nobody who works for it."""

import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.engine import make_url

from sfa.app.seed.write import seed
from sfa.core.errors import Refused
from sfa.db.database import Database, open_database
from sfa.db.loading import GROWING
from sfa.db.tables import METADATA

pytestmark = pytest.mark.xdist_group("waiting")  # for processes and clocks, while other workers compute

TODAY = "2026-03-02"
SFA = "from sfa.app.cli import main; main()"
OWN = ("clock", "scope_users")  # what a migrated database has


def left(connection: Connection) -> tuple[dict[str, int], list[str]]:
    """-> (rows by table where there are any, the names of indexes that a load takes away)."""
    counts = {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in METADATA.tables.items()
        if name not in OWN
    }
    looked = inspect(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy does not read indexes on expressions from SQLite
        found = [str(index["name"]) for name in GROWING for index in looked.get_indexes(name)]
    return {name: count for name, count in counts.items() if count}, sorted(found)


def test_a_seed_that_was_killed_has_written_nothing(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        before = database.read(left)
    assert before[0] == {}
    arguments = ("seed", "--accounts", "20000", "--reps", "8", "--database", database_url)
    with subprocess.Popen([sys.executable, "-c", SFA, *arguments], stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        assert b" rows" in running.stderr.readline()  # a first batch is written, the maker works at more
        makers = psutil.Process(running.pid).children(recursive=True)
        assert makers
        running.kill()
        running.wait(10)
        _, alive = psutil.wait_procs(makers, timeout=20)
    assert alive == []
    with closing(open_database(database_url)) as database:
        assert database.read(left) == before


def test_a_seed_that_fails_has_written_nothing_and_can_be_run_again(database: Database) -> None:
    before = database.read(left)

    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(database, reps=1, accounts=9, seed=1, today=TODAY, password_hash="x", after_batch=stop)
    assert database.read(left) == before
    counts, _ = seed(database, reps=1, accounts=9, seed=1, today=TODAY, password_hash="x")
    after = database.read(left)
    assert after[0]["history"] > counts.total()
    assert after[1] == before[1]


def test_a_seed_of_a_database_that_holds_a_company_leaves_its_file_as_it_was(sqlite_url: str) -> None:
    """Not even for a moment is the journal another one: a server may be at work there."""
    path = Path(str(make_url(sqlite_url).database))
    with closing(open_database(sqlite_url)) as database:
        seed(database, reps=1, accounts=9, seed=1, today=TODAY, password_hash="x")
    before = path.read_bytes()
    with closing(open_database(sqlite_url)) as database, pytest.raises(Refused) as refused:
        seed(database, reps=1, accounts=9, seed=2, today=TODAY, password_hash="x")
    assert refused.value.code == "key_taken"
    assert path.read_bytes() == before
