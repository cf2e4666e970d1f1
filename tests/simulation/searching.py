"""Where the search for each planted fault begins, kept as data: a seed that finds it and is clean without it.

`python -m tests.simulation.searching` goes through all faults and writes `found_at.json` anew: it tries the seed that
is written there, then seed 0 and on. Run it after a change of the product or of the simulation that moved what seeds
do; `test_faults.py` then takes a seed or two for each fault. `--only NAME` looks for some, `--jobs N` in N processes.
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.databases import Worlds, worlds_of
from tests.simulation.failure import Failed
from tests.simulation.faults import FAULTS
from tests.simulation.run import SeedFailed, run_seed

MODULES = [
    import_module(f"tests.simulation.{path.stem}") for path in sorted(Path(__file__).parent.glob("faults_of_*.py"))
]
PLACE = Path(__file__).parent / "found_at.json"
SEEDS_MAX = 1_000  # beyond them a fault is said to be found by nobody


def read_starts() -> dict[str, int]:
    """Fault -> the seed at which its search begins."""
    starts: dict[str, int] = json.loads(PLACE.read_text())
    return starts


def finder(name: str, seed: int, worlds: Worlds) -> str | None:
    """The checker that a seed makes speak while the fault is planted; a crash of the product is no word of one."""
    try:
        with FAULTS[name]():
            run_seed(seed, worlds)
    except SeedFailed as failed:
        return failed.cause.checker if isinstance(failed.cause, Failed) else None
    return None


def is_clean(seed: int, worlds: Worlds) -> bool:
    """Whether a seed passes while nothing is planted."""
    try:
        run_seed(seed, worlds)
    except SeedFailed:
        return False
    return True


def look_for(name: str, start: int) -> tuple[str, int | None]:
    """-> the fault, and the first seed that finds it; None where none does."""
    with worlds_of("sqlite") as worlds:
        for seed in chain([start], range(SEEDS_MAX)):
            if finder(name, seed, worlds) is not None and is_clean(seed, worlds):
                return name, seed
    return name, None


def search(names: list[str], jobs: int) -> Iterator[tuple[str, int | None]]:
    """As they are found."""
    starts = read_starts()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed(pool.submit(look_for, name, starts.get(name, 0)) for name in names):
            yield done.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=sorted(FAULTS))
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    starts = {name: seed for name, seed in read_starts().items() if name in FAULTS}
    unfound = []
    for name, seed in search(asked.only, asked.jobs):
        if seed is None:
            unfound.append(name)
        elif starts.get(name) != seed:
            print(f"{name}: {starts.get(name)} -> {seed}", flush=True)
            starts[name] = seed
            PLACE.write_text(json.dumps(dict(sorted(starts.items())), indent=2) + "\n")
    if unfound:
        raise SystemExit(f"no seed below {SEEDS_MAX} finds {', '.join(unfound)}")


if __name__ == "__main__":
    main()
