"""What winning customers took, and what keeping them takes: effort before and after a customer's first credit.

Effort is visits, ways, other work, expenses and samples. It is *acquisition* until the customer's first credit that
stands, *retention* from then on; of a customer who never bought all of it is acquisition that has brought nothing yet
(`prospects`). Sums are taken in SQL like all others; what was not computable is named.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, case, exists, func, select

from sfa.db.prepared import among, listed
from sfa.db.tables import credited
from sfa.profit.company.booked import expenses, work
from sfa.profit.company.by import Span, asked_of
from sfa.profit.company.fact_sums import Asked, Fact, Source, sums
from sfa.profit.company.serving import corrected_visits, travel_source, visits_source
from sfa.profit.company.surroundings import EVERYTHING, Scope, World
from sfa.profit.company.tallied import Missing, Tally

ACQUISITION, RETENTION, PROSPECTS = "acquisition", "retention", "prospects"


class Phases(Struct, frozen=True):
    """Costs, positive; null where something of it is missing. `won` customers had their first credit in the span, and
    `per_won_minor` is what acquisition took for each of them, half up; null where there is none."""

    acquisition_minor: int | None
    retention_minor: int | None
    prospects_minor: int | None
    won: int
    per_won_minor: int | None
    missing: list[Missing]


def phases(
    connection: Connection,
    world: World,
    span: Span,
    *,
    scope: Scope = EVERYTHING,
    accounts: Sequence[str] | None = None,
) -> Phases:
    """Of the customers in scope, or of some of them."""
    asked, _ = asked_of(connection, world, "total", span, scope, "month")
    asked = structs.replace(asked, accounts=None if accounts is None else frozenset(accounts))
    firsts = _firsts(connection, asked)
    tallies = {phase: Tally() for phase in (ACQUISITION, RETENTION, PROSPECTS)}
    for make in (visits_source, travel_source):
        source = _phased(make(connection, world, asked), asked.until)
        for found in sums(connection, world, source, structs.replace(asked, by=("phase",)), _phase_of(firsts)):
            if len(found) == 3:
                (phase,), kind, amount = found
                tallies[phase].add(kind, amount)
            else:
                _take(tallies[found[0][0]], found[1])
    for read in (corrected_visits, work, expenses):
        for fact in read(connection, world, asked):
            _take(tallies[_phase(firsts, fact)], fact)
    won = sum(asked.start <= at < asked.last for at in firsts.values())
    costs = {phase: _cost(tally) for phase, tally in tallies.items()}
    acquisition = costs[ACQUISITION]
    each = (2 * acquisition + won) // (2 * won) if won and acquisition is not None else None
    missing = [m for tally in tallies.values() for m in tally.earned().missing]
    return Phases(acquisition, costs[RETENTION], costs[PROSPECTS], won, each, missing)


def _cost(tally: Tally) -> int | None:
    return None if tally.spoiled else -sum(tally.kinds.values())


def _take(tally: Tally, fact: Fact) -> None:
    if fact.amount is None:
        tally.miss(fact.kind, fact.code or "cost_missing", fact.about)
    else:
        tally.add(fact.kind, fact.amount)


def _first_credits(until: int | None) -> Any:
    """The first credit of each customer that stands, or stood at an instant."""
    c, back = credited.c, credited.alias("taken_back").c
    before = [] if until is None else [back.at < until]
    taken_back = exists().where(back.deal_key == c.deal_key, back.n == c.n, back.reversal, *before)
    query = select(c.account_key, func.min(c.at).label("at")).where(~c.overlay, ~c.reversal, ~taken_back)
    query = query if until is None else query.where(c.at < until)
    return query.where(c.account_key.is_not(None)).group_by(c.account_key)


def _firsts(connection: Connection, asked: Asked) -> dict[str, int]:
    query, bound = _first_credits(asked.until), {}
    if asked.accounts is not None:
        query, bound = (
            query.where(among(credited.c.account_key, "of")),
            {"of": listed(connection, sorted(asked.accounts))},
        )
    found = connection.execute(query, bound).all()
    return {account: at for account, at in found if asked.scope.sees(account, None)}


def _phased(source: Source, until: int | None) -> Source:
    """The same, which can be grouped by phase."""
    firsts = _first_credits(until).cte("firsts")
    phase = case((firsts.c.at.is_(None), PROSPECTS), (source.at < firsts.c.at, ACQUISITION), else_=RETENTION)
    from_ = source.from_.outerjoin(firsts, firsts.c.account_key == source.columns["account"])
    return source._replace(from_=from_, columns={**source.columns, "phase": phase})


def _phase(firsts: dict[str, int], fact: Fact) -> str:
    first = firsts.get(fact.account or "")
    return PROSPECTS if first is None else ACQUISITION if fact.at < first else RETENTION


def _phase_of(firsts: dict[str, int]) -> Any:
    return lambda fact: (_phase(firsts, fact),)
