"""Which places of a period's total each credit occupies, where commission is paid by bands (R41): pure.

A credit fills the lowest places that are free, then those on top; one that is taken back frees its own. So winning
again what was reopened fills what that left and climbs no band twice: whenever as much stands as ever stood before,
what stands is paid as one total would be. A negative credit takes places from the top, and gives them back where it is
taken back itself. What lies below nothing is taken for full. Does not do: rounding, money, when.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

Tiers = tuple[tuple[int, int], ...]  # (from, rate), the first from nothing
Stretch = tuple[int, int]  # [low, high)
_BOTTOM, _TOP = -(1 << 100), 1 << 100


def bases_of(tiers: Tiers, stretches: Iterable[Stretch]) -> dict[int, int]:
    """rate -> how many of these places are paid at it; what lies below nothing is of the first band."""
    bases: dict[int, int] = {}
    for low, high in stretches:
        for place, (begin, rate) in enumerate(tiers):
            floor = begin if place else min(low, begin)
            ceiling = tiers[place + 1][0] if place + 1 < len(tiers) else max(high, begin)
            width = min(high, ceiling) - max(low, floor)
            if width > 0:
                bases[rate] = bases.get(rate, 0) + width
    return bases


class Places:
    """How often each place is occupied: steps of (from, level), neighbours of one level being one step."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, int]] = [(_BOTTOM, 1), (0, 0)]

    def take(self, amount: int) -> list[Stretch]:
        """Occupy as many places as a credit is large; a negative one takes occupied ones away. -> which."""
        found = list(self._lowest_free(amount) if amount > 0 else self._highest_taken(-amount))
        self._add(found, 1 if amount > 0 else -1)
        return found

    def give_back(self, amount: int, stretches: list[Stretch]) -> None:
        """Undo `take` of that amount."""
        self._add(stretches, -1 if amount > 0 else 1)

    def _end(self, n: int) -> int:
        return self._steps[n + 1][0] if n + 1 < len(self._steps) else _TOP

    def _lowest_free(self, size: int) -> Iterator[Stretch]:
        for n, (low, level) in enumerate(self._steps):
            if size <= 0:
                return
            if level <= 0:
                high = min(self._end(n), low + size)
                yield low, high
                size -= high - low

    def _highest_taken(self, size: int) -> Iterator[Stretch]:
        for n in range(len(self._steps) - 1, -1, -1):
            if size <= 0:
                return
            low, level = self._steps[n]
            if level >= 1:
                high = self._end(n)
                low = max(low, high - size)
                yield low, high
                size -= high - low

    def _add(self, stretches: Iterable[Stretch], by: int) -> None:
        for low, high in stretches:
            first, after = self._cut(low), self._cut(high)
            self._steps[first:after] = [(start, level + by) for start, level in self._steps[first:after]]
            for n in (after, first):  # where steps met that are of one level now
                if 0 < n < len(self._steps) and self._steps[n - 1][1] == self._steps[n][1]:
                    del self._steps[n]

    def _cut(self, place: int) -> int:
        """Begin a step at a place; -> which."""
        n = bisect_left(self._steps, (place,))
        if place < _TOP and (n == len(self._steps) or self._steps[n][0] != place):
            self._steps.insert(n, (place, self._steps[n - 1][1]))
        return n
