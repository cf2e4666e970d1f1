"""Mistakes planted in what the devices of each role carry."""

from collections.abc import Sequence
from typing import Any

from sfa.core import access, layers
from sfa.core.profiles import Profiles
from sfa.db import cells, scope, writes
from tests.simulation.faults import fault

ACCESS: Any = access  # what a module imports can be replaced in it, whether it exports it or not
CELLS: Any = cells
WRITES: Any = writes


@fault
def nobody_holds_the_layer_of_his_role() -> Sequence[tuple[Any, str, Any]]:
    real = scope.plan

    def plan(*args: Any) -> Any:
        kept = ACCESS.with_past
        ACCESS.with_past = lambda held, _layer: frozenset(held)
        try:
            return real(*args)
        finally:
            ACCESS.with_past = kept

    return [(scope, "plan", plan)]


@fault
def an_old_row_stays_in_the_bucket_of_all() -> Sequence[tuple[Any, str, Any]]:
    """Beside the layer in which those find it who still carry it."""
    real = layers.places
    return [(CELLS, "places", lambda buckets, found: (*real(buckets, found), *(buckets if found else ())))]


@fault
def a_profile_changes_no_scope() -> Sequence[tuple[Any, str, Any]]:
    return [(WRITES, "DECIDES_SCOPE", WRITES.DECIDES_SCOPE - {"device_profiles", "organisations"})]


@fault
def a_role_is_taken_for_its_own_layer() -> Sequence[tuple[Any, str, Any]]:
    """Rows lie in the layer that is named by what it carries, and people look for one that is named by their role."""
    real = Profiles.past
    return [(Profiles, "past", lambda self, occupied=(): {role: role for role in real(self, occupied)})]
