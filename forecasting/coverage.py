"""How much open pipeline stands against what is still missing of a target: pure, and guarded (R7).

*Gap* is the target less what is closed. *Coverage* is open money over the gap, in basis points: 30,000 is three times
what is missing. It says nothing, with a code, where there is no target (`target_missing`), where the target is not
above zero or open money is below it (`not_computable`), and where nothing is missing any more (`reached`): never zero,
a hundred per cent or infinity. Slipped and omitted money covers nothing; it is told beside.
Does not do: which quota is a node's target, conversion.
"""

from collections.abc import Mapping

from msgspec import Struct

from sfa.core.forecast import CLOSED, OPEN, SLIPPED, VIEWS, cumulative
from sfa.core.money import ratio_bp

TARGET_MISSING, NOT_COMPUTABLE, REACHED = "target_missing", "not_computable", "reached"


class ViewGap(Struct, frozen=True):
    """A cumulative view against the target: `gap_minor` is what it lacks, negative where it is more."""

    amount_minor: int
    gap_minor: int | None


class Coverage(Struct, frozen=True, kw_only=True):
    """`coverage_bp` and `weighted_bp` are open money, plain and weighted, over the gap; null with a `code`. `gap_minor`
    is negative where more than the target is closed, null without a target or where that is not of all the money."""

    target_minor: int | None
    closed_minor: int
    open_minor: int
    weighted_minor: int
    slipped_minor: int
    gap_minor: int | None
    coverage_bp: int | None
    weighted_bp: int | None
    code: str | None
    views: dict[str, ViewGap]


def coverage(
    target_minor: int | None, amounts: Mapping[str, int], weighted: Mapping[str, int], code: str | None = None
) -> Coverage:
    """`amounts` and `weighted` by bucket. `code` says why there is no target, where it is not that nobody set one; with
    a target, why the money is not to be held against it."""
    held = target_minor if code is None else None
    closed, gap = amounts.get(CLOSED, 0), None
    open_minor = sum(amounts.get(bucket, 0) for bucket in OPEN)
    open_weighted = sum(weighted.get(bucket, 0) for bucket in OPEN)
    if held is None:
        code = code or TARGET_MISSING
    else:
        gap = held - closed
        code = _code(held, gap, min(open_minor, open_weighted))
    views = cumulative(amounts)
    return Coverage(
        target_minor=target_minor,
        closed_minor=closed,
        open_minor=open_minor,
        weighted_minor=open_weighted,
        slipped_minor=amounts.get(SLIPPED, 0),
        gap_minor=gap,
        coverage_bp=ratio_bp(open_minor, gap) if code is None and gap is not None else None,
        weighted_bp=ratio_bp(open_weighted, gap) if code is None and gap is not None else None,
        code=code,
        views={view: ViewGap(views[view], None if held is None else held - views[view]) for view in VIEWS},
    )


def _code(target: int, gap: int, open_minor: int) -> str | None:
    if target <= 0 or open_minor < 0:
        return NOT_COMPUTABLE
    return REACHED if gap <= 0 else None
