"""Nothing is lost (promise 1): every word that a device sent is in a history, a conflict, a hand-over or a refusal.

The receipt must be true: `applied` means that the mutation's own words are in the history under its number; what was
merged or came into conflict is there or among the losing values of its conflict; what was refused or handed over is
kept whole, and what was handed over and accepted has landed. And whoever replaces what another person wrote meanwhile
must have reported it (S24). Texts of notes are `notes_whole`'s.
"""

from typing import Any

import msgspec

from sfa.core.shapes import SHAPES
from sync.policy import strategy_of
from tests.older_contract import FIRST_CHANGE
from tests.simulation.checkers import ended
from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed
from tests.simulation.ledger import Mark

NOTE = "body"  # its words have a checker of their own
FATE = ("outcome", "rev", "conflicts", "details", "restored")
OF_A_PERSONS_CHOICE = ("restore", "merge", "conflict.restore", "delete", "unmerge")


def check(books: Books) -> None:
    others = _words_of_others(books)
    for mark, mutation in books.sent.items():
        told = books.told.get(mark)
        if told is None or told["outcome"] == "skipped":
            ended.check_untaken(books, mark, mutation)
        elif told["outcome"] == "refused":
            _check_refusal(books, mark, mutation)
        elif told["outcome"] != "handed_over" or _is_accepted(books, mark, mutation, told):
            _check_words(books, mark, mutation, told, others)
    _check_replaced(books)
    _check_merged_away(books)
    _check_times(books)


def _check_refusal(books: Books, mark: Mark, mutation: dict[str, Any]) -> None:
    kept = books.snapshot.rows.get(("refusals", f"{mark[0]}.{mark[1]}"))
    if kept is None or kept.gone or kept.row["mutation"] != mutation:
        raise Failed("nothing_lost", f"{mark} {mutation} was refused, its content is not kept")


def _is_same(sent: dict[str, Any], kept: dict[str, Any]) -> bool:
    """Whether this is what was sent, in words of today."""
    here = {name: value for name, value in kept.items() if name not in ("contract", "set")}
    turn = FIRST_CHANGE.up.get(sent["entity"]) if sent.get("contract", 1) == 0 else None
    words = dict(sent.get("set", {}))
    return sent.items() >= here.items() and (turn(words) if turn is not None else words) == kept.get("set", {})


def _is_accepted(books: Books, mark: Mark, mutation: dict[str, Any], told: dict[str, Any]) -> bool:
    """Its content is kept for its author and for who decides, whatever was decided."""
    own, offered = (books.snapshot.rows.get((e, told["suggestion"])) for e in ("handovers", "suggestions"))
    if own is None or own.gone or mutation not in own.row["mutations"]:
        raise Failed("nothing_lost", f"{mark} {mutation} was handed over, its author has nothing of it")
    kept = offered.row["mutations"] if offered is not None and not offered.gone else ()
    if not any(_is_same(mutation, found["mutation"]) for found in kept):
        raise Failed("nothing_lost", f"{mark} {mutation} was handed over, and nobody can accept it")
    return bool(own.row["status"] == "accepted")


def _check_words(
    books: Books, mark: Mark, mutation: dict[str, Any], told: dict[str, Any], others: dict[str, Mark]
) -> None:
    marks = {mark}
    refusal = books.repeated(mark)
    if refusal is not None:  # the words are those of the first one, and the receipt tells what became of it
        marks |= _check_repeat(books, mark, told, refusal)
    conflicts = [conflict for one in marks for conflict in books.conflicts_of(one)]
    if told["outcome"] == "conflict" and not any(c["status"] != "closed" for c in conflicts):
        raise Failed("nothing_lost", f"{mark} {mutation} came into conflict, there is none")
    named = told.get("conflicts") or ()
    own = [key for key in named if any(key.startswith(f"{device}.{n}.") for device, n in marks)]
    asked_again = set(named) - set(own)  # a question of an earlier mutation, which this one brought back
    if named and (len(own) != len(conflicts) or any(("conflicts", k) not in books.snapshot.rows for k in asked_again)):
        raise Failed("nothing_lost", f"{mark} names conflicts {named} that are not there")
    made = [entry for one in marks for entry in books.made.get(one, ())]
    written = msgspec.json.encode([entry["changes"] for entry in made if entry["entity"] != "conflicts"])
    reported = msgspec.json.encode([conflict["losing"] for conflict in conflicts])
    for word in _words(mutation.get("set", {})):
        if others.get(word, mark) not in marks:
            continue
        quoted = f'"{word}"'.encode()
        if quoted not in written and (told["outcome"] == "applied" or quoted not in reported):
            raise Failed("nothing_lost", f"{word!r} of {mark} {mutation} is gone, although {told}")


