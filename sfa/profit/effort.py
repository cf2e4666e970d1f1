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


class Spent(Struct, frozen=True):
    """What was spent on a deal, and on its customer by whoever named no deal: rows as they count now, each with its
    `key` and `deal_key` (a way's, or an expense's without one, is its visit's). `spans` are of the customer's deals."""

    charges: list[Mapping[str, Any]]
    expenses: list[Mapping[str, Any]]
    visits: list[Mapping[str, Any]]
    legs: list[Mapping[str, Any]]
    work: list[Mapping[str, Any]]
    spans: list["OpenDays"]


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


def days_of(key: str, spans: Iterable[OpenDays]) -> tuple[str, str | None]:
    """The first and last day on which a deal was open; null: it still is."""
    own = [span for span in spans if span.deal_key == key]
    until = [span.to_on for span in own if span.to_on is not None]
    return min(span.from_on for span in own), max(until) if len(until) == len(own) else None


def open_on(spans: Iterable[OpenDays], day: str) -> list[str]:
    """The deals that were open on a local day, each once, in the order of their keys."""
    return sorted({s.deal_key for s in spans if s.from_on <= day and (s.to_on is None or day <= s.to_on)})


class OpenDeals:
    """`open_on` of one customer's deals, found once for each day that is asked about."""

    def __init__(self, spans: Iterable[OpenDays]) -> None:
        self._spans = tuple(spans)
        self._known: dict[str, list[str]] = {}

    def on(self, day: str) -> list[str]:
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = open_on(self._spans, day)
        return known


def shared(amount_minor: int, deals: Sequence[str]) -> dict[str, int]:
    """An amount in equal parts that sum to it; what is left over goes to the first keys."""
    return dict(zip(deals, allocate(amount_minor, [1] * len(deals)), strict=True)) if deals else {}


def part_of(amount_minor: int, place: int, count: int) -> int:
    """What `shared` gives to one of so many deals, by its place in the order of their keys."""
    size, rest = divmod(abs(amount_minor), count)
    part = size + (place < rest)
    return part if amount_minor >= 0 else -part
