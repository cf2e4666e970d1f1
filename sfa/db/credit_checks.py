"""Whether stored credits are those that follow from deals: what a rebuild would change, without changing it (R9, R55).

The rule is that of the rebuild itself (`sfa.db.credits`), on thousands of deals at a time. Read it in one snapshot.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from sfa.db import credits as kept
from sfa.db.credit_rows import Stored

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
    stored, found = kept.stored_and_due(connection, deals)
    for deal, due in sorted(found.items()):
        was = stored.get(deal, Stored())
        for there, should in ((was.counts.credits, due.counts.credits), (was.counts.quantities, due.counts.quantities)):
            more, missing = _only(there, should), _only(should, there)
            if more or missing:
                yield Differing(deal, more, missing)


def _only(these: Rows, those: Rows) -> Rows:
    """The rows of one side that the other has not, in order."""
    known = {tuple(sorted(row.items())) for row in those}
    found = [row for row in these if tuple(sorted(row.items())) not in known]
    return sorted(found, key=lambda row: str(sorted(row.items())))
