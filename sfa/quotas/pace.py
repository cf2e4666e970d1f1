"""Where a quota should stand, and where it is going (R12): pure, by working days (Monday to Friday) of its period.

The days before the local day of `as_of` are over; that day itself is still to come. So the same instant gives the same
answer, whoever asks and whenever.
"""

from fractions import Fraction
from typing import Any

from msgspec import Struct

from sfa.core.credits import day_of
from sfa.core.money import Rounding, rounded
from sfa.quotas.measures import QuotaRow
from sfa.quotas.spread import working_days


class Pace(Struct, frozen=True, kw_only=True):
    """`expected` by now at an even pace, `projected` for the whole period at the pace so far, `needed` on each working
    day that is left to reach the target (0 once it is reached): in the measure's unit, null where it cannot be said.
    `word` is ahead, on_pace or behind; null beside `code` not_computable (no target above zero, no working day in the
    period, or no figure)."""

    on: str
    working_days: int
    days_over: int
    days_left: int
    expected: int | None
    projected: int | None
    needed: int | None
    word: str | None
    code: str | None


def pace(quota: QuotaRow, value: int | None, as_of: int, zone: str) -> Pace:
    """How the figure stands at an instant; `value` None is a figure that could not be computed."""
    on = day_of(as_of, zone)
    total = working_days(quota.start_on, quota.end_on)
    over = working_days(quota.start_on, min(max(on, quota.start_on), quota.end_on))
    left = total - over
    days: dict[str, Any] = {"on": on, "working_days": total, "days_over": over, "days_left": left}
    if value is None or quota.target <= 0 or total == 0:
        return Pace(**days, expected=None, projected=None, needed=None, word=None, code="not_computable")
    expected = rounded(Fraction(quota.target * over, total), Rounding.HALF_UP)
    missing = max(quota.target - value, 0)
    return Pace(
        **days,
        expected=expected,
        projected=rounded(Fraction(value * total, over), Rounding.HALF_UP) if over else None,
        needed=-(-missing // left) if left else None,
        word="ahead" if value > expected else "behind" if value < expected else "on_pace",
        code=None,
    )
