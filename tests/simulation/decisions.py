"""What people decide at a screen, and repair there, while their phones and other people decide it too."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from sfa.crm import merges, online
from sfa.crm.merges import Undo
from sfa.crm.online import Order
from sync.decisions import COMMANDS as ALL
from sync.repair_routes import RepairRequest, repair_online
from tests.older_contract import VERSIONS_FROM_0
from tests.simulation.actions import Maker, is_readable, repair_of
from tests.simulation.checkers.parted import watched
from tests.simulation.snapshot import Snapshot

UNDO = "undo"
COMMANDS = watched(ALL)
DECIDES = {"conflicts": ("restore", "dismiss"), "suggestions": ("accept", "decline"), "refusals": ("dismiss",)}


class Screen:
    """One decision of one person, in a transaction of its own, by the functions of the routes."""

    def __init__(self, maker: Maker) -> None:
        self._maker, self._rng = maker, maker.rng
        self.versions = VERSIONS_FROM_0

    def choose(self, snapshot: Snapshot, user: str) -> tuple[str, str, str, dict[str, Any]] | None:
        """-> (what, key, action, body)."""
        if self._maker.merged and self._rng.random() < 0.4:
            entity, loser, _ = self._rng.choice(self._maker.merged)
            return entity, loser, UNDO, {"all": self._rng.random() < 0.5}
        rows = snapshot.visible(user)
        open_ = sorted(p for p in rows if p[0] in DECIDES and rows[p][1]["status"] in ("open", "closed"))
        if not open_:
            return None
        rare = [place for place in open_ if place[0] == "suggestions"]
        what, key = self._rng.choice(rare if rare and self._rng.random() < 0.5 else open_)
        row = rows[what, key][1]
        if what == "refusals" and is_readable(row) and self._rng.random() < 0.85:
            return what, key, "repair", repair_of(self._maker, row, rows)
        return what, key, self._rng.choice(DECIDES[what]), {}

    def decide(
        self, connection: Connection, now_ms: int, user: str, what: str, key: str, action: str, body: dict[str, Any]
    ) -> str:
        """-> what became of it. A refusal ends the transaction."""
        if action == UNDO:
            return str(merges.undo(connection, now_ms, user, what, key, msgspec.convert(body, Undo), COMMANDS).rev)
        if action == "repair":
            asked = msgspec.convert(body, RepairRequest)
            return repair_online(connection, now_ms, user, key, asked, None, COMMANDS, self.versions).receipt.outcome
        return str(online.order(connection, now_ms, Order(user, f"{what[:-1]}.{action}", key), COMMANDS).row["status"])
