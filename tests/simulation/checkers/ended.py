"""Ends that are legal (S15, S18, S21, S31): what became of what a phone sent and the server never took.

It is in a quarantine, unreviewed or discarded; it was taken under another registration of the same person; its phone
was wiped; or it was lost with a backup after the device had rightly forgotten it. What came into the quarantine is
there as it came; what came under a reused number is a refusal; nothing of an ended registration is taken without a
decision; nothing that was taken is taken again under another registration.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from sfa.core.registrations import ACTIVE
from sync.numbers import Numbered, read_items
from sync.quarantine import read_drain
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed
from tests.simulation.ledger import Mark

SEEN = ("applied", "merged", "conflict")
WORD = re.compile(rb'"w\d+"')  # typed once in the world


ANEW = ".again"  # in the key of a registration that took the place of another


def check(books: Books) -> None:
    quarantined = _quarantined(books)
    for device, mutation in books.ledger.drained:
        if not any(mutation in found for found in quarantined.get(device, ())):
            raise Failed("ended", f"{device} drained {mutation}, it is in no quarantine")
    _check_applied(books)
    _check_reused(books)
    _check_decided(books)
    _check_copies(books)
    _check_twice(books)


def check_untaken(books: Books, mark: Mark, mutation: dict[str, Any]) -> None:
    """A number without a receipt, or one that the device declared as lost."""
    if mark in books.ledger.durable or mark[0] in books.ledger.erased:
        return
    if _elsewhere(books, mark, mutation):
        return
    raise Failed("nothing_lost", f"{mark} {mutation} was sent and has no receipt, nor another end")


def _elsewhere(books: Books, mark: Mark, mutation: dict[str, Any]) -> bool:
    """The same, but for its number, in a quarantine, among the refusals, or taken under another number."""
    said = _meaning(mutation)
    if any(_meaning(other) == said for m, other in books.sent.items() if m != mark and m in books.told):
        return True
    refusals = (s.row["mutation"] for (entity, _), s in books.snapshot.rows.items() if entity == "refusals")
    if any(isinstance(kept, dict) and _meaning(kept) == said for kept in refusals):
        return True
    return any(said == _meaning(kept) for found in _quarantined(books).values() for part in found for kept in part)


def _meaning(mutation: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mutation.items() if name not in ("n", "unit")}


def _quarantined(books: Books) -> dict[str, list[list[dict[str, Any]]]]:
    """device -> the mutations of each part of its drains."""
    found: dict[str, list[list[dict[str, Any]]]] = {}
    for row in books.drains:
        raws = read_drain(row["body"]).mutations
        found.setdefault(row["device_key"], []).append([msgspec.json.decode(raw) for raw in raws])
    return found


def _check_reused(books: Books) -> None:
    kept = [s.row for (entity, _), s in books.snapshot.rows.items() if entity == "refusals"]
    for device, mutation in books.ledger.reused:
        if not any(row["device_key"] == device and row["mutation"] == mutation for row in kept):
            raise Failed("ended", f"{device} used a number again for {mutation}, its content is not kept")


def _check_decided(books: Books) -> None:
    """Never applied silently: what a registration took after its end was decided at that moment."""
    decided = {(row["applied_as"], row["decided_at"]) for row in books.drains if row["decision"] == "apply"}
    for row in books.receipt_rows:
        state, ended_at = books.state[row["device_key"]]
        late = state != ACTIVE and ended_at is not None and row["at"] > ended_at
        if late and (row["device_key"], row["at"]) not in decided:
            raise Failed("ended", f"{row['device_key']} took {row['items']} after its end, and nobody decided so")


def _check_applied(books: Books) -> None:
    """What was applied has an outcome for each mutation, and under its own registration a receipt for each; under a
    copy's registration an outcome for each that was not taken."""
    for row in books.drains:
        if row["decision"] != "apply":
            continue
        items = read_items(read_drain(row["body"]).mutations, 1)
        done = sum(row["result"]["outcomes"].values())
        if row["applied_as"] == row["device_key"]:
            _check_receipts(books, row["device_key"], items)
        else:
            told = (books.told.get((row["device_key"], item.n), {}) for item in items)
            done += sum(receipt.get("digest") == item.digest for receipt, item in zip(told, items, strict=True))
        if done < len(items):
            raise Failed("ended", f"{row['device_key']} drained {len(items)} mutations, {done} were decided about")


def _check_receipts(books: Books, device: str, items: Sequence[Numbered]) -> None:
    for item in items:
        told = books.told.get((device, item.n))
        if told is None or told.get("digest") != item.digest:
            raise Failed("ended", f"{device} drained {item.raw!r}, which was applied and has no receipt: {told}")


def _check_copies(books: Books) -> None:
    """Every content of a copied phone's number has an end of its own."""
    for mark, others in books.ledger.copies.items():
        for content in (books.ledger.sent[mark], *others):
            if content != books.sent[mark]:
                check_untaken(books, mark, content)


def _check_twice(books: Books) -> None:
    """What moves to a new registration was not taken under the old one. (A restored server may have forgotten it.)"""
    seen: dict[bytes, Mark] = {}
    for mark, mutation in books.sent.items():
        told = books.told.get(mark)
        if books.ledger.restores or told is None or told["outcome"] not in SEEN or not WORD.search(_text(mutation)):
            continue
        said = _text(_meaning(mutation))
        if said in seen and _is_one_repair(books, mark, seen[said]):
            continue
        if said in seen and not (ANEW in seen[said][0] and ANEW in mark[0]):  # two copies may bring the same
            raise Failed("ended", f"{mutation} was taken as {seen[said]}, and again as {mark}")
        seen[said] = mark


def _is_one_repair(books: Books, one: Mark, two: Mark) -> bool:
    """The same repair of one refusal, of which one did something and the other nothing at all (S2)."""
    return books.sent[one].get("repairs") is not None and not (one in books.made and two in books.made)


def _text(mutation: dict[str, Any]) -> bytes:
    return msgspec.json.encode(mutation)
