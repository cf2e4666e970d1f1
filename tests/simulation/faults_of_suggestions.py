"""Mistakes planted in how duplicates are found and suggested (S30)."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sfa.crm import finder, suggestions
from sfa.crm.finder import suggestion_key
from sfa.db import cells, writes
from sfa.db.writes import Door
from tests.simulation.faults import fault

FINDER: Any = finder
WRITES: Any = writes
DECISIONS: Any = suggestions


@fault
def suggestions_whose_rows_part_stay_open() -> Sequence[tuple[Any, str, Any]]:
    return [(FINDER, "_withdraw", lambda *_: None)]


@fault
def a_suggestion_lies_where_one_of_its_rows_lies() -> Sequence[tuple[Any, str, Any]]:
    real = cells.parents_of
    return [(WRITES, "parents_of", lambda cell: real(cell)[:1])]


@fault
def rows_of_two_territories_are_put_side_by_side() -> Sequence[tuple[Any, str, Any]]:
    def alike(door: Door, entity: str, key: str, other: str, _faces: Mapping[str, Any]) -> Any:
        one, two = (door.cell(entity, k, "share") for k in (key, other))
        if not two.exists or one.row["name"] != two.row["name"]:
            return None
        values = {"entity": entity, "row_key": key, "other_key": other, "kind": "duplicate", "status": "open"}
        return suggestion_key(entity, key, other), values | {"score_bp": 10_000, "reasons": ["name"]}

    return [(FINDER, "_alike", alike)]


@fault
def the_finder_passes_over_what_a_full_batch_leaves() -> Sequence[tuple[Any, str, Any]]:
    real = finder._keep

    def keep(connection: Any, seq: int) -> None:
        real(connection, seq + 5)

    return [(FINDER, "_keep", keep)]


@fault
def an_accepted_suggestion_merges_nothing() -> Sequence[tuple[Any, str, Any]]:
    return [(DECISIONS, "duplicates", SimpleNamespace(merge=lambda *_: None))]
