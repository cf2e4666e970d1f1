"""A deal's ends are only ever added (R21): what was closed and is so no more, or otherwise, is in `closings`, with the
instant of its closing, and stays there whatever people restore. Only what is won is signed and invoiced (R9)."""

from typing import Any

from tests.simulation.checkers.books import Books
from tests.simulation.failure import Failed

WATCHED = ("stage_key", "closed_at", "closings", "signed_at", "invoiced_at")


def check(books: Books) -> None:
    rows: dict[str, dict[str, Any]] = {}
    for entry in books.history:  # by revision
        if entry["entity"] != "deals":
            continue
        before = rows.get(entry["key"], {})
        said = {field: new for field, (_, new) in (entry["changes"] or {}).items() if field in WATCHED}
        after = rows[entry["key"]] = {**before, **said}
        _check_step(f"{entry['key']} at revision {entry['rev']} ({entry['kind']})", before, after)


def _check_step(where: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = before.get("closings") or [], after.get("closings") or []
    if new[: len(old)] != old:
        raise Failed("ends_kept", f"{where} forgot an end")
    added = [end.get("closed_at") for end in new[len(old) :]]
    ends = [(row.get("stage_key"), row.get("closed_at")) for row in (before, after)]
    opened = before.get("closed_at") is not None and ends[0] != ends[1]
    if added != ([before["closed_at"]] if opened else []):
        raise Failed("ends_kept", f"{where} added the ends {added}")
    if after.get("closed_at") is None and (after.get("signed_at") or after.get("invoiced_at")):
        raise Failed("ends_kept", f"{where} is signed or invoiced while it is open")
