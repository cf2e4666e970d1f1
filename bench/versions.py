"""What older contract versions cost (S32): whole first syncs, page by page, in this process, taking turns.

Rows are accounts and contacts. Version 1 differs from the newest in neither, so that its documents are looked at and
passed on as they are; the version that there never was (`tests.older_contract`) differs in both, so that every document
is decoded and written anew.
"""

import time

from bench.company import Device
from bench.subjects import Figures
from sfa.db.database import Database
from sync import pull
from sync.protocol import CONTRACT_MAX, PAGE_ROWS_MAX
from sync.pull import Puller, Scopes
from tests.older_contract import VERSIONS_FROM_0

SECRET = b"a secret for measuring, of 32 by"
TURNS = 7
NEWEST, FIRST, DECODED = "newest version", "version 1, passed on", "a version with all documents decoded"
WAYS = {NEWEST: CONTRACT_MAX, FIRST: 1, DECODED: 0}


def first_syncs(database: Database, device: Device) -> list[tuple[str, Figures]]:
    """The least CPU of some turns of each."""
    least: dict[str, tuple[float, int]] = {}
    for _ in range(TURNS):
        for name, contract in WAYS.items():
            used, rows = _sync(database, device, contract)
            least[name] = min(least.get(name, (used, rows)), (used, rows))
    return [(name, {"rows": rows, "cpu_us_a_row": round(used / rows * 1e6, 3)}) for name, (used, rows) in least.items()]


def _sync(database: Database, device: Device, contract: int) -> tuple[float, int]:
    puller = Puller(device.user, device.key, contract, VERSIONS_FROM_0.projection(contract))
    scopes, cursor, rows = Scopes(), None, 0
    begun = time.process_time()
    while True:
        page = database.read(pull.page, puller, cursor, 0, SECRET, scopes, PAGE_ROWS_MAX)
        cursor, rows = page.cursor, rows + page.rows
        if page.caught_up:
            return time.process_time() - begun, rows
