"""Credits as facts, read in sets: sums of what counts alike, or row by row in the order of explanations.

A `Span` says which facts: within [start, end), of some people or some territories or of everybody. `sums_*` group by
who and by segment, as `summing` does it; `rows_*` answer each fact. Visits are in `visited`.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    union,
)

from sfa.db.collation import as_key
from sfa.db.prepared import among
from sfa.db.tables import ROWS, credited, credited_quantities, redirects
from sfa.quotas.measures import DealFact, FirstFact, QuantityFact
from sfa.quotas.spans import Span, bound_of, each, past_indexes
from sfa.quotas.summing import Sums, summed

_ACCOUNTS = ROWS["accounts"]
WIDE = 4  # a quarter of everything and more is read in one pass
LOW = 10**9  # sums are taken in two halves, which no number of rows makes too large for SQLite


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


def _tier(span: Span) -> ColumnElement[Any]:
    """The customer's tier of today, where it is asked."""
    return _ACCOUNTS.c.tier if span.with_tier else null()


def _with_accounts(query: Select[Any], span: Span, account: Any) -> Select[Any]:
    return query.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == account) if span.with_tier else query


def _with_tier(query: Select[Any], span: Span, account: Any) -> Select[Any]:
    """Adds the tier as the last column."""
    return _with_accounts(query.add_columns(_tier(span).label("tier")), span, account)


# -- credits ----------------------------------------------------------------------------------------------------------


def _of_credits(query: Select[Any], span: Span, of: Any = credited.c, *, most: bool = False) -> Select[Any]:
    at = past_indexes(of.at) if most else of.at
    return _of_people(query.where(at >= span.start, at < span.end), span, of)


def _of_people(query: Select[Any], span: Span, of: Any = credited.c) -> Select[Any]:
    if span.users is not None:
        query = query.where(among(of.user_key, "users"))
    if span.territories is not None:
        query = query.where(among(credited.c.territory_key, "territories"))
    return query


def moments_of_deals(span: Span) -> Select[Any]:
    """When each of the credits happened, in order."""
    return _of_credits(select(credited.c.at), span).order_by(credited.c.at)


def moments_of_quantities(span: Span) -> Select[Any]:
    """When each of the quantities was credited, in order."""
    at = credited_quantities.c.at
    query = _joined(select(at)) if span.territories is not None else select(at)
    return _of_credits(query, span, credited_quantities.c).order_by(at)


def sums_of_deals(connection: Connection, span: Span, *, cost: bool) -> Iterator[DealFact]:
    """Credits summed by holder, segment, currency (and currency of the cost), overlay apart."""
    c = credited.c
    of = (
        *_sums(case((c.reversal, -c.amount_minor), else_=c.amount_minor)),
        *(_sums(case((c.reversal, -c.cost_minor), else_=c.cost_minor)) if cost else (null(), null())),
        func.count(),
    )
    sums = Sums(
        along=(c.territory_key if span.by_territory else c.user_key,),
        at=c.at,
        by=(c.overlay, c.currency, c.cost_currency if cost else null(), _tier(span)),
        of=of,
        narrowed=lambda query, of: _with_accounts(_of_people(query, of), of, c.account_key),
        covered=not span.with_tier,
        most=_is_most(connection, span),
    )
    for who, place, overlay, currency, of_cost, tier, high, low, cost_high, cost_low, count in summed(
        connection, span, sums
    ):
        yield DealFact(
            user_key="" if span.by_territory else who,
            territory_key=who if span.by_territory else None,
            at=span.start_of(place),
            tier=tier,
            overlay=bool(overlay),
            amount_minor=None if currency is None else _whole(high, low),
            currency=currency,
            cost_minor=None if of_cost is None else _whole(cost_high, cost_low),
            cost_currency=of_cost,
            count=count,
        )


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
    for row in each(connection, query, bound_of(connection, span)):
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
    joins = span.by_territory or span.with_tier
    sums = Sums(
        along=(c.territory_key if span.by_territory else q.user_key,),
        at=q.at,
        by=(q.overlay, q.product_key, q.unit, _tier(span)),
        of=(*_sums(case((q.reversal, -q.quantity_micro), else_=q.quantity_micro)), func.count()),
        narrowed=lambda query, of: _with_accounts(
            _of_people(_joined(query) if joins else query, of, q), of, c.account_key
        ),
    )
    for who, place, overlay, product, unit, tier, high, low, count in summed(connection, span, sums):
        yield QuantityFact(
            user_key="" if span.by_territory else who,
            territory_key=who if span.by_territory else None,
            at=span.start_of(place),
            tier=tier,
            overlay=bool(overlay),
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
    found = each(connection, query.order_by(*order), bound_of(connection, span))
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
    """The first credit of each customer that stands, as of `until`, where it lies in the span; in order. A credit that
    was reversed names the customer of its time: whom that one was merged into since is the customer (R3)."""
    c, r, own = credited.c, credited.alias("taken_back").c, credited.alias("own")
    taken_back = exists().where(r.deal_key == c.deal_key, r.n == c.n, r.reversal)
    stands = [c.owner, ~c.overlay, ~c.reversal]
    if until is not None:
        taken_back = taken_back.where(r.at < until)
        stands.append(c.at < until)
    there = select(own.c.account_key).where(own.c.at >= span.start, own.c.at < span.end, own.c.account_key.is_not(None))
    there = there.where(among(own.c.user_key, "users")) if span.users is not None else there
    leads, others = _merged("leads"), _merged("others")
    into = select(leads.c.into).where(leads.c.key.in_(there))
    here = union(there, into, select(others.c.key).where(or_(others.c.into.in_(there), others.c.into.in_(into))))
    to = _merged("merged_into")
    account = func.coalesce(to.c.into, c.account_key).label("account_key")
    rank = func.row_number().over(partition_by=account, order_by=(c.at, c.deal_key, c.n)).label("rank")
    first = (
        select(account, c.user_key, c.at, c.territory_key, rank)
        .select_from(credited.outerjoin(to, to.c.key == c.account_key))
        .where(*stands, ~taken_back, c.account_key.in_(here))
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
    for row in each(connection, query, bound_of(connection, span)):
        yield FirstFact(row_key=row[0], user_key=row[1], at=row[2], territory_key=row[3], tier=row[4])


def _merged(name: str) -> Any:
    """Merged customers: `key`, and the one that it leads `into`."""
    found = redirects.c
    return (
        select(as_key(found.loser_key).label("key"), as_key(found.survivor_key).label("into"))
        .where(found.entity == "accounts")
        .subquery(name)
    )
