"""What credits earn under a plan, as rows of a ledger (R41): pure, exact, the same from the same credits.

`entries_of` plays one person's credits of one period under one plan, event by event. Each credited end takes its place
above what stood in the period before it. `bands` pays each part of it at the rate of its band; `whole` pays everything
at the rate of the tier that is reached, and lifts what stands already when a tier is crossed. A reversal takes back, at
the original rates, what the end was paid; the places that it leaves are free again and the next ends fill them first,
so that winning a deal twice climbs no tier twice (`sfa.core.band_places`). Only under `retier` does a reversal count
the tiers of what still stands anew. A cap withholds what the period earned above it and gives that back before anything
is lost to a reversal.

Every row is rounded once, half up, by itself. `due` says which rows a ledger lacks: what was written stays, and the
same asked again is nothing. Does not do: who has which plan, currencies, which period a row falls in, draws.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from msgspec import Struct, structs

from sfa.core.band_places import Places, Stretch, Tiers, bases_of
from sfa.core.money import BP_WHOLE, Rounding, apply_bp

KINDS = ("accrual", "adjustment", "reversal", "tier", "cap")
End = tuple[str, int]  # a deal, and the number of its end
Parts = dict[int, tuple[int, int]]  # rate -> (basis, amount)
_OF_EARLIER, _ACCRUAL, _OF_THIS = 0, 1, 2  # the order at one instant: what is reopened leaves its place to what is won


class Terms(Struct, frozen=True):
    """A plan as it counts for one person and period; `tiers` are (minor units from which, basis points)."""

    mode: str
    tiers: Tiers
    cap_minor: int | None = None
    retier: bool = False


class Earned(Struct, frozen=True):
    """What one end credits a person with, in the plan's currency; `reversed_at` where it was taken back."""

    deal_key: str
    n: int
    at: int
    event: str
    amount_minor: int
    reversed_at: int | None = None

    @property
    def end(self) -> End:
        return self.deal_key, self.n


class Entry(Struct, frozen=True):
    """A row as the rule says it: `basis_minor` at `rate_bp` is `amount_minor`; null where it is of the whole period."""

    kind: str
    at: int
    deal_key: str | None
    n: int | None
    basis_minor: int | None
    rate_bp: int | None
    amount_minor: int
    reason: str


class Booked(Struct, frozen=True):
    """An entry in the ledger: the period it is booked in, its number there, and what it takes back. A row that is
    booked for another period than its own names that one in `reverses_period`."""

    period_key: str
    number: int
    entry: Entry
    reverses_period: str | None = None
    reverses: int | None = None

    @property
    def origin(self) -> str:
        """The period whose credits it follows from."""
        return self.reverses_period or self.period_key


# -- tiers ------------------------------------------------------------------------------------------------------------


def of_quota(tiers: Iterable[tuple[int, int]], target: int) -> Tiers:
    """Tiers that begin at basis points of a quota as tiers that begin at minor units, half up."""
    return tuple((apply_bp(target, from_bp, Rounding.HALF_UP), rate) for from_bp, rate in tiers)


def reached(tiers: Tiers, total: int) -> int:
    """The place of the tier that a total has reached: the last one that begins at or below it."""
    return max((place for place, (start, _) in enumerate(tiers) if start <= total), default=0)


def banded(tiers: Tiers, start: int, amount: int) -> Parts:
    """What an amount earns that lies above `start`, each part at the rate of its band; a negative one takes back from
    the top. What lies below nothing is of the first band."""
    stretch = min(start, start + amount), max(start, start + amount)
    return _paid(bases_of(tiers, [stretch]), amount)


def _paid(bases: Mapping[int, int], amount: int) -> Parts:
    return {rate: _part(basis if amount > 0 else -basis, rate) for rate, basis in bases.items()}


def at_rate(amount: int, rate: int) -> Parts:
    return {rate: _part(amount, rate)} if amount else {}


def _part(basis: int, rate: int) -> tuple[int, int]:
    """Rounded half up, away from zero; in whole numbers, as there may be thousands."""
    size = (2 * abs(basis) * rate + BP_WHOLE) // (2 * BP_WHOLE)
    return basis, size if basis >= 0 else -size


# -- one period -------------------------------------------------------------------------------------------------------


