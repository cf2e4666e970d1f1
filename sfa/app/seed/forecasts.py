"""Forecasts of the company: when calls are locked, and what each rep called for the last lock of the quarter before."""

from collections.abc import Iterator, Sequence

from sfa.app.seed.made import Days, Made
from sfa.core.days import plus_days, to_date
from sfa.core.periods import FiscalCalendars, PeriodKind

CURRENCY = "EUR"
STEP, STEPS, UNIT = 7, 40, 500_000  # so that neighbours call different numbers, in minor units
CALLED_MINUTE = 9 * 60


def make_forecasts(reps: Sequence[str], days: Days, at: int) -> Iterator[Made]:
    """-> the policy, then a call for each rep."""
    yield Made("forecast_policies", "weekly", {"name": "Every Monday morning"}, at, "finance-1")
    over = FiscalCalendars().period_of(days.today, PeriodKind.QUARTER).start_on
    last = plus_days(over, -1)
    monday = plus_days(last, -to_date(last).weekday())
    called_at = days.at((to_date(monday) - to_date(days.today)).days, CALLED_MINUTE)
    period = FiscalCalendars().period_of(monday, PeriodKind.QUARTER).name
    for number, rep in enumerate(reps):
        commit = (number * STEP % STEPS + 1) * UNIT
        said = {
            "period_key": period,
            "user_key": rep,
            "author_key": rep,
            "due_on": monday,
            "commit_minor": commit,
            "best_case_minor": commit * 3 // 2,
            "currency": CURRENCY,
            "called_at": called_at,
            "status": "locked",
        }
        yield Made("forecast_calls", f"{rep}-{period}-{monday}", said, called_at, rep)
