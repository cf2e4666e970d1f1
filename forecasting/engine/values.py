"""What the engine is told of deals, and what it says of open ones. Pure columns, one position for each deal.

Days are ordinals (`date.toordinal`), so that differences are days. Money is in minor units of one currency, as floating
numbers: this is estimation, not bookkeeping, and nothing here is ever booked. `as_known` is the one way back in time:
whoever judges a method on the past sees through it exactly what was known that day, and nothing else.
"""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = 0  # the day of what has not happened
STAGE, AMOUNT, EXPECTED = 0, 1, 2  # kinds of changes: position in `stages`, minor units, the day somebody expects


class Changes(Struct, frozen=True, eq=False):
    """What changed of deals while they were open, in order of deal and day; the first of each kind is how it began.

    `value` of EXPECTED is a day, NEVER where it was taken away; of AMOUNT it is NaN where there was none.
    """

    deal: Ints
    day: Ints
    kind: Ints
    value: Floats


class Deals(Struct, frozen=True, eq=False):
    """Deals until the end of the day `until`. `amount` is what it is that day; of a won deal what it was won with.

    `features` are names that do not change while a deal is open and are known from its first day (owner, product,
    territory, source …): name -> one text for each deal, "" for none.
    """

    until: int
    keys: tuple[str, ...]
    opened_on: Ints
    ended_on: Ints
    won: Bools
    amount: Floats
    features: Mapping[str, tuple[str, ...]]
    stages: tuple[str, ...]
    changes: Changes

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def is_open(self) -> Bools:
        return np.equal(self.ended_on, NEVER)


class Chances(Struct, frozen=True, eq=False):
    """What may become of open deals: of each one, the probability to be won, and lost, in each of the next steps.

    Step j is the days (edges[j], edges[j + 1]]; edges[0] is the last day that is known. `win` and `lose` have the shape
    (deals, steps); what is missing to 1 stays open beyond the last edge. `amount` is the expected amount of each deal
    if it is won; the real one is that times a factor exp(N(-spread²/2, spread)), so that its mean is the amount.
    """

    keys: tuple[str, ...]
    edges: Ints
    win: Floats
    lose: Floats
    amount: Floats
    spread: Floats


def as_known(deals: Deals, day: int) -> Deals:
    """What was known at the end of a day: later deals are not there, later ends have not happened."""
    there = np.flatnonzero(deals.opened_on <= day)
    place = np.full(len(deals), -1, dtype=np.int64)
    place[there] = np.arange(len(there))
    told = deals.changes
    kept = (told.day <= day) & (place[told.deal] >= 0)
    changes = Changes(place[told.deal[kept]], told.day[kept], told.kind[kept], told.value[kept])
    ended = deals.ended_on[there]
    ended = np.where((ended != NEVER) & (ended <= day), ended, NEVER)
    amount = deals.amount[there].copy()
    last = _last_amounts(changes, len(there))
    still_open = ended == NEVER
    amount[still_open] = last[still_open]
    return Deals(
        until=day,
        keys=tuple(deals.keys[n] for n in there),
        opened_on=deals.opened_on[there],
        ended_on=ended,
        won=deals.won[there] & ~still_open,
        amount=amount,
        features={name: tuple(texts[n] for n in there) for name, texts in deals.features.items()},
        stages=deals.stages,
        changes=changes,
    )


def _last_amounts(changes: Changes, count: int) -> Floats:
    """The amount of each deal after its changes; NaN where nobody said one."""
    found = np.full(count, np.nan)
    of_amount = changes.kind == AMOUNT
    found[changes.deal[of_amount]] = changes.value[of_amount]  # in order of days, so the last one stays
    return found
