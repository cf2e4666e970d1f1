"""A row as it was, rebuilt from its history (R20): pure.

History has for each revision `changes`, field -> [old, new]. A field says what the last revision that counts made of
it; one that only changed afterwards says what it was before, so what defaults were then does not matter. *Stored* is
what the server said at that time, exactly; *event* is what was so by the corrected times of the edits, whenever they
arrived.
Does not do: what a row was before history began to be written for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

By = Literal["stored", "event"]


class Step(Struct, frozen=True):
    """One revision of a row."""

    rev: int
    kind: str
    changes: Mapping[str, Sequence[Any]]
    at: int
    stored_at: int

    def when(self, by: By) -> int:
        return self.at if by == "event" else self.stored_at


class Was(Struct, frozen=True):
    """`rev` is the last revision that counted. `gone`: it was deleted then."""

    rev: int
    gone: bool
    row: dict[str, Any]


def rebuilt(row: Mapping[str, Any], steps: Iterable[Step], as_of: int, by: By = "stored") -> Was | None:
    """The row as of an instant (included), or None where it did not exist yet. `row` is what it says now, `steps` all
    its revisions in order."""
    said: dict[str, Any] = {}
    before: dict[str, Any] = {}
    last, gone = 0, False
    for step in steps:
        if step.when(by) <= as_of:
            said.update({field: new for field, (_, new) in step.changes.items()})
            last, gone = step.rev, _gone(gone, step)
        else:
            for field, (old, _) in step.changes.items():
                before.setdefault(field, old)
    return Was(last, gone, {**row, **before, **said}) if last else None


def _gone(was_gone: bool, step: Step) -> bool:
    """Merging and erasing end a row by a revision without changes; what they change else stays as it was."""
    match step.kind:
        case "delete":
            return True
        case "merge" | "erase":
            return was_gone or not step.changes
        case _:
            return False
