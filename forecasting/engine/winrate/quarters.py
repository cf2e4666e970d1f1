"""The company's quarters as days, and where in its quarter a day lies.

A company's own quarters are given as their first days, rising; without them the civil ones are meant. Beyond the last
given one they go on with the lengths of the last four (a year back), so that any later day has a place.
"""

from datetime import date
from itertools import pairwise

import numpy as np

from forecasting.engine.values import Ints

WEEK = 7


def civil_quarters(first: int, last: int) -> Ints:
    """The first days of the civil quarters from the one with the day `first` to the one after that of `last`."""
    begin, end = date.fromordinal(first), date.fromordinal(last)
    from_number, to_number = begin.year * 4 + (begin.month - 1) // 3, end.year * 4 + (end.month - 1) // 3 + 1
    numbers = range(from_number, to_number + 1)
    return np.array([date(n // 4, n % 4 * 3 + 1, 1).toordinal() for n in numbers], dtype=np.int64)


def covering(quarters: Ints | None, first: int, last: int) -> Ints:
    """The given quarters, lengthened at both ends until they cover the days from `first` to `last`."""
    if quarters is None or len(quarters) < 2:
        return civil_quarters(first, last)
    starts = [int(day) for day in np.unique(quarters)]
    lengths = [later - earlier for earlier, later in pairwise(starts)][-4:]
    while starts[-1] <= last:
        starts.append(starts[-1] + lengths[-4 % len(lengths)])
        lengths = [*lengths, starts[-1] - starts[-2]][-4:]
    while starts[0] > first:
        starts.insert(0, starts[0] - lengths[-1])
    return np.array(starts, dtype=np.int64)


def place_in_quarter(quarters: Ints, days: Ints) -> tuple[Ints, Ints]:
    """Of each day: days since its quarter began (0 on the first), and days to its last one (0 on the last)."""
    found = np.clip(np.searchsorted(quarters, days, side="right") - 1, 0, len(quarters) - 2)
    return days - quarters[found], quarters[found + 1] - 1 - days
