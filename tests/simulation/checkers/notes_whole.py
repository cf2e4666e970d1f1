"""Notes stay whole (S25): every word that a device wrote is in the text once, until somebody who knew it takes it out.

Words are tokens, typed once in the world. Each revision's text is compared with the one before and with what the
mutation said: its new words must be there, no word may be there twice, and a word may go only if the device had seen
it (in the text of its `base`, or in a text of its own) and left it out.
"""

from collections import Counter
from typing import Any

from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed

SAID = ("create", "update")


def check(books: Books) -> None:
    if books.ledger.restores or books.ledger.cloned:
        return  # a `base` of before names a text that this server never had; what two copies had to say comes twice
    texts: dict[str, list[tuple[int, str]]] = {}
    known: dict[tuple[str, str], set[str]] = {}  # (note, device) -> the words of its own texts
    for entry in books.history:
        if entry["entity"] != "notes" or "body" not in (entry["changes"] or {}):
            continue
        versions = texts.setdefault(entry["key"], [(0, "")])
        text = entry["changes"]["body"][1]
        doubled = [word for word, count in Counter(text.split()).items() if count > 1]
        if doubled:
            raise Failed("notes_whole", f"{doubled} doubled in {entry['key']} at revision {entry['rev']}: {text!r}")
        mutation = books.sent.get((entry["device_key"], entry["n"]))
        if mutation is not None and mutation["entity"] == "notes" and entry["kind"] in SAID:
            own = known.setdefault((entry["key"], entry["device_key"]), set())
            if books.is_repaired((entry["device_key"], entry["n"])):
                own |= _typed_before(books, entry)
            _check_edit(entry, mutation, versions, own)
        versions.append((entry["rev"], text))


def _typed_before(books: Books, entry: dict[str, Any]) -> set[str]:
    """Words of the device's own earlier texts, refused ones too: what waited for them was typed on top."""
    words: set[str] = set()
    for (device, n), mutation in books.ledger.sent.items():
        if device == entry["device_key"] and n < entry["n"] and mutation["entity"] == "notes":
            words |= set(str(mutation["set"].get("body", "")).split())
    return words


def _check_edit(
    entry: dict[str, Any], mutation: dict[str, Any], versions: list[tuple[int, str]], own: set[str]
) -> None:
    said = set(mutation["set"]["body"].split())
    words, before = set(entry["changes"]["body"][1].split()), set(versions[-1][1].split())
    base = mutation.get("base", 0)
    read = set(next(text for rev, text in reversed(versions) if rev <= base).split()) | own
    own |= said
    if lost := (before - words - read) | ((before & said) - words):
        raise Failed("notes_whole", f"{mutation} took {lost} out of {before}, which it had not read or did not drop")
    if missing := said - words - read:
        raise Failed("notes_whole", f"{mutation} wrote {missing}, and the text became {words}")
