"""The checkers bite: each planted mistake is found by one of them, within a bounded number of seeds.

The search begins at a seed that found it once (`found_at.json`) and goes on from there, so that a change of the product
or of the simulation costs time and not the proof; `python -m tests.simulation.searching` finds new beginnings. Only a
checker's word counts, not a crash of the product.
"""

import pytest

from tests.simulation.databases import Worlds
from tests.simulation.faults import FAULTS
from tests.simulation.searching import MODULES, finder, is_clean, read_starts
from tests.simulation.test_simulation import SEEDS

SEEDS_MAX = 250
STARTS = read_starts()


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(sqlite_worlds: Worlds, name: str) -> None:
    start = STARTS[name]
    found = next(filter(None, (finder(name, seed, sqlite_worlds) for seed in range(start, start + SEEDS_MAX))), None)
    assert found, f"no checker found that {name.replace('_', ' ')} in {SEEDS_MAX} seeds"


def test_every_fault_has_a_start_and_every_start_a_fault() -> None:
    assert STARTS.keys() == FAULTS.keys()
    assert len(FAULTS) > 18
    for module in MODULES:
        assert any(name in FAULTS for name in vars(module))


def test_without_a_fault_the_same_seeds_are_clean(sqlite_worlds: Worlds) -> None:
    """Those that `test_simulation.py` does not play anyway."""
    starts = {seed for seed in STARTS.values() if seed >= SEEDS}
    assert [seed for seed in sorted(starts) if not is_clean(seed, sqlite_worlds)] == []
