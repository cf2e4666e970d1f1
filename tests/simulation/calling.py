"""People name their numbers on phones, managers those of their teams, and Mondays come and go, by dice of their own.

Some seeds are such, so that all others play as if nobody forecast. Calls are made with clocks that are wrong, arrive in
any order, twice or cloned, before and after their lock; the lock comes when it likes, and the policy changes. What
comes of it is looked at when the seed ends (`tests.simulation.checkers.called`).
"""

import random
from typing import TYPE_CHECKING, Any

from forecasting import locking, reminding
from sfa.core.errors import Refused
from sfa.crm.calling import ENTITY
from sync.protocol import CONTRACT_MAX
from tests.builders import put_rows
from tests.simulation.company import TEAMS
from tests.simulation.failure import Crash
from tests.simulation.phones import Part, Phone

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY, SEEDS = 50, (24, 29, 36, 43)  # none of them where a planted fault was found before there were calls
A_STEP = 0.4
PERIODS = {
    "year-end": ("2025-10-01", "2026-01-12"),
    "new-year": ("2026-01-12", "2026-04-01"),
}
START: list[tuple[str, str, dict[str, Any]]] = [
    *(
        ("fiscal_periods", key, {"name": key, "kind": "quarter", "start_on": start, "end_on": end})
        for key, (start, end) in PERIODS.items()
    ),
    ("forecast_policies", "policy", {"name": "Each week", "lock_minute": 600, "remind_minutes": 2_880}),
]


class Calling:
    def __init__(self, seed: int, world: "World") -> None:
        self.is_on = seed % EVERY in SEEDS
        self.world, self.rng = world, random.Random(f"calls of {seed}")
        self._made = 0
        if self.is_on:
            world.server.write(put_rows, START, world.clock.now_ms())

    def work(self, phone: Phone) -> None:
        """Without signal; older apps know nothing of it."""
        if not self.is_on or phone.contract != CONTRACT_MAX:
            return
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            part = self._call(phone)
            if phone.do(part):
                self.world.log(f"{phone.key} calls {part}")

    def _call(self, phone: Phone) -> Part:
        """Of himself or of a team, which need not be his to call for; for the next lock, or a day that is none."""
        self._made += 1
        said: dict[str, Any] = {"user_key": phone.user} if self.rng.random() < 0.7 else {}
        if not said:
            said = {"team_key": self.rng.choice(TEAMS)}
        said |= {"period_key": self.rng.choice(sorted(PERIODS)), "author_key": phone.user}
        said |= {"commit_minor": self._made, "currency": "EUR", "note": f"c{self._made}"}
        if self.rng.random() < 0.3:
            said["due_on"] = self.rng.choice(("2026-01-05", "2026-01-06", "2026-01-12", "2026-01-19"))
        return "create", ENTITY, f"call.{self._made}", said

    def step(self) -> None:
        """Days go by, the lock comes or people are reminded, and the company thinks otherwise of either."""
        if not self.is_on or self.rng.random() > A_STEP:
            return
        roll = self.rng.random()
        if roll < 0.4:
            self._run("the lock", locking.run)
        elif roll < 0.55:
            self._run("reminders", reminding.run)
        elif roll < 0.8:
            self.world.clock.advance(self.rng.choice((1, 2, 4)) * 86_400_000)
            self.world.log("days pass")
        else:
            said = {"lock_weekday": self.rng.choice((1, 1, 3)), "late": self.rng.choice(("record", "record", "refuse"))}
            self._run(f"the policy is {said}", put_rows, [("forecast_policies", "policy", said)])

    def _run(self, name: str, work: Any, *args: Any) -> None:
        try:
            told: object = self.world.server.write(work, *args, self.world.clock.now_ms())
        except (Refused, Crash) as refused:
            told = refused
        self.world.log(f"{name}: {told}")
