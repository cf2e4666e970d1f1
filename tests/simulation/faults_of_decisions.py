"""Mistakes planted in how refusals are repaired and conflicts restored (S1, S19)."""

from collections.abc import Sequence
from typing import Any

from sfa.crm import conflicts
from sync import repairs, repeated
from sync.protocol import Receipt
from sync.repairs import Repair
from tests.simulation.faults import fault

REPAIRS: Any = repairs


@fault
def a_repair_is_applied_twice() -> Sequence[tuple[Any, str, Any]]:
    """From two devices: nobody looks whether the refusal is repaired already."""

    real = repairs.repair

    def again(door: Any, who: Any, commands: Any, mutation: Any, origin: Any, *more: Any) -> Receipt:
        cell = door.cell("refusals", mutation.repairs)
        if cell.exists and cell.row["status"] == "repaired" and cell.row["author_key"] == who.user_key:
            door.put(cell, {"status": "open"}, origin, "refusal.offer")
        return real(door, who, commands, mutation, origin, *more)

    return [(REPAIRS, "repair", again)]


@fault
def a_repeated_repair_is_told_that_all_is_well() -> Sequence[tuple[Any, str, Any]]:
    """Although the first one came into a conflict, or was merged."""

    def told(_door: Any, _who: Any, _refusal: Any, mutation: Any, _made: Any) -> Receipt:
        return Receipt(mutation.n, "applied", key=mutation.key)

    return [(repeated, "told", told)]


@fault
def another_repair_is_taken_for_the_same() -> Sequence[tuple[Any, str, Any]]:
    """Its words are nowhere."""
    return [(repairs, "_check_same", lambda *_: None)]


@fault
def a_refusal_is_closed_and_its_repair_does_not_land() -> Sequence[tuple[Any, str, Any]]:
    def close(self: Repair, refusal: Any, mutation: Any = None) -> Receipt:
        landing = self._repaired(refusal, mutation) if mutation is not None else self._again(refusal)
        self._close(landing, mutation)
        return Receipt(landing.mutation.n, "merged", key=landing.mutation.key)

    return [(Repair, "land", close)]


@fault
def what_waited_for_a_repair_is_left_behind() -> Sequence[tuple[Any, str, Any]]:
    return [(Repair, "offer_waiting", lambda _self: {})]


@fault
def a_restored_value_loses_the_winner() -> Sequence[tuple[Any, str, Any]]:
    real = conflicts.write

    def write(door: Any, key: str, values: Any, origin: Any) -> str:
        return key if values["strategy"] == "person" else real(door, key, values, origin)

    return [(conflicts, "write", write)]
