"""The checkers bite: each planted mistake is found by one of them, within a bounded number of seeds.

`FOUND_AT` is where the search begins, because that seed found it once; it goes on from there, so that a change of the
product or of the simulation costs time and not the proof. Only a checker's word counts, not a crash of the product.
"""

from importlib import import_module
from pathlib import Path

import pytest

from tests.simulation.databases import Worlds
from tests.simulation.failure import Failed
from tests.simulation.faults import FAULTS
from tests.simulation.run import SeedFailed, run_seed

MODULES = [
    import_module(f"tests.simulation.{path.stem}") for path in sorted(Path(__file__).parent.glob("faults_of_*.py"))
]
SEEDS_MAX = 250
FOUND_AT = {
    "receipts_are_stored_in_another_transaction": 27,
    "deleted_rows_are_told_where_they_never_lived": 5,
    "the_account_that_a_member_left_is_not_looked_at": 19,
    "edges_of_trees_change_no_scope": 8,
    "dated_assignments_are_not_made_effective": 8,
    "the_next_dated_change_is_not_noted": 8,
    "a_bucket_being_filled_gets_no_delta": 37,
    "the_purge_horizon_is_ignored": 8,
    "drops_are_not_sent": 7,
    "a_tampered_cursor_is_believed": 25,
    "redirects_are_ignored": 11,
    "a_cursor_is_accepted_across_versions": 24,
    "the_digests_of_old_apps_count_what_they_are_not_told": 13,
    "the_words_of_old_apps_are_not_turned": 17,
    "the_model_device_forgets_to_sweep": 7,
    "the_reference_device_ignores_drops": 24,
    "the_second_drain_of_a_registration_is_dropped": 37,
    "a_drain_is_applied_at_once": 37,
    "a_drain_that_is_applied_is_cut_short": 37,
    "a_wipe_keeps_the_rows": 32,
    "the_reference_device_erases_before_it_drains": 37,
    "the_lease_is_not_looked_at": 53,
    "a_clone_sends_under_its_new_registration_what_the_old_one_has_taken": 41,
    "the_reference_device_drops_what_is_acknowledged_at_once": 35,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(sqlite_worlds: Worlds, name: str) -> None:
    start = FOUND_AT.get(name, 0)
    with FAULTS[name]():
        found = next(filter(None, (_finder(seed, sqlite_worlds) for seed in range(start, start + SEEDS_MAX))), None)
    assert found, f"no checker found that {name.replace('_', ' ')} in {SEEDS_MAX} seeds"


def _finder(seed: int, worlds: Worlds) -> str | None:
    """The checker that a seed makes speak."""
    try:
        run_seed(seed, worlds)
    except SeedFailed as failed:
        return failed.cause.checker if isinstance(failed.cause, Failed) else None
    return None


def test_every_start_of_a_search_names_a_fault_that_there_is() -> None:
    assert FOUND_AT.keys() <= FAULTS.keys()
    assert len(FAULTS) > 18
    for module in MODULES:
        assert any(name in FAULTS for name in vars(module))


def test_without_a_fault_the_same_seeds_are_clean(sqlite_worlds: Worlds) -> None:
    assert [seed for seed in sorted(set(FOUND_AT.values())) if _fails(seed, sqlite_worlds)] == []


def _fails(seed: int, worlds: Worlds) -> bool:
    try:
        run_seed(seed, worlds)
    except SeedFailed:
        return True
    return False
