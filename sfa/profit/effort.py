"""Whose effort it was: what was spent on a customer, shared among its deals that were open on that day (R40). Pure.

What names a deal is that deal's. What names only the customer is shared equally among the deals that were open on its
local day, to the minor unit; where none was, it stays the customer's own. A deal is open from the day it was opened
until the day it was closed, both of them included, and again from a reopening on.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sfa.core.credits import day_of
from sfa.core.money import allocate


class OpenDays(Struct, frozen=True):
    """A deal was open on the days [from_on, to_on], both included; `to_on` null: it still is."""

    deal_key: str
    from_on: str
    to_on: str | None


def open_days(key: str, deal: Mapping[str, Any], zone: str) -> list[OpenDays]:
    """Every span of a deal's row (`opened_on`, `created_at`, `closed_at`, `closings`)."""
    start: str = deal["opened_on"] or day_of(deal["created_at"], zone)
    found = []
    for closing in deal["closings"] or ():
        found.append(OpenDays(key, start, day_of(closing["closed_at"], zone)))
        start = day_of(closing["reopened_at"], zone)
    closed_at = deal["closed_at"]
    found.append(OpenDays(key, start, None if closed_at is None else day_of(closed_at, zone)))
    return found


def open_on(spans: Iterable[OpenDays], day: str) -> list[str]:
    """The deals that were open on a local day, each once, in the order of their keys."""
    return sorted({s.deal_key for s in spans if s.from_on <= day and (s.to_on is None or day <= s.to_on)})


def shared(amount_minor: int, deals: Sequence[str]) -> dict[str, int]:
    """An amount in equal parts that sum to it; what is left over goes to the first keys."""
    return dict(zip(deals, allocate(amount_minor, [1] * len(deals)), strict=True)) if deals else {}


def part_of(amount_minor: int, place: int, count: int) -> int:
    """What `shared` gives to one of so many deals, by its place in the order of their keys."""
    size, rest = divmod(abs(amount_minor), count)
    part = size + (place < rest)
    return part if amount_minor >= 0 else -part
