"""Which local day an instant belongs to, asked many thousand times (R32): pure, the same as `credits.day_of`.

The local days that meet a day of UTC are found once and kept, so that a question costs a look-up and not a calendar.
Kept are as many days as are asked about, however many instants lie in them.
"""

from bisect import bisect_right

from sfa.core.credits import DATED_MAX, DATED_MIN, FIRST_DAY, day_of
from sfa.core.days import plus_days, start_of_ms

DAY_MS = 86_400_000


class LocalDays:
    """The days of one zone."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._met: dict[int, tuple[list[int], list[str]]] = {}
        self._starts: dict[str, int] = {}
        self._ends: dict[str, int] = {}

    def of(self, at: int) -> str:
        """`day_of`."""
        if at < DATED_MIN:
            return FIRST_DAY
        if at > DATED_MAX:
            at = DATED_MAX
        starts, days = self._met.get(at // DAY_MS) or self._meet(at // DAY_MS)
        return days[bisect_right(starts, at)]

    def start(self, day: str) -> int:
        """`start_of_ms`."""
        found = self._starts.get(day)
        if found is None:
            found = self._starts[day] = start_of_ms(day, self.zone)
        return found

    def end(self, day: str) -> int:
        """The first instant behind a day."""
        found = self._ends.get(day)
        if found is None:
            found = self._ends[day] = self.start(plus_days(day, 1))
        return found

    def _meet(self, number: int) -> tuple[list[int], list[str]]:
        first = number * DAY_MS
        day, last = day_of(first, self.zone), day_of(first + DAY_MS - 1, self.zone)
        days = [day]
        while day < last:
            day = plus_days(day, 1)
            days.append(day)
        found = self._met[number] = [self.start(day) for day in days[1:]], days  # where each but the first begins
        return found
