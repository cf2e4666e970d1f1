"""Visits, notes and closed deals stay on devices for `history_days`; older rows are online only (S10).

The door decides it for what it writes; `due` finds the rows whose time has come, or who come back because the
organisation keeps more, so that a job can take them through the door in bounded batches.
"""

from sqlalchemy import Connection, func, select

from sfa.core.access import AGES_BY
from sfa.db.tables import ROWS

DAY_MS = 24 * 3600 * 1000
HISTORY_DAYS_DEFAULT = 548  # 18 months
HISTORY_DAYS_MIN = 90  # what the entity's limit allows: a younger row needs no look at the setting


def read_history_days(connection: Connection) -> int:
    table = ROWS["organisations"]
    query = select(table.c.history_days).where(~table.c.gone).order_by(table.c.key).limit(1)
    return int(connection.execute(query).scalar() or HISTORY_DAYS_DEFAULT)


def due(connection: Connection, entity: str, now_ms: int, limit: int) -> list[str]:
    """Keys of rows that lie on devices and should not, or the other way round."""
    table = ROWS[entity]
    columns = [table.c[name] for name in AGES_BY[entity]]
    since = func.coalesce(*columns) if len(columns) > 1 else columns[0]
    cutoff = now_ms - read_history_days(connection) * DAY_MS
    leaves = (~table.c.aged) & (since <= cutoff)
    returns = table.c.aged & (since.is_(None) | (since > cutoff))
    query = select(table.c.key).where(~table.c.gone, leaves | returns).order_by(table.c.key).limit(limit)
    return list(connection.execute(query).scalars())
