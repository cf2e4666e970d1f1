"""Many seeds, one after the other or in several processes, each with a database of its own."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from msgspec import Struct

from tests.simulation.databases import Worlds, worlds_of
from tests.simulation.run import SeedFailed, run_seed

CHUNK = 10
CHUNK_OF_A_PROCESS = 50


class Played(Struct, frozen=True):
    """`failures` are (seed, what was found with the last steps)."""

    seeds: tuple[int, ...]
    failures: tuple[tuple[int, str], ...]


def play(kind: str, seeds: Sequence[int], jobs: int = 1) -> Iterator[Played]:
    """Play seeds on `sqlite`, `postgresql` or an empty database's URL (one process only), in small parts."""
    if jobs == 1:
        with worlds_of(kind) as worlds:
            for at in range(0, len(seeds), CHUNK):
                yield _play(worlds, seeds[at : at + CHUNK])
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        parts = [seeds[at : at + CHUNK_OF_A_PROCESS] for at in range(0, len(seeds), CHUNK_OF_A_PROCESS)]
        for done in as_completed(pool.submit(_play_alone, kind, part) for part in parts):
            yield done.result()


def play_all(worlds: Worlds, seeds: Iterable[int]) -> list[str]:
    """-> what failed."""
    return [found for _, found in _play(worlds, seeds).failures]


def _play_alone(kind: str, seeds: Sequence[int]) -> Played:
    with worlds_of(kind) as worlds:
        return _play(worlds, seeds)


def _play(worlds: Worlds, seeds: Iterable[int]) -> Played:
    played, failures = [], []
    for seed in seeds:
        played.append(seed)
        try:
            run_seed(seed, worlds)
        except SeedFailed as failed:
            failures.append((seed, str(failed)))
    return Played(tuple(played), tuple(failures))
