"""One rate of a pair, one cost of a product, and one price of it in a currency, that begins on a day (R34, R39): a
correction changes the row that is there, so what changed can be told.

Two writers at once are looked at one after the other, by what is stored then.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from sfa.core.errors import Refused
from sfa.crm.rivals import Rivals, rivals
from sfa.db.cells import Cell
from sfa.db.writes import Door

SAYS_WHEN = {
    "rates": ("base_currency", "quote_currency", "valid_from"),
    "unit_costs": ("product_key", "valid_from"),
    "prices": ("product_key", "currency", "valid_from"),
}
# Advisory locks of this database, taken in this order.
LOCKS = {"rates": 7_319_044_111, "unit_costs": 7_319_044_112, "prices": 7_319_044_113}


def check_once(door: Door, cell: Cell, before: Mapping[str, Any]) -> None:
    """Refuse `rate_twice` where another living row quotes the same pair from the same day, `cost_twice` where another
    one costs the same product, `price_twice` where another one prices it in the same currency.

    `before` is the row as it was, empty for one that is new or was deleted. What stays where it is asks nobody: so a
    thousand new amounts cost no question each, and of two prices of before there was this rule either may be changed.
    """
    fields = SAYS_WHEN.get(cell.entity)
    if fields is None or not cell.exists or (before and all(before[f] == cell.row[f] for f in fields)):
        return
    others = standing(door, cell.entity).others(cell)
    if not others:
        return
    day = cell.row["valid_from"]
    if cell.entity == "rates":
        pair = f"{cell.row['base_currency']}/{cell.row['quote_currency']}"
        raise Refused("rate_twice", f"{pair} has a rate from {day} already: change that one", **_told(others))
    what, code = ("cost", "cost_twice") if cell.entity == "unit_costs" else ("price", "price_twice")
    of = f" in {cell.row['currency']}" if cell.entity == "prices" else ""
    text = f"{cell.row['product_key']} has a {what}{of} from {day} already: change that one"
    raise Refused(code, text, **_told(others))


def _told(others: Iterable[str]) -> dict[str, str]:
    return {"key": min(others), "field": "valid_from"}


def standing(door: Door, entity: str) -> Rivals:
    def lock(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway; a rehearsal waits for nobody
            writing = func.current_setting("transaction_isolation") == "read committed"
            connection.execute(select(func.pg_advisory_xact_lock(LOCKS[entity])).where(writing))

    return rivals(door, entity, SAYS_WHEN[entity], lock)
