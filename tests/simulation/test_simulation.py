"""Seeds of the simulation on both databases: some in every run, thousands on demand.

A failure prints the seed and its last steps; `sfa simulate --seed N --trace` plays it again.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.campaign import play_all
from tests.simulation.databases import Worlds, worlds_of
from tests.simulation.run import run_seed
from tests.simulation.server import Server

CHECKOUT = Path(__file__).parents[2]
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


def test_a_seed_plays_the_same_in_every_process() -> None:
    """Python hashes text differently in each process: no page, and no new row, may come in the order of a set."""
    first, second = (_told_with(hash_seed) for hash_seed in ("1", "2"))
    assert first.count("(200, ") > 20
    assert first == second


def _told_with(hash_seed: str) -> str:
    program = f"from {__name__} import say_answers\nsay_answers(322)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def say_answers(seed: int) -> None:
    """Play a seed and print every answer of its server, byte for byte."""
    answer = Server.answer

    def said(server: Server, *asked: Any, **named: Any) -> tuple[int, bytes]:
        told = answer(server, *asked, **named)
        print(told)
        return told

    with pytest.MonkeyPatch.context() as patch, worlds_of("sqlite") as worlds:
        patch.setattr(Server, "answer", said)
        run_seed(seed, worlds)


@pytest.mark.postgresql
def test_a_seed_plays_the_same_on_both_databases(sqlite_worlds: Worlds, postgres_worlds: Worlds) -> None:
    assert run_seed(11, sqlite_worlds) == run_seed(11, postgres_worlds)