def _check_repeat(books: Books, mark: Mark, told: dict[str, Any], refusal: dict[str, Any]) -> set[Mark]:
    """-> whose words and conflicts those of a repeated repair are: of the first one or, where that was a screen or the
    repair of something else, of the refused mutation itself."""
    refused = (refusal["device_key"], refusal["n"])
    first = books.named(refusal["repaired_by"])
    met = books.conflict_keys(refused)
    along = books.told[first].get("details") or {} if first is not None else {}
    if first is None or met or f"{refused[0]}.{refused[1]}" in along.get("again", {}):
        if sorted(told.get("conflicts", ())) != met:
            raise Failed("nothing_lost", f"{mark} repeats what met {met}, and is told {told}")
        return {refused}
    became = {name: books.told[first].get(name) for name in FATE}
    if books.told[first]["key"] == told["key"] and became != {name: told.get(name) for name in FATE}:
        raise Failed("nothing_lost", f"{mark} repeats {first}, which became {became}, and is told {told}")
    return {first}


def _words(values: dict[str, Any]) -> list[str]:
    """The tokens among the values: texts that nobody else ever typed. A tag that was there before is no new word."""
    found = [v for f, v in values.items() if isinstance(v, str) and _is_word(v) and f != NOTE]
    tags = values.get("tags") or ()
    return found + [tag for tag in tags[-1:] if _is_word(tag)]


def _words_of_others(books: Books) -> dict[str, Mark]:
    """Word -> who wrote it first. The reference device sends whole groups: a word may come again with its neighbours,
    from whoever saw it."""
    first: dict[str, Mark] = {}
    for entry in sorted(books.history, key=lambda e: (e["stored_at"], e["rev"])):
        for word in _words({f: new for f, (_, new) in (entry["changes"] or {}).items()}):
            first.setdefault(word, (entry["device_key"] or "", entry["n"] or 0))
    for mark, mutation in books.sent.items():
        for word in _words(mutation.get("set", {})):
            first.setdefault(word, mark)
    return first


def _is_word(text: str) -> bool:
    return text[:1] == "w" and text[1:].isdigit()


def _check_replaced(books: Books) -> None:
    """Walk each row's history: who wrote each field last, and who replaced it knowing or not knowing."""
    wrote: dict[tuple[str, str, str], dict[str, Any]] = {}
    for entry in books.history:
        for field, (old, _) in (entry["changes"] or {}).items():
            place = (entry["entity"], entry["key"], field)
            before, wrote[place] = wrote.get(place), entry
            mutation = books.sent.get((entry["device_key"], entry["n"]))
            if before is None or mutation is None or not _replaced_blindly(entry, field, before, mutation):
                continue
            if books.landed_together(before, entry):  # what waited for a row was made on top of it
                continue
            if _is_kept_by_end(entry, field, old):
                continue
            loser = books.as_it_was_merged(entry) if entry["via"] else None
            if loser is not None and loser.get(field) == old:
                continue
            if not _is_reported(books, entry, field):
                raise Failed(
                    "nothing_lost",
                    f"{mutation} replaced {field} {old!r}, written by {before['device_key'] or before['author_key']} "
                    f"at revision {before['rev']}, unreported",
                )


def _replaced_blindly(entry: dict[str, Any], field: str, before: dict[str, Any], mutation: dict[str, Any]) -> bool:
    if entry["entity"] != mutation["entity"] or entry["kind"] in OF_A_PERSONS_CHOICE:
        return False
    if mutation["kind"] not in ("create", "update") and not mutation["kind"].startswith(("deal.", "visit.")):
        return False
    group = SHAPES[entry["entity"]].group_of[field]
    if strategy_of(entry["entity"], group) in ("union", "text"):
        return False
    base = mutation.get("base", 0) if mutation["key"] == entry["key"] else 0
    return bool(before["rev"] > base and before["device_key"] != entry["device_key"])


def _is_kept_by_end(entry: dict[str, Any], field: str, old: Any) -> bool:
    """Whether the end that a reopening reverses goes on saying what the deal no longer does (R21)."""
    before, after = entry["changes"].get("closings") or ([], [])
    return any(field in end and end[field] == old for end in (after or [])[len(before or []) :])


def _is_reported(books: Books, entry: dict[str, Any], field: str) -> bool:
    group = SHAPES[entry["entity"]].group_of[field]
    conflicts = books.conflicts_of((entry["device_key"], entry["n"]))
    return any(c["field_group"] in (group, "gone") for c in conflicts)


def _check_merged_away(books: Books) -> None:
    """A merged key leads to its survivor for ever (S22): nobody writes the loser again, nobody lives under it."""
    for redirect in books.redirects:
        place = (redirect["entity"], redirect["loser_key"])
        if not books.snapshot.rows[place].gone:
            raise Failed("nothing_lost", f"{place} was merged and lives again beside {redirect['survivor_key']}")


def _check_times(books: Books) -> None:
    """Corrected times never lie in the future (S28)."""
    for entry in books.history:
        if entry["at"] > entry["stored_at"]:
            raise Failed("nothing_lost", f"{entry['entity']} {entry['key']} was changed after it was stored")
