"""Profit and loss of one deal: `GET /api/deals/{key}/pnl` (R38-R40, R45). Quoted and actual side by side, each a
waterfall of facts that name their source row.

`items_of` makes the facts of both sides from what was read; `told` converts them at the rate of each one's own day
(R34), adds them up and leaves out what the caller may not see. `as_of` cuts off facts that came later and chooses the
quote; the same instant and the same database give the same bytes. A deal that is open and was never quoted is shown as
it stands (`frozen` false); a closed one without a quote has no quoted side.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.access import SEES_COST
from sfa.core.credits import day_of
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.money import minor_digits
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.tables import ROWS
from sfa.profit.converting import converted
from sfa.profit.dated import EffortRates
from sfa.profit.deal import served, sold
from sfa.profit.deal.reading import Credited, Row, Sources, read_deal
from sfa.profit.deal.sold import Catalogue, Dates, Place
from sfa.profit.effort import OpenDeals
from sfa.profit.frozen import Frozen, capital
from sfa.profit.items import Item
from sfa.profit.rebates import Agreement, Event, part_of_family
from sfa.profit.waterfall import Counted, Ratios, Total, Waterfall, hidden, waterfall
from sfa.quotas.attainment import instant_of
from sfa.quotas.conversion import Missing

_DEALS = ROWS["deals"]


class Fact(Struct, frozen=True):
    """One item of a step. `amount_minor` is of `currency`, `value_minor` the same in the answer's currency at `rate`
    (null: no conversion); null with a `code` where it is not computable. `basis` says what was reckoned."""

    kind: str
    amount_minor: int | None
    currency: str
    value_minor: int | None
    rate: str | None
    code: str | None
    on: str
    at: int
    entity: str
    row_key: str
    user_key: str | None
    product_key: str | None
    basis: dict[str, Any]


class StepTold(Struct, frozen=True):
    """The exact sum of its items; null with a `code` where it is not computable or `not_permitted`."""

    step: str
    amount_minor: int | None
    code: str | None
    items: list[Fact]


class SideTold(Struct, frozen=True):
    """`number`, `quoted_at` and `quoted_by` are of the frozen quote; null on the actual side and where the deal is
    shown as it stands. `on` is the day of the prices and costs of a quoted side."""

    frozen: bool
    number: int | None
    quoted_at: int | None
    quoted_by: str | None
    on: str | None
    steps: list[StepTold]
    totals: list[Total]
    ratios: Ratios
    missing: list[dict[str, Any]]


class Pnl(Struct, frozen=True):
    """Money in minor units of `currency`. `partial`: the caller does not see cost, so costs are left out."""

    key: str
    as_of: int
    zone: str
    currency: str
    account_key: str | None
    owner_key: str
    closed_at: int | None
    partial: bool
    quoted: SideTold | None
    actual: SideTold


def told(
    connection: Connection, user_key: str, now_ms: int, key: str, as_of: str | None, currency: str | None = None
) -> Pnl:
    """`currency` null: the deal's own. `not_found` for who does not see the deal."""
    who, zone = person(connection, user_key), scope.zone(connection)
    row = _seen(connection, who, key)
    at = instant_of(as_of, now_ms, zone)
    told_in = _currency(connection, currency, row)
    return _shown(who, read_deal(connection, key, row, zone, at, told_in), told_in, at)


def _seen(connection: Connection, who: Who, key: str) -> Row:
    query = select(_DEALS).where(_DEALS.c.key == key, ~_DEALS.c.gone)
    found = connection.execute(query).mappings().first() if is_key(key) else None
    if found is None or (who.held is not None and who.held.isdisjoint(found["buckets"])):
        raise Refused("not_found")
    return dict(found)


def _currency(connection: Connection, asked: str | None, deal: Row) -> str:
    if asked is not None:
        minor_digits(asked)
        return asked
    if deal["currency"] is not None:
        return str(deal["currency"])
    t = ROWS["organisations"].c
    found = connection.execute(select(t.currency).where(~t.gone).order_by(t.key).limit(1)).scalar()
    return str(found or "EUR")


# -- facts -----------------------------------------------------------------------------------------------------------


def items_of(sources: Sources, as_of: int) -> list[Item]:
    """Every fact of a deal before an instant, both sides, of every right."""
    return [*actual_items(sources, as_of), *_quoted(sources, as_of)]


