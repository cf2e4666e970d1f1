"""Mistakes planted in what keeps a person at one visit at a time (R13)."""

from collections.abc import Sequence
from typing import Any

from sfa.crm import open_visits
from tests.simulation.faults import fault

OPEN_VISITS: Any = open_visits


@fault
def a_second_open_visit_asks_nobody() -> Sequence[tuple[Any, str, Any]]:
    return [(OPEN_VISITS, "_others", lambda *_: [])]
