"""Credits as facts, read in sets: sums of what counts alike, or row by row in the order of explanations.

A `Span` says which facts: within [start, end), of some people or some territories or of everybody. `sums_*` group by
who and by segment (a stretch between two `cuts`, within which nobody changes holders and no period begins), so that a
whole company costs one pass over a table; `rows_*` answer each fact. Visits are in `visited`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles

from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited, credited_quantities
from sfa.quotas.measures import DealFact, FirstFact, QuantityFact

_ACCOUNTS = ROWS["accounts"]
PART = 5_000
WIDE = 4  # a quarter of everything and more is read in one pass
LOW = 10**9  # sums are taken in two halves, which no number of rows makes too large for SQLite
Cuts = Sequence[int]


class Span(Struct, frozen=True, kw_only=True):
    """`cuts` are the first instants of the segments, the start among them. `users` or `territories` None: all."""

    start: int
    end: int
    cuts: tuple[int, ...] = ()
    users: tuple[str, ...] | None = None
    territories: tuple[str, ...] | None = None
    by_territory: bool = False
    with_tier: bool = False


def segment(at: Any, cuts: Cuts) -> ColumnElement[int]:
    """Which segment an instant lies in, by halving: a dozen comparisons for thousands of segments."""
    if len(cuts) <= 1:
        return literal_column("0", Integer)

    def halved(low: int, high: int) -> Any:
        if low == high:
            return literal_column(str(low), Integer)
        middle = (low + high + 1) // 2
        return case((at < literal_column(str(int(cuts[middle]))), halved(low, middle - 1)), else_=halved(middle, high))

    return func.coalesce(halved(0, len(cuts) - 1), literal_column("0", Integer))


def each(connection: Connection, query: Select[Any], bound: Mapping[str, Any]) -> Iterator[Any]:
    """The rows of a query, fetched thousands at a time."""
    for part in connection.execute(query, bound).partitions(PART):
        yield from part


def placed(place: Any, span: Span) -> list[Any]:
    """What to group by: nothing where there is one segment only."""
    return [place] if len(span.cuts) > 1 else []


class past_indexes(ColumnElement[Any]):  # noqa: N801 - an operator, as SQLAlchemy names them
    """The same column, for which SQLite looks at no index: where most of a table counts, one pass over it costs a third
    of as many look-ups by index. PostgreSQL knows by itself."""

    inherit_cache = False

    def __init__(self, column: Any) -> None:
        self.column = column
        self.type = column.type


@compiles(past_indexes)
def _as_it_is(element: past_indexes, compiler: Any, **_: Any) -> str:
    return str(compiler.process(element.column))


@compiles(past_indexes, "sqlite")
def _past_indexes(element: past_indexes, compiler: Any, **_: Any) -> str:
    return f"+{compiler.process(element.column)}"


def _is_most(connection: Connection, span: Span) -> bool:
    """Whether the span, of everybody, is a large part of all that was ever credited."""
    if span.users is not None or span.territories is not None:
        return False
    first = connection.execute(select(func.min(credited.c.at))).scalar()
    last = connection.execute(select(func.max(credited.c.at))).scalar()
    if first is None or last is None:
        return False
    return bool((min(span.end, last + 1) - max(span.start, first)) * WIDE > last + 1 - first)


def _sums(value: Any) -> tuple[Any, Any]:
    """The sum in two halves, as `_whole` puts it together."""
    return func.sum(value.op("/")(literal_column(str(LOW), BigInteger))), func.sum(
        value % literal_column(str(LOW), BigInteger)
    )


def _whole(high: Any, low: Any) -> int:
    return int(high or 0) * LOW + int(low or 0)


def _bound(connection: Connection, span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if span.users is not None:
        found["users"] = listed(connection, span.users)
    if span.territories is not None:
        found["territories"] = listed(connection, span.territories)
    return found


def _with_tier(query: Select[Any], span: Span, account: Any) -> Select[Any]:
    """Adds the customer's tier (of today) as the last column."""
    if not span.with_tier:
        return query.add_columns(null().label("tier"))
    return query.add_columns(_ACCOUNTS.c.tier.label("tier")).outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == account)