def actual_items(s: Sources, as_of: int) -> Iterator[Item]:
    """Those of the actual side."""
    catalogue = Catalogue(s.prices, s.costs, s.rates, s.exchange)
    yield from sold.actual(s.credits, s.lines.get(s.deal_key, ()), s.deal["payment_days"], catalogue, s.zone)
    field = served.Field(s.deal_key, s.zone, as_of, s.deal["currency"] or "", s.rates, s.costs, OpenDeals(s.spans))
    credited = {c["rated_at"] for c in s.credits if not c["reversal"] and not c["overlay"]}
    yield from served.charges(field, s.charges, tuple(day_of(at, s.zone) for at in sorted(credited)))
    for agreement in s.agreements:
        yield from served.rebates(field, agreement, _events(agreement, s))
    yield from served.visits(field, s.visits)
    yield from served.travel(field, s.legs)
    yield from served.work(field, s.work)
    yield from served.expenses(field, s.expenses)
    yield from served.commissions(s.commissions, s.zone)


def _events(agreement: Agreement, s: Sources) -> list[Event]:
    """What the customer was credited for within the agreement's days; a reversal belongs to where its credit was."""
    found = []
    for credit in s.credited.get(agreement.account_key, ()):
        if agreement.valid_from <= day_of(credit.rated_at, s.zone) < agreement.valid_to:
            amount = _of_agreement(agreement, credit, s)
            code = "rate_missing" if credit.amount_minor is not None else "amount_missing"
            found.append(Event(credit.at, credit.deal_key, credit.n, credit.reversal, amount, code))
    return found


def _of_agreement(agreement: Agreement, credit: Credited, s: Sources) -> int | None:
    if credit.amount_minor is None or credit.currency is None:
        return None
    lines = s.lines.get(credit.deal_key, ()) if agreement.family is not None else ()
    weights = [(line["product_key"], weight) for line, weight in zip(lines, sold.totals(lines), strict=True)]
    amount = part_of_family(credit.amount_minor, weights, s.families, agreement.family)
    value = s.exchange.value(amount, credit.currency, agreement.currency, credit.rated_at)
    return None if isinstance(value, Missing) else value[0]


def _quoted(s: Sources, as_of: int) -> Iterator[Item]:
    catalogue = Catalogue(s.prices, s.costs, s.rates, s.exchange)
    if s.quote is not None:
        head = s.quote.head
        catalogue = Catalogue(s.prices, s.costs, EffortRates(capital(head)), Frozen(s.exchange, head["rates"]))
        dates = Dates(head["quoted_at"], head["quoted_at"], s.zone)
        place = Place("quoted", "deal_quotes", s.deal_key, dates, about={"number": head["number"]})
        yield from sold.quoted(place, head, [_line(line) for line in s.quote.lines], catalogue, frozen=True)
    elif s.deal["closed_at"] is None:
        place = Place("quoted", "deals", s.deal_key, Dates(as_of - 1, as_of - 1, s.zone))
        yield from sold.quoted(place, s.deal, s.lines.get(s.deal_key, ()), catalogue, frozen=False)


def _line(line: Row) -> dict[str, Any]:
    return {**line, "key": line["line_key"]}


# -- the answer ------------------------------------------------------------------------------------------------------


def _shown(who: Who, sources: Sources, currency: str, as_of: int) -> Pnl:
    deal, facts = sources.deal, converted(actual_items(sources, as_of), currency, sources.exchange)
    sees_cost = who.role in SEES_COST
    head = sources.quote.head if sources.quote is not None else None
    then = Frozen(sources.exchange, head["rates"]) if head is not None else sources.exchange
    quoted = converted(_quoted(sources, as_of), currency, then)
    actual = waterfall(facts, currency)
    cut = (lambda whole: whole) if sees_cost else (lambda whole: hidden(whole, who.user_key or ""))
    return Pnl(
        key=sources.deal_key,
        as_of=as_of,
        zone=sources.zone,
        currency=currency,
        account_key=deal["account_key"],
        owner_key=deal["owner_key"],
        closed_at=deal["closed_at"],
        partial=not sees_cost,
        quoted=_side(cut(waterfall(quoted, currency, until="margin")), head, quoted[0].item.on) if quoted else None,
        actual=_side(cut(actual), None, None),
    )


def _side(found: Waterfall, head: Row | None, on: str | None) -> SideTold:
    return SideTold(
        frozen=head is not None,
        number=head["number"] if head is not None else None,
        quoted_at=head["quoted_at"] if head is not None else None,
        quoted_by=head["quoted_by"] if head is not None else None,
        on=on,
        steps=[StepTold(s.step, s.amount_minor, s.code, _facts(s.items)) for s in found.steps],
        totals=found.totals,
        ratios=found.ratios,
        missing=found.missing,
    )


def _facts(found: Sequence[Counted]) -> list[Fact]:
    return [
        Fact(
            kind=f.item.kind,
            amount_minor=f.item.amount_minor,
            currency=f.item.currency,
            value_minor=f.amount_minor,
            rate=f.rate,
            code=f.code,
            on=f.item.on,
            at=f.item.at,
            entity=f.item.entity,
            row_key=f.item.row_key,
            user_key=f.item.user_key,
            product_key=f.item.product_key,
            basis=f.item.basis,
        )
        for f in found
    ]
