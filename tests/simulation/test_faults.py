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
    "a_device_counts_what_others_met": 41,
    "a_device_does_not_know_of_reversals": 21,
    "a_reopened_deal_keeps_its_credit": 21,
    "an_explanation_leaves_out_what_counts_negative": 1,
    "credits_do_not_follow_a_deal": 1,
    "an_offer_that_is_made_again_is_another": 15,
    "effort_that_names_a_deal_is_shared_among_all": 19,
    "what_is_left_over_when_effort_is_shared_is_lost": 19,
    "a_copy_goes_as_soon_as_its_bytes_have_arrived": 12,
    "a_copy_goes_with_the_first_request_that_began_its_upload": 12,
    "a_download_does_not_look_at_the_scope": 4,
    "a_request_that_lost_its_upload_is_told_that_its_bytes_are_wrong": 83,
    "a_restored_server_is_not_sent_the_files_again": 66,
    "bytes_are_counted_before_they_are_on_the_disk": 172,
    "parts_of_uploads_that_ended_stay": 23,
    "the_collector_ignores_who_needs_a_content": 3,
    "the_digest_of_a_file_is_not_looked_at": 186,
    "the_row_of_a_file_is_not_told_of_its_bytes": 66,
    "what_the_device_left_behind_is_not_tidied": 2,
    "a_second_open_visit_asks_nobody": 1,
    "an_end_that_is_reversed_does_not_say_when_it_was": 1,
    "a_bucket_being_filled_gets_no_delta": 4,
    "a_clone_is_answered_with_the_other_ones_receipts": 38,
    "a_clone_sends_under_its_new_registration_what_the_old_one_has_taken": 58,
    "a_cursor_is_accepted_across_versions": 9,
    "a_cursor_of_another_epoch_is_honoured": 20,
    "a_drain_is_applied_at_once": 37,
    "a_drain_that_is_applied_is_cut_short": 901,
    "a_losing_value_is_left_out_of_its_conflict": 16,
    "a_new_epoch_is_not_noticed_by_the_reference_device": 56,
    "a_refusal_is_closed_and_its_repair_does_not_land": 16,
    "a_repair_is_applied_twice": 30,
    "a_repeated_repair_is_told_that_all_is_well": 927,
    "a_restored_value_loses_the_winner": 20,
    "a_skip_is_not_recorded": 240,
    "a_suggestion_lies_where_one_of_its_rows_lies": 138,
    "a_tampered_cursor_is_believed": 28,
    "a_wipe_keeps_the_rows": 34,
    "an_accepted_suggestion_merges_nothing": 25,
    "an_old_edit_erases_what_it_never_knew": 17,
    "an_old_row_stays_in_the_bucket_of_all": 38,
    "an_undone_merge_forgets_the_children": 34,
    "an_undone_merge_leaves_the_survivor_what_it_took": 18,
    "another_repair_is_taken_for_the_same": 147,
    "apps_below_the_minimum_still_get_pages": 10,
    "deleted_rows_are_told_where_they_never_lived": 5,
    "drops_are_not_sent": 5,
    "early_rows_are_not_looked_for_in_the_scope": 7,
    "edges_of_trees_change_no_scope": 24,
    "field_stamps_are_ignored": 11,
    "keys_are_told_that_left_before_the_grant": 100,
    "own_updates_are_not_replayed": 97,
    "redirects_are_ignored": 8,
    "scope_and_feed_are_read_in_two_snapshots": 5,
    "suggestions_whose_rows_part_stay_open": 138,
    "the_account_that_a_member_left_is_not_looked_at": 34,
    "the_base_of_a_text_is_ignored": 18,
    "the_content_of_a_reused_number_is_not_kept": 38,
    "the_cursor_of_a_line_is_that_of_the_page": 4,
    "the_digests_of_old_apps_count_what_they_are_not_told": 13,
    "the_finder_passes_over_what_a_full_batch_leaves": 149,
    "the_lease_is_not_looked_at": 53,
    "the_model_device_forgets_what_is_acknowledged_at_once": 240,
    "the_model_device_rewrites_its_queue_when_it_is_upgraded": 13,
    "the_model_device_takes_what_another_sync_was_answered": 73,
    "the_purge_horizon_is_ignored": 17,
    "the_reference_device_drops_what_is_acknowledged_at_once": 56,
    "the_reference_device_erases_before_it_drains": 37,
    "the_reference_device_gives_a_number_twice": 7,
    "the_reference_device_ignores_drops": 5,
    "the_reference_device_ignores_the_other_buckets_of_a_row": 4,
    "the_second_drain_of_a_registration_is_dropped": 37,
    "the_words_of_old_apps_are_not_turned": 94,
    "what_waited_for_a_repair_is_left_behind": 17,
    "what_was_accepted_is_accepted_again": 54,
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
