"""Mistakes planted in the devices: in the reference device and in the model device, each by itself."""

from collections.abc import Sequence
from typing import Any

from sync.device import agree, outbox, pages
from tests.simulation.faults import fault
from tests.simulation.model_device import ModelDevice

AGREE: Any = agree  # what a module imports can be replaced in it, whether it exports it or not


@fault
def the_model_device_ignores_the_other_buckets_of_a_row() -> Sequence[tuple[Any, str, Any]]:
    def leave(self: ModelDevice, place: tuple[str, str], bucket: str) -> None:
        if bucket in self._held.get(place, {}):
            del self._held[place]
            del self.rows[place]

    return [(ModelDevice, "_leave", leave)]


@fault
def the_model_device_forgets_to_sweep() -> Sequence[tuple[Any, str, Any]]:
    return [(ModelDevice, "sweep", lambda _self: None)]


@fault
def the_reference_device_ignores_the_other_buckets_of_a_row() -> Sequence[tuple[Any, str, Any]]:
    alone = "DELETE FROM rows WHERE entity = ?1 AND key = ?2"
    return [(pages, "_DROP_ROW_WITHOUT_MEMBERSHIP", alone)]


@fault
def the_reference_device_forgets_to_sweep() -> Sequence[tuple[Any, str, Any]]:
    return [(pages, "_sweep", lambda _store, _generation: None)]


@fault
def the_reference_device_ignores_drops() -> Sequence[tuple[Any, str, Any]]:
    return [(pages, "_drop_bucket", lambda _store, _bucket: None)]


@fault
def the_reference_device_keeps_the_first_copy_of_a_row() -> Sequence[tuple[Any, str, Any]]:
    return [
        (pages, "_PUT_ROW", "INSERT OR IGNORE INTO rows (entity, key, rev, generation, doc) VALUES (?, ?, ?, ?, ?)")
    ]


@fault
def the_reference_device_sums_up_only_rows_of_the_first_revision() -> Sequence[tuple[Any, str, Any]]:
    real = AGREE.of_rows
    return [(AGREE, "of_rows", lambda rows: real(row for row in rows if row[2] == 1))]


@fault
def the_model_device_takes_what_another_sync_was_answered() -> Sequence[tuple[Any, str, Any]]:
    """And goes on from its own cursor: what was dropped or deleted in between comes back."""
    real = ModelDevice._take

    def careless(self: ModelDevice, answer: dict[str, Any], asked_with: str | None) -> bool:
        cursor = self.cursor
        if cursor != asked_with:
            self._take_page({**answer["page"], "caught_up": False})
            self.cursor = cursor
        return real(self, answer, asked_with)

    return [(ModelDevice, "_take", careless)]


@fault
def the_reference_device_gives_a_number_twice() -> Sequence[tuple[Any, str, Any]]:
    real = outbox.acknowledge

    def acknowledge(store: Any, answered: Any) -> Any:
        news = real(store, answered)
        if any(receipt.outcome == "refused" for receipt in news):
            store.set_state(next_n=max(1, store.state().next_n - 1))
            store.execute("DELETE FROM outbox WHERE n = ?", (store.state().next_n,))
        return news

    return [(outbox, "acknowledge", acknowledge)]
