"""People sell and visit: deals are won, shared out, reopened and changed on phones and at screens, into one period.

Some seeds are such, by dice of their own, so that all others play as if nobody had a quota. What comes of it is looked
at when the seed ends (`tests.simulation.checkers.figures`).
"""

import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm import edits, steps
from sfa.db.writes import Door, Origin
from sync.protocol import CONTRACT_MAX
from tests.builders import EVERYONE
from tests.simulation.actions import splits
from tests.simulation.company import PEOPLE, STAGES_OPEN
from tests.simulation.failure import Crash
from tests.simulation.phones import Part, Phone, Rows

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY, SEEDS = 20, (1, 8, 14)
A_STEP = 0.6
AMOUNTS = (1, 333, 10_000, 100_001)
CURRENCIES = ("EUR", "EUR", "EUR", "USD")


class Earning:
    def __init__(self, seed: int, world: "World") -> None:
        self.is_on = seed % EVERY in SEEDS
        self.world, self.rng = world, random.Random(f"earnings of {seed}")
        self._made = 0

    def _key(self, kind: str) -> str:
        self._made += 1
        return f"{kind}.{self._made}"

    # -- on a phone -------------------------------------------------------------------------------------------------

    def work(self, phone: Phone, rows: Rows) -> None:
        """Without signal."""
        if not self.is_on:
            return
        for _ in range(self.rng.choice((1, 2, 3))):
            part = self._visit(phone, rows) if self.rng.random() < 0.35 else self._deal(phone, rows)
            if part is not None and phone.do(part):
                self.world.log(f"{phone.key} earns {part}")

    def _of(self, rows: Rows, entity: str) -> list[tuple[str, dict[str, Any]]]:
        return sorted((key, row) for (found, key), (_, row) in rows.items() if found == entity)

    def _deal(self, phone: Phone, rows: Rows) -> Part | None:
        deals = [(key, row) for key, row in self._of(rows, "deals") if row["owner_key"] == phone.user]
        accounts = [key for key, _ in self._of(rows, "accounts")]
        if not deals or self.rng.random() < 0.25:
            if not accounts:
                return None
            values: dict[str, Any] = {
                "name": "earned",
                "account_key": self.rng.choice(accounts),
                "stage_key": STAGES_OPEN[0],
            }
            values |= {"owner_key": phone.user, **self._money()}
            if self.rng.random() < 0.4:
                values["splits"] = splits(self.rng, phone.user)
            return "create", "deals", self._key("earned"), values
        key, row = self.rng.choice(deals)
        part = self._change(key, row["owner_key"], closed=row["closed_at"] is not None)
        return part if phone.contract == CONTRACT_MAX or "overlays" not in part[3] else None  # older apps know none

    def _change(self, key: str, owner: str, *, closed: bool) -> Part:
        roll = self.rng.random()
        if roll < 0.5:
            if closed:
                return "deal.reopen", "deals", key, {"stage_key": STAGES_OPEN[1]}
            return "deal.win", "deals", key, {}
        if roll < 0.7:
            return "update", "deals", key, self._money()
        if roll < 0.9:
            return "update", "deals", key, {"splits": splits(self.rng, owner)}
        other = self.rng.choice([person for person in PEOPLE if person != owner])
        return "update", "deals", key, {"overlays": [{"user_key": other, "share_bp": 2_500}]}

    def _money(self) -> dict[str, Any]:
        return {"amount_minor": self.rng.choice(AMOUNTS), "currency": self.rng.choice(CURRENCIES)}

    def _visit(self, phone: Phone, rows: Rows) -> Part | None:
        mine = [(key, row) for key, row in self._of(rows, "visits") if row["owner_key"] == phone.user]
        for key, row in mine:
            if row["status"] == "checked_in":
                return "visit.check_out", "visits", key, {}
        planned = [key for key, row in mine if row["status"] == "planned"]
        if planned and self.rng.random() < 0.7:
            return "visit.check_in", "visits", self.rng.choice(planned), {}
        contacts = self._of(rows, "contacts")
        if not contacts:
            return None
        key, row = self.rng.choice(contacts)
        values = {"account_key": row["account_key"], "contact_key": key, "owner_key": phone.user}
        return "create", "visits", self._key("met"), values

    # -- at a screen ------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Meanwhile somebody else does the same, by the functions of the routes."""
        if not self.is_on or self.rng.random() > A_STEP:
            return
        deals = sorted(((s.key, s.row) for s in self.world.server.snapshot().live("deals")), key=lambda found: found[0])
        if not deals:
            return
        key, row = self.rng.choice(deals)
        part = self._change(key, row["owner_key"], closed=row["closed_at"] is not None)
        try:
            said = self.world.server.write(self._at_screen, part)
        except (Refused, Crash) as refused:
            said = str(refused)
        self.world.log(f"screen earns {part}: {said}")

    def _at_screen(self, connection: Connection, part: Part) -> int:
        kind, entity, key, values = part
        now = self.world.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key="root", at=now, stored_at=now)
        cell = door.cell(entity, key)
        if kind == "update":
            edits.update(door, EVERYONE, cell, values, origin)
        else:
            steps.step(door, EVERYONE, cell, kind, values, origin)
        return door.flush()
