"""Documents written anew, in bounded batches, after a migration that changes what a row looks like (S7).

Each living row gets fresh feed entries under new numbers; revisions, history and buckets stay. Devices take them with
their next delta. A run that is interrupted may begin again anywhere: telling a row twice does no harm.
"""

from sqlalchemy import Connection, select

from sfa.db.tables import ROWS
from sfa.db.writes import Door

BATCH_ROWS = 1_000


def reissue(connection: Connection, entity: str, after_key: str, now_ms: int) -> str | None:
    """Tell the next batch of an entity's rows again; -> the last key of it, or None where none is left."""
    table = ROWS[entity]
    query = select(table.c.key).where(table.c.key > after_key, ~table.c.gone).order_by(table.c.key).limit(BATCH_ROWS)
    keys = list(connection.execute(query).scalars())
    if not keys:
        return None
    door = Door(connection, now_ms)
    door.review(entity, keys, again=True)
    door.flush()
    return str(keys[-1])
