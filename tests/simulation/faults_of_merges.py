"""Mistakes planted in how merges are undone (S22)."""

from collections.abc import Sequence
from typing import Any

from sfa.crm import unmerging
from tests.simulation.faults import fault

UNMERGING: Any = unmerging


@fault
def an_undone_merge_forgets_the_children() -> Sequence[tuple[Any, str, Any]]:
    return [(UNMERGING, "_move_back", lambda *_: None)]


@fault
def an_undone_merge_leaves_the_survivor_what_it_took() -> Sequence[tuple[Any, str, Any]]:
    return [(UNMERGING, "_given_back", lambda *_: {})]
