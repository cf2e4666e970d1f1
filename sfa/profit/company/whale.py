"""The whale curve (R43): customers from the one who earns most to the one who costs most, with what they earn together.

Pure. The curve rises while customers earn, and falls while they cost; its last point is the company's profit, exactly.
What belongs to no customer is a member of its own (key null). A customer whose profit is not computable has no place:
then the company's profit is not computable either, and `unknown` names who is left out. Equal profits are in the order
of keys. A decile is a tenth of the members by rank; where they do not divide, the sizes differ by one.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from sfa.core.money import ratio_bp

DECILES = 10


class Point(Struct, frozen=True):
    """`cumulative_minor` is of this member and all before it; `members_bp` says which part of all members that is,
    `peak_bp` which part of the highest point (null where nobody earns)."""

    rank: int
    key: str | None
    profit_minor: int
    cumulative_minor: int
    members_bp: int
    peak_bp: int | None


class Decile(Struct, frozen=True):
    """The members of ranks [from_rank, to_rank]; none where there are fewer than ten."""

    number: int
    members: int
    from_rank: int
    to_rank: int
    profit_minor: int
    cumulative_minor: int


class Whale(Struct, frozen=True):
    """`total_minor` is the last point, null where somebody is unknown. `peak_minor` is what the earning members bring,
    `peak_rank` how many they are, `lost_minor` what the others take away from it (zero or less)."""

    points: list[Point]
    deciles: list[Decile]
    total_minor: int | None
    peak_minor: int
    peak_rank: int
    lost_minor: int
    unknown: list[str | None]


def whale(profits: Mapping[str | None, int | None]) -> Whale:
    """Of each member's profit; null where it is not computable."""
    known = [(key, value) for key, value in profits.items() if value is not None]
    ranked = sorted(known, key=lambda item: (-item[1], item[0] is None, item[0] or ""))
    unknown = sorted((key for key, value in profits.items() if value is None), key=lambda key: (key is None, key or ""))
    peak = sum(value for _, value in ranked if value > 0)
    points, running = [], 0
    for rank, (key, value) in enumerate(ranked, 1):
        running += value
        share = ratio_bp(running, peak)
        points.append(Point(rank, key, value, running, ratio_bp(rank, len(ranked)) or 0, share))
    return Whale(
        points=points,
        deciles=_deciles(points),
        total_minor=None if unknown else running,
        peak_minor=peak,
        peak_rank=sum(value > 0 for _, value in ranked),
        lost_minor=running - peak,
        unknown=unknown,
    )


def _deciles(points: Sequence[Point]) -> list[Decile]:
    found, count = [], len(points)
    for number in range(DECILES):
        of = points[number * count // DECILES : (number + 1) * count // DECILES]
        if of:
            sums = sum(point.profit_minor for point in of), of[-1].cumulative_minor
            found.append(Decile(number + 1, len(of), of[0].rank, of[-1].rank, *sums))
    return found
