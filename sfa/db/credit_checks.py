"""Whether stored credits are those that follow from deals: what a rebuild would change, without changing it (R9, R55).

The rule is that of the rebuild itself (`sfa.db.credits`), on thousands of deals at a time. Read it in one snapshot.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from sfa.db import credits as kept
from sfa.db.prepared import listed
from sfa.db.reopened import NOTHING

Rows = list[dict[str, Any]]


class Differing(Struct, frozen=True):
    """A deal with other credits than it should have: what is stored and what would be, its rows of one kind."""

    deal_key: str
    stored: Rows
    due: Rows


def differing(connection: Connection) -> Iterator[Differing]:
    """Of every deal that was closed or credited, in the order of keys."""
    after = ""
    while keys := kept.deal_keys(connection, after):
        for start in range(0, len(keys), kept.BATCH_DEALS):
            yield from _of(connection, keys[start : start + kept.BATCH_DEALS])
        after = keys[-1]


def _of(connection: Connection, deals: list[str]) -> Iterator[Differing]:
    keys = listed(connection, deals)
    rows = [dict(row) for row in connection.execute(kept._read_deals, {"keys": keys}).mappings()]
    stored = kept._read_kept(connection, keys)
    settings, known = kept._read_settings(connection), kept._read_known(connection, rows, NOTHING)
    for deal in sorted(rows, key=lambda row: str(row["key"])):
        was = stored.get(deal["key"], kept._Kept())
        credits_, quantities = kept._due(deal, was, settings, known)
        for there, due, columns in ((was.credits, credits_, kept._ROW), (was.quantities, quantities, kept._QUANTITY)):
            if not kept._same(there, due, columns):
                yield Differing(deal["key"], _only(there, due, columns), _only(due, there, columns))


def _only(these: Iterable[Mapping[str, Any]], those: Iterable[Mapping[str, Any]], columns: tuple[str, ...]) -> Rows:
    """The rows of one side that the other has not, in order."""
    known = {tuple(row[name] for name in columns) for row in those}
    found = [dict(row) for row in these if tuple(row[name] for name in columns) not in known]
    return sorted(found, key=lambda row: str([row[name] for name in columns]))
