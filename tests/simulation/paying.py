"""People are paid for what they sell: plans are made, given, dated otherwise and ended at screens while deals move.

Some of the seeds in which people earn are such, by dice of their own. The ledger is looked at after every step (nothing
that was written may ever change) and when the seed ends (`tests.simulation.checkers.paid`).
"""

import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.db.tables import commission_entries
from sfa.db.writes import Door, Origin
from tests.builders import EVERYONE
from tests.simulation.company import PEOPLE
from tests.simulation.failure import Crash, Failed

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY, SEEDS = 100, (14, 48, 54, 61, 68, 74, 81, 88)  # of those in which people earn
A_STEP = 0.5
PLANS = ("p1", "p2", "p3")
PERIOD: dict[str, Any] = {"name": "First", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}
DAYS = ("2025-06-01", "2026-01-01", "2026-01-05", "2026-01-06", "2026-01-08", "2026-02-01")
MONEY_TIERS = [{"from_minor": 0, "rate_bp": 500}, {"from_minor": 5_000, "rate_bp": 933}]
QUOTA_TIERS = [{"from_bp": 0, "rate_bp": 500}, {"from_bp": 10_000, "rate_bp": 600}, {"from_bp": 12_500, "rate_bp": 700}]
Row = tuple[str, str, dict[str, Any] | None]


class Paying:
    def __init__(self, seed: int, world: "World") -> None:
        self.is_on = seed % EVERY in SEEDS
        self.world, self.rng = world, random.Random(f"pay of {seed}")
        self._begun = False
        self._written: set[tuple[Any, ...]] = set()

    def step(self) -> None:
        """Somebody of finance decides something."""
        if not self.is_on:
            return
        self._look()
        rows: list[Row] = []
        if not self._begun:
            self._begun = True
            rows = [("commission_plans", PLANS[0], self._plan(PLANS[0]))]
            rows += [self._given(user, PLANS[0], DAYS[0]) for user in PEOPLE if self.rng.random() < 0.7]
        elif self.rng.random() < A_STEP:
            rows = self._decision()
        for row in rows:
            try:
                said = self.world.server.write(self._put, row)
            except (Refused, Crash) as refused:
                said = str(refused)
            self.world.log(f"pay: {row}: {said}")

    def _look(self) -> None:
        now = self.world.server.database.read(
            lambda c: {tuple(row) for row in c.execute(select(commission_entries)).all()}
        )
        if not self._written <= now:
            raise Failed("paid", f"rows of the ledger are no more: {sorted(map(str, self._written - now))[:3]}")
        self._written = now

    def restored(self) -> None:
        """A backup knows less than was written."""
        self._written = set()

    def _decision(self) -> list[Row]:
        roll, user, plan = self.rng.random(), self.rng.choice(PEOPLE), self.rng.choice(PLANS)
        day, given = self.rng.choice(DAYS), f"{user}.{plan}"
        if roll < 0.25:
            return [("commission_plans", plan, self._plan(plan))]
        if roll < 0.6:
            return [("commission_plans", plan, self._plan(plan)), self._given(user, plan, day)]
        if roll < 0.7:
            return [("commission_assignments", given, {"valid_from": day, "valid_to": self.rng.choice((None, *DAYS))})]
        if roll < 0.76:
            return [("commission_assignments", given, None)]
        if roll < 0.82:
            return [("commission_plans", plan, {"valid_to": self.rng.choice((None, *DAYS))})]
        if roll < 0.9:
            rate = {"base_currency": "EUR", "quote_currency": "USD", "rate": self.rng.choice(("1.25", "2", "1.1"))}
            return [("rates", f"pay-{day}", {**rate, "valid_from": day})]
        version = {"quota_key": f"q-{user}", "number": 1, "target": self.rng.choice((500, 20_000)), "currency": "EUR"}
        version |= {"valid_from": "2026-01-01", "approved_by": "mia", "approved_at": self.world.clock.now_ms()}
        quota = {"user_key": user, "period_key": "first", "measure": "revenue", "target": 500, "currency": "EUR"}
        return [
            ("fiscal_periods", "first", PERIOD),
            ("quotas", f"q-{user}", {**quota, "approvals": 1, "status": "approved"}),
            ("quota_versions", f"q-{user}.1", version),
        ]

    def _given(self, user: str, plan: str, day: str) -> Row:
        return "commission_assignments", f"{user}.{plan}", {"plan_key": plan, "user_key": user, "valid_from": day}

    def _plan(self, key: str) -> dict[str, Any]:
        dice = random.Random(f"{key} of {self.rng.random() < 0.9}")  # mostly the same again
        quota = dice.random() < 0.3
        return {
            "name": key,
            "mode": dice.choice(("bands", "whole")),
            "tiers": QUOTA_TIERS if quota else MONEY_TIERS,
            "of_quota": quota,
            "period": dice.choice(("month", "quarter")),
            "currency": "EUR",
            "cap_minor": dice.choice((None, 700)),
            "retier": dice.random() < 0.4,
            "overlay": key == "p3",
            "valid_from": "2025-01-01",
        }

    def _put(self, connection: Connection, row: Row) -> int:
        entity, key, values = row
        now = self.world.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key="root", at=now, stored_at=now)
        cell = door.cell(entity, key)
        if cell.rev == 0 and (values is None or "valid_to" in values):
            return 0  # nobody was given it
        if values is None:
            edits.delete(door, EVERYONE, cell, origin)
        elif entity in ("quotas", "quota_versions"):  # as the commands of quotas leave them
            door.put(cell, values, origin)
        elif cell.rev == 0:
            edits.create(door, EVERYONE, entity, key, values, origin)
        else:
            changed = {f: v for f, v in values.items() if cell.row[f] != v}
            edits.update(door, EVERYONE, cell, changed, origin)
        return door.flush()
