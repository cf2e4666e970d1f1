"""What one more credit earns where it comes after all others of its period: pure, the same as `entries_of` says of all.

While nothing was taken back and nobody was credited with less than nothing, what a period paid so far is told by three
sums, and the next credit begins where they end. `appended` says the rows of it, or None where it changes what earlier
credits earn (a tier on the whole amount that is reached), or where only playing all of them can say.
"""

from collections.abc import Iterable

from msgspec import Struct

from sfa.core.commission import Earned, Entry, Terms, at_rate, banded, reached


class Standing(Struct, frozen=True):
    """What a period paid until now: on how much, how much by it, and what a cap withheld of that; `last_at` is the
    instant of its last credit, None where there is none."""

    basis_minor: int = 0
    amount_minor: int = 0
    withheld_minor: int = 0
    last_at: int | None = None


def appended(terms: Terms, standing: Standing, more: Iterable[Earned]) -> list[Entry] | None:
    """The rows that these credits add. They are none of the period's earlier ones."""
    entries: list[Entry] = []
    position, total, withheld = standing.basis_minor, standing.amount_minor, standing.withheld_minor
    for found in sorted(more, key=lambda found: (found.at, found.end)):
        late = standing.last_at is not None and found.at <= standing.last_at
        if late or found.reversed_at is not None or found.amount_minor < 0:
            return None
        tier = reached(terms.tiers, position + found.amount_minor)
        if terms.mode == "bands":
            parts = banded(terms.tiers, position, found.amount_minor)
        elif position and tier != reached(terms.tiers, position):
            return None
        else:
            parts = at_rate(found.amount_minor, terms.tiers[tier][1])
        for rate, (basis, amount) in sorted(parts.items()):
            if (basis, amount) != (0, 0):
                entries.append(Entry("accrual", found.at, *found.end, basis, rate, amount, found.event))
                total += amount
        position += found.amount_minor
        held = max(0, total - terms.cap_minor) if terms.cap_minor is not None else 0
        if held != withheld:
            entries.append(Entry("cap", found.at, None, None, None, None, withheld - held, "cap"))
            withheld = held
    return entries