# -- credits ----------------------------------------------------------------------------------------------------------


def _of_credits(query: Select[Any], span: Span, of: Any = credited.c, *, most: bool = False) -> Select[Any]:
    at = past_indexes(of.at) if most else of.at
    query = query.where(at >= span.start, at < span.end)
    if span.users is not None:
        query = query.where(among(of.user_key, "users"))
    if span.territories is not None:
        query = query.where(among(credited.c.territory_key, "territories"))
    return query


def sums_of_deals(connection: Connection, span: Span, *, cost: bool) -> Iterator[DealFact]:
    """Credits summed by holder, segment, currency (and currency of the cost), overlay apart."""
    c = credited.c
    who = c.territory_key if span.by_territory else c.user_key
    place = segment(c.at, span.cuts).label("place")
    cost_currency = c.cost_currency if cost else null()
    columns = (
        who.label("who"),
        place,
        c.overlay,
        c.currency,
        cost_currency.label("cost_currency"),
        *_sums(case((c.reversal, -c.amount_minor), else_=c.amount_minor)),
        *(_sums(case((c.reversal, -c.cost_minor), else_=c.cost_minor)) if cost else (null(), null())),
        func.count(),
    )
    of = _of_credits(select(*columns), span, most=_is_most(connection, span))
    query = _with_tier(of, span, c.account_key)
    by: list[Any] = [who, *placed(place, span), c.overlay, c.currency]
    by += [c.cost_currency] if cost else []
    by += [_ACCOUNTS.c.tier] if span.with_tier else []
    for row in each(connection, query.group_by(*by), _bound(connection, span)):
        who_, place_, overlay, currency, of_cost, high, low, cost_high, cost_low, count, tier = row
        yield DealFact(
            user_key="" if span.by_territory else who_,
            territory_key=who_ if span.by_territory else None,
            at=start_of(span, place_),
            tier=tier,
            overlay=overlay,
            amount_minor=None if currency is None else _whole(high, low),
            currency=currency,
            cost_minor=None if of_cost is None else _whole(cost_high, cost_low),
            cost_currency=of_cost,
            count=count,
        )


def start_of(span: Span, place: int) -> int:
    return span.cuts[place] if span.cuts else span.start


def rows_of_deals(connection: Connection, span: Span, currencies: Iterable[str] | None = None) -> Iterator[DealFact]:
    """Each credit, in order; or, in any order, those of which money is in one of the currencies."""
    c = credited.c
    columns = [c.deal_key, c.n, c.user_key, c.overlay, c.reversal, c.at, c.event, c.territory_key, c.share_bp]
    columns += [c.amount_minor, c.currency, c.cost_minor, c.cost_currency, c.rated_at]
    of = _of_credits(select(*columns), span, most=currencies is not None and _is_most(connection, span))
    query = _with_tier(of, span, c.account_key)
    if currencies is not None:
        wanted = sorted(currencies)
        query = query.where(or_(c.currency.in_(wanted), c.cost_currency.in_(wanted)))
    else:
        query = query.order_by(c.at, c.deal_key, c.n, c.reversal, c.user_key)
    for row in each(connection, query, _bound(connection, span)):
        yield DealFact(
            row_key=row[0],
            ordinal=row[1],
            user_key=row[2],
            overlay=row[3],
            reversal=row[4],
            at=row[5],
            event=row[6],
            territory_key=row[7],
            share_bp=row[8],
            amount_minor=row[9],
            currency=row[10],
            cost_minor=row[11],
            cost_currency=row[12],
            rated_at=row[13],
            tier=row[14],
        )


def _joined(query: Select[Any]) -> Select[Any]:
    q, c = credited_quantities.c, credited.c
    same = (c.deal_key == q.deal_key, c.n == q.n, c.user_key == q.user_key, c.overlay == q.overlay)
    return query.join_from(credited_quantities, credited, and_(*same, c.reversal == q.reversal))


