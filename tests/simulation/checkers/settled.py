"""What people settle stays whole (S1, S19): repairs land once, take along what waited, and no decision loses a value.

A refusal says that it was repaired only where its words landed; only the mutation that it names changed anything for
it; and nothing is left waiting for what was repaired. Whoever puts a losing value back must have kept what it replaced.
"""

from typing import Any

import msgspec

from sfa.core.shapes import SHAPES
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed

WAITS = "depends_on_refused"


def check(books: Books) -> None:
    refusals = {stored.key: stored.row for stored in books.snapshot.live("refusals")}
    landed = [e for e in books.history if e["entity"] != "refusals"]
    words = msgspec.json.encode([e["changes"] for e in landed])
    for key, row in refusals.items():
        if row["status"] == "repaired":
            _check_landed(key, row, words)
        elif row["status"] == "open" and row["code"] == WAITS:
            _check_waits(key, row, refusals)
    _check_once(books, refusals)
    _check_restored(books)


def _check_landed(key: str, row: dict[str, Any], words: bytes) -> None:
    if row["repairs_key"] is not None and row["repaired_with"] is None:
        return  # an earlier try: what landed in its place is told with the first one
    said = (row["repaired_with"] or {}).get("set", {})
    for value in said.values():
        for word in value.split() if isinstance(value, str) else ():
            if word[:1] == "w" and word[1:].isdigit() and f"{word}".encode() not in words:
                raise Failed("settled", f"{key} was repaired by {row['repaired_by']}, and {word} did not land")


def _check_waits(key: str, row: dict[str, Any], refusals: dict[str, dict[str, Any]]) -> None:
    """Whoever is refused for a refused create or command waits for one that is still refused."""
    content = row["mutation"]
    named = {(row["entity"], row["row_key"])}
    for field, target in SHAPES[row["entity"]].references.items():
        named.add((target, content.get("set", {}).get(field)))
    named.add((row["entity"], content.get("set", {}).get("into")))
    causes = [
        other
        for other in refusals.values()
        if (other["n"], other["author_key"]) == (row["depends_on_n"], row["author_key"])
        and (other["entity"], other["row_key"]) in named
    ]
    if causes and all(cause["status"] == "repaired" for cause in causes):
        raise Failed("settled", f"{key} waits for {row['depends_on_n']}, which was repaired")


def _check_once(books: Books, refusals: dict[str, dict[str, Any]]) -> None:
    for mark, mutation in books.sent.items():
        named = mutation.get("repairs")
        changed = [e for e in books.made.get(mark, ()) if e["entity"] not in ("refusals", "conflicts")]
        if named is None or not changed or books.told[mark]["outcome"] in ("refused", "skipped"):
            continue
        row = refusals[named]
        if row["repaired_by"] != f"{mark[0]}.{mark[1]}":
            raise Failed("settled", f"{named} was repaired by {row['repaired_by']}, and again by {mark}")


def _check_restored(books: Books) -> None:
    """What a restored value replaced is in a conflict of its own, if it was anything."""
    kept = [s.row for (e, _), s in books.snapshot.rows.items() if e == "conflicts" and s.row["strategy"] == "person"]
    for entry in books.history:
        if entry["kind"] != "restore" or entry["entity"] == "conflicts":  # what is asked anew is no value
            continue
        for field, (old, new) in (entry["changes"] or {}).items():
            if old is None or SHAPES[entry["entity"]].types.get(field) is None:
                continue
            if not any((row["losing"] or {}).get(field) == old for row in kept):
                raise Failed("settled", f"{field} {old!r} of {entry['key']} was replaced by {new!r}, and is not kept")
