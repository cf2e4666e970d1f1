"""Mistakes planted in who is credited with what, and in how it is explained (R9, R10, R16, R21)."""

from collections.abc import Iterator, Sequence
from typing import Any

from sfa.db import credits as kept
from sfa.db import writes
from sfa.quotas import engine, held
from tests.simulation.faults import fault

ENGINE: Any = engine
HELD: Any = held
KEPT: Any = kept
WRITES: Any = writes


@fault
def credits_do_not_follow_a_deal() -> Sequence[tuple[Any, str, Any]]:
    return [(WRITES, "keep_credits", lambda *_: kept.Changed([], set()))]


@fault
def a_reopened_deal_keeps_its_credit() -> Sequence[tuple[Any, str, Any]]:
    return [(KEPT, "_frozen", lambda rows, _at: list(rows))]


@fault
def a_device_does_not_know_of_reversals() -> Sequence[tuple[Any, str, Any]]:
    real = HELD.credits_of
    return [(HELD, "credits_of", lambda *said: [credit for credit in real(*said) if not credit.reversal])]


@fault
def an_explanation_leaves_out_what_counts_negative() -> Sequence[tuple[Any, str, Any]]:
    real = ENGINE.contributions_of

    def explained(*said: Any, **more: Any) -> Iterator[Any]:
        return (part for part in real(*said, **more) if part.value >= 0)

    return [(ENGINE, "contributions_of", explained)]


@fault
def a_device_counts_what_others_met() -> Sequence[tuple[Any, str, Any]]:
    real = HELD.visit_facts
    return [(HELD, "visit_facts", lambda *said: real(*said) * 2)]