def sums_of_quantities(connection: Connection, span: Span) -> Iterator[QuantityFact]:
    """Credited quantities summed by holder, segment, product and unit, overlay apart."""
    q, c = credited_quantities.c, credited.c
    who = c.territory_key if span.by_territory else q.user_key
    place = segment(q.at, span.cuts).label("place")
    value = case((q.reversal, -q.quantity_micro), else_=q.quantity_micro)
    query = select(who, place, q.overlay, q.product_key, q.unit, *_sums(value), func.count())
    query = _joined(query) if span.by_territory or span.with_tier else query
    query = _with_tier(_of_credits(query, span, q), span, c.account_key)
    by = [who, *placed(place, span), q.overlay, q.product_key, q.unit, *([_ACCOUNTS.c.tier] if span.with_tier else [])]
    for row in each(connection, query.group_by(*by), _bound(connection, span)):
        who_, place_, overlay, product, unit, high, low, count, tier = row
        yield QuantityFact(
            user_key="" if span.by_territory else who_,
            territory_key=who_ if span.by_territory else None,
            at=start_of(span, place_),
            tier=tier,
            overlay=overlay,
            parts=((product, unit, _whole(high, low)),),
            count=count,
        )


def rows_of_quantities(connection: Connection, span: Span) -> Iterator[QuantityFact]:
    """Each credit's quantities, the products of one together, in order."""
    q, c = credited_quantities.c, credited.c
    columns = (q.at, q.deal_key, q.n, q.reversal, q.user_key, q.overlay, q.product_key, q.unit, q.quantity_micro)
    query = _joined(select(*columns, c.event, c.territory_key, c.share_bp))
    query = _with_tier(_of_credits(query, span, q), span, c.account_key)
    order = (q.at, q.deal_key, q.n, q.reversal, q.user_key, q.overlay, q.product_key)
    found = each(connection, query.order_by(*order), _bound(connection, span))
    for (at, deal, n, reversal, user, overlay), rows in groupby(found, key=lambda row: tuple(row[:6])):
        of = list(rows)
        yield QuantityFact(
            row_key=deal,
            ordinal=n,
            user_key=user,
            overlay=overlay,
            reversal=reversal,
            at=at,
            event=of[0][9],
            territory_key=of[0][10],
            share_bp=of[0][11],
            tier=of[0][12],
            parts=tuple((row[6], row[7], row[8]) for row in of),
        )


def rows_of_firsts(connection: Connection, span: Span, until: int | None) -> Iterator[FirstFact]:
    """The first credit of each customer that stands, as of `until`, where it lies in the span; in order."""
    c, r, own = credited.c, credited.alias("taken_back").c, credited.alias("own")
    taken_back = exists().where(r.deal_key == c.deal_key, r.n == c.n, r.reversal)
    stands = [c.owner, ~c.overlay, ~c.reversal]
    if until is not None:
        taken_back = taken_back.where(r.at < until)
        stands.append(c.at < until)
    there = select(own.c.account_key).where(own.c.at >= span.start, own.c.at < span.end, own.c.account_key.is_not(None))
    there = there.where(among(own.c.user_key, "users")) if span.users is not None else there
    rank = func.row_number().over(partition_by=c.account_key, order_by=(c.at, c.deal_key, c.n)).label("rank")
    first = (
        select(c.account_key, c.user_key, c.at, c.territory_key, rank)
        .where(*stands, ~taken_back, c.account_key.in_(there))
        .subquery()
    )
    query: Select[Any] = select(first.c.account_key, first.c.user_key, first.c.at, first.c.territory_key).where(
        first.c.rank == 1, first.c.at >= span.start, first.c.at < span.end
    )
    if span.users is not None:
        query = query.where(among(first.c.user_key, "users"))
    if span.territories is not None:
        query = query.where(among(first.c.territory_key, "territories"))
    query = _with_tier(query, span, first.c.account_key).order_by(first.c.at, first.c.account_key)
    for row in each(connection, query, _bound(connection, span)):
        yield FirstFact(row_key=row[0], user_key=row[1], at=row[2], territory_key=row[3], tier=row[4])
