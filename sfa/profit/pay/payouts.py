"""What a period pays of what was earned: draws, and the balance that periods carry on (R41). Pure.

A draw is what a period pays at least. Where it is recoverable, what was paid before it was earned is owed, and later
periods pay less until it is earned; where not, it is a gift. What a reversal takes back beyond what a period earned is
owed in any case. Nobody pays money in: a period pays nothing or more, and what is owed is carried on.
"""

from collections.abc import Iterable

from msgspec import Struct


class Draw(Struct, frozen=True):
    """What each period pays at least, and whether that is taken back from later ones."""

    amount_minor: int
    recoverable: bool


class Payout(Struct, frozen=True):
    """One period: `opening_minor` and `closing_minor` are what is owed, nothing or negative. `draw_minor` is the part
    of what is paid that was not earned; `paid_minor` is what the period pays, the draw included."""

    period_key: str
    opening_minor: int
    earned_minor: int
    draw_minor: int
    paid_minor: int
    closing_minor: int


def payouts(periods: Iterable[tuple[str, int, Draw | None]]) -> list[Payout]:
    """Of the periods in order: key, what the ledger says of it, and the draw that holds in it."""
    found: list[Payout] = []
    owed = 0
    for key, earned, draw in periods:
        opening, available = owed, owed + earned
        least = draw.amount_minor if draw is not None else 0
        paid = max(available, least)
        advance = paid - max(available, 0)
        owed = available - paid if draw is not None and draw.recoverable else min(available, 0)
        found.append(Payout(key, opening, earned, advance, paid, owed))
    return found
