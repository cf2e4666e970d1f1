"""People spend and work for customers on phones, offers are made, and screens charge deals, by dice of their own.

Some seeds are such, so that all others play as if selling cost nothing. What comes of it is looked at when the seed
ends (`tests.simulation.checkers.profits`).
"""

import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.db.writes import Door, Origin
from sfa.profit.deal import quotes
from sync.protocol import CONTRACT_MAX
from tests.builders import EVERYONE
from tests.simulation.company import STAGES_OPEN
from tests.simulation.failure import Crash
from tests.simulation.phones import Part, Phone, Rows

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY, SEEDS = 20, (15, 19)
A_STEP = 0.3
AMOUNTS = (1, 99, 12_50, 100_01)
KINDS = ("freight", "rebate", "goods_return", "credit_note", "other")


class Spending:
    def __init__(self, seed: int, world: "World") -> None:
        self.is_on = seed % EVERY in SEEDS
        self.world, self.rng = world, random.Random(f"spendings of {seed}")
        self._made = 0

    def _key(self, kind: str) -> str:
        self._made += 1
        return f"{kind}.{self._made}"

    # -- on a phone -------------------------------------------------------------------------------------------------

    def work(self, phone: Phone, rows: Rows) -> None:
        """Without signal; older apps know nothing of it."""
        if not self.is_on or phone.contract != CONTRACT_MAX:
            return
        for _ in range(self.rng.choice((1, 2, 3))):
            part = self._part(phone, rows)
            if part is not None and phone.do(part):
                self.world.log(f"{phone.key} spends {part}")

    def _of(self, rows: Rows, entity: str) -> list[tuple[str, dict[str, Any]]]:
        return sorted((key, row) for (found, key), (_, row) in rows.items() if found == entity)

    def _part(self, phone: Phone, rows: Rows) -> Part | None:
        roll = self.rng.random()
        mine = [key for key, row in self._of(rows, "expenses") if row["owner_key"] == phone.user]
        if mine and roll < 0.15:
            return "update", "expenses", self.rng.choice(mine), self._money()
        if mine and roll < 0.2:
            return "delete", "expenses", self.rng.choice(mine), {}
        deals = [key for key, row in self._of(rows, "deals") if row["owner_key"] == phone.user and row["amount_minor"]]
        if deals and roll < 0.4:
            return "deal.quote", "deals", deals[0], {}  # the same one, over and over
        accounts = self._of(rows, "accounts")
        if accounts and roll < 0.5:
            said = {"name": "offered", "account_key": accounts[0][0], "stage_key": STAGES_OPEN[0], **self._money()}
            return "create", "deals", self._key("offered"), {**said, "owner_key": phone.user}
        place = self._place(rows)
        if place is None:
            return None
        own = {"owner_key": phone.user, **place}
        if roll < 0.6:
            said = {"kind": "proposal", "minutes": self.rng.choice((1, 20, 90)), "done_on": self._day()}
            return "create", "work_entries", self._key("worked"), {**said, **{k: own[k] for k in own if k[0] != "v"}}
        if roll < 0.75:
            said = {"kind": "sample", "product_key": "pump", "quantity": "0.333", "spent_on": self._day()}
            return "create", "expenses", self._key("sampled"), {**own, **said}
        return (
            "create",
            "expenses",
            self._key("spent"),
            {**own, "kind": "meal", **self._money(), "spent_on": self._day()},
        )

    def _place(self, rows: Rows) -> dict[str, Any] | None:
        """A customer, a deal or a visit, or two of them, which need not belong together."""
        found: dict[str, Any] = {}
        for name, entity in self.rng.sample([("account", "accounts"), ("deal", "deals"), ("visit", "visits")], 2):
            there = self._of(rows, entity)
            if there and (not found or self.rng.random() < 0.2):
                first = name == "account" and self.rng.random() < 0.6  # where the offers are
                found[f"{name}_key"] = there[0][0] if first else self.rng.choice(there)[0]
        return found if found.keys() - {"visit_key"} else None

    def _money(self) -> dict[str, Any]:
        return {"amount_minor": self.rng.choice(AMOUNTS), "currency": "EUR"}

    def _day(self) -> str:
        return self.world._day(self.rng.choice((-3, -1, 0, 0, 0)))

    # -- at a screen ------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Meanwhile finance charges a deal, corrects a charge or takes it back, and somebody makes an offer again."""
        if not self.is_on or self.rng.random() > A_STEP:
            return
        snapshot = self.world.server.snapshot()
        deals = sorted(row.key for row in snapshot.live("deals"))
        offers = sorted(
            row.key for row in snapshot.live("deals") if row.row["amount_minor"] and not row.row["closed_at"]
        )
        charges = sorted(row.key for row in snapshot.live("deal_charges"))
        if offers and self.rng.random() < 0.5:
            part: Part = ("deal.quote", "deals", offers[0], {})
        elif charges and self.rng.random() < 0.4:
            kind = self.rng.choice(("update", "delete"))
            part = (kind, "deal_charges", self.rng.choice(charges), self._money() if kind == "update" else {})
        elif deals:
            said = {"deal_key": self.rng.choice(deals), "kind": self.rng.choice(KINDS), "booked_on": self._day()}
            part = ("create", "deal_charges", self._key("charged"), {**said, **self._money()})
        else:
            return
        try:
            said_ = self.world.server.write(self._at_screen, part)
        except (Refused, Crash) as refused:
            said_ = str(refused)
        self.world.log(f"screen charges {part}: {said_}")

    def _at_screen(self, connection: Connection, part: Part) -> int:
        kind, entity, key, values = part
        now = self.world.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key="fay", at=now, stored_at=now)
        if kind == "create":
            edits.create(door, EVERYONE, entity, key, values, origin)
        elif kind == "update":
            edits.update(door, EVERYONE, door.cell(entity, key), values, origin)
        elif kind == "deal.quote":
            quotes.quote(door, EVERYONE, door.cell(entity, key), values, origin)
        else:
            edits.delete(door, EVERYONE, door.cell(entity, key), origin)
        return door.flush()
