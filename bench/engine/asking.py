"""Questions of companies whose deals are known: what a run would have asked on a day, had the company used it.

What was won is credited to the owner on its day, and an open deal is all its owner's.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from forecasting.engine.truth.growth import Grown
from forecasting.engine.truth.people import human_calls
from forecasting.engine.values import Deals, Ints, as_known
from forecasting.outlook.values import COMPANY, Call, Credit, DealColumns, Leaf, Part, Question, Span

IN_TEAM = 3


def question_on(
    deals: Deals,
    until: int,
    spans: Sequence[Span],
    ahead: Sequence[str],
    above: Mapping[str, Sequence[str]],
    *,
    windows: Sequence[Span] = (),
    calls: Sequence[Call] = (),
) -> Question:
    """`above` are the nodes above each owner from the company down; the seed is the day."""
    known = as_known(deals, until)
    owner = known.features["owner"]
    people = sorted(above)
    place = {name: n for n, name in enumerate(people)}
    won = np.flatnonzero(known.won & np.isfinite(known.amount)).tolist()
    rows = sorted((int(known.ended_on[n]), place[owner[n]], round(float(known.amount[n]))) for n in won)
    return Question(
        until=until,
        currency="EUR",
        seed=until,
        spans=list(spans),
        ahead=list(ahead),
        leaves=[Leaf(name, list(above[name])) for name in people],
        deals=columns_of(known),
        parts=[Part(n, place[owner[n]], 10_000) for n in np.flatnonzero(known.is_open).tolist()],
        credits=[Credit(*row) for row in rows],
        calls=[call for call in calls if call.day <= until],
        quotas=[],
        windows=list(windows),
    )


def spans_between(starts: Ints) -> list[Span]:
    return [Span(f"Q{n}", first, after) for n, (first, after) in enumerate(pairwise(starts.tolist()))]


def teams_of(people: Sequence[str]) -> dict[str, list[str]]:
    """Of so many each, in order of names."""
    return {name: [COMPANY, f"team:{n // IN_TEAM}"] for n, name in enumerate(sorted(people))}


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


def calls_of(grown: Grown, spans: Sequence[Span]) -> list[Call]:
    """What everybody calls week after week."""
    told = human_calls(grown)
    key = {span.start: span.key for span in spans}
    columns = zip(told.rep.tolist(), told.quarter_on.tolist(), told.day.tolist(), told.amount.tolist(), strict=True)
    return [
        Call(key[quarter], f"user:{grown.company.reps[rep]}", day, round(amount))
        for rep, quarter, day, amount in columns
    ]
