"""The main job on the real set: a phone for each sales agent, equal to what the server says its agent may see.

The phones are reference devices over the real bytes of `POST /sync`; what they should hold is recomputed from the rows
and the trees, without the feed, the stored buckets and the stored intervals.
"""

import os
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from sfa.core.clock import VirtualClock
from sfa.core.ids import KeyMaker
from sfa.crm.imports.load import load
from sfa.crm.imports.opportunities import read_opportunities
from sfa.crm.imports.plan import plan_rows
from sfa.db.database import Database
from sfa.db.tables import ROWS
from sync.decisions import COMMANDS
from sync.device import Device, Store
from sync.round import Caller, Round
from tests.builders import NOW, register
from tests.office import SECRET
from tests.races.truth import Truth

FOLDER = Path(os.environ.get("SFA_SAMPLE_DATA", "")) / "crm_sales_opportunities"

pytestmark = pytest.mark.skipif(
    not os.environ.get("SFA_SAMPLE_DATA") or not FOLDER.is_dir(),
    reason="SFA_SAMPLE_DATA does not name a folder with the public set crm_sales_opportunities",
)


class Wire:
    """The server in process, for one registration that is logged in."""

    def __init__(self, rounds: Round, user: str) -> None:
        self._rounds, self._caller = rounds, Caller(user, f"d-{user}")

    def post(self, path: str, body: bytes, _token: str | None) -> tuple[int, bytes]:
        if path == "/auth/login":
            user = {"key": self._caller.user, "name": "Agent", "email": "agent@example.com", "role": "rep"}
            tokens = b'{"access_token":"a","refresh_token":"r","expires_in":900,"device_id":"%s","user":%s}'
            return 200, tokens % (self._caller.device.encode(), msgspec.json.encode(user))
        return 200, self._rounds.answer_blocking(self._caller, body)


def test_every_agents_phone_equals_the_server_row_by_row(database: Database) -> None:
    """Promises 3 and 4, on data that fits no naive scope."""
    load(database, plan_rows(read_opportunities(FOLDER)), NOW)
    clock = VirtualClock(NOW)
    rounds = Round(database, clock, SECRET, COMMANDS)
    truth = database.read(lambda connection: Truth(connection, NOW))
    agents = [key for (entity, key), row in truth.rows.items() if entity == "users" and row["role"] == "rep"]
    deals: Counter[str] = Counter(row["owner_key"] for (entity, _), row in truth.rows.items() if entity == "deals")
    assert len(agents) == 35
    assert sum(agent in deals for agent in agents) == 30
    for agent in agents:
        database.write(register, f"d-{agent}", agent)
        device = Device(Store(), Wire(rounds, agent), clock, KeyMaker(clock))
        device.login("agent@example.com", "password")
        result = device.sync()
        held = device.synced_rows()
        assert {place: row for place, (_, row) in held.items()} == truth.visible(agent)
        assert {place: rev for place, (rev, _) in held.items()} == {place: truth.rows[place]["rev"] for place in held}
        own = {key for (entity, key), (_, row) in held.items() if entity == "deals" and row["owner_key"] == agent}
        assert (result.caught_up, len(own)) == (True, deals[agent])
        assert not any(entity == "unit_costs" for entity, _ in held)
        device.store.close()
    table = ROWS["deals"]
    homeless = select(func.count()).where(table.c.account_key.is_(None))
    assert database.read(lambda connection: connection.execute(homeless).scalar()) == 1_425
