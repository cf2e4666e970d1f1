"""One rate of a pair on a day (R34): a correction changes the row that is there, so what changed can be told.

Two writers at once are looked at one after the other, by what is stored then.
"""

from sqlalchemy import Connection, func, select

from sfa.core.errors import Refused
from sfa.crm.rivals import Rivals, rivals
from sfa.db.cells import Cell
from sfa.db.writes import Door

SAYS_WHEN = ("base_currency", "quote_currency", "valid_from")
RATES_LOCK = 7_319_044_111  # an advisory lock of this database


def check_once(door: Door, rate: Cell) -> None:
    """Refuse `rate_twice` where another living row quotes the same pair from the same day."""
    others = quoted(door).others(rate)
    if others:
        base, quote, day = (rate.row[field] for field in SAYS_WHEN)
        text = f"{base}/{quote} has a rate from {day} already: change that one"
        raise Refused("rate_twice", text, key=min(others), field="valid_from")


def quoted(door: Door) -> Rivals:
    return rivals(door, "rates", SAYS_WHEN, _lock)


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(select(func.pg_advisory_xact_lock(RATES_LOCK)))
