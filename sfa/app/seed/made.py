"""What the parts of the seed share: the made row, the dice, and the days around today.

Every number comes from one `random.Random(seed)` and every day from `today`, so that nothing depends on when or where
the seed runs. Working hours are those of the company's zone.
"""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar

from sfa.core.clock import VirtualClock
from sfa.core.days import day_start_ms, to_date
from sfa.core.ids import KeyMaker

Item = TypeVar("Item")

ZONE = "Europe/Madrid"
MINUTE_MS = 60_000
OPENS_MINUTE, CLOSES_MINUTE = 8 * 60, 17 * 60
DAYS_BACK, DAYS_AHEAD = 1_200, 120
SATURDAY = 5


class Made(NamedTuple):
    """A row, or with another `kind` than create a change of one that was made before."""

    entity: str
    key: str
    values: dict[str, Any]
    at: int
    author: str | None = None
    kind: str = "create"


class Dice:
    """Cheap choices: one call of `random()` each."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random

    def below(self, count: int) -> int:
        return int(self.random() * count)

    def between(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def one(self, items: Sequence[Item]) -> Item:
        return items[int(self.random() * len(items))]

    def happens(self, chance: float) -> bool:
        return self.random() < chance


class Days:
    """Days by their distance from today, from `DAYS_BACK` ago to `DAYS_AHEAD`."""

    def __init__(self, today: str) -> None:
        self.today = today
        self.year = int(today[:4])
        first = to_date(today) - timedelta(days=DAYS_BACK)
        dates = [first + timedelta(days=count) for count in range(DAYS_BACK + DAYS_AHEAD + 1)]
        self._texts = [date.isoformat() for date in dates]
        self._starts = [day_start_ms(text, ZONE) for text in self._texts]
        self._working = [date.weekday() < SATURDAY for date in dates]
        self.now_ms = self.at(0, OPENS_MINUTE)

    def text(self, distance: int) -> str:
        return self._texts[distance + DAYS_BACK]

    def working(self, distance: int) -> int:
        """That day, or the working day after it."""
        while not self._working[distance + DAYS_BACK]:
            distance += 1
        return distance

    def at(self, distance: int, minute: int) -> int:
        """An instant of that day, by minutes of the clock on a day without change of it."""
        return self._starts[distance + DAYS_BACK] + minute * MINUTE_MS

    def at_work(self, distance: int, dice: Dice) -> int:
        return self.at(distance, dice.between(OPENS_MINUTE, CLOSES_MINUTE))


def key_maker(seed: int, days: Days) -> KeyMaker:
    """Keys as production makes them, but the same for the same seed."""
    return KeyMaker(VirtualClock(days.now_ms), Random(seed + 1).getrandbits)
