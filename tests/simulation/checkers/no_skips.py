"""The cursor skips nothing: at every `caught_up` the device equals the server as of that very snapshot (S14)."""

from tests.simulation.failure import Failed
from tests.simulation.phones import Phone, Rows
from tests.simulation.snapshot import Snapshot


def check(phone: Phone, snapshot: Snapshot) -> None:
    found = difference(phone.rows(), phone.should(snapshot))
    if found is not None:
        raise Failed("no_skips", f"{phone.key} caught up, but {found}")


def difference(has: Rows, should: Rows) -> str | None:
    """The first thing in which two sets of rows differ, in words."""
    for place in sorted(has.keys() | should.keys()):
        if place not in has:
            return f"{place} is missing"
        if place not in should:
            return f"{place} is too much"
        if has[place][0] != should[place][0]:
            return f"{place} is at revision {has[place][0]} instead of {should[place][0]}"
        if has[place][1] != should[place][1]:
            fields = [f for f in should[place][1] if has[place][1].get(f) != should[place][1][f]]
            return f"{place} differs in {fields}"
    return None
