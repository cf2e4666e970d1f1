"""One rate of a pair on a day (R34): a correction changes the row that is there, so what changed can be told.

Two writers at once are looked at one after the other, by what is stored then.
"""

from sqlalchemy import func, select

from sfa.core.errors import Refused
from sfa.db.cells import Cell
from sfa.db.tables import ROWS
from sfa.db.writes import Door

SAYS_WHEN = ("base_currency", "quote_currency", "valid_from")
RATES_LOCK = 7_319_044_111  # an advisory lock of this database
_RATES = ROWS["rates"]


def check_once(door: Door, rate: Cell) -> None:
    """Refuse `rate_twice` where another living row quotes the same pair from the same day."""
    if door.connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        door.connection.execute(select(func.pg_advisory_xact_lock(RATES_LOCK)))
    wanted = [rate.row[field] for field in SAYS_WHEN]
    same = (_RATES.c[field] == value for field, value in zip(SAYS_WHEN, wanted, strict=True))
    stored = door.connection.execute(select(_RATES.c.key).where(*same, ~_RATES.c.gone)).scalars()
    held = {cell.key: cell for cell in door.cells_of("rates")}  # as they are in this transaction
    others = {key for key in stored if key not in held}
    others |= {k for k, cell in held.items() if cell.exists and [cell.row[f] for f in SAYS_WHEN] == wanted}
    others.discard(rate.key)
    if others:
        base, quote, day = wanted
        text = f"{base}/{quote} has a rate from {day} already: change that one"
        raise Refused("rate_twice", text, key=min(others), field="valid_from")
