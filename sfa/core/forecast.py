"""What a deal brings to the forecast of a period (R16, R22-R25): pure, the same on server, device and in a snapshot.

Categories are apart from stages: a rep's judgement wins until he clears it (R24). An open deal is in one *bucket* of
one period: its category in the period of its closing day; once that day is over it is `slipped`, in the period that is
running, until somebody says a new day (R22). What is won is `closed` in the period of its credits, which are the same
money that quotas count (R55); a reversal counts negative in its own. *Views* are cumulative: each holds the one before
it and one bucket more, so that nothing counts twice. Slipped money is in no view; it is told beside them.
Does not do: who sees what, conversion between currencies, trees.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sfa.core.credits import overlaid, shared_out, standing
from sfa.core.money import BP_WHOLE

CLOSED, SLIPPED, OMITTED = "closed", "slipped", "omitted"
OPEN = ("commit", "likely", "best_case", "pipeline")
BUCKETS = (CLOSED, *OPEN, SLIPPED, OMITTED)
VIEWS: dict[str, tuple[str, ...]] = {view: (CLOSED, *OPEN[: n + 1]) for n, view in enumerate(OPEN)}
_HALF = BP_WHOLE // 2
TOTAL = (CLOSED, *OPEN, SLIPPED)  # what a movement bridges: everything that is not omitted


class Part(Struct, frozen=True):
    """One person's part of an open deal, in the deal's currency; overlays are credited beside it, in no total."""

    user_key: str
    overlay: bool
    share_bp: int
    amount_minor: int | None


def category_of(deal_category: str | None, stage_category: str | None) -> str:
    """The category of an open deal; a stage that says `closed`, or none at all, cannot judge what is open."""
    if deal_category is not None:
        return deal_category
    return stage_category if stage_category in (*OPEN, OMITTED) else "pipeline"


def bucket_of(category: str, close_on: str | None, today: str, start_on: str, end_on: str) -> str | None:
    """Where an open deal stands on a local day in the period [start_on, end_on); None where it is not in it.

    Omitted stays omitted, also when its day is over. A deal without a day is in no period.
    """
    if close_on is None:
        return None
    if close_on < today:
        is_here = start_on <= today < end_on
        return (OMITTED if category == OMITTED else SLIPPED) if is_here else None
    return category if start_on <= close_on < end_on else None


def parts_of(deal: Mapping[str, Any]) -> list[Part]:
    """Who shares an open deal: splits sum to its amount to the cent, overlays are each a share of the whole (R16)."""
    end, amount = standing(deal), deal["amount_minor"]
    found = [Part(user, False, share, part) for user, share, part in shared_out(amount, end)]
    return found + [Part(user, True, share, part) for user, share, part in overlaid(amount, end)]


def weighted(amount_minor: int, probability_bp: int) -> int:
    """Amount times probability, rounded once, half up (R23): `money.apply_bp`, quickly, for every deal."""
    whole = amount_minor * probability_bp
    return (whole + _HALF) // BP_WHOLE if whole >= 0 else -((_HALF - whole) // BP_WHOLE)


def cumulative(buckets: Mapping[str, int]) -> dict[str, int]:
    """view -> the sum of its buckets (R24)."""
    return {view: sum(buckets.get(bucket, 0) for bucket in among) for view, among in VIEWS.items()}
