"""What the company got for its products, as guidance for the next price (R45): pure, the same on server and device.

Lines of won deals are put together by family of product, segment of customer and quantity; each group says three
places in the order of its prices: `target` what the better quarter got, `norm` the middle, `floor` below which only one
in ten was sold. A group of fewer than `DEALS_MIN` deals says nothing; its lines still count in the coarser groups, and
quantities join the tier below (or above) until there are enough. Only prices go in: costs could be anything, and the
guides would be the same, so nobody learns a cost from them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

DEALS_MIN = 5
TIERS = ("0", "10", "100", "1000")  # where tiers of quantity begin
_FROM = tuple(Fraction(tier) for tier in TIERS)
SHARES = (7_500, 5_000, 1_000)  # of the prices in their order: target, norm, floor
SEGMENT_MAX, ANY = 100, "*"
Group = tuple[str | None, str | None]  # family, segment
Place = tuple[str | None, str | None, str]  # with the quantity from which on it counts


class Sold(Struct, frozen=True, gc=False):
    """One line of a won deal, for `price_bp` of the list price of its day."""

    deal_key: str
    family: str | None
    industry: str | None
    tier: str | None
    quantity: str
    price_bp: int


class Guide(Struct, frozen=True):
    target_bp: int
    norm_bp: int
    floor_bp: int
    deals: int


class Found(Struct, frozen=True):
    """The guide that is asked for a line, by its row's key."""

    key: str
    family: str | None
    segment: str | None
    quantity_from: str
    target_bp: int
    norm_bp: int
    floor_bp: int
    deals: int


class _Heap(Struct):
    """How often each price was got, in which deals."""

    prices: dict[int, int] = field(default_factory=dict)
    deals: set[str] = field(default_factory=set)

    def add(self, sold: Sold) -> None:
        self.prices[sold.price_bp] = self.prices.get(sold.price_bp, 0) + 1
        self.deals.add(sold.deal_key)

    def join(self, other: "_Heap") -> None:
        for price, count in other.prices.items():
            self.prices[price] = self.prices.get(price, 0) + count
        self.deals |= other.deals


def segments(industry: str | None, tier: str | None) -> list[str | None]:
    """The segments of a customer, the finest first: industry and tier, industry, tier, everybody."""
    named = industry if industry and industry != ANY and len(industry) <= SEGMENT_MAX - 2 else None
    found: list[str | None] = [f"{named}/{tier}"] if named and tier else []
    found += [f"{named}/{ANY}"] if named else []
    found += [f"{ANY}/{tier}"] if tier else []
    return [*found, None]


@lru_cache(maxsize=4_096)  # few quantities are sold again and again
def tier_of(quantity: str) -> int:
    """Which of `TIERS` a quantity lies in."""
    return bisect_right(_FROM, Fraction(quantity)) - 1


def guides_of(sold: Iterable[Sold], deals_min: int = DEALS_MIN) -> dict[Place, Guide]:
    """(family, segment, quantity_from) -> guide, of every group with enough deals."""
    heaps: dict[Group, list[_Heap | None]] = {}
    for line in sold:
        place = tier_of(line.quantity)
        for group in _groups(line):
            tiers = heaps.setdefault(group, [None] * len(TIERS))
            heap = tiers[place]
            if heap is None:
                heap = tiers[place] = _Heap()
            heap.add(line)
    found: dict[Place, Guide] = {}
    for (family, segment), tiers in heaps.items():
        for quantity_from, heap in _with_enough(tiers, deals_min):
            found[family, segment, quantity_from] = _guide(heap)
    return found


def _groups(line: Sold) -> Iterator[Group]:
    for family in dict.fromkeys((line.family, None)):
        for segment in segments(line.industry, line.tier):
            yield family, segment


def _with_enough(tiers: Sequence[_Heap | None], deals_min: int) -> Iterator[tuple[str, _Heap]]:
    """Tiers from the top; one without enough deals joins the one below, the lowest the one above. Together they hold
    every quantity, or there is none."""
    kept: list[tuple[str, _Heap]] = []
    heap = _Heap()
    for place in range(len(TIERS) - 1, -1, -1):
        below = tiers[place]
        if below is not None:
            heap.join(below)
        if len(heap.deals) >= deals_min:
            kept.append((TIERS[place], heap))
            heap = _Heap()
    if kept:
        lowest = kept[-1][1]
        lowest.join(heap)
        kept[-1] = (TIERS[0], lowest)
    yield from kept


def _guide(heap: _Heap) -> Guide:
    ordered = sorted(heap.prices.items())
    target, norm, floor = (quantile(ordered, share) for share in SHARES)
    return Guide(target, norm, floor, len(heap.deals))


def quantile(ordered: Sequence[tuple[int, int]], share_bp: int) -> int:
    """Of (value, how often) in order, at least one: the smallest value that at least such a share is not above."""
    wanted = sum(count for _, count in ordered) * share_bp
    below = 0
    for value, count in ordered:
        below += count * 10_000
        if below >= wanted:
            return value
    return ordered[-1][0]


# -- asking -----------------------------------------------------------------------------------------------------------


class Guides:
    """The guides that there are, to be asked for lines: the finest group that has one."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self._groups: dict[Group, list[tuple[Fraction, Found]]] = {}
        for key, row in sorted(rows.items()):
            found = Found(key, **{name: row[name] for name in Found.__struct_fields__ if name != "key"})
            group = self._groups.setdefault((found.family, found.segment), [])
            group.append((Fraction(found.quantity_from), found))
        for group in self._groups.values():
            group.sort(key=lambda item: item[0])

    def of(self, family: str | None, industry: str | None, tier: str | None, quantity: str) -> Found | None:
        """The family before the segment: what another product of the family got says more than what another family
        got of such a customer."""
        asked = Fraction(quantity)
        for wanted in dict.fromkeys((family, None)):
            for segment in segments(industry, tier):
                group = self._groups.get((wanted, segment), ())
                place = bisect_right([start for start, _ in group], asked)
                if place:
                    return group[place - 1][1]
        return None


def verdict(price_bp: int | None, guide: Found | None) -> str:
    """above_target (or at it), on_norm, below_norm, below_floor; `no_list_price` and `no_guide` where nothing can be
    said."""
    if price_bp is None:
        return "no_list_price"
    if guide is None:
        return "no_guide"
    if price_bp >= guide.target_bp:
        return "above_target"
    if price_bp >= guide.norm_bp:
        return "on_norm"
    return "below_norm" if price_bp >= guide.floor_bp else "below_floor"
