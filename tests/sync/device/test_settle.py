"""What one answer does to the local store: answers are written by hand here, as a server could send them."""

from typing import Any

import pytest

from sync.device import Device
from sync.device.settle import Settled, next_request, settle
from sync.protocol import BucketChanges, Item, Page, PushAnswer, Receipt, Skip, SyncAnswer
from tests.sync.device.pocket import alone

NOW = 1_767_600_000_000


def item(key: str, rev: int, **values: Any) -> Item:
    return Item("accounts", key, rev, row={"name": key, **values})


def gone(key: str, rev: int) -> Item:
    return Item("accounts", key, rev, gone=True)


def page(cursor: str, *changes: tuple[str, list[Item]], **fields: Any) -> Page:
    found = [BucketChanges(bucket, items) for bucket, items in changes]
    return Page(**{"cursor": cursor, "caught_up": True, "seq": 10, "changes": found, **fields})


def applied(*numbers: int, seq: int = 10, durable_n: int = 0, **fields: Any) -> PushAnswer:
    receipts = [Receipt(n, "applied", "tasks", f"t{n}", 1) for n in numbers]
    return answered(receipts, max(numbers, default=0) + 1, durable_n, seq, **fields)


def answered(
    receipts: list[Receipt], expected_n: int, durable_n: int = 0, seq: int = 10, *, epoch: str = "e1", **fields: Any
) -> PushAnswer:
    return PushAnswer(receipts, expected_n, durable_n, seq, epoch, **fields)


def take(device: Device, given: Page | None, push: PushAnswer | None = None, epoch: str = "e1") -> Settled:
    request = next_request(device.store, NOW, 5000, pushing=True)
    return settle(device.store, request, SyncAnswer(1, epoch, NOW, push, given), NOW)


def names(device: Device) -> dict[str, str]:
    return {key: row["name"] for (_, key), (_, row) in device.synced_rows().items()}


def task(device: Device, title: str = "Call") -> str:
    return device.create("tasks", {"title": title})


def waiting(device: Device) -> list[int]:
    return [found.n for found in device.pending()]


# -- rows and memberships -----------------------------------------------------------------------------------------


def test_a_row_stays_while_any_bucket_is_left() -> None:
    """S13."""
    device = alone()
    take(device, page("c1", ("t1", [item("a", 1), item("b", 1)]), ("user", [item("a", 1)])))
    take(device, page("c2", ("t1", [gone("a", 2)])))
    assert names(device) == {"a": "a", "b": "b"}
    take(device, page("c3", ("user", [gone("a", 3)])))
    assert names(device) == {"b": "b"}


def test_a_dropped_bucket_takes_along_what_only_it_held() -> None:
    """S13."""
    device = alone()
    take(device, page("c1", ("t1", [item("a", 1), item("b", 1)]), ("user", [item("a", 1)])))
    take(device, page("c2", drops=["t1"]))
    assert names(device) == {"a": "a"}


def test_a_drop_comes_before_what_the_same_page_brings() -> None:
    device = alone()
    take(device, page("c1", ("t1", [item("a", 1)])))
    take(device, page("c2", ("t2", [item("a", 1)]), ("t1", [item("b", 1)]), drops=["t1"]))
    assert names(device) == {"a": "a", "b": "b"}


def test_a_newer_revision_is_not_replaced_by_an_older_one_from_another_bucket() -> None:
    device = alone()
    take(device, page("c1", ("t1", [item("a", 7, city="new")])))
    take(device, page("c2", ("t2", [item("a", 6, city="old")])))
    assert device.synced_rows()["accounts", "a"] == (7, {"name": "a", "city": "new"})
    take(device, page("c3", ("t1", [gone("a", 8)])))
    assert names(device) == {"a": "a"}


@pytest.mark.parametrize("order", ["gone first", "row first"])
def test_a_row_that_moves_between_buckets_in_one_page_stays(order: str) -> None:
    device = alone()
    take(device, page("c1", ("t1", [item("a", 1)])))
    changes = [("t1", [gone("a", 2)]), ("t2", [item("a", 2)])]
    take(device, page("c2", *(changes if order == "gone first" else changes[::-1])))
    assert device.synced_rows()["accounts", "a"][0] == 2


def test_a_reset_keeps_old_copies_until_caught_up_and_then_sweeps_the_rest() -> None:
    """S15: the app is never empty, and a reset is never silent."""
    device = alone()
    assert take(device, page("c1", ("t1", [item("a", 5), item("b", 5)]), reset="no_cursor")).reset is None
    first = take(device, page("c2", ("t1", [item("a", 2)]), reset="purged", caught_up=False))
    assert first.reset == "purged"
    assert names(device) == {"a": "a", "b": "b"}
    assert device.synced_rows()["accounts", "a"][0] == 2, "after a reset the server's present word counts"
    take(device, page("c3", ("t1", [item("c", 1)])))
    assert names(device) == {"a": "a", "c": "c"}
    assert [notice.text for notice in device.notices()] == ["purged"]
    take(device, page("c4", ("t1", [item("a", 3)])))
    assert names(device) == {"a": "a", "c": "c"}, "a sweep belongs to its reset only"


