"""A rep drives about without signal, and checks in on a second visit before the first is over (R13).

It draws from a chance of its own and happens in one seed of twenty, so that what else happens in a seed is not shifted
by it and most seeds stay what they were.
"""

import random
from collections.abc import Callable

from tests.simulation.actions import Maker
from tests.simulation.phones import Part, Phone, Rows

EVERY = 20


class Driving:
    def __init__(self, seed: int, log: Callable[[str], None]) -> None:
        self._rng, self._log = random.Random(f"driving {seed}"), log
        self._is_on, self._made = seed % EVERY == 1, 0

    def work(self, maker: Maker, phone: Phone, rows: Rows) -> None:
        """Two visits made on the spot, both checked in; perhaps checked out, the first one or the second."""
        accounts = sorted(key for entity, key in rows if entity == "accounts")
        if not self._is_on or not accounts or self._rng.random() < 0.4:
            return
        keys = [self._key(maker) for _ in range(2)]
        parts: list[Part] = []
        for key in keys:
            account = self._rng.choice(accounts)
            parts.append(("create", "visits", key, {"account_key": account, "owner_key": phone.user}))
            parts.append(("visit.check_in", "visits", key, {}))
        parts += [("visit.check_out", "visits", key, {}) for key in keys if self._rng.random() < 0.3]
        for part in parts:
            if phone.do(part):
                self._log(f"{phone.key} drives {part}")

    def _key(self, maker: Maker) -> str:
        self._made += 1
        maker.known.append(("visits", f"drive.{self._made}"))
        return f"drive.{self._made}"
