"""Facts added up by what was asked, step by step (R37, R38): pure. A sum of facts of which one is missing is no sum.

Every fact is counted once, under one key, in the company's currency; totals add up what is below them. Where something
is missing the kind and every total behind it are not computable, and `missing` names what, the first of them by name
and all by number (R34).
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from msgspec import Struct

from sfa.profit.items import KINDS, STEPS

MISSING_MAX = 20  # named of one figure; all are counted
COUNTED = tuple(kind for kind, about in KINDS.items() if about.counts)
_BY_STEP = tuple(
    (STEPS[step], tuple(of)) for step, of in groupby(COUNTED, key=lambda kind: KINDS[kind].step)
)  # kinds of one step stand together


class Missing(Struct, frozen=True):
    """Why a kind of fact is not computable, and of what: see `about`."""

    code: str
    kind: str
    about: dict[str, Any]


class Earned(Struct, frozen=True, gc=False):
    """What somebody or something earned, by kind as it changes the profit, and the totals of the waterfall; null where
    something is missing. `missing_count` counts what `missing` names the first of."""

    kinds: dict[str, int | None]
    invoice_minor: int | None
    pocket_minor: int | None
    margin_minor: int | None
    contribution_minor: int | None
    profit_minor: int | None
    missing: list[Missing]
    missing_count: int

    @property
    def cost_minor(self) -> int | None:
        """All that lies between the invoice and the profit."""
        if self.invoice_minor is None or self.profit_minor is None:
            return None
        return self.invoice_minor - self.profit_minor


class Tally:
    """Sums of one key while they are taken."""

    __slots__ = ("count", "kinds", "missing", "spoiled")

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.spoiled: set[str] = set()
        self.missing: dict[tuple[Any, ...], Missing] = {}
        self.count = 0

    def add(self, kind: str, amount: int) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + amount

    def miss(self, kind: str, code: str, about: Mapping[str, Any]) -> None:
        place = (code, kind, *sorted((name, str(value)) for name, value in about.items()))
        if place not in self.missing:
            self.count += 1
            self.missing[place] = Missing(code, kind, dict(about))
        self.spoiled.add(kind)

    def take(self, other: "Tally") -> None:
        """All of the other's facts too."""
        for kind, amount in other.kinds.items():
            self.add(kind, amount)
        for missing in other.missing.values():
            self.miss(missing.kind, missing.code, missing.about)

    def earned(self) -> Earned:
        kinds: dict[str, int | None] = {}
        running, known = 0, True
        totals: dict[str, int | None] = {}
        for step, of in _BY_STEP:
            for kind in of:
                if kind in self.spoiled:
                    known, kinds[kind] = False, None
                elif kind in self.kinds:
                    kinds[kind] = self.kinds[kind]
                    running += self.kinds[kind]
            totals[step] = running if known else None
        named = [self.missing[place] for place in sorted(self.missing, key=str)[:MISSING_MAX]] if self.missing else []
        return Earned(
            kinds,
            totals["invoice"],
            totals["pocket"],
            totals["margin"],
            totals["contribution"],
            totals["profit"],
            named,
            self.count,
        )


def together(tallies: Iterable[Tally]) -> Tally:
    found = Tally()
    for tally in tallies:
        found.take(tally)
    return found
