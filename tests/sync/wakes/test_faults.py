"""The play finds each planted mistake, and nothing without one."""

from pathlib import Path

import pytest

from sfa.db.database import open_database
from tests.builders import company
from tests.sync.wakes.faults import FAULTS
from tests.sync.wakes.play import Broken, Play

SEEDS_MAX = 40
CLEAN_SEEDS = 8
# Where the search begins: a seed that found it once.
FOUND_AT: dict[str, int] = {}


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company, without a log that a copy would miss."""
    path = tmp_path_factory.mktemp("wakes") / "filled.db"
    path.write_bytes(sqlite_template.read_bytes())
    opened = open_database(f"sqlite:///{path}", durable=False)
    company(opened)
    opened.close()
    assert not path.with_name("filled.db-wal").exists()
    return path


def finding(filled: Path, folder: Path, seed: int) -> str | None:
    path = folder / f"{seed}.db"
    path.write_bytes(filled.read_bytes())
    database = open_database(f"sqlite:///{path}", durable=False)
    try:
        Play(database, seed).run()
    except Broken as broken:
        return str(broken)
    finally:
        database.close()
        path.unlink()
    return None


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(filled: Path, tmp_path: Path, name: str) -> None:
    start = FOUND_AT.get(name, 0)
    with FAULTS[name]():
        found = next(filter(None, (finding(filled, tmp_path, seed) for seed in range(start, start + SEEDS_MAX))), None)
    assert found, f"nobody noticed that {name.replace('_', ' ')}"


@pytest.mark.parametrize("seed", range(CLEAN_SEEDS))
def test_without_a_fault_every_promise_holds(filled: Path, tmp_path: Path, seed: int) -> None:
    assert finding(filled, tmp_path, seed) is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(CLEAN_SEEDS, 200))
def test_many_plays_are_clean(filled: Path, tmp_path: Path, seed: int) -> None:
    assert finding(filled, tmp_path, seed) is None


def test_every_start_of_a_search_names_a_fault_that_there_is() -> None:
    assert FOUND_AT.keys() <= FAULTS.keys()
