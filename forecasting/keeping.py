"""What a process keeps of what it made, by the clock number it was made at: the newest, no more than it may weigh.

What is of an earlier clock number than what was kept last is never asked for again, so it is let go at once and not
when the room is needed. Of the rest what was asked for longest ago goes first. May be asked by several threads.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


def _one(_value: object) -> int:
    return 1


class Kept(Generic[K, V]):
    """At most `most` values that weigh at most `weight_max` together; one that alone weighs more is not kept."""

    def __init__(
        self,
        seq_of: Callable[[K], int],
        most: int,
        *,
        weight_of: Callable[[V], int] = _one,
        weight_max: int | None = None,
    ) -> None:
        self._seq_of, self._most, self._weight_of = seq_of, most, weight_of
        self._weight_max = weight_max if weight_max is not None else most
        self._values: OrderedDict[K, V] = OrderedDict()
        self._seq, self.weight = 0, 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found

    def items(self) -> list[tuple[K, V]]:
        with self._lock:
            return list(self._values.items())

    def put(self, key: K, value: V) -> None:
        """Nothing where something of a later clock number was kept, or the value weighs too much."""
        seq, weight = self._seq_of(key), self._weight_of(value)
        with self._lock:
            if seq > self._seq:
                self._seq = seq
                for old in [old for old in self._values if self._seq_of(old) < seq]:
                    self._drop(old)
            if seq < self._seq or weight > self._weight_max:
                return
            if key in self._values:
                self._drop(key)
            self._values[key] = value
            self.weight += weight
            while len(self._values) > self._most or self.weight > self._weight_max:
                self._drop(next(iter(self._values)))

    def _drop(self, key: K) -> None:
        self.weight -= self._weight_of(self._values.pop(key))
