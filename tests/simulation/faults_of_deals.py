"""Mistakes planted in what a reopening keeps of a deal's end (R21)."""

from collections.abc import Sequence
from typing import Any

from sfa.core import deal_states
from tests.simulation.faults import fault

DEAL_STATES: Any = deal_states


@fault
def an_end_that_is_reversed_does_not_say_when_it_was() -> Sequence[tuple[Any, str, Any]]:
    real = DEAL_STATES.ended
    return [(DEAL_STATES, "ended", lambda row, at, *more, **named: {**real(row, at, *more, **named), "closed_at": at})]
