"""Seeds of the simulation on both databases: some in every run, thousands on demand.

A failure prints the seed and its last steps; `sfa simulate --seed N --trace` plays it again.
"""

import pytest

from tests.simulation.campaign import play_all
from tests.simulation.databases import Worlds
from tests.simulation.run import run_seed

PART = 20
SEEDS = 200


def parts(seeds: int) -> list[range]:
    return [range(start, start + PART) for start in range(0, seeds, PART)]


@pytest.mark.parametrize("seeds", parts(SEEDS), ids=str)
def test_devices_converge_and_lose_nothing_on_sqlite(sqlite_worlds: Worlds, seeds: range) -> None:
    assert play_all(sqlite_worlds, seeds) == []


@pytest.mark.postgresql
@pytest.mark.parametrize("seeds", parts(20), ids=str)
def test_devices_converge_and_lose_nothing_on_postgresql(postgres_worlds: Worlds, seeds: range) -> None:
    assert play_all(postgres_worlds, seeds) == []


@pytest.mark.slow
@pytest.mark.parametrize("seeds", parts(2_000)[SEEDS // PART :], ids=str)
def test_two_thousand_seeds_are_clean_on_sqlite(sqlite_worlds: Worlds, seeds: range) -> None:
    assert play_all(sqlite_worlds, seeds) == []


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.parametrize("seeds", parts(200)[1:], ids=str)
def test_two_hundred_seeds_are_clean_on_postgresql(postgres_worlds: Worlds, seeds: range) -> None:
    assert play_all(postgres_worlds, seeds) == []


def test_a_seed_plays_the_same_every_time(sqlite_worlds: Worlds) -> None:
    assert run_seed(7, sqlite_worlds) == run_seed(7, sqlite_worlds)


@pytest.mark.postgresql
def test_a_seed_plays_the_same_on_both_databases(sqlite_worlds: Worlds, postgres_worlds: Worlds) -> None:
    assert run_seed(11, sqlite_worlds) == run_seed(11, postgres_worlds)
