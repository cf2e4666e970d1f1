"""A target cut into the targets of shorter periods, to the minor unit (R8): pure.

Promises: without a ramp the parts sum exactly to the whole, whatever its sign; each part is within one minor unit of
its exact share; units left over go to the largest remainders, and among equal ones to the earlier part, in whatever
order the parts were named. A ramp scales the parts: the whole is then the rounded sum of the scaled shares, which is
told and which the parts sum to.

Equal: every part alike. Seasonal: by weights that total exactly 10,000 basis points. Working days: by the days from
Monday to Friday. A window `[from_on, to_on)` is that of a part-period: the target is that of the window, a part counts
by the share of its working days that lies in it, and what lies outside gets nothing.
Does not do: public holidays, and what the parts are written as (`spreading`).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from msgspec import Struct

from sfa.core.days import to_date
from sfa.core.errors import Refused
from sfa.core.money import BP_WHOLE, Rounding, allocate, rounded

WORKING_DAYS_OF_A_WEEK = 5


class Method(StrEnum):
    EQUAL = "equal"
    SEASONAL = "seasonal"
    WORKING_DAYS = "working_days"


class Span(Struct, frozen=True):
    """A part: the days [start_on, end_on)."""

    key: str
    start_on: str
    end_on: str


class Plan(Struct, frozen=True):
    """How to spread. `weights_bp` (seasonal) and `ramp_bp` are of the parts in the order of time; a ramp shorter than
    the parts leaves the later ones as they are."""

    method: Method = Method.EQUAL
    weights_bp: Sequence[int] = ()
    ramp_bp: Sequence[int] = ()
    from_on: str | None = None
    to_on: str | None = None


class Spread(Struct, frozen=True):
    """`parts` by key, in the order of time, those in the window only; they sum to `whole`, which a ramp makes smaller
    than the `target`."""

    parts: dict[str, int]
    whole: int
    target: int


def spread(target: int, spans: Sequence[Span], plan: Plan) -> Spread:
    """Refuses `weights_invalid`: weights that do not total 100 % or are not one for each part, a ramp outside 0 to
    100 %, a window without a working day of any part."""
    ordered = sorted(spans, key=lambda span: (span.start_on, span.key))
    if not ordered:
        raise Refused("weights_invalid", "there is nothing to spread over")
    inside = [_inside(span, plan) for span in ordered]
    weights = [base * share for base, share in zip(_bases(ordered, plan), inside, strict=True)]
    if not any(weights):
        raise Refused("weights_invalid", "no working day of any part lies between from_on and to_on")
    kept = [place for place, share in enumerate(inside) if share]
    whole, parts = _ramped(target, weights, _ramp(plan, len(ordered)))
    return Spread({ordered[place].key: parts[place] for place in kept}, whole, target)


def working_days(from_on: str, to_on: str) -> int:
    """The days from Monday to Friday in [from_on, to_on); none where it ends before it begins."""
    start, end = to_date(from_on), to_date(to_on)
    weeks, rest = divmod(max(0, (end - start).days), 7)
    odd = (start + timedelta(days=weeks * 7 + place) for place in range(rest))
    return weeks * WORKING_DAYS_OF_A_WEEK + sum(_works(day) for day in odd)


def _works(day: date) -> bool:
    return day.isoweekday() <= WORKING_DAYS_OF_A_WEEK


def check_weights(weights_bp: Sequence[int], count: int) -> None:
    """Seasonal weights total exactly 100 %: 99.99 % is refused with what is missing."""
    total = sum(weights_bp)
    if len(weights_bp) != count:
        text = f"{count} parts need {count} weights, not {len(weights_bp)}"
        raise Refused("weights_invalid", text, weights=len(weights_bp), parts=count)
    if any(weight < 0 for weight in weights_bp) or total != BP_WHOLE:
        missing = BP_WHOLE - total
        text = f"weights are not negative and total {BP_WHOLE} basis points: these total {total}"
        raise Refused("weights_invalid", text, total_bp=total, missing_bp=missing)


def _bases(spans: Sequence[Span], plan: Plan) -> list[Fraction]:
    """What each whole part weighs."""
    match plan.method:
        case Method.EQUAL:
            return [Fraction(1)] * len(spans)
        case Method.SEASONAL:
            check_weights(plan.weights_bp, len(spans))
            return [Fraction(weight) for weight in plan.weights_bp]
        case Method.WORKING_DAYS:
            return [Fraction(working_days(span.start_on, span.end_on)) for span in spans]


def _inside(span: Span, plan: Plan) -> Fraction:
    """The share of a part's working days in the window; all of it without one."""
    if plan.from_on is None and plan.to_on is None:
        return Fraction(1)
    start, end = max(span.start_on, plan.from_on or span.start_on), min(span.end_on, plan.to_on or span.end_on)
    days = working_days(span.start_on, span.end_on)
    return Fraction(working_days(start, end), days) if days and start < end else Fraction(0)


def _ramp(plan: Plan, count: int) -> list[int]:
    if len(plan.ramp_bp) > count or not all(0 <= step <= BP_WHOLE for step in plan.ramp_bp):
        text = f"a ramp has at most {count} steps, each from 0 to {BP_WHOLE} basis points"
        raise Refused("weights_invalid", text, steps=len(plan.ramp_bp), parts=count)
    return [*plan.ramp_bp, *([BP_WHOLE] * (count - len(plan.ramp_bp)))]


def _ramped(target: int, weights: Sequence[Fraction], ramp: Sequence[int]) -> tuple[int, list[int]]:
    """-> (the whole that the parts sum to, the parts)."""
    scaled = [weight * step for weight, step in zip(weights, ramp, strict=True)]
    if not any(scaled):
        return 0, [0] * len(scaled)
    whole = rounded(Fraction(target) * sum(scaled) / (sum(weights) * BP_WHOLE), Rounding.HALF_UP)
    return whole, allocate(whole, scaled)
