"""The one source of time: everything else is given an instant or a `Clock`.

Promises: instants are whole milliseconds since the epoch, UTC. `corrected_ms` turns the time of a device
whose clock lies into server time (S28): shifted by the skew that the push itself shows, and never in the
future of the server.
Does not do: civil days and zones (`days`), order of writes (the database clock, S6; wall time never orders
anything).
"""

import time
from typing import NamedTuple, Protocol

SKEW_FLAGGED_MS = 5 * 60 * 1000  # a device that is further off than this is shown to its manager


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class VirtualClock:
    """A clock that moves only when it is told to: for the simulation and for tests. It never goes back."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, by_ms: int) -> int:
        """Move on by `by_ms` milliseconds (zero or more) and return the new time."""
        if by_ms < 0:
            raise ValueError(f"a virtual clock cannot go back by {-by_ms} ms")
        self._now_ms += by_ms
        return self._now_ms


class Corrected(NamedTuple):
    corrected_ms: int
    skew_ms: int  # device minus server: positive when the device's clock is ahead


def corrected_ms(at: int, device_now: int, server_now: int) -> Corrected:
    """The server time of what the device says happened `at`, given both clocks at the moment of the push
    (S28).

    The travel time of the request counts as skew: it cannot be told apart, and it is small beside a wrong
    clock. Differences between two events of one push are kept, unless an event would land in the future.
    """
    skew_ms = device_now - server_now
    return Corrected(min(at - skew_ms, server_now), skew_ms)


def skew_is_large(skew_ms: int) -> bool:
    """Whether a device's clock is so wrong that people should know."""
    return abs(skew_ms) > SKEW_FLAGGED_MS
