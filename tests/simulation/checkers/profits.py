"""What selling cost is the same money everywhere (R37, R38): each row counts once, in the deals that it was for.

When everybody has come to rest, effort is given its rates. Every deal's waterfall sums to its credits and its facts;
each expense, work entry and visit is in the deals of its customer with all of it, or in none; and what was quoted is
numbered without a gap.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from sfa.db import scope
from sfa.db.tables import ROWS, credited, deal_quotes
from sfa.profit.converting import converted
from sfa.profit.deal.pnl import items_of
from sfa.profit.deal.reading import read_deal
from sfa.profit.effort import open_days, open_on
from sfa.profit.items import KINDS, Item, work_cost
from sfa.profit.waterfall import waterfall
from tests.builders import put_rows
from tests.simulation.failure import Failed

if TYPE_CHECKING:
    from tests.simulation.world import World

END = 2_208_988_800_000
HOUR_MINOR = 61_00
RATES: list[tuple[str, str, dict[str, Any]]] = [
    ("cost_rates", kind, {"kind": kind, "amount_minor": HOUR_MINOR, "currency": "EUR", "valid_from": "2000-01-01"})
    for kind in ("visit_hour", "work_hour", "kilometre")
]


def check(world: "World") -> None:
    world.server.write(put_rows, RATES, world.clock.now_ms())
    world.server.database.read(_check)


def _check(connection: Connection) -> None:
    zone = scope.zone(connection)
    deals = {row["key"]: dict(row) for row in _live(connection, "deals")}
    facts: dict[tuple[str, str], int] = {}
    for key, deal in deals.items():
        sources = read_deal(connection, key, deal, zone, END)
        found = items_of(sources, END)
        _check_sums(connection, key, [item for item in found if item.side == "actual"], sources.exchange)
        for item in found:
            if item.entity in ("expenses", "work_entries") and item.amount_minor is not None:
                place = (item.entity, item.row_key)
                facts[place] = facts.get(place, 0) - item.amount_minor
    spans = [(d["account_key"], span) for key, d in deals.items() for span in open_days(key, d, zone)]
    for entity, day in (("expenses", "spent_on"), ("work_entries", "done_on")):
        for row in _live(connection, entity):
            mine = [s for account, s in spans if account == row["account_key"] and account is not None]
            shared = row["deal_key"] is None and bool(open_on(mine, row[day]))
            expected = _amount(entity, row) if shared or row["deal_key"] in deals else 0
            if expected is not None and facts.get((entity, row["key"]), 0) != expected:
                raise Failed(
                    "profits", f"{entity} {row['key']} counts {facts.get((entity, row['key']))}, not {expected}"
                )
    _check_quotes(connection)


def _check_sums(connection: Connection, key: str, items: list[Item], exchange: Any) -> None:
    c = credited.c
    for currency in {item.currency for item in items if item.kind == "invoice"}:
        of = [i for i in items if i.currency == currency and KINDS[i.kind].counts and i.amount_minor is not None]
        fall = waterfall(converted(of, currency, exchange), currency)
        if fall.total("profit").amount_minor != sum(item.amount_minor or 0 for item in of):
            raise Failed("profits", f"the steps of {key} do not sum to its facts")
        sums = dict.fromkeys((False, True), 0)
        query = select(c.reversal, func.sum(c.amount_minor)).where(
            c.deal_key == key, ~c.overlay, c.currency == currency
        )
        sums.update({reversal: int(amount or 0) for reversal, amount in connection.execute(query.group_by(c.reversal))})
        if fall.step("invoice").amount_minor != sums[False] - sums[True]:
            raise Failed("profits", f"the invoice of {key} is not what it was credited for")


def _amount(entity: str, row: Any) -> int | None:
    if entity == "work_entries":
        return work_cost(row["minutes"], HOUR_MINOR)
    return row["amount_minor"]  # type: ignore[no-any-return]


def _check_quotes(connection: Connection) -> None:
    q = deal_quotes.c
    found: dict[str, list[Any]] = {}
    for row in connection.execute(select(q.deal_key, q.number, q.digest).order_by(q.deal_key, q.number)):
        found.setdefault(row.deal_key, []).append(row)
    for key, rows in found.items():
        if [row.number for row in rows] != list(range(1, len(rows) + 1)):
            raise Failed("profits", f"the quotes of {key} have a gap")
        if any(one.digest == other.digest for one, other in pairwise(rows)):
            raise Failed("profits", f"{key} was quoted twice alike")


def _live(connection: Connection, entity: str) -> list[Any]:
    table = ROWS[entity]
    return [dict(row) for row in connection.execute(select(table).where(~table.c.gone)).mappings()]
