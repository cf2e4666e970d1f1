"""The parts of deals as they are listed: in order of deal, person, bucket, sorted once a base and not a page. Pure.

Parts lie in leaves as the money of a ledger does, so that a page looks at the leaves below its node and at as many
parts as it tells, however many there are.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from typing import NamedTuple

from forecasting.answers import UNLISTED, Fact
from forecasting.ledger import parted

Order = tuple[str, str, str, bool]  # deal, person, bucket, overlay


class Part(NamedTuple):
    """None where some of it cannot be said, `code` says why."""

    at: Order
    amount: int | None
    weighted: int | None
    code: str | None

    def plus(self, other: "Part") -> "Part":
        code = self.code or other.code
        if self.amount is None or other.amount is None or self.weighted is None or other.weighted is None:
            return Part(self.at, None, None, code)
        return Part(self.at, self.amount + other.amount, self.weighted + other.weighted, code)


class Leaf(NamedTuple):
    path: tuple[str, ...]
    user_key: str
    buckets: dict[str, list[Part]]


class Parts:
    def __init__(self, leaves: list[Leaf]) -> None:
        self._leaves = leaves

    def leaves(self, holds: Callable[[Leaf], bool]) -> list[Leaf]:
        return [leaf for leaf in self._leaves if holds(leaf)]


def parts_of(facts: Iterable[Fact], by: str) -> Parts:
    leaves: dict[tuple[tuple[str, ...], str], dict[str, list[Part]]] = {}
    for whole in facts:
        for path, fact in parted(whole, by):
            at = fact.deal_key, fact.user_key, fact.bucket, fact.overlay
            said = fact.amount_minor is not None and fact.weighted_minor is not None
            worth = (fact.amount_minor, fact.weighted_minor) if said else (None, None)
            part = Part(at, *worth, fact.holes[0] if fact.holes else None)
            leaves.setdefault((path, fact.user_key), {}).setdefault(fact.bucket, []).append(part)
    for buckets in leaves.values():
        for said_parts in buckets.values():
            said_parts.sort(key=_at)
    return Parts([Leaf(*of, buckets) for of, buckets in leaves.items()])


def _at(part: Part) -> Order:
    return part.at


def listed(leaves: Iterable[Leaf], bucket: str | None, after: Order | None) -> Iterator[Part]:
    """Parts in order, those of one person, deal and bucket together; without a bucket of all that is in a total."""
    ways = [
        parts
        for leaf in leaves
        for name, parts in leaf.buckets.items()
        if (name not in UNLISTED if bucket is None else name == bucket)
    ]
    starts = [0 if after is None else bisect_right(way, after, key=_at) for way in ways]
    found: Part | None = None
    for part in merge(*(_from(way, start) for way, start in zip(ways, starts, strict=True)), key=_at):
        if found is not None and found.at == part.at:
            found = found.plus(part)
            continue
        if found is not None:
            yield found
        found = part
    if found is not None:
        yield found


def _from(way: list[Part], start: int) -> Iterator[Part]:
    return (way[n] for n in range(start, len(way)))
