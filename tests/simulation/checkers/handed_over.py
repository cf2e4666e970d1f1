"""Who lost a row hands over what he had queued for it (S37), and nobody else does: neither more nor twice nor unasked.

`seen` are the revisions of each row that its user could see at some commit, as the world looked at them: an independent
memory of what history and intervals must tell. A new row needs to be below one that its author saw, or in a territory
or book that was his.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.shapes import PARENTS
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed
from tests.simulation.ledger import Mark
from tests.simulation.snapshot import Place, Stored

OWN = ("suggestions", "handovers")
Seen = Mapping[str, Mapping[Place, set[int]]]  # user -> row -> revisions


def check(books: Books, seen: Seen, held: Mapping[str, set[str]]) -> None:
    """`held`: every bucket that a user ever held."""
    for mark, mutation in books.sent.items():
        told = books.told.get(mark)
        if told is not None and told["outcome"] == "handed_over":
            user = _check_landed(books, mark, mutation, told)
            _check_seen(books, mark, mutation, seen[user], held[user])
    for stored in books.snapshot.live("suggestions"):
        if stored.row["kind"] == "handover":
            _check_place(books, stored)
    _check_units(books)


def _check_seen(
    books: Books, mark: Mark, mutation: dict[str, Any], seen: Mapping[Place, set[int]], held: set[str]
) -> None:
    if _in_unit(books, mark) or _builds_on_own(books, mark, mutation):
        return
    place = (mutation["entity"], mutation["key"])
    if place in seen:
        if mutation.get("base", 0) not in (0, *seen[place], *_stood_beside(books, place, seen[place])):
            raise Failed("handed_over", f"{mark} {mutation} was handed over: only {seen[place]} were ever seen")
        return
    parent, field = PARENTS.get(mutation["entity"], ("", ""))
    said = mutation.get("set", {})
    below = mutation["kind"] == "create" and (parent, said.get(field)) in seen
    work = {f"territory:{said.get('territory_key')}", f"book:{said.get('owner_key')}"} & held
    if not below and not (mutation["kind"] == "create" and work):
        raise Failed("handed_over", f"{mark} {mutation} was handed over, and its author never saw that row")


def _stood_beside(books: Books, place: Place, seen: set[int]) -> set[int]:
    """Revisions that were made and replaced in the transaction of one that was seen: nobody could see them alone."""
    made = {e["rev"]: e["seq"] for e in books.history if (e["entity"], e["key"]) == place}
    numbers = {made.get(rev) for rev in seen}
    return {rev for rev, seq in made.items() if seq in numbers}


def _in_unit(books: Books, mark: Mark) -> bool:
    """Of a unit one mutation is enough; which one, its receipts do not say."""
    return books.sent[mark].get("unit") is not None


def _builds_on_own(books: Books, mark: Mark, mutation: dict[str, Any]) -> bool:
    """On a row that the same device had created, and that was handed over."""
    parent, field = PARENTS.get(mutation["entity"], ("", ""))
    needed = {(mutation["entity"], mutation["key"]), (parent, mutation.get("set", {}).get(field))}
    return any(
        told["outcome"] == "handed_over"
        and earlier[0] == mark[0]
        and earlier[1] < mark[1]
        and books.sent[earlier]["kind"] == "create"
        and (books.sent[earlier]["entity"], books.ledger.sent[earlier]["key"]) in needed
        for earlier, told in books.told.items()
        if earlier in books.sent
    )


def _check_landed(books: Books, mark: Mark, mutation: dict[str, Any], told: dict[str, Any]) -> str:
    """Nothing of it lands before somebody accepts it, and then by that person; -> its author."""
    offered, own = (books.snapshot.rows.get((entity, told["suggestion"])) for entity in OWN)
    if offered is None or own is None:
        raise Failed("handed_over", f"{mark} {mutation} was handed over into nothing")
    said = [{f: stored.row[f] for f in ("status", "reason", "decided_by")} for stored in (offered, own)]
    if said[0] != said[1]:
        raise Failed("handed_over", f"{told['suggestion']} was decided as {said[0]}, its author is told {said[1]}")
    landed = [entry for entry in books.made.get(mark, ()) if entry["entity"] not in (*OWN, "refusals")]
    if landed and said[0]["status"] != "accepted":
        raise Failed("handed_over", f"{mark} {mutation} landed and is {said[0]['status']}: {landed[0]}")
    if any(entry["reviewed_by"] is None or entry["reviewed_by"] != said[0]["decided_by"] for entry in landed):
        raise Failed("handed_over", f"{mark} {mutation} landed, and not by {said[0]['decided_by']}: {landed}")
    return str(own.row["author_key"])


def _check_place(books: Books, stored: Stored) -> None:
    """It lies with its row, and its author sees it only if he sees that row, or has become one who decides."""
    row = stored.row
    about = books.snapshot.rows.get((row["entity"], row["row_key"]))
    if about is None:
        raise Failed("handed_over", f"{stored.key} is about {row['entity']} {row['row_key']}, which is not there")
    place = set(books.snapshot.buckets(stored))
    if row["entity"] in ("territories", "users"):
        return
    if not set(books.snapshot.buckets(about)) <= place:
        raise Failed("handed_over", f"{stored.key} lies in {sorted(place)}, its row in {about.buckets}")
    mine = books.snapshot.held.get(row["author_key"], frozenset())
    if mine & (place - {row["also_in"]}) and not mine & set(books.snapshot.buckets(about)):
        raise Failed("handed_over", f"{row['author_key']} sees {stored.key}, and not the row that it is about")


def _check_units(books: Books) -> None:
    units: dict[tuple[str, str], set[str]] = {}
    for mark, mutation in books.sent.items():
        if mutation.get("unit") is not None and mark in books.told:
            units.setdefault((mark[0], mutation["unit"]["id"]), set()).add(books.told[mark]["outcome"])
    for (device, unit), outcomes in units.items():
        if "handed_over" in outcomes and len(outcomes) > 1:
            raise Failed("handed_over", f"unit {unit} of {device} was handed over in part: {outcomes}")
