"""Duplicates are suggested where both rows lie, and nowhere else (S13, S30).

At the end of a seed the finder has come to rest. Whatever is still suggested must be there to be accepted: two living
rows that lie together. And each pair of one name that lies together must have been noticed, unless more bear the name
than a heap holds.
"""

from collections import defaultdict

from sfa.crm.finder import ENTITIES, HEAP_MAX, suggestion_key
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed
from tests.simulation.snapshot import Snapshot, Stored

PAIR = ("row_key", "other_key")


def check(books: Books) -> None:
    snapshot = books.snapshot
    became = {(row["entity"], row["loser_key"]): row["survivor_key"] for row in books.redirects}
    made = (e for e in books.history if (e["entity"], e["kind"]) == ("suggestions", "create"))
    first = {e["key"]: [e["changes"][field][1] for field in PAIR] for e in made}
    for stored in snapshot.live("suggestions"):
        row = stored.row
        if row["kind"] != "duplicate":
            continue
        said = first[stored.key]
        if row["status"] == "accepted" and len({became.get((row["entity"], k), k) for k in said}) > 1:
            raise Failed("suggested", f"{stored.key} was accepted, and the two are still two")
        one, two = (snapshot.rows[row["entity"], row[field]] for field in PAIR)
        parted = one is two or one.gone or two.gone or _lies(snapshot, one) != _lies(snapshot, two)
        if row["status"] == "open" and parted:
            raise Failed("suggested", f"{stored.key} cannot come true: {row}")
    for entity in ENTITIES:
        _check_found(entity, snapshot)


def _check_found(entity: str, snapshot: Snapshot) -> None:
    named: dict[tuple[object, ...], list[Stored]] = defaultdict(list)
    for stored in snapshot.live(entity):
        named[stored.row["name"], stored.row.get("account_key"), *_lies(snapshot, stored)].append(stored)
    for alike in named.values():
        for stored in alike[1:] if len(alike) < HEAP_MAX else ():
            key = suggestion_key(entity, alike[0].key, stored.key)
            found = snapshot.rows.get(("suggestions", key))
            if _differ(alike[0], stored) or (found is not None and found.row["status"] != "withdrawn"):
                continue
            raise Failed("suggested", f"nobody is told that {alike[0].key} and {stored.key} are one: {found}")


def _differ(one: Stored, two: Stored) -> bool:
    """Evidence against the names."""
    fields = ("phone", "mobile", "email", "website", "city", "postal_code")
    return any(one.row.get(f) and two.row.get(f) and one.row[f] != two.row[f] for f in fields)


def _lies(snapshot: Snapshot, stored: Stored) -> tuple[str, ...]:
    return tuple(sorted(snapshot.buckets(stored)))
