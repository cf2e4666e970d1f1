"""All money is the same money (R55): after whatever a seed played, the reconciliation finds no difference."""

from typing import TYPE_CHECKING

from sfa.app import reconcile
from tests.simulation.failure import Failed

if TYPE_CHECKING:
    from tests.simulation.world import World


def check(world: "World") -> None:
    found = world.server.database.read(reconcile.report, world.clock.now_ms())
    if found.found:
        raise Failed("reconciled", "; ".join(list(reconcile.lines(found.items))[:5]))
