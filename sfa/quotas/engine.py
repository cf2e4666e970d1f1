"""Attainment of any set of quotas in a handful of statements (R10, R11, R12, R18), and the facts that it is the sum of.

`figures` sums in the database by holder and segment and rolls up by the trees of each fact's own day; only money that
must be converted is read row by row, each amount at the rate of its day (R34). `contributions` reads every fact and
answers what it adds; both ask the same judge (`sfa.quotas.measures`), and a test holds a figure to the exact sum of its
contributions. Nothing here reads a clock: `as_of` cuts facts off (those before it count) and chooses the version of the
target; None takes every fact and the target of the period's last day.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import structs
from sqlalchemy import Connection

from sfa.db import scope
from sfa.quotas import reading, visited
from sfa.quotas.holders import Holders
from sfa.quotas.measures import Contribution, Fact, Family, QuotaRow, judged, needs_rows
from sfa.quotas.spans import Span
from sfa.quotas.tallies import Figure, Takers, Tally, explained, figure
from sfa.quotas.targets import World, as_approved, read_quotas, read_world
from sfa.quotas.windows import windows

__all__ = ["Contribution", "Figure", "QuotaRow", "contributions", "contributions_of", "figures", "read_quotas"]

USERS_MAX = 400  # more people than these are read as everybody: one pass costs less than as many look-ups

# -- figures ----------------------------------------------------------------------------------------------------------


def figures(connection: Connection, quotas: Sequence[QuotaRow], as_of: int | None) -> dict[str, Figure]:
    """quota key -> its figure. Statements do not grow with the number of quotas."""
    zone = scope.zone(connection)
    return approved_figures(connection, as_approved(connection, quotas, as_of, zone), as_of, zone)


def approved_figures(
    connection: Connection, quotas: Sequence[QuotaRow], as_of: int | None, zone: str
) -> dict[str, Figure]:
    """The same of quotas that have the target of that instant already."""
    tallies = _tallies(connection, quotas, read_world(connection, quotas, zone), as_of)
    return {quota.key: figure(quota, tallies[quota.key]) for quota in quotas}


def _tallies(connection: Connection, quotas: Sequence[QuotaRow], world: World, as_of: int | None) -> dict[str, Tally]:
    tallies = {quota.key: Tally() for quota in quotas}
    for of, span in _spans(quotas, world, as_of):
        takers = Takers(of, world.holders)
        foreign: set[str] = set()
        for fact in _sums(connection, of, span, as_of):
            for quota in takers.of(fact):
                if needs_rows(quota, fact):
                    foreign.update(c for c in (fact.currency, fact.cost_currency) if c is not None)  # type: ignore[union-attr]
                else:
                    tallies[quota.key].add(quota, fact, judged(quota, fact, world.exchange))
        for row in reading.rows_of_deals(connection, span, foreign) if foreign else ():
            for quota in takers.of(row):
                if needs_rows(quota, row):
                    tallies[quota.key].add(quota, row, judged(quota, row, world.exchange))
    return tallies


def _spans(quotas: Sequence[QuotaRow], world: World, as_of: int | None) -> Iterator[tuple[list[QuotaRow], Span]]:
    """Quotas that are read together, with the span of facts that they need: one for each family, people and territories
    apart."""
    groups: dict[tuple[Family, bool], list[QuotaRow]] = {}
    for quota in quotas:
        if as_of is None or quota.start_at < as_of:
            groups.setdefault((quota.family, quota.territory_key is not None), []).append(quota)
    for (_, by_territory), of in sorted(groups.items()):
        start, end = min(q.start_at for q in of), max(q.end_at for q in of)
        end = end if as_of is None else min(end, as_of)
        kinds = {quota.holder[0] for quota in of}
        cuts = {start, *(at for q in of for at in (q.start_at, q.end_at) if start < at < end)}
        for kind in kinds:
            cuts.update(world.holders.changes(kind, start, end))
        people = () if by_territory else _people(of, world.holders, start, end)
        yield (
            of,
            Span(
                start=start,
                end=end,
                cuts=tuple(sorted(cuts)),
                people=people,
                users=people if not by_territory and len(people) <= USERS_MAX else None,
                territories=_territories(of, world.holders, start, end) if by_territory else None,
                by_territory=by_territory,
                with_tier=any(quota.account_tier is not None for quota in of),
            ),
        )


def _people(quotas: Sequence[QuotaRow], holders: Holders, start: int, end: int) -> tuple[str, ...]:
    found = {quota.user_key for quota in quotas if quota.user_key is not None}
    teams = {quota.team_key for quota in quotas if quota.team_key is not None}
    found |= holders.people_of(teams, start, end) if teams else set()
    return tuple(sorted(found))


def _territories(quotas: Sequence[QuotaRow], holders: Holders, start: int, end: int) -> tuple[str, ...] | None:
    found = holders.territories_of({q.territory_key for q in quotas if q.territory_key is not None}, start, end)
    return tuple(sorted(found)) if len(found) <= USERS_MAX else None


def _sums(connection: Connection, quotas: Sequence[QuotaRow], span: Span, as_of: int | None) -> Iterator[Fact]:
    match quotas[0].family:
        case "deals":
            yield from reading.sums_of_deals(connection, span, cost=any(q.measure == "margin" for q in quotas))
        case "quantities":
            yield from reading.sums_of_quantities(connection, span)
        case "firsts":
            yield from reading.rows_of_firsts(connection, span, as_of)
        case "visits":
            people = any(q.measure == "unique_contacts" for q in quotas)
            types = any(q.visit_type is not None for q in quotas)
            verdicts = any(not (q.counts_unverified and q.counts_out_of_range) for q in quotas)
            yield from visited.sums_of_visits(connection, span, people=people, types=types, verdicts=verdicts)
            yield from visited.corrected_visits(connection, span)


# -- contributions ----------------------------------------------------------------------------------------------------

_ROWS: Mapping[Family, Callable[[Connection, Span], Iterator[Fact]]] = {
    "deals": reading.rows_of_deals,
    "quantities": reading.rows_of_quantities,
    "visits": visited.rows_of_visits,
}


def contributions(
    connection: Connection, quota: QuotaRow, as_of: int | None, *, left_out: bool = False
) -> Iterator[Contribution]:
    """What one quota's figure is the sum of, by (at, entity, row_key, ordinal, reversal, user_key); with `left_out`
    also what its rule does not count, each with the reason."""
    return contributions_of(connection, [quota], as_of, left_out=left_out)


def contributions_of(
    connection: Connection,
    quotas: Sequence[QuotaRow],
    as_of: int | None,
    *,
    left_out: bool = False,
    walk_from: int | None = None,
) -> Iterator[Contribution]:
    """The same of many quotas in a few statements: those of one quota in their order, of several mixed. `walk_from`
    is for who wants some of them: it begins there and reads on in windows, as far as they are asked for. That changes
    nothing that is told but of unique contacts, which ask who was met before."""
    zone = scope.zone(connection)
    asked = as_approved(connection, quotas, as_of, zone)
    world = read_world(connection, asked, zone)
    for of, span in _spans(asked, world, as_of):
        takers, parts = Takers(of, world.holders), iter([span])
        if walk_from is not None:
            parts = windows(connection, of[0].family, structs.replace(span, start=max(span.start, walk_from)))
        for part in parts:
            yield from explained(_rows(connection, of, part, as_of), takers, world.exchange, left_out)


def _rows(connection: Connection, quotas: Sequence[QuotaRow], span: Span, as_of: int | None) -> Iterator[Fact]:
    family = quotas[0].family
    if family == "firsts":
        return reading.rows_of_firsts(connection, span, as_of)
    return _ROWS[family](connection, span)
