"""That a deal was won is told to other systems in the transaction that wins it, whoever does: a phone that was offline
for days, a screen, a buyer who accepts.

The door calls `tell_wins` after it has written rows. A closing is told once, by the deal and the instant at which it
was closed: who reopens a deal and wins it again is told again, who corrects what was won is not. What a file brings
(`import`), and a deal that was made as a closed one, is how things stood before, and is told to nobody.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sfa.db.cells import Cell
from sfa.db.outgoing import Event, emit_all
from sfa.db.prepared import among, listed
from sfa.db.storing import Version
from sfa.db.tables import ROWS

UNTOLD = frozenset({"import", "create"})
SAID = ("account_key", "owner_key", "stage_key", "amount_minor", "currency", "closed_at")
_ENDS = frozenset({"closed_at", "stage_key"})
_STAGES = ROWS["stages"]


def tell_wins(connection: Connection, cells: Mapping[tuple[str, str], Cell], entries: Sequence[Version]) -> int:
    """-> how many were told; of a transaction that closes no deal nothing is read."""
    moves = [e for e in entries if e.entity == "deals" and e.kind not in UNTOLD and not _ENDS.isdisjoint(e.changes)]
    deals = [cells["deals", key] for key in sorted({e.key for e in moves})]
    ended = [deal for deal in deals if deal.exists and deal.row["closed_at"] is not None]
    if not ended:
        return 0
    left = {e.changes["stage_key"][0] for e in moves if "stage_key" in e.changes} - {None}
    won = _won(connection, left | {deal.row["stage_key"] for deal in ended})
    fresh = {e.key for e in moves if _is_closing(e, won)}
    events = [event_of(deal.key, deal.row) for deal in ended if deal.row["stage_key"] in won and deal.key in fresh]
    return emit_all(connection, events) if events else 0


def event_of(key: str, deal: Mapping[str, Any]) -> Event:
    """What is told of a deal that was won."""
    said = hashlib.sha256(f"{key} {deal['closed_at']}".encode()).hexdigest()[:32]
    data = {"deal_key": key, **{field: deal[field] for field in SAID}}
    return Event(kind="deal.won", key=f"won-{said}", at=deal["closed_at"], data=data)


def _won(connection: Connection, stages: Iterable[str]) -> set[str]:
    query = select(_STAGES.c.key).where(among(_STAGES.c.key, "keys"), _STAGES.c.kind == "won")
    return set(connection.execute(query, {"keys": listed(connection, sorted(stages))}).scalars())


def _is_closing(entry: Version, won: set[str]) -> bool:
    """Whether it went from open, or lost, to won."""
    before, after = entry.changes.get("closed_at", (0, 0))
    was, now = entry.changes.get("stage_key", (None, None))
    return (before is None and after is not None) or (now in won and was not in won)
