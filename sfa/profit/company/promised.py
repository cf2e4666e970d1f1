"""What lost deals had promised (R42): the pocket margin of the last quote before the loss, or of the deal as it was.

A quote promised what it said: its amount less its payment terms at the capital rate that it kept, less its goods at the
costs that it froze, converted at the rates that it kept and else at those of its own day (R39), so it is the margin
that the quoted side of the deal's P&L shows. A deal that was never quoted promised its amount less the terms and the
goods of its lines, all at the rates and costs of the day of the loss. What is not computable is named (R34).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from sfa.core.fields import MONEY_MAX
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, deal_quote_lines, deal_quotes
from sfa.profit.company.by_product import PICO, quantity_of
from sfa.profit.company.surroundings import World
from sfa.profit.frozen import Frozen
from sfa.profit.items import half_up, terms_cost
from sfa.profit.local_days import LocalDays
from sfa.quotas.conversion import Exchange, Missing
from sfa.quotas.spans import each

_LINES = ROWS["deal_lines"].c
Part = int | list[dict[str, Any]]  # an amount in the company's currency, or what it lacks


class Promise(NamedTuple):
    """A deal as it was lost."""

    deal_key: str
    lost_at: int
    amount_minor: int | None
    currency: str | None
    payment_days: int | None


class _Offer(NamedTuple):
    """What was offered, at the rates of when. `lines`: product, quantity, unit cost and its currency."""

    deal_key: str
    at: int
    amount_minor: int | None
    currency: str | None
    payment_days: int | None
    capital_bp: int | None
    exchange: Exchange
    lines: Sequence[tuple[str, str, int | None, str | None]]


def promised(connection: Connection, world: World, days: LocalDays, lost: Sequence[Promise]) -> list[Part]:
    """The expected pocket margin of each, in a fixed number of statements."""
    keys = {"keys": listed(connection, sorted({loss.deal_key for loss in lost}))}
    quotes = _quotes(connection, keys)
    frozen = _frozen_lines(connection, keys) if quotes else {}
    lines = _lines(connection, keys)
    told: list[Part] = []
    for loss in lost:
        said = [quote for quote in quotes.get(loss.deal_key, ()) if quote.quoted_at <= loss.lost_at]
        if said:
            offer = _quoted(world, said[-1], frozen.get((loss.deal_key, said[-1].number), ()))
        else:
            offer = _unquoted(world, days, loss, lines.get(loss.deal_key, ()))
        told.append(_margin(world, days, offer))
    return told


def _quotes(connection: Connection, keys: dict[str, Any]) -> dict[str, list[Any]]:
    """deal -> its quotes, the last one last."""
    q = deal_quotes.c
    columns = (q.deal_key, q.number, q.quoted_at, q.amount_minor, q.currency, q.payment_days, q.capital_bp, q.rates)
    found: dict[str, list[Any]] = defaultdict(list)
    for row in each(connection, select(*columns).where(among(q.deal_key, "keys")).order_by(q.deal_key, q.number), keys):
        found[row.deal_key].append(row)
    return found


def _frozen_lines(connection: Connection, keys: dict[str, Any]) -> dict[tuple[str, int], list[Any]]:
    of = deal_quote_lines.c
    columns = (of.deal_key, of.number, of.product_key, of.quantity, of.cost_minor, of.cost_currency)
    found: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for row in each(connection, select(*columns).where(among(of.deal_key, "keys")), keys):
        found[row[0], row[1]].append(tuple(row[2:]))
    return found


def _lines(connection: Connection, keys: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    query = select(_LINES.deal_key, _LINES.product_key, _LINES.quantity)
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for deal, product, quantity in each(connection, query.where(among(_LINES.deal_key, "keys"), ~_LINES.gone), keys):
        found[deal].append((product, quantity))
    return found


def _quoted(world: World, head: Any, lines: Sequence[Any]) -> _Offer:
    exchange = Frozen(world.exchange, head.rates) if head.rates else world.exchange
    terms = (head.amount_minor, head.currency, head.payment_days, head.capital_bp)
    return _Offer(head.deal_key, head.quoted_at, *terms, exchange, lines)


def _unquoted(world: World, days: LocalDays, loss: Promise, lines: Iterable[tuple[str, str]]) -> _Offer:
    day = days.of(loss.lost_at)
    capital = world.costs.rate_at("capital", None, loss.lost_at) if loss.payment_days else None
    costed: list[tuple[str, str, int | None, str | None]] = []
    for product, quantity in lines:
        cost = world.costs.unit_on(product, day)
        unit = (None, None) if cost is None else (cost.amount_minor, cost.currency)
        costed.append((product, quantity, *unit))
    terms = (loss.amount_minor, loss.currency, loss.payment_days, None if capital is None else capital.value)
    return _Offer(loss.deal_key, loss.lost_at, *terms, world.exchange, costed)


def _margin(world: World, days: LocalDays, offer: _Offer) -> Part:
    """Amount less terms less goods, each converted at the rates of the offer."""
    amount, currency = offer.amount_minor, offer.currency
    if amount is None or currency is None:
        return [{"code": "amount_missing", "deal_key": offer.deal_key}]
    if not offer.lines:
        return [{"code": "cost_missing", "of": "goods", "deal_key": offer.deal_key}]
    parts: list[tuple[int, str]] = [(amount, currency)]
    missing: list[dict[str, Any]] = []
    if offer.payment_days and offer.capital_bp is None:
        missing.append({"code": "cost_missing", "of": "capital", "on": days.of(offer.at)})
    elif offer.payment_days and offer.capital_bp is not None:
        parts.append((-terms_cost(amount, offer.payment_days, offer.capital_bp), currency))
    for product, quantity, unit, of in offer.lines:
        worth = None if unit is None else half_up(quantity_of(quantity) * unit, PICO)
        if worth is None or of is None or worth > MONEY_MAX:
            missing.append({"code": "cost_missing", "of": "goods", "product_key": product, "on": days.of(offer.at)})
        else:
            parts.append((-worth, of))
    total = 0
    for part, of in parts:
        value = offer.exchange.value(part, of, world.currency, offer.at)
        if isinstance(value, Missing):
            missing.append({"code": "rate_missing", "from_currency": value.from_currency, "on": value.on})
        else:
            total += value[0]
    return missing or total
