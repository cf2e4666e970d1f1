"""What people ask of profit at a screen: a sorted page of a dimension with the company's total, and the whale curve.

For roles that see cost, within what they see: a director's figures are of his customers and people, and `partial` says
that there are others (R30, R45). Lost-opportunity cost stands beside (R42). Nothing here reads a clock.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.profit.company.by import DIMENSIONS, PERIODS, Profits, Span, asked_of, profits, span_of
from sfa.profit.company.lost import Lost, losses
from sfa.profit.company.surroundings import Scope, World, read_world, scope_of
from sfa.profit.company.tallied import Earned, Tally
from sfa.profit.company.whale import Decile, Point, whale
from sfa.quotas.attainment import instant_of

PAGE_DEFAULT, PAGE_MAX = 100, 1_000
SORTS = ("profit", "revenue", "cost", "lost", "key")
TABLES = {
    "customer": "accounts",
    "product": "products",
    "rep": "users",
    "team": "teams",
    "territory": "territories",
    "period": "fiscal_periods",
}


class Wanted(Struct, frozen=True):
    """Days [from_on, to_on); `as_of` an instant or a local day. `after` is a place as `next` says it."""

    from_on: str
    to_on: str
    as_of: str | None = None
    period_kind: str = "month"
    sort: str = "profit"
    up: bool = False
    after: str | None = None
    limit: int = PAGE_DEFAULT


class Missed(Struct, frozen=True, gc=False):
    """What was lost: expected pocket margin plus sunk effort; null where one of the losses is not computable."""

    count: int
    lost_minor: int | None
    margin_minor: int | None
    effort_minor: int | None


NOTHING = Missed(0, 0, 0, 0)


class ByReason(Struct, frozen=True):
    reason_key: str | None
    lost: Missed


class Line(Struct, frozen=True, gc=False):
    """`key` null: what belongs to none. `cost_minor` is all between the revenue and the profit."""

    key: str | None
    name: str | None
    revenue_minor: int | None
    cost_minor: int | None
    profit_minor: int | None
    earned: Earned
    lost: Missed


class Report(Struct, frozen=True):
    dimension: str
    from_on: str
    to_on: str
    as_of: int
    currency: str
    partial: bool
    total: Line
    lost_by_reason: list[ByReason]
    items: list[Line]
    next: str | None


class WhaleTold(Struct, frozen=True):
    """See `sfa.profit.company.whale`; `items` is a page of its points. `members` counts all."""

    from_on: str
    to_on: str
    as_of: int
    currency: str
    partial: bool
    members: int
    total_minor: int | None
    peak_minor: int
    peak_rank: int
    lost_minor: int
    unknown: list[str | None]
    deciles: list[Decile]
    items: list[Point]
    names: dict[str, str]
    next: int | None


def told(connection: Connection, user_key: str, now_ms: int, dimension: str, wanted: Wanted) -> Report:
    """A page of one dimension. `not_found`: there is no such dimension; `not_permitted`: the role sees no cost."""
    if dimension not in DIMENSIONS:
        raise Refused("not_found")
    limit = checked_limit(wanted.limit)
    if wanted.sort not in SORTS:
        raise Refused("request_invalid", f"`sort` is one of {', '.join(SORTS)}")
    if wanted.period_kind not in PERIODS:
        raise Refused("request_invalid", f"`period` is one of {', '.join(PERIODS)}")
    world, span, scope = _asked(connection, user_key, now_ms, wanted)
    return reported(connection, world, dimension, span, scope, wanted, limit)


def reported(
    connection: Connection, world: World, dimension: str, span: Span, scope: Scope, wanted: Wanted, limit: int
) -> Report:
    found = profits(connection, dimension, span, scope=scope, period_kind=wanted.period_kind, world=world)
    asked, named = asked_of(connection, world, dimension, span, scope, wanted.period_kind)
    lost = losses(connection, world, asked)
    by_key = _lost_by(lost, named, asked)
    lines = [_line(key, found.by_key.get(key, Tally()), by_key.get(key, ())) for key in {**found.by_key, **by_key}]
    ranked = sorted(((_place(line, wanted), line) for line in lines), key=itemgetter(0))
    after = _after(wanted)
    rest = [line for place, line in ranked if after is None or place > after]
    page = rest[:limit]
    names = names_of(connection, TABLES[dimension], [line.key for line in page if line.key is not None])
    reasons: dict[str | None, list[Lost]] = {}
    for one in lost:
        reasons.setdefault(one.reason_key, []).append(one)
    by_reason = [
        ByReason(key, missed(reasons[key])) for key in sorted(reasons, key=lambda key: (key is None, key or ""))
    ]
    return Report(
        dimension=dimension,
        from_on=span.from_on,
        to_on=span.to_on,
        as_of=span.until or 0,
        currency=world.currency,
        partial=scope.partial,
        total=_line(None, found.total, lost),
        lost_by_reason=by_reason,
        items=[msgspec.structs.replace(line, name=names.get(line.key or "")) for line in page],
        next=msgspec.json.encode(_place(page[-1], wanted)).decode() if len(rest) > limit else None,
    )


def whales(connection: Connection, user_key: str, now_ms: int, wanted: Wanted, after_rank: int) -> WhaleTold:
    """The whale curve of the customers that the caller sees, a page of its points behind a rank."""
    limit = checked_limit(wanted.limit)
    world, span, scope = _asked(connection, user_key, now_ms, wanted)
    found = profits(connection, "customer", span, scope=scope, world=world)
    return whale_told(connection, found, span, world, scope, after_rank, limit)


def whale_told(
    connection: Connection, found: Profits, span: Span, world: World, scope: Scope, after_rank: int, limit: int
) -> WhaleTold:
    curve = whale({key: tally.earned().profit_minor for key, tally in found.by_key.items()})
    page = curve.points[after_rank : after_rank + limit]
    return WhaleTold(
        from_on=span.from_on,
        to_on=span.to_on,
        as_of=span.until or 0,
        currency=world.currency,
        partial=scope.partial,
        members=len(curve.points),
        total_minor=curve.total_minor,
        peak_minor=curve.peak_minor,
        peak_rank=curve.peak_rank,
        lost_minor=curve.lost_minor,
        unknown=curve.unknown[:PAGE_MAX],
        deciles=curve.deciles,
        items=page,
        names=names_of(connection, "accounts", [point.key for point in page if point.key is not None]),
        next=page[-1].rank if page and page[-1].rank < len(curve.points) else None,
    )


def _asked(connection: Connection, user_key: str, now_ms: int, wanted: Wanted) -> tuple[World, Span, Scope]:
    scope = scope_of(connection, person(connection, user_key))
    world = read_world(connection)
    span = span_of(wanted.from_on, wanted.to_on)
    return world, msgspec.structs.replace(span, until=instant_of(wanted.as_of, now_ms, world.zone)), scope


def checked_limit(limit: int) -> int:
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}")
    return limit


def _line(key: str | None, tally: Tally, lost: Sequence[Lost]) -> Line:
    earned = tally.earned()
    return Line(key, None, earned.invoice_minor, earned.cost_minor, earned.profit_minor, earned, missed(lost))


def missed(lost: Sequence[Lost]) -> Missed:
    """The sums of some losses."""

    if not lost:
        return NOTHING
    margin: int | None = 0
    effort: int | None = 0
    for one in lost:
        margin = None if margin is None or one.margin_minor is None else margin + one.margin_minor
        effort = None if effort is None or one.effort_minor is None else effort + one.effort_minor
    return Missed(len(lost), None if margin is None or effort is None else margin + effort, margin, effort)


def _lost_by(lost: Sequence[Lost], named: Any, asked: Any) -> dict[str | None, list[Lost]]:
    """The losses of each key; of products none is."""
    found: dict[str | None, list[Lost]] = {}
    for one in lost:
        values: Mapping[str, Any] = {
            "account": one.account_key,
            "user": one.owner_key,
            "territory": one.territory_key,
            "product": None,
            "place": asked.place(one.at),
        }
        found.setdefault(named(tuple(values[name] for name in asked.by)), []).append(one)
    return found


# -- order and pages --------------------------------------------------------------------------------------------------

_Place = tuple[bool, int, bool, str]


def _place(line: Line, wanted: Wanted) -> _Place:
    """Not computable comes last, then by key."""
    lost = line.lost.lost_minor
    values = {
        "profit": line.profit_minor,
        "revenue": line.revenue_minor,
        "cost": line.cost_minor,
        "lost": lost,
        "key": 0,
    }
    value = values[wanted.sort]
    size = 0 if value is None else value if wanted.up else -value
    return value is None, size, line.key is None, line.key or ""


def _after(wanted: Wanted) -> _Place | None:
    if wanted.after is None:
        return None
    try:
        place: _Place = msgspec.json.decode(wanted.after, type=_Place)
        return place
    except msgspec.DecodeError:
        raise Refused("request_invalid", "`after` is the `next` of another page of the same list") from None


def names_of(connection: Connection, entity: str, keys: Sequence[str]) -> dict[str, str]:
    table = ROWS[entity].c
    query = select(table.key, table.name).where(among(table.key, "keys"))
    wanted = sorted(key for key in keys if is_key(key))
    return dict(connection.execute(query, {"keys": listed(connection, wanted)}).all()) if wanted else {}
