"""An old app is told what its version knows, and nothing else; its edits mean what it said, and no more (S32).

(That it holds all of it, and in its own words, is what `no_skips` and `converged` compare, by `Phone.should`.)
"""

from typing import Any

import msgspec

from tests.older_contract import DESCRIBED_FROM_0, FIRST_CHANGE
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed


def check_answer(device: str, answer: bytes, minimum: int) -> None:
    """Every item has exactly the fields of its version, and below the minimum there is no page."""
    first, *rest = answer.splitlines()
    told = msgspec.json.decode(first)
    if told.get("page") is None:
        return
    contract = told["contract"]
    if contract < minimum:
        raise Failed("in_its_version", f"{device} got a page of version {contract}, served are {minimum} and later")
    known = DESCRIBED_FROM_0[contract].entities
    pages = [told["page"], *(msgspec.json.decode(line)["page"] for line in rest)]
    for changes in (changes for page in pages for changes in page["changes"]):
        for item in changes["items"]:
            fields = known.get(item["entity"])
            if fields is None:
                raise Failed("in_its_version", f"{device} is told of {item}, which version {contract} does not know")
            if "row" in item and item["row"].keys() != fields.keys():
                wrong = sorted(item["row"].keys() ^ fields.keys())
                raise Failed("in_its_version", f"{device} speaks version {contract}, {item} is wrong in {wrong}")


def check(books: Books) -> None:
    for mark, mutation in books.sent.items():
        entity, contract = mutation["entity"], mutation.get("contract", 1)
        known = DESCRIBED_FROM_0[contract].entities.get(entity)
        if known is None or mutation["kind"] not in ("create", "update"):
            continue
        told = books.told.get(mark, {})
        if told.get("code") == "field_unknown" and mutation["set"].keys() <= known.keys():
            raise Failed("in_its_version", f"{mark} {mutation} is of version {contract}, which knows these fields")
        if mutation["kind"] == "update":
            _check_fields(books, mark, mutation, known)


def _check_fields(books: Books, mark: tuple[str, int], mutation: dict[str, Any], known: dict[str, Any]) -> None:
    """An edit changes fields that its version knows, and no others."""
    words = dict.fromkeys(known)
    turn = FIRST_CHANGE.up.get(mutation["entity"]) if mutation.get("contract", 1) == 0 else None
    may = (turn(words) if turn is not None else words).keys()
    for entry in books.made.get(mark, ()):
        if entry["entity"] == mutation["entity"] and entry["key"] == mutation["key"]:
            strange = sorted((entry["changes"] or {}).keys() - may)
            if strange:
                raise Failed("in_its_version", f"{mark} {mutation} changed {strange}, which its version does not know")
