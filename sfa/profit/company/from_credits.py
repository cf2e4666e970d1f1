"""What was credited: invoice, goods and payment terms, each credit a fact (R9, R38, R39); in sums or one by one.

A credit is one person's part of one end of a deal; overlays are in no total (R16). A reversal takes back what the
credit was worth, at the rates of the day on which that was credited, in the period of the reopening (R21).
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, and_, case, func, literal_column, null, select

from sfa.core.credits import day_of
from sfa.core.money import BP_WHOLE
from sfa.db.tables import ROWS, credited
from sfa.profit.company.fact_sums import Asked, Fact, Place, Source, Value, both, narrowed, parted, settled
from sfa.profit.company.rate_spans import bound_capital, rate_spans
from sfa.profit.company.surroundings import World
from sfa.profit.items import YEAR_DAYS_BP, terms_cost
from sfa.quotas.spans import each

_ACCOUNTS, _DEALS = ROWS["accounts"], ROWS["deals"]
AMOUNT_MAX = 10**10  # times ten years of days times ten times 100 %: half of what 64 bits hold
_C = credited.c


def credits_source(connection: Connection, world: World, asked: Asked) -> Source:
    """Invoice, goods and terms of everything that was credited."""
    capital = rate_spans(connection, "capital")
    same = and_(capital.c.start_at <= _C.rated_at, _C.rated_at < capital.c.end_at)
    from_: Any = credited.outerjoin(_DEALS, _DEALS.c.key == _C.deal_key).outerjoin(capital, same)
    territory: Any = null()
    if "territory" in asked.by:
        from_ = from_.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _C.account_key)
        territory = func.coalesce(_C.territory_key, _ACCOUNTS.c.territory_key)
    ours = _C.currency == world.currency
    waits = and_(_DEALS.c.payment_days > 0, _C.share_bp == BP_WHOLE)
    return Source(
        from_=from_,
        where=[~_C.overlay],
        columns={
            "account": _C.account_key,
            "user": _C.user_key,
            "territory": territory,
            "product": null(),
            "deal": _C.deal_key,
        },
        at=_C.at,
        values={
            "invoice": Value(_signed(_C.amount_minor), both(ours, _C.amount_minor.is_not(None))),
            "goods": Value(
                -_signed(_C.cost_minor), both(_C.cost_currency == world.currency, _C.cost_minor.is_not(None))
            ),
            "terms": Value(
                -_signed(case((waits, _terms(_C.amount_minor, _DEALS.c.payment_days, capital.c.value)), else_=0)),
                case(
                    (waits, both(ours, func.abs(_C.amount_minor) <= AMOUNT_MAX, capital.c.value.is_not(None))),
                    else_=literal_column("true"),
                ),
            ),
        },
        raw=[
            *(_C.deal_key, _C.share_bp, _C.user_key, _C.reversal, _C.at, _C.rated_at, _C.account_key),
            territory.label("territory"),
            *(_C.amount_minor, _C.currency, _C.cost_minor, _C.cost_currency, _DEALS.c.payment_days),
        ],
        valued=credit_facts,
        bound={"capital": bound_capital(world.costs)},
    )


def _signed(value: Any) -> Any:
    return case((_C.reversal, -value), else_=value)


def _terms(amount: Any, days: Any, rate_bp: Any) -> Any:
    """`terms_cost` in SQL; nothing where no time is given."""
    twice = 2 * func.abs(amount) * days * rate_bp + YEAR_DAYS_BP
    size = twice.op("/", precedence=8)(literal_column(str(2 * YEAR_DAYS_BP)))
    return func.coalesce(case((amount < 0, -size), else_=size), 0)


def credit_facts(world: World, row: Any) -> Iterator[Fact]:
    """The facts of one credit, valued in Python; terms only where it is the whole of its end."""
    deal, share, user, reversal, at, rated_at, account, territory, amount, currency, cost, cost_currency, days = row
    sign = -1 if reversal else 1
    place: Place = (at, rated_at, account, user, territory, None, deal, "deals", deal)
    if amount is None or currency is None:
        yield Fact("invoice", None, currency or "", *place, code="amount_missing", about={"deal_key": deal})
    else:
        yield Fact("invoice", sign * amount, currency, *place)
    if cost is None or cost_currency is None:
        about = {"deal_key": deal, "on": day_of(rated_at, world.zone), "of": "goods"}
        yield Fact("goods", None, "", *place, code="cost_missing", about=about)
    else:
        yield Fact("goods", -sign * cost, cost_currency, *place)
    if days and share == BP_WHOLE and amount is not None and currency is not None:
        yield _terms_fact(world, sign * amount, days, currency, place)


def _terms_fact(world: World, amount: int, days: int, currency: str, place: Place) -> Fact:
    on = day_of(place[1], world.zone)
    rate = world.costs.rate_on("capital", None, on)
    if rate is None:
        return Fact("terms", None, currency, *place, code="cost_missing", about={"of": "capital", "on": on})
    about = {"payment_days": days, "rate_bp": rate.value, "rate_key": rate.key}
    return Fact("terms", -terms_cost(amount, days, rate.value), currency, *place, about=about)


def shared_terms(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """Terms of ends that several people share: of the whole end, and shared out afterwards."""
    source = credits_source(connection, world, asked)
    columns = (*source.raw, _C.n)
    query = select(*columns).select_from(source.from_).where(~_C.overlay, _C.share_bp < BP_WHOLE)
    query = query.where(_DEALS.c.payment_days > 0, _C.at >= asked.start, _C.at < asked.last)
    query, bound = narrowed(connection, query, _C.account_key, _C.deal_key, asked)
    found = each(connection, query.order_by(_C.deal_key, _C.n, _C.reversal, _C.user_key), {**source.bound, **bound})
    for _, of in groupby(found, key=lambda row: (row[0], row[-1], row[3])):
        rows = list(of)
        deal, _, user, reversal, at, rated_at, account, territory, _, currency, *_ = rows[0]
        if currency is None or any(row[8] is None for row in rows):
            continue
        amount = sum(row[8] for row in rows) * (-1 if reversal else 1)
        place: Place = (at, rated_at, account, user, territory, None, deal, "deals", deal)
        whole = settled(world, _terms_fact(world, amount, rows[0][12], currency, place))
        for fact in parted(whole, {row[2]: row[1] for row in rows}):
            if asked.takes(fact):
                yield fact