def test_a_page_that_does_not_go_on_from_the_stored_cursor_is_not_taken() -> None:
    device = alone()
    request = next_request(device.store, NOW, 5000, pushing=True)
    take(device, page("c1", ("t1", [item("a", 1)])))
    late = SyncAnswer(1, "e1", NOW, None, page("c0", ("t1", [item("b", 1)])))
    assert not settle(device.store, request, late, NOW).caught_up
    assert names(device) == {"a": "a"}


# -- the queue ----------------------------------------------------------------------------------------------------


def test_a_mutation_is_kept_until_it_is_durable_and_its_page_was_seen() -> None:
    """S21."""
    device = alone()
    key = task(device)
    take(device, page("c1", seq=9, caught_up=True), applied(1, seq=10, durable_n=1))
    assert (waiting(device), [found.n for found in device.kept()]) == ([], [1])
    assert device.get("tasks", key) is not None, "acknowledged, but not yet in a page: still seen"
    take(device, page("c2", seq=10))
    assert list(device.kept()) == []
    assert device.get("tasks", key) is None, "the server's pages say what there is"


def test_what_is_not_durable_is_kept() -> None:
    device = alone()
    for _ in range(3):
        task(device)
    take(device, page("c1"), applied(1, 2, 3, durable_n=2))
    assert [found.n for found in device.kept()] == [3]


def test_a_gap_is_filled_with_what_is_kept() -> None:
    """S18."""
    device = alone()
    for _ in range(3):
        task(device)
    take(device, page("c1"), applied(1, 2))
    take(device, page("c2"), answered([], 2, stopped="sequence_gap"))
    assert waiting(device) == [2, 3]


def test_a_restored_server_gets_again_what_it_lost_and_is_told_what_is_gone() -> None:
    """S21."""
    device = alone()
    for _ in range(5):
        task(device)
    take(device, page("c1", ("t1", [item("a", 9)])), applied(1, 2, 3, 4, durable_n=3))
    assert [found.n for found in device.kept()] == [4, 5]
    push = answered([], 2, seq=3, epoch="e2", stopped="sequence_gap")
    settled = take(device, page("c2", ("t1", [item("a", 2)]), seq=3, reset="epoch"), push, epoch="e2")
    assert (settled.reset, settled.stuck) == ("epoch", None)
    assert waiting(device) == [4, 5]
    request = next_request(device.store, NOW, 5000, pushing=True)
    assert request.skip == Skip(1, 3)
    take(device, page("c3"), applied(4, 5, seq=12, epoch="e2"), epoch="e2")
    assert waiting(device) == []
    assert next_request(device.store, NOW, 5000, pushing=True).skip is None
    assert [(n.kind, n.text) for n in device.notices()] == [("reset", "epoch"), ("skip", "1..3")]
    assert device.synced_rows()["accounts", "a"][0] == 2


def test_a_new_epoch_without_a_push_sends_all_that_is_kept_again() -> None:
    device = alone()
    for _ in range(2):
        task(device)
    take(device, page("c1"), applied(1, 2))
    take(device, page("c2", reset="epoch", seq=1), epoch="e2")
    assert waiting(device) == [1, 2]


def test_receipts_of_a_server_that_was_restored_before_the_page_was_read_do_not_count() -> None:
    device = alone()
    task(device)
    take(device, page("c1"))
    take(device, page("c2", reset="epoch"), applied(1, epoch="e1"), epoch="e2")
    assert waiting(device) == [1]


def test_a_reused_number_stops_the_registration_and_loses_nothing() -> None:
    """S18."""
    device = alone()
    titles = ["one", "two", "three"]
    for title in titles:
        task(device, title)
    take(device, page("c1"), applied(1))
    reused = Receipt(2, "refused", code="mutation_reused")
    push = answered([reused, Receipt(3, "applied")], 4, register_anew=True)
    take(device, page("c2"), push)
    assert waiting(device) == [2]
    task(device, "four")
    assert next_request(device.store, NOW, 5000, pushing=True).mutations == []
    device.store.set_state(registration="moving", cursor=None, device_key="d-new")
    take(device, page("c3", reset="no_cursor"))
    assert [(found.n, found.fields["title"]) for found in device.pending()] == [(1, "two"), (2, "four")]
    task(device, "five")
    assert waiting(device) == [1, 2, 3]


def test_a_server_that_expects_a_number_never_given_means_a_clone() -> None:
    device = alone()
    task(device)
    take(device, page("c1"), answered([], 7))
    assert device.store.state().registration == "reused"
    assert waiting(device) == [1]


def test_a_push_that_goes_nowhere_says_why() -> None:
    device = alone()
    task(device)
    settled = take(device, page("c1"), answered([], 1, stopped="unit_split"))
    assert settled.stuck == "unit_split"
