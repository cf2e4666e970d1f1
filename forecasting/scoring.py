"""Locked calls beside what was closed of the same person or team and period, for whoever may see the call (R29, R30).

What was closed are credits, overlays apart, as quotas of revenue count them (R55): a person's are all of his, a team's
those of everybody who stood below it on the day of the credit, in the tree in which everybody is once. They are summed
in the database by person, currency and stretch of time in which nobody moves; only money of another currency than the
report's is read credit by credit, each at the rate frozen with it (R34). A call is worth what it was on its lock's day.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from msgspec import Struct, structs
from sqlalchemy import Connection, select

from forecasting.accuracy import BY, NOT_CALLED, RATE_MISSING, VIEWS, Accuracy, Called, scores, weeks_ahead
from forecasting.answers import PeriodTold
from forecasting.reading import World, find_period, read_world
from sfa.core.credits import day_of
from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.core.forecast_cycles import LOCKED
from sfa.core.ids import is_key
from sfa.core.money import minor_digits
from sfa.crm.calling import ENTITY
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.quotas.measures import DealFact
from sfa.quotas.reading import rows_of_deals, sums_of_deals
from sfa.quotas.spans import Span

ITEMS_MAX = 1_000
PERIODS_MAX = 12  # unless one is asked for, the last ones that are over
USERS_MAX = 400  # more people than these are read as everybody
KINDS = ("user", "team")
_CALLS, _PERIODS = ROWS[ENTITY], ROWS["fiscal_periods"]


class Wanted(Struct, frozen=True):
    """Which calls: of a period, a node, a horizon in weeks; None asks for all."""

    period_key: str | None = None
    node: str | None = None
    by: str = "person"
    view: str = "commit"
    currency: str | None = None
    weeks: int | None = None


def told(connection: Connection, now_ms: int, user_key: str, wanted: Wanted) -> Accuracy:
    """Refuses `request_invalid`, `period_unknown`, `period_not_over`, `currency_unknown` and, of a node that the caller
    may not see, `not_found`."""
    who = person(connection, user_key)
    if wanted.by not in BY:
        raise Refused("request_invalid", f"`by` is one of {', '.join(BY)}")
    if wanted.view not in VIEWS:
        raise Refused("request_invalid", f"`view` is one of {', '.join(VIEWS)}")
    if wanted.weeks is not None and wanted.weeks < 0:
        raise Refused("request_invalid", "`weeks` is not below zero", weeks=wanted.weeks)
    kind, node = _node(who, wanted.node)
    world = read_world(connection, now_ms=now_ms)
    if wanted.currency is not None:
        minor_digits(wanted.currency)
        world = structs.replace(world, currency=wanted.currency)
    periods = _periods(connection, wanted.period_key, world.today)
    lines = _lines(connection, who, periods, kind, node, f"{wanted.view}_minor")
    items = _items(connection, world, periods, lines)
    if wanted.weeks is not None:
        items = [item for item in items if item.weeks == wanted.weeks]
    groups, together = scores(items, wanted.by)
    return Accuracy(
        as_of=world.today,
        zone=world.zone,
        currency=world.currency,
        view=wanted.view,
        by=wanted.by,
        periods=[periods[key] for key in sorted(periods, key=lambda key: (periods[key].start_on, key))],
        scores=groups,
        all=together,
        items=items[:ITEMS_MAX],
        count=len(items),
    )


def _node(who: Who, text: str | None) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    kind, _, key = text.partition(":")
    if kind not in KINDS or not is_key(key):
        raise Refused("request_invalid", "`node` is user:<key> or team:<key>")
    bucket = f"book:{key}" if kind == "user" else f"manage:{key}"
    if who.held is not None and bucket not in who.held:
        raise Refused("not_found")
    return kind, key


# -- reading ----------------------------------------------------------------------------------------------------------


def _periods(connection: Connection, key: str | None, today: str) -> dict[str, PeriodTold]:
    if key is not None:
        asked = find_period(connection, key, today, "")
        if asked.end_on > today:
            raise Refused("period_not_over", end_on=asked.end_on)
        return {asked.key: asked}
    p, c = _PERIODS.c, _CALLS.c
    query = select(p.key, p.name, p.kind, p.start_on, p.end_on).where(~p.gone)
    called = select(c.period_key).where(~c.gone, c.status == LOCKED).distinct()
    query = query.where(p.end_on <= today, p.key.in_(called))
    rows = connection.execute(query.order_by(p.end_on.desc(), p.key).limit(PERIODS_MAX))
    return {row.key: PeriodTold(*row) for row in rows}


class _Line(NamedTuple):
    """A locked call, as much of it as a score needs, in the order in which calls are told."""

    period_key: str
    due_on: str
    node: str
    key: str
    team_key: str | None
    author_key: str
    currency: str
    said: int | None


def _lines(
    connection: Connection, who: Who, periods: Iterable[str], kind: str | None, node: str | None, field: str
) -> list[_Line]:
    """The locked calls that the caller sees, by period, lock and node."""
    c = _CALLS.c
    query = select(c.period_key, c.due_on, c.user_key, c.key, c.team_key, c.author_key, c.currency, c[field])
    query = query.where(~c.gone, c.status == LOCKED, c.period_key.in_(list(periods)))
    bound: dict[str, Any] = {}
    if who.held is not None:
        query = query.where(lies_in(c.buckets, "held"))
        bound["held"] = listed(connection, sorted(who.held))
    if kind is not None:
        query = query.where(c[f"{kind}_key"] == node)
    return sorted(
        _Line(period, due_on, f"team:{team}" if user is None else f"user:{user}", key, team, author, currency, said)
        for period, due_on, user, key, team, author, currency, said in connection.execute(query, bound).all()
    )


def _items(
    connection: Connection, world: World, periods: dict[str, PeriodTold], lines: Sequence[_Line]
) -> list[Called]:
    """Each beside what was closed; what many calls have in common is looked up once."""
    nodes: dict[str, set[str]] = {}
    for line in lines:
        nodes.setdefault(line.period_key, set()).add(line.node)
    closed = {key: closed_in(connection, world, periods[key], of) for key, of in sorted(nodes.items())}
    weeks = cache(lambda period, due_on: weeks_ahead(due_on, periods[period].end_on))
    level = cache(lambda team, due_on: f"team {len(world.tree.team_path(team, due_on))}")
    applied = cache(
        lambda currency, due_on: world.exchange.applied(currency, world.currency, start_of_ms(due_on, world.zone))
    )
    items = []
    for line in lines:
        said, code = line.said, None
        if said is None:
            code = NOT_CALLED
        elif line.currency != world.currency:
            rate = applied(line.currency, line.due_on)
            said, code = (rate.value(said), None) if rate is not None else (None, RATE_MISSING)
        came = closed[line.period_key][line.node]
        items.append(
            Called(
                key=line.key,
                period_key=line.period_key,
                node=line.node,
                author_key=line.author_key,
                due_on=line.due_on,
                level=level(line.team_key, line.due_on) if line.team_key is not None else "person",
                weeks=weeks(line.period_key, line.due_on),
                called_minor=said,
                closed_minor=came,
                code=RATE_MISSING if came is None else code,
            )
        )
    return items


# -- what was closed --------------------------------------------------------------------------------------------------


def closed_in(connection: Connection, world: World, period: PeriodTold, nodes: Iterable[str]) -> dict[str, int | None]:
    """node -> what was closed of it in a period; None where a rate is missing."""
    found: dict[str, int | None] = dict.fromkeys(nodes, 0)
    span = _span(world, period, found)
    foreign: set[str] = set()
    for fact in sums_of_deals(connection, span, cost=False):
        if fact.currency not in (None, world.currency):
            foreign.add(fact.currency or "")
        else:
            _add(world, found, fact, fact.amount_minor)
    for fact in rows_of_deals(connection, span, foreign) if foreign else ():
        if fact.currency in foreign and fact.amount_minor is not None:
            signed = -fact.amount_minor if fact.reversal else fact.amount_minor
            at = fact.rated_at if fact.rated_at is not None else fact.at
            applied = world.exchange.applied(fact.currency or "", world.currency, at)
            _add(world, found, fact, applied.value(signed) if applied is not None else None)
    return found


def _span(world: World, period: PeriodTold, nodes: Iterable[str]) -> Span:
    """Cut where somebody moves; of a few people alone where no team is asked for."""
    start, end = (start_of_ms(day, world.zone) for day in (period.start_on, period.end_on))
    cuts = {start_of_ms(day, world.zone) for day in world.tree.changes if period.start_on < day < period.end_on}
    of = [node.removeprefix("user:") for node in nodes if node.startswith("user:")]
    is_few = len(of) <= USERS_MAX and len(of) == len(list(nodes))
    return Span(
        start=start,
        end=end,
        cuts=tuple(sorted({start, *cuts})),
        people=tuple(sorted(of if is_few else {*world.people, *world.tree.people})),
        users=tuple(sorted(of)) if is_few else None,
    )


def _add(world: World, found: dict[str, int | None], fact: DealFact, amount: int | None) -> None:
    if fact.overlay or (amount is None and fact.currency is None):  # beside the totals; without an amount
        return
    place = world.tree.place(fact.user_key, day_of(fact.at, world.zone))
    for node in (*place.path, f"user:{fact.user_key}"):
        standing = found.get(node)
        if node in found:
            found[node] = None if standing is None or amount is None else standing + amount
