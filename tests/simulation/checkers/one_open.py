"""Nobody is in two places and nobody is asked (R13): of two visits of one person that are open, a conflict tells.

However they came to be open at once: by commands, a restored check-in, another owner, a deleted visit that came back.
A pair that was asked about once may be what a person decided; it is not asked again.
"""

from itertools import combinations

from sfa.crm.open_visits import REASON
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed


def check(books: Books) -> None:
    asked = set()
    for stored in books.snapshot.live("conflicts"):
        if stored.row["reason"] != REASON:
            continue
        asked.add(books.snapshot.visit_pairs.get(stored.key))
        if stored.row["status"] == "open" and not stored.buckets:
            raise Failed("one_open", f"{stored.key} asks, and lies where nobody sees it")
    open_of: dict[str, list[str]] = {}
    for stored in books.snapshot.live("visits"):
        if stored.row["status"] == "checked_in":
            open_of.setdefault(stored.row["owner_key"], []).append(stored.key)
    for owner, visits in open_of.items():
        for one, other in combinations(sorted(visits), 2):
            if frozenset((one, other)) not in asked:
                raise Failed("one_open", f"{owner} is at {one} and at {other}, and nobody is asked")
