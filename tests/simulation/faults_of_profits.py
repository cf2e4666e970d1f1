"""Mistakes planted in what selling costs and what was offered (R37, R39, R40)."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from sfa.profit.deal import quotes, served
from tests.simulation.faults import fault

QUOTES: Any = quotes
SERVED: Any = served


@fault
def what_is_left_over_when_effort_is_shared_is_lost() -> Sequence[tuple[Any, str, Any]]:
    return [(SERVED, "part_of", lambda amount, _place, count: amount // count)]


@fault
def effort_that_names_a_deal_is_shared_among_all() -> Sequence[tuple[Any, str, Any]]:
    real = SERVED._own_part

    def own_part(field: Any, kind: str, source: tuple[str, Any], *said: Any, **more: Any) -> Any:
        return real(field, kind, (source[0], {**source[1], "deal_key": None}), *said, **more)

    return [(SERVED, "_own_part", own_part)]


@fault
def an_offer_that_is_made_again_is_another() -> Sequence[tuple[Any, str, Any]]:
    real = QUOTES._last

    def last(*said: Any) -> Any:
        row = real(*said)
        return row and SimpleNamespace(number=row.number, quoted_at=row.quoted_at, digest="")

    return [(QUOTES, "_last", last)]
