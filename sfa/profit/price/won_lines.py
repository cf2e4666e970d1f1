"""Lines of deals that were won, with the list price of their day: read in one pass, thousands of rows at a time."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain, groupby
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, select

from sfa.core.credits import day_of
from sfa.core.money import BP_WHOLE
from sfa.db import scope
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.profit.price.guides import Sold
from sfa.profit.price.list_prices import DatedAmounts, in_deal, of_list_bp

HISTORY_DAYS = 730  # what was sold before says little of today's prices
PART = 5_000
QUARTER_MS = 900_000  # no zone begins its day within a quarter of an hour
_DAY_MS = 24 * 3_600_000
_LINES, _DEALS, _STAGES = ROWS["deal_lines"], ROWS["deals"], ROWS["stages"]
_PRODUCTS, _ACCOUNTS = ROWS["products"], ROWS["accounts"]
_OF_LINE = ("deal_key", "product_key", "quantity", "unit_price_minor", "discount_bp")


class SoldLine(Struct, frozen=True, gc=False):
    """A sold line with what it takes to look up its cost; `scaled` as `sfa.profit.price.list_prices.scaled_price`."""

    sold: Sold
    product_key: str
    currency: str
    on: str
    scaled: int | Fraction


def amounts(connection: Connection, entity: str) -> DatedAmounts:
    """Every price, or every unit cost: a catalogue's, not a company's history."""
    table = ROWS[entity].c
    query = select(table.key, table.product_key, table.currency, table.valid_from, table.valid_to, table.amount_minor)
    return DatedAmounts((row["key"], dict(row)) for row in connection.execute(query.where(~table.gone)).mappings())


def sold_lines(connection: Connection, now_ms: int, families: Sequence[str] | None = None) -> Iterator[SoldLine]:
    """Of deals that stand won, closed within `HISTORY_DAYS`, less what the deal's amount takes off; lines without a
    list price say nothing. `families` narrow it to products of these."""
    prices, zone = amounts(connection, "prices"), scope.zone(connection)
    days: dict[int, str] = {}
    wanted = None if families is None else frozenset(families)
    query, bound = _query(now_ms), {}
    if families is not None:
        query, bound = query.where(_DEALS.c.key.in_(_deals_of())), {"families": listed(connection, families)}
    rows = chain.from_iterable(connection.execute(query, bound).partitions(PART))
    for _, of in groupby(rows, lambda row: row.deal_key):
        lines = [(row, row.unit_price_minor * (BP_WHOLE - row.discount_bp)) for row in of]
        given = in_deal(lines[0][0].amount_minor, [(row.quantity, scaled) for row, scaled in lines])
        for row, said in lines:
            if wanted is not None and row.family not in wanted:
                continue
            quarter = row.closed_at // QUARTER_MS
            on = days.get(quarter) or days.setdefault(quarter, day_of(row.closed_at, zone))
            scaled = said if given == 1 else said * given
            price_bp = of_list_bp(scaled, prices.on(row.product_key, row.currency, on))
            if price_bp is not None:
                sold = Sold(row.deal_key, row.family or None, row.industry, row.tier, row.quantity, price_bp)
                yield SoldLine(sold, row.product_key, row.currency, on, scaled)


def _deals_of() -> Select[Any]:
    """The deals of which a line is of some families: their other lines say too what theirs was sold for."""
    of_families = select(_PRODUCTS.c.key).where(among(_PRODUCTS.c.family, "families"))
    return select(_LINES.c.deal_key).where(_LINES.c.product_key.in_(of_families), ~_LINES.c.gone)


def _query(now_ms: int) -> Select[Any]:
    """All lines of a deal, one after another: what one was sold for, the others say too."""
    columns = [_LINES.c[name] for name in _OF_LINE]
    columns += [
        _DEALS.c.amount_minor,
        _DEALS.c.closed_at,
        _DEALS.c.currency,
        _PRODUCTS.c.family,
        _ACCOUNTS.c.industry,
        _ACCOUNTS.c.tier,
    ]
    since = now_ms - HISTORY_DAYS * _DAY_MS
    return (
        select(*columns)
        .select_from(_DEALS)
        .join(_STAGES, _STAGES.c.key == _DEALS.c.stage_key)
        .join(_LINES, _LINES.c.deal_key == _DEALS.c.key)
        .join(_PRODUCTS, _PRODUCTS.c.key == _LINES.c.product_key)
        .outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _DEALS.c.account_key)
        .where(~_DEALS.c.gone, ~_LINES.c.gone, _STAGES.c.kind == "won")
        .where(_DEALS.c.closed_at >= since, _DEALS.c.closed_at < now_ms, _DEALS.c.currency.is_not(None))
        .order_by(_DEALS.c.key, _LINES.c.key)
    )
