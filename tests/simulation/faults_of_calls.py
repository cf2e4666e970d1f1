"""Mistakes planted in which call of a forecast counts (R29)."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from forecasting import locking
from sfa.core.forecast_cycles import LATE, SUBMITTED
from sfa.crm import calling
from tests.simulation.faults import fault

CALLING: Any = calling
LOCKING: Any = locking


@fault
def a_call_leaves_the_one_before_it_standing() -> Sequence[tuple[Any, str, Any]]:
    return [(CALLING, "settle", lambda *_: None)]


@fault
def the_call_that_arrives_last_counts() -> Sequence[tuple[Any, str, Any]]:
    return [(CALLING, "_is_later", lambda *_: False)]


@fault
def a_late_call_is_as_good_as_any() -> Sequence[tuple[Any, str, Any]]:
    real = CALLING.due

    def due(*said: Any, **more: Any) -> Any:
        found = real(*said, **more)
        return structs.replace(found, status=SUBMITTED) if found.status == LATE else found

    return [(CALLING, "due", due)]


@fault
def a_lock_is_not_written_down() -> Sequence[tuple[Any, str, Any]]:
    return [(LOCKING, "_note", lambda *_: 0)]


@fault
def calls_of_another_lock_are_replaced() -> Sequence[tuple[Any, str, Any]]:
    real = CALLING._others
    return [(CALLING, "_others", lambda door, key, said: real(door, key, {**said, "due_on": "2026-01-12"}))]
