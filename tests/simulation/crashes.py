"""The server's process ends at a commit boundary: just before a commit, or just after it and before the answer."""

import random

from tests.simulation.failure import Crash


class Crashes:
    """The probe of the database. `commits` counts what was really committed, and so names the state of the server."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._armed: tuple[str, int] | None = None
        self.commits = 0

    def arm(self) -> None:
        """The next commit, or the one after it, will not be survived."""
        self._armed = (self._rng.choice(("before_commit", "after_commit")), self._rng.choice((1, 1, 2)))

    def disarm(self) -> None:
        self._armed = None

    def probe(self, boundary: str) -> None:
        if boundary == "after_commit":
            self.commits += 1
        if self._armed is None or self._armed[0] != boundary:
            return
        kind, left = self._armed
        if left > 1:
            self._armed = (kind, left - 1)
            return
        self._armed = None
        raise Crash(kind)
