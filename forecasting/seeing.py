"""Which money of a forecast a caller may see, of what he holds at this moment (S11, R30)."""

from forecasting.spots import EVERYTHING, Sight
from sfa.core.access import SEES_EVERYTHING
from sfa.crm.edits import Who


def sight_of(who: Who) -> Sight:
    """Everything for finance and administrators; for others the books, managed teams and territories that they hold."""
    if who.held is None or who.role in SEES_EVERYTHING:
        return EVERYTHING
    held: dict[str, set[str]] = {"book": set(), "manage": set(), "territory": set()}
    for bucket in who.held:
        kind, _, key = bucket.partition(":")
        if kind in held:
            held[kind].add(key.partition("~")[0])
    return Sight(
        books=frozenset(held["book"]),
        manages=frozenset(f"team:{key}" for key in held["manage"]),
        territories=frozenset(f"territory:{key}" for key in held["territory"]),
    )
