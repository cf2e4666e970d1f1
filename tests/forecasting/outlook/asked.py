"""Questions of companies whose truth is known: teams of three, what was won is credited to the owner on its day."""

from datetime import date

from msgspec import structs

from bench.engine.asking import calls_of, question_on, spans_between, teams_of
from forecasting.engine.truth.company import company, quarters
from forecasting.engine.truth.growth import grow
from forecasting.outlook.values import COMPANY, Question, Quota


def question_of(
    seed: int = 1, *, arrivals: float = 1.0, reps: int = 6, before_end: int = 45, calls: bool = False, years: int = 3
) -> Question:
    """A company so many years old, so many days before the end of its running quarter."""
    of = company(seed, arrivals=arrivals, reps=reps, opened_on=date(2026 - years, 1, 1))
    grown = grow(of)
    spans = spans_between(quarters(of.fiscal_month, of.opened_on, of.until))
    running = max(n for n, span in enumerate(spans) if span.end - 1 <= of.until)
    ahead = [span.key for span in spans[running : running + 2]]
    told = calls_of(grown, spans) if calls else []
    until = spans[running].end - 1 - before_end
    question = question_on(grown.deals, until, spans, ahead, teams_of(of.reps), calls=told)
    return structs.replace(question, quotas=[Quota(ahead[0], COMPANY, 50_000_000)])
