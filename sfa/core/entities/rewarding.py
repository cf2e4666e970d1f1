"""How people are paid for what they are credited with (R41). Plans lie with everybody, those on margins with
who sees cost (R45); who has which lies in his book."""

from typing import Annotated

from msgspec import Meta

from sfa.core.entities.costing import AmountMinor, Tiers
from sfa.core.entities.row import Row
from sfa.core.fields import CommissionPlanRef, Currency, Day, Name, UserRef


class CommissionPlan(Row, frozen=True, kw_only=True):
    """How credits are paid (R41). `tiers` are {from_minor, rate_bp}, or {from_bp, rate_bp} of the person's own quota of
    the period where `of_quota`. `bands` pay each rate on its band, `whole` pays the rate that is reached on everything.
    `retier`: a reversal also counts the tiers of its original period anew. `draw_minor` is what a period pays at least;
    what it pays before it is earned is taken back from later periods where `draw_recoverable`."""

    name: Name
    measure: Annotated[str, Meta(pattern=r"^(revenue|margin)\Z")] = "revenue"
    mode: Annotated[str, Meta(pattern=r"^(bands|whole)\Z")] = "bands"
    tiers: Tiers
    of_quota: bool = False
    period: Annotated[str, Meta(pattern=r"^(month|quarter|year|period)\Z")] = "quarter"
    currency: Currency
    cap_minor: AmountMinor | None = None
    draw_minor: AmountMinor | None = None
    draw_recoverable: bool = True
    overlay: bool = False
    retier: bool = False
    valid_from: Day
    valid_to: Day | None = None


class CommissionAssignment(Row, frozen=True, kw_only=True):
    """`user_key` is paid by `plan_key` for what is credited on the days [valid_from, valid_to)."""

    plan_key: CommissionPlanRef
    user_key: UserRef
    valid_from: Day
    valid_to: Day | None = None
