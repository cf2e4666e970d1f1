"""Why a command found its row in the wrong state: perhaps the author's own command before it was refused (S19)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.rules import transition
from sfa.core.transitions import Lookup
from sfa.db.tables import ROWS
from sfa.db.writes import Door
from sync.protocol import Mutation

REUSED = "mutation_reused"
# Where a command leads, as far as another command asks: whatever else was wrong with it.
LEADS_TO: dict[str, dict[str, Any]] = {
    "visit.check_in": {"status": "checked_in"},
    "visit.check_out": {"status": "completed"},
    "visit.cancel": {"status": "cancelled"},
    "visit.no_show": {"status": "no_show"},
    "visit.submit": {"submitted": True},
    "deal.move": {"closed_at": None},
    "deal.win": {"closed_at": 0},
    "deal.lose": {"closed_at": 0},
    "deal.reopen": {"closed_at": None},
    "deal.transfer": {"closed_at": None},
    "deal.sign": {"signed_at": 0},
    "deal.invoice": {"invoiced_at": 0},
}


def refused_command(
    door: Door, author: str | None, device: str, mutation: Mutation, row: Mapping[str, Any], lookup: Lookup
) -> int | None:
    """The number of the refused command without which this one is illegal, and with which it would not be; None if
    there is none. Only what the same registration sent before, and what is still open, counts."""
    found: int | None = None
    for n, kind in _refused(door, author, device, mutation):
        found, row = n, {**row, **LEADS_TO[kind]}
    if found is None:
        return None
    try:
        done = transition(mutation.kind, row, mutation.set, mutation.at, lookup.on(mutation.key))
    except Refused:
        return None
    return found if done.illegal is None else None


def _refused(door: Door, author: str | None, device: str, mutation: Mutation) -> list[tuple[int, str]]:
    """(number, command) of the open ones about the row, oldest first: stored, or of this very push."""
    table = ROWS["refusals"]
    about = (table.c.entity == mutation.entity, table.c.row_key == mutation.key, table.c.device_key == device)
    mine = (table.c.author_key == author, table.c.kind.in_(LEADS_TO), table.c.status == "open", ~table.c.gone)
    stored = door.connection.execute(select(table.c.n, table.c.kind).where(*about, *mine))
    found: dict[int, str] = {row.n: row.kind for row in stored}
    for cell in door.cells_of("refusals"):
        if not cell.exists or (cell.row["entity"], cell.row["row_key"]) != (mutation.entity, mutation.key):
            continue
        if cell.row["status"] == "open":
            found[cell.row["n"]] = cell.row["kind"]
        elif cell.row["device_key"] == device:
            found.pop(cell.row["n"], None)
    return [(n, found[n]) for n in sorted(found) if n < mutation.n and found[n] in LEADS_TO]


def refused_create(door: Door, author: str | None, entity: str, key: str) -> int | None:
    """The number of the author's own refused create of a row, if that is why the row is missing (S19). What came
    under a used number is no cause: its device sends it again (S18)."""
    if not is_key(key):
        return None
    table = ROWS["refusals"]
    mine = (table.c.author_key == author, table.c.entity == entity, table.c.row_key == key)
    query = (
        select(table.c.key, table.c.n)
        .where(*mine, table.c.kind == "create", table.c.status == "open", ~table.c.gone, table.c.code != REUSED)
        .order_by(table.c.n)
    )
    here = door.cells_of("refusals")
    settled = {cell.key for cell in here if cell.row and cell.row["status"] != "open"}
    for refusal, n in door.connection.execute(query):
        if refusal not in settled:
            return int(n)
    for cell in here:
        if cell.key in settled or not cell.row or cell.row["code"] == REUSED:
            continue
        made = (cell.row["entity"], cell.row["row_key"], cell.row["kind"]) if cell.exists else None
        if made == (entity, key, "create"):
            return int(cell.row["n"])
    return None
