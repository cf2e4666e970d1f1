"""What was earned over a span of days by customer, product, rep, team, territory or period: sums of facts (R37).

Every fact is counted once under one key of the dimension (null: it belongs to none), so all dimensions sum to the same
total. A handful of statements, whatever there is to count: sums in SQL of what is plain, row by row what is not. Rep is
whose fact it is; team where he was on its day (of several the one that he joined last), territory where the deal was
credited, or else where the customer lies today; product what the lines of a deal or a booking say; period the fiscal
period of a kind that the day lies in.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, select

from sfa.core.days import check_day, start_of_ms
from sfa.core.errors import Refused
from sfa.db.tables import ROWS
from sfa.profit.company.booked import charges, commission_source, expenses, work
from sfa.profit.company.by_product import credits_by_product
from sfa.profit.company.fact_sums import Asked, Fact, Source, rows, sums
from sfa.profit.company.from_credits import credits_source, shared_terms
from sfa.profit.company.rebated import rebates
from sfa.profit.company.serving import corrected_visits, travel_source, visits_source
from sfa.profit.company.surroundings import EVERYTHING, Scope, World, read_holders, read_world
from sfa.profit.company.tallied import Tally, together
from sfa.quotas.holders import Holders

DIMENSIONS = ("customer", "product", "rep", "team", "territory", "period")
PERIODS = ("month", "quarter", "year", "period")
_BY = {
    "customer": ("account",),
    "product": ("product",),
    "rep": ("user",),
    "team": ("user", "place"),
    "territory": ("territory",),
    "period": ("place",),
    "total": (),
    "deal": ("deal",),  # for reconciliation: who asks over HTTP asks for `DIMENSIONS`
}
_SOURCES: tuple[Callable[[Connection, World, Asked], Source], ...] = (visits_source, travel_source, commission_source)
_ROWS: tuple[Callable[[Connection, World, Asked], Iterator[Fact]], ...] = (
    shared_terms,
    corrected_visits,
    charges,
    rebates,
    expenses,
    work,
)


class Span(Struct, frozen=True):
    """The local days [from_on, to_on); facts before the instant `until` only, where one is given."""

    from_on: str
    to_on: str
    until: int | None = None


class Profits(Struct, frozen=True):
    """Key of the dimension (null: none) -> its sums; `total` of all of them."""

    dimension: str
    span: Span
    currency: str
    by_key: dict[str | None, Tally]

    @property
    def total(self) -> Tally:
        return together(self.by_key.values())


class Period(Struct, frozen=True):
    key: str
    start_on: str
    end_on: str


def span_of(from_on: str, to_on: str, until: int | None = None) -> Span:
    """`request_invalid` where it is no span of days."""
    try:
        span = Span(check_day(from_on), check_day(to_on), until)
    except Refused:
        raise Refused("request_invalid", "`from` and `to` are days like 2026-01-31") from None
    if span.from_on >= span.to_on:
        raise Refused("request_invalid", "`from` is a day before `to`, and `to` is not in it")
    return span


def profits(
    connection: Connection,
    dimension: str,
    span: Span,
    *,
    scope: Scope = EVERYTHING,
    period_kind: str = "month",
    accounts: Sequence[str] | None = None,
    deals: Sequence[str] | None = None,
    world: World | None = None,
) -> Profits:
    """What was earned, by `dimension` of `DIMENSIONS` (or "total"); `accounts` narrows to some customers,
    `deals` to what names some deals."""
    world = world or read_world(connection)
    asked, named = asked_of(connection, world, dimension, span, scope, period_kind)
    if accounts is not None:
        asked = _narrowed(asked, accounts)
    if deals is not None:
        asked = structs.replace(asked, deals=tuple(sorted(deals)))
    tallies: dict[tuple[Any, ...], Tally] = {}
    for key, kind, amount in _counted(connection, world, asked):
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = Tally()
        if isinstance(amount, int):
            tally.add(kind, amount)
        else:
            tally.miss(kind, *amount)
    by_key: dict[str | None, Tally] = {}
    for key, tally in tallies.items():
        name = named(key)
        if name in by_key:
            by_key[name].take(tally)
        else:
            by_key[name] = tally
    return Profits(dimension, span, world.currency, by_key)


def _narrowed(asked: Asked, accounts: Sequence[str]) -> Asked:
    return structs.replace(asked, accounts=frozenset(accounts))


Name = Callable[[tuple[Any, ...]], str | None]


def asked_of(
    connection: Connection, world: World, dimension: str, span: Span, scope: Scope, period_kind: str
) -> tuple[Asked, Name]:
    start, end = start_of_ms(span.from_on, world.zone), start_of_ms(span.to_on, world.zone)
    cuts: tuple[int, ...] = ()
    name: Name = lambda key: key[0] if key else None  # noqa: E731 - one of three
    if dimension == "team":
        holders = read_holders(connection, world.zone)
        cuts = tuple(sorted({start, *holders.changes("team", start, end)}))
        name = _team_namer(holders, cuts)
    elif dimension == "period":
        periods = read_periods(connection, period_kind, span)
        bounds = {start_of_ms(day, world.zone) for p in periods for day in (p.start_on, p.end_on)}
        cuts = tuple(sorted({start, *(at for at in bounds if start < at < end)}))
        name = _period_namer(periods, cuts, world.zone)
    asked = Asked(
        from_on=span.from_on,
        to_on=span.to_on,
        start=start,
        end=end,
        by=_BY[dimension],
        cuts=cuts,
        scope=scope,
        until=span.until,
    )
    return asked, name


def _team_namer(holders: Holders, cuts: Sequence[int]) -> Name:
    def name(key: tuple[Any, ...]) -> str | None:
        user, place = key
        teams = holders.teams(user, cuts[place]) if user is not None else ()
        return teams[-1] if teams else None

    return name


def _period_namer(periods: Sequence[Period], cuts: Sequence[int], zone: str) -> Name:
    found: list[str | None] = []
    for cut in cuts:
        held = [p.key for p in periods if start_of_ms(p.start_on, zone) <= cut < start_of_ms(p.end_on, zone)]
        found.append(min(held, default=None))
    return lambda key: found[key[0]]


def read_periods(connection: Connection, kind: str, span: Span) -> list[Period]:
    """The fiscal periods of a kind that meet the span, in order."""
    p = ROWS["fiscal_periods"].c
    query = select(p.key, p.start_on, p.end_on).where(~p.gone, p.kind == kind)
    query = query.where(p.start_on < span.to_on, p.end_on > span.from_on).order_by(p.start_on, p.key)
    return [Period(*row) for row in connection.execute(query)]


_Amount = int | tuple[str, dict[str, Any]]


def _counted(connection: Connection, world: World, asked: Asked) -> Iterator[tuple[tuple[Any, ...], str, _Amount]]:
    """-> (key, kind, amount in the company's currency, or why there is none)."""
    sources = _SOURCES if "product" in asked.by else (credits_source, *_SOURCES)
    for make in sources:
        for found in sums(connection, world, make(connection, world, asked), asked):
            if len(found) == 3:
                yield found
            else:
                key, fact = found
                yield key, fact.kind, _valued(fact)
    if "product" in asked.by:
        for part in credits_by_product(connection, world, asked):
            yield (asked.key(part), part.kind, _valued(part)) if isinstance(part, Fact) else part
    for read in _ROWS:
        for fact in read(connection, world, asked):
            yield asked.key(fact), fact.kind, _valued(fact)


def _valued(fact: Fact) -> _Amount:
    return fact.amount if fact.amount is not None else (fact.code or "cost_missing", dict(fact.about))


def facts(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """Every fact one by one, in no order: what the sums are the sums of."""
    for make in (credits_source, *_SOURCES):
        yield from rows(connection, world, make(connection, world, asked), asked)
    for read in _ROWS:
        yield from read(connection, world, asked)
