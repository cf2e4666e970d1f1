"""The company's quarters as days, and where in its quarter a day lies.

A company's own quarters are given as their first days, rising; without them the civil ones are meant. Beyond the given
ones they go on with the lengths of four quarters before, so that any day has a place. A quarter that begins on the
first of a month has civil months; another one (of whole weeks) has thirds.
"""

from datetime import date
from itertools import pairwise

import numpy as np
from msgspec import Struct

from forecasting.engine.values import Ints

WEEK = 7
WEEKS = 13
MONTHS = 3


class Places(Struct, frozen=True, eq=False):
    """Of each day from `first`: its month of the quarter (0 to 2) and its week back from the end (0 is the last)."""

    first: int
    month: Ints
    week: Ints

    def at(self, days: Ints) -> Ints:
        return np.clip(days - self.first, 0, len(self.month) - 1)


def civil_quarters(first: int, last: int) -> Ints:
    """The first days of the civil quarters from the one with the day `first` to the one after that of `last`."""
    begin, end = date.fromordinal(first), date.fromordinal(last)
    from_number, to_number = begin.year * 4 + (begin.month - 1) // 3, end.year * 4 + (end.month - 1) // 3 + 1
    numbers = range(from_number, to_number + 1)
    return np.array([date(n // 4, n % 4 * 3 + 1, 1).toordinal() for n in numbers], dtype=np.int64)


def covering(quarters: Ints | None, first: int, last: int) -> Ints:
    """The given quarters, lengthened at both ends until they cover the days from `first` to `last`."""
    if quarters is None or len(np.unique(quarters)) < 2:
        return civil_quarters(first, last)
    starts = [int(day) for day in np.unique(quarters)]
    while starts[-1] <= last:
        starts.append(_as_a_year_ago(starts))
    while starts[0] > first:
        mirrored = [-day for day in reversed(starts)]
        starts.insert(0, -_as_a_year_ago(mirrored))
    return np.array(starts, dtype=np.int64)


def _as_a_year_ago(starts: list[int]) -> int:
    lengths = [later - earlier for earlier, later in pairwise(starts)][-4:]
    return starts[-1] + lengths[0]


def places(quarters: Ints, first: int, last: int) -> Places:
    """The places of the days from `first` to `last`, all of which the quarters cover."""
    days = np.arange(first, last + 1, dtype=np.int64)
    found = np.clip(np.searchsorted(quarters, days, side="right") - 1, 0, len(quarters) - 2)
    begins = np.array([_months(int(a), int(b)) for a, b in pairwise(quarters)], dtype=np.int64)
    month = (days[:, None] >= begins[found][:, 1:]).sum(axis=1)
    week = np.minimum((quarters[found + 1] - 1 - days) // WEEK, WEEKS - 1)
    return Places(first, month.astype(np.int64), week.astype(np.int64))


def _months(start: int, end: int) -> tuple[int, int, int]:
    first = date.fromordinal(start)
    if first.day > 1:
        third = (end - start) / MONTHS
        return start, start + round(third), start + round(2 * third)
    months = [first.year * 12 + first.month - 1 + n for n in range(MONTHS)]
    one, two, three = (date(n // 12, n % 12 + 1, 1).toordinal() for n in months)
    return one, two, three
