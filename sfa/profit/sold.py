"""What was credited: invoice, goods and payment terms, each credit a fact (R9, R38, R39); in sums or one by one.

A credit is one person's part of one end of a deal; overlays are in no total (R16). A reversal takes back what the
credit was worth, at the rates of the day on which that was credited, in the period of the reopening (R21).
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, and_, case, func, literal_column, null

from sfa.core.credits import day_of
from sfa.db.tables import ROWS, credited
from sfa.profit.fact_sums import Asked, Fact, Place, Source, Value, both
from sfa.profit.items import YEAR_DAYS_BP, terms_cost
from sfa.profit.rate_spans import bound_spans, rate_spans
from sfa.profit.surroundings import World

_ACCOUNTS, _DEALS = ROWS["accounts"], ROWS["deals"]
AMOUNT_MAX = 10**10  # times ten years of days times ten times 100 %: half of what 64 bits hold
_C = credited.c


def credits_source(connection: Connection, world: World, asked: Asked) -> Source:
    """Invoice, goods and terms of everything that was credited."""
    capital = rate_spans(connection, "capital")
    same = and_(capital.c.user_key == _C.user_key, capital.c.start_at <= _C.rated_at, _C.rated_at < capital.c.end_at)
    from_: Any = credited.outerjoin(_DEALS, _DEALS.c.key == _C.deal_key).outerjoin(capital, same)
    territory: Any = null()
    if "territory" in asked.by:
        from_ = from_.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _C.account_key)
        territory = func.coalesce(_C.territory_key, _ACCOUNTS.c.territory_key)
    ours = _C.currency == world.currency
    waits = func.coalesce(_DEALS.c.payment_days, 0) > 0
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
                -_signed(_terms(_C.amount_minor, _DEALS.c.payment_days, capital.c.value)),
                case(
                    (waits, both(ours, func.abs(_C.amount_minor) <= AMOUNT_MAX, capital.c.value.is_not(None))),
                    else_=literal_column("true"),
                ),
            ),
        },
        raw=[
            *(_C.deal_key, _C.n, _C.user_key, _C.reversal, _C.at, _C.rated_at, _C.account_key),
            territory.label("territory"),
            *(_C.amount_minor, _C.currency, _C.cost_minor, _C.cost_currency, _DEALS.c.payment_days),
        ],
        valued=credit_facts,
        bound={"capital": bound_spans(connection, world.costs, "capital")},
    )


def _signed(value: Any) -> Any:
    return case((_C.reversal, -value), else_=value)


def _terms(amount: Any, days: Any, rate_bp: Any) -> Any:
    """`terms_cost` in SQL; nothing where no time is given."""
    twice = 2 * func.abs(amount) * days * rate_bp + YEAR_DAYS_BP
    size = twice.op("/", precedence=8)(literal_column(str(2 * YEAR_DAYS_BP)))
    return func.coalesce(case((amount < 0, -size), else_=size), 0)


def credit_facts(world: World, row: Any) -> Iterator[Fact]:
    """The facts of one credit, valued in Python."""
    deal, _n, user, reversal, at, rated_at, account, territory, amount, currency, cost, cost_currency, days = row
    sign = -1 if reversal else 1
    place: Place = (at, rated_at, account, user, territory, None, deal, "deals", deal)
    on = day_of(rated_at, world.zone)
    if amount is None or currency is None:
        yield Fact("invoice", None, currency or "", *place, code="amount_missing", about={"deal_key": deal})
    else:
        yield Fact("invoice", sign * amount, currency, *place)
    if cost is None or cost_currency is None:
        yield Fact("goods", None, "", *place, code="cost_missing", about={"deal_key": deal, "on": on, "of": "goods"})
    else:
        yield Fact("goods", -sign * cost, cost_currency, *place)
    if days:
        yield _terms_fact(world, sign, days, amount, currency, on, place)


def _terms_fact(
    world: World, sign: int, days: int, amount: int | None, currency: str | None, on: str, place: Place
) -> Fact:
    if amount is None or currency is None:
        return Fact("terms", None, "", *place, code="amount_missing", about={"deal_key": place[-1]})
    rate = world.costs.rate_on("capital", place[3], on)
    if rate is None:
        return Fact("terms", None, currency, *place, code="cost_missing", about={"of": "capital", "on": on})
    about = {"payment_days": days, "rate_bp": rate.value, "rate_key": rate.key}
    return Fact("terms", -sign * terms_cost(amount, days, rate.value), currency, *place, about=about)