def entries_of(terms: Terms, earned: Iterable[Earned]) -> list[Entry]:
    """The rows that one period's credits make, in the order of their events; those of reversals are dated at the
    reopening, in whichever period that lies."""
    events: list[tuple[int, int, End, Earned]] = []
    for found in earned:
        events.append((found.at, _ACCRUAL, found.end, found))
        if found.reversed_at is not None:
            at = max(found.at, found.reversed_at)
            events.append((at, _OF_EARLIER if found.at < at else _OF_THIS, found.end, found))
    count = _Count(terms)
    for _, kind, _, found in sorted(events, key=lambda event: event[:3]):
        if kind == _ACCRUAL:
            count.accrue(found)
        else:
            count.take_back(found)
    return count.entries


class _Count:
    """A period while it is played: what stands, what each end of it was paid, and where the next one begins."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.entries: list[Entry] = []
        self._standing: dict[End, Earned] = {}
        self._parts: dict[End, Parts] = {}
        self._tier: dict[End, int] = {}
        self._lowest, self._highest = 0, len(terms.tiers)  # nothing that stands is of a tier beyond
        self._position = self._total = self._withheld = 0
        self._starts: dict[End, int] = {}
        self._places, self._taken = Places(), dict[End, list[Stretch]]()

    def accrue(self, found: Earned) -> None:
        start, self._position = self._position, self._position + found.amount_minor
        tier = reached(self.terms.tiers, self._position)
        if not self._standing:
            self._lowest = self._highest = tier
        self._standing[found.end] = found
        if self.terms.mode == "bands":
            parts = self._filling(found, start)
        else:
            parts = at_rate(found.amount_minor, self.terms.tiers[tier][1])
            self._move(tier, found)
        self._tier[found.end] = tier
        self._lowest, self._highest = min(self._lowest, tier), max(self._highest, tier)
        self._set(found.end, parts, "accrual", found.at, found.event)
        self._cap(found.at)

    def _filling(self, found: Earned, start: int) -> Parts:
        """Under `retier` no place stays free: who stands above one moves down, and the next begins on top."""
        self._starts[found.end] = start
        if self.terms.retier:
            return banded(self.terms.tiers, start, found.amount_minor)
        taken = self._taken[found.end] = self._places.take(found.amount_minor)
        return _paid(bases_of(self.terms.tiers, taken), found.amount_minor)

    def _move(self, tier: int, cause: Earned) -> None:
        """Everything that stands follows to a tier that is reached, or is reached no more; a reversal did not lower it
        (`max`) until more is sold."""
        up = cause.amount_minor >= 0
        if (self._lowest >= tier) if up else (self._highest <= tier):
            return
        better = max if up else min
        self._lowest, self._highest = better(self._lowest, tier), better(self._highest, tier)
        for end, stood in self._tier.items():
            now = better(stood, tier)
            if now != stood:
                self._tier[end] = now
                parts = at_rate(self._standing[end].amount_minor, self.terms.tiers[now][1])
                self._set(end, parts, "tier", cause.at, "tier_reached" if now > stood else "tier_left")

    def take_back(self, found: Earned) -> None:
        assert found.reversed_at is not None
        self._set(found.end, {}, "reversal", found.reversed_at, "reopened")
        self._position -= found.amount_minor
        above = _behind(self._standing, found.end) if self.terms.retier and self.terms.mode == "bands" else []
        for kept in (self._standing, self._parts, self._tier):
            del kept[found.end]
        if found.end in self._taken:
            self._places.give_back(found.amount_minor, self._taken.pop(found.end))
        if self.terms.retier and self.terms.mode == "bands":
            self._move_down(found, above)
        elif self.terms.retier:
            self._count_anew(found.reversed_at)
        self._cap(found.reversed_at)

    def _move_down(self, gone: Earned, above: Sequence[End]) -> None:
        """Who stands above a place that was left begins lower by it; whoever stays within its band is paid alike."""
        assert gone.reversed_at is not None
        for end in above:
            self._starts[end] -= gone.amount_minor
            parts = banded(self.terms.tiers, self._starts[end], self._standing[end].amount_minor)
            self._set(end, parts, "tier", gone.reversed_at, "retier")

    def _count_anew(self, at: int) -> None:
        tier = reached(self.terms.tiers, self._position)
        if self._lowest == tier == self._highest:
            return
        self._lowest = self._highest = tier
        for end, found in self._standing.items():
            self._tier[end] = tier
            self._set(end, at_rate(found.amount_minor, self.terms.tiers[tier][1]), "tier", at, "retier")

    def _set(self, end: End, parts: Parts, kind: str, at: int, reason: str) -> None:
        """Write what an end is paid from now on, as far as it differs, rate by rate."""
        before = self._parts.get(end, {})
        for rate in sorted(before.keys() | parts.keys()):
            (had_basis, had), (basis, amount) = before.get(rate, (0, 0)), parts.get(rate, (0, 0))
            if (had_basis, had) != (basis, amount):
                self.entries.append(Entry(kind, at, *end, basis - had_basis, rate, amount - had, reason))
                self._total += amount - had
        self._parts[end] = parts

    def _cap(self, at: int) -> None:
        cap = self.terms.cap_minor
        withheld = max(0, self._total - cap) if cap is not None else 0
        if withheld != self._withheld:
            self.entries.append(Entry("cap", at, None, None, None, None, self._withheld - withheld, "cap"))
            self._withheld = withheld


def _behind(standing: dict[End, Earned], end: End) -> list[End]:
    """The ends that were credited after one, in order; it is told from the last one on."""
    return [*takewhile(lambda other: other != end, reversed(standing.keys()))][::-1]


# -- the ledger -------------------------------------------------------------------------------------------------------

_Place = tuple[str, str, int, str, int, int]  # period, kind, instant, deal, end, rate


def _place(period_key: str, entry: Entry) -> _Place:
    kind = "accrual" if entry.kind == "adjustment" else entry.kind
    return period_key, kind, entry.at, entry.deal_key or "", entry.n or 0, entry.rate_bp or 0


def due(
    origin: str, wanted: Iterable[tuple[str, Entry]], kept: Sequence[Booked], last: Mapping[str, int]
) -> list[Booked]:
    """The rows that the ledger of one person, plan and period lacks. `wanted` are entries with the periods that they
    are booked in, `kept` the rows that there are, `last` the highest number of each period that is booked in."""
    sums: dict[_Place, tuple[int, int]] = {}
    reasons: dict[_Place, str] = {}
    for period_key, entry in wanted:
        place = _place(period_key, entry)
        reasons[place] = entry.reason
        _add(sums, place, entry, 1)
    for row in kept:
        _add(sums, _place(row.period_key, row.entry), row.entry, -1)
    accrued = {(row.entry.deal_key, row.entry.n) for row in kept if row.entry.kind == "accrual"}
    missing = sorted((place for place, found in sums.items() if found != (0, 0)), key=_in_order)
    rows: list[Booked] = []
    numbers = dict(last)
    for place in missing:
        period_key, kind, at, deal_key, n, rate = place
        basis, amount = sums[place]
        if kind == "accrual" and (deal_key, n) in accrued:
            kind = "adjustment"
        reason = reasons.get(place, "corrected") if kind != "adjustment" else "corrected"
        if deal_key:
            entry = Entry(kind, at, deal_key, n, basis, rate, amount, reason)
        else:
            entry = Entry(kind, at, None, None, None, None, amount, reason)
        numbers[period_key] = numbers.get(period_key, 0) + 1
        elsewhere = origin if period_key != origin or kind == "reversal" else None
        rows.append(Booked(period_key, numbers[period_key], entry, elsewhere))
    return _naming(rows, kept)


def _add(sums: dict[_Place, tuple[int, int]], place: _Place, entry: Entry, sign: int) -> None:
    basis, amount = sums.get(place, (0, 0))
    sums[place] = basis + sign * (entry.basis_minor or 0), amount + sign * entry.amount_minor


def _in_order(place: _Place) -> tuple[str, int, int, str, int, int]:
    period_key, kind, at, deal_key, n, rate = place
    return period_key, at, KINDS.index(kind), deal_key, n, rate


def _naming(rows: Sequence[Booked], kept: Sequence[Booked]) -> list[Booked]:
    """Reversals name the first row at their rate that paid the end, in the period that it was paid in."""
    paid: dict[tuple[str | None, int | None, int | None], Booked] = {}
    for row in [*kept, *rows]:
        entry = row.entry
        if entry.kind in ("accrual", "adjustment", "tier"):
            paid.setdefault((entry.deal_key, entry.n, entry.rate_bp), row)
    named: list[Booked] = []
    for row in rows:
        entry = row.entry
        of = paid.get((entry.deal_key, entry.n, entry.rate_bp)) if entry.kind == "reversal" else None
        same = of is not None and of.period_key == row.reverses_period
        named.append(structs.replace(row, reverses=of.number) if of is not None and same else row)
    return named
