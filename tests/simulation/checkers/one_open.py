"""Nobody is in two places and nobody is asked (R13): of two visits of one person that are open, a conflict tells.

Looked at are visits that were checked in by the command and whose state nobody has set otherwise since, nor given them
to somebody else: what a person put back is that person's decision.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from sfa.visits.open_visits import REASON
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed


def check(books: Books) -> None:
    rows = [stored.row for stored in books.snapshot.live("conflicts") if stored.row["reason"] == REASON]
    asked = {frozenset((row["row_key"], row["other_key"])) for row in rows}
    set_by: dict[str, str] = {}
    given: set[str] = set()
    for entry in books.history:
        if entry["entity"] == "visits":
            _note(entry, set_by, given)
    open_of: dict[str, list[str]] = {}
    for stored in books.snapshot.live("visits"):
        by_command = set_by.get(stored.key) == "visit.check_in" and stored.key not in given
        if stored.row["status"] == "checked_in" and by_command:
            open_of.setdefault(stored.row["owner_key"], []).append(stored.key)
    for owner, keys in open_of.items():
        for one, other in combinations(sorted(keys), 2):
            if frozenset((one, other)) not in asked:
                raise Failed("one_open", f"{owner} is at {one} and at {other}, and nobody is asked")


def _note(entry: Mapping[str, Any], set_by: dict[str, str], given: set[str]) -> None:
    changes = entry["changes"] or {}
    if "status" in changes:
        set_by[entry["key"]] = entry["kind"]
    if "owner_key" in changes and entry["kind"] != "create":
        given.add(entry["key"])
    if entry["kind"] == "delete":
        given.add(entry["key"])  # what is brought back was not there when the other one was opened
