"""Documents written anew, in bounded batches, after a migration that changes what a row looks like (S7).

Each living row gets fresh feed entries under new numbers; revisions and history stay. A row that lies elsewhere by the
rules of this version moves there, and leaves the devices that may not have it any more. Devices take all that with
their next delta. A run that is interrupted may begin again anywhere: telling a row twice does no harm.

`move_receipts` is a part of every upgrade: receipts of before migration 0028 lay with their customer, where colleagues
saw them (R45). So is `withdraw_figures`: what managers said of a person travelled to who managed his own team (R25).
Where all lie right they write nothing.
"""

from sqlalchemy import Connection, Text, cast, select

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


def move_receipts(connection: Connection, now_ms: int) -> int:
    """Lay receipts into the book of who attached them; -> how many lay elsewhere."""
    table, moved, after = ROWS["attachments"].c, 0, ""
    query = select(table.key).where(table.kind == "receipt", ~table.gone)
    query = query.where(cast(table.buckets, Text) != '["book:' + table.author_key + '"]')
    while keys := list(
        connection.execute(query.where(table.key > after).order_by(table.key).limit(BATCH_ROWS)).scalars()
    ):
        door = Door(connection, now_ms)
        door.review("attachments", keys)
        door.flush()
        moved, after = moved + len(keys), keys[-1]
    return moved


def withdraw_figures(connection: Connection, now_ms: int) -> int:
    """Take managers' figures of people off devices; -> how many lay there."""
    table = ROWS["forecast_overrides"].c
    query = select(table.key).where(table.level == "manager", table.user_key.is_not(None), ~table.aged, ~table.gone)
    keys = list(connection.execute(query.order_by(table.key)).scalars())
    door = Door(connection, now_ms)
    door.review("forecast_overrides", keys)
    door.flush()
    return len(keys)
