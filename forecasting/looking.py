"""Where a caller looks who names no node: live, and in what was frozen (R30). Pure."""

from collections.abc import Callable

from forecasting.answers import COMPANY, NodeRow
from forecasting.spots import Sight


def own_place(sight: Sight, user_key: str, row: Callable[[str], NodeRow | None]) -> str:
    """At what he manages, at himself; at the company where that is several places, or he sees everything. `row` knows
    the nodes of the day."""
    if sight.everything:
        return COMPANY
    rows = {node: found for node in sorted(sight.manages) if (found := row(node)) is not None}
    tops = [node for node, found in rows.items() if sight.manages.isdisjoint(found.parents)]
    if tops:
        return tops[0] if len(tops) == 1 else COMPANY
    return f"user:{user_key}"
