"""`deal.quote`: what an offer said, frozen with the list prices, unit costs and rates of its day (R39).

The same function serves a screen, a phone that was offline (the server freezes what stands when the command lands, at
the phone's corrected time) and whoever sends an offer (`freeze`). The same values quoted again are the same quote: of
the last one the digest of what was quoted is compared, so an order that comes twice makes one, and costs that changed
meanwhile change nothing that was said. The deal's row is locked, so of two who quote at once one waits and finds it.
Cost is written here and told by nobody but `sfa.profit.deal.pnl` (R45).
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select

from sfa.core.credits import Cost, cost_on, day_of
from sfa.core.errors import Refused
from sfa.core.transitions import NoArguments
from sfa.crm import edits
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import scope
from sfa.db.bulk import inserting
from sfa.db.cells import Cell
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, deal_quote_lines, deal_quotes
from sfa.db.writes import Door, Origin
from sfa.profit import frozen
from sfa.profit.dated import EffortRates, price_on
from sfa.profit.deal import reading
from sfa.quotas.conversion import Exchange

FIXED = ("prices", "unit_costs", "cost_rates", "rates")
_LINE = ("position", "product_key", "quantity", "unit_price_minor", "discount_bp")
_HEADS, _LINES = inserting(deal_quotes), inserting(deal_quote_lines)


class Line(Struct, frozen=True):
    key: str
    position: int
    product_key: str
    quantity: str
    unit_price_minor: int
    discount_bp: int


class Offer(Struct, frozen=True):
    """What is quoted. Lines are in order."""

    amount_minor: int
    currency: str
    payment_days: int | None
    lines: tuple[Line, ...]

    def digest(self) -> str:
        return sha256(msgspec.json.encode(self)).hexdigest()


def quote(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Freeze an open deal as it stands, for whoever may change it."""
    try:
        msgspec.convert(dict(arguments), NoArguments)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"deal.quote: {error}") from None
    if cell.gone:
        raise Refused("row_unknown", f"deal {cell.key} is deleted", entity="deals", key=cell.key)
    edits.check_rights(who, "deals", (), creating=False)
    edits.check_owned(door, who, cell)
    if cell.row["closed_at"] is not None:
        raise Refused("illegal_transition", "deal.quote: the deal is closed: reopen it first")
    freeze(door, cell, offer_of(door, cell), who.user_key, origin.at)


def offer_of(door: Door, cell: Cell) -> Offer:
    """A deal with its lines, as they are in this transaction."""
    row = cell.row
    if row["amount_minor"] is None:
        raise Refused("quote_empty", missing=["amount_minor"])
    cells = (c for c in door.load_where("deal_lines", "deal_key", (cell.key,)) if c.exists)
    lines = sorted((Line(c.key, *(c.row[name] for name in _LINE)) for c in cells), key=lambda ln: (ln.position, ln.key))
    return Offer(row["amount_minor"], row["currency"], row["payment_days"], tuple(lines))


def freeze(door: Door, cell: Cell, offer: Offer, user_key: str | None, at: int) -> int:
    """Keep an offer about a deal, whose row the door holds locked; -> its number, that of the last one where it said
    the same. What the transaction changed of prices, costs and rates is written first, so that it counts."""
    if any(door.has_changed(entity, c.key) for entity in FIXED for c in door.cells_of(entity)):
        door.flush()
    connection, digest = door.connection, offer.digest()
    last = _last(connection, cell.key)
    if last is not None and last.digest == digest:
        return int(last.number)
    number, at = (last.number + 1, max(at, last.quoted_at)) if last is not None else (1, at)
    head = {"deal_key": cell.key, "number": number, "quoted_at": at, "quoted_by": user_key, "digest": digest}
    said = {name: getattr(offer, name) for name in ("amount_minor", "currency", "payment_days")}
    zone = scope.zone(connection)
    lines = _frozen(connection, cell.key, number, offer, day_of(at, zone))
    _HEADS.run(connection, [{**head, **said, **_worth(connection, offer, lines, at, zone)}])
    _LINES.run(connection, lines)
    return number


def _worth(connection: Connection, offer: Offer, lines: Sequence[Mapping[str, Any]], at: int, zone: str) -> Any:
    """The capital rate of everybody and the rates of exchange of that day."""
    met = {line[name] for line in lines for name in ("list_currency", "cost_currency")}
    exchange = Exchange(reading.exchange_rates(connection, {*met, offer.currency}), zone)
    capital = EffortRates(reading.effort_rates(connection, ())).on("capital", None, day_of(at, zone))
    known = {"capital_bp": capital.rate_bp, "capital_key": capital.key} if capital is not None else {}
    none = {"capital_bp": None, "capital_key": None}
    return {**none, **known, "rates": frozen.kept(exchange, met, offer.currency, at)}


def _last(connection: Connection, key: str) -> Any:
    q = deal_quotes.c
    newest = select(func.max(q.number)).where(q.deal_key == key).scalar_subquery()
    return connection.execute(
        select(q.number, q.digest, q.quoted_at).where(q.deal_key == key, q.number == newest)
    ).first()


def _frozen(connection: Connection, key: str, number: int, offer: Offer, day: str) -> list[dict[str, Any]]:
    products = sorted({line.product_key for line in offer.lines})
    prices, costs = _dated(connection, "prices", products), _dated(connection, "unit_costs", products)
    rows = []
    for line in offer.lines:
        price = price_on(prices.get(line.product_key, ()), offer.currency, day)
        cost = cost_on(costs.get(line.product_key, ()), day)
        row = {"deal_key": key, "number": number, "line_key": line.key}
        row |= {name: getattr(line, name) for name in _LINE}
        row |= {"list_minor": price and price.amount_minor, "list_currency": price and price.currency}
        row |= {"cost_minor": cost and cost.amount_minor, "cost_currency": cost and cost.currency}
        rows.append({**row, "cost_key": cost and cost.key})
    return rows


def _dated(connection: Connection, entity: str, products: Sequence[str]) -> dict[str, list[Cost]]:
    table = ROWS[entity].c
    columns = (table[name] for name in Cost.__struct_fields__)
    query = select(*columns).where(among(table.product_key, "keys"), ~table.gone)
    found: dict[str, list[Cost]] = {}
    for row in connection.execute(query, {"keys": listed(connection, products)}):
        found.setdefault(row.product_key, []).append(Cost(*row))
    return found


COMMANDS: dict[str, Command] = {"deal.quote": Command("deals", quote, alone=True)}
