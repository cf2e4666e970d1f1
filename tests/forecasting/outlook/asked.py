"""Questions of companies whose truth is known: teams of three, what was won is credited to the owner on its day."""

from datetime import date
from itertools import pairwise

import numpy as np

from forecasting.engine.truth.company import company, quarters
from forecasting.engine.truth.growth import Grown, grow
from forecasting.engine.truth.people import human_calls
from forecasting.engine.values import Deals, as_known
from forecasting.outlook.values import COMPANY, Call, Credit, DealColumns, Leaf, Part, Question, Quota, Span

IN_TEAM = 3


def question_of(
    seed: int = 1, *, arrivals: float = 1.0, reps: int = 6, before_end: int = 45, calls: bool = False, years: int = 3
) -> Question:
    """A company so many years old, so many days before the end of its running quarter."""
    of = company(seed, arrivals=arrivals, reps=reps, opened_on=date(2026 - years, 1, 1))
    grown = grow(of)
    starts = quarters(of.fiscal_month, of.opened_on, of.until)
    spans = [Span(f"Q{n}", a, b) for n, (a, b) in enumerate(pairwise(starts.tolist()))]
    over = [span for span in spans if span.end - 1 <= of.until]
    running = len(over) - 1
    until = over[-1].end - 1 - before_end
    deals = as_known(grown.deals, until)
    people = sorted(of.reps)
    leaves = [Leaf(name, [COMPANY, f"team:{n // IN_TEAM}"]) for n, name in enumerate(people)]
    owner = deals.features["owner"]
    place = {name: n for n, name in enumerate(people)}
    parts = [Part(n, place[owner[n]], 10_000) for n in np.flatnonzero(deals.is_open).tolist()]
    won = np.flatnonzero(deals.won)
    credits_ = sorted((int(deals.ended_on[n]), place[owner[n]], round(float(deals.amount[n]))) for n in won)
    return Question(
        until=until,
        currency="EUR",
        seed=until,
        spans=spans,
        ahead=[span.key for span in spans[running : running + 2]],
        leaves=leaves,
        deals=columns_of(deals),
        parts=parts,
        credits=[Credit(*row) for row in credits_],
        calls=_calls(grown, spans, until) if calls else [],
        quotas=[Quota(spans[running].key, COMPANY, 50_000_000)],
    )


def columns_of(deals: Deals) -> DealColumns:
    def money(value: float) -> int | None:
        return None if np.isnan(value) else round(value)

    told = deals.changes
    return DealColumns(
        keys=list(deals.keys),
        opened_on=deals.opened_on.tolist(),
        ended_on=deals.ended_on.tolist(),
        won=deals.won.tolist(),
        amount_minor=[money(value) for value in deals.amount.tolist()],
        features={name: list(texts) for name, texts in deals.features.items()},
        stages=list(deals.stages),
        change_deal=told.deal.tolist(),
        change_day=told.day.tolist(),
        change_kind=told.kind.tolist(),
        change_value=[money(value) for value in told.value.tolist()],
    )


def _calls(grown: Grown, spans: list[Span], until: int) -> list[Call]:
    """What everybody calls week after week."""
    told = human_calls(grown)
    key = {span.start: span.key for span in spans}
    columns = zip(told.rep.tolist(), told.quarter_on.tolist(), told.day.tolist(), told.amount.tolist(), strict=True)
    return [
        Call(key[quarter], f"user:{grown.company.reps[rep]}", day, round(amount))
        for rep, quarter, day, amount in columns
        if day <= until
    ]
