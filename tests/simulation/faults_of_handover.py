"""Mistakes planted in how lost rows' work is handed over and decided about (S37)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sfa.core import access
from sfa.core.handover import ALWAYS, NOW
from sfa.crm import edits
from sync import decisions, handover
from sync.handover import HandOver
from tests.builders import EVERYONE
from tests.simulation.faults import fault
from tests.simulation.model_device import ModelDevice

HANDOVER: Any = handover  # what a module imports can be replaced in it, whether it exports it or not
DECISIONS: Any = decisions


@fault
def everybody_may_hand_over_rows_that_he_never_held() -> Sequence[tuple[Any, str, Any]]:
    return [(HANDOVER, "last_held", lambda *_: NOW), (HANDOVER, "life_of", lambda *_: ALWAYS)]


@fault
def revisions_count_that_came_after_the_loss() -> Sequence[tuple[Any, str, Any]]:
    return [(HANDOVER, "life_of", lambda *_: ALWAYS)]


@fault
def what_is_handed_over_lands_without_a_decision() -> Sequence[tuple[Any, str, Any]]:
    real = HandOver._write

    def write(self: HandOver, items: Any, origins: Any, offer: Any) -> str:
        for item, origin in zip(items, origins, strict=True):
            mutation = item.mutation
            cell = self.door.cell(mutation.entity, mutation.key)
            if mutation.kind == "update" and cell.exists:
                edits.update(self.door, EVERYONE, cell, mutation.set, origin)
        return real(self, items, origins, offer)

    return [(HandOver, "_write", write)]


@fault
def a_suggestion_is_lost_when_its_unit_is_undone() -> Sequence[tuple[Any, str, Any]]:
    def offer_unit(self: HandOver, mark: Any, part: Any, taken: Any, _origins: Any) -> Any:
        self.door.undo_to(mark)
        key = next(r.suggestion for r in taken if r.suggestion is not None)
        return [msgspec.structs.replace(HANDOVER._waits(item, key)) for item in part]

    return [(HandOver, "offer_unit", offer_unit)]


@fault
def what_was_accepted_is_accepted_again() -> Sequence[tuple[Any, str, Any]]:
    return [(DECISIONS, "_check_open", lambda _cell: None)]


@fault
def the_author_is_not_told_what_was_decided() -> Sequence[tuple[Any, str, Any]]:
    def decide(door: Any, who: Any, cell: Any, said: Any, origin: Any, kind: str) -> None:
        door.put(cell, {**said, "decided_by": who.user_key}, origin, kind)

    return [(DECISIONS, "_decide", decide)]


@fault
def an_acceptance_forgets_who_gave_it() -> Sequence[tuple[Any, str, Any]]:
    real = DECISIONS._authored
    return [(DECISIONS, "_authored", lambda *args: msgspec.structs.replace(real(*args), reviewed_by=None))]


@fault
def the_author_goes_on_seeing_what_is_said_about_the_row() -> Sequence[tuple[Any, str, Any]]:
    real = access._handover_buckets
    return [(access, "_handover_buckets", lambda row, parent: real(row, parent) | {f"user:{row['author_key']}"})]


@fault
def the_model_device_keeps_a_copy_of_what_it_handed_over() -> Sequence[tuple[Any, str, Any]]:
    real = ModelDevice._leave

    def leave(self: ModelDevice, place: tuple[str, str], bucket: str) -> None:
        if place not in self.handed.values():
            real(self, place, bucket)

    return [(ModelDevice, "_leave", leave)]
