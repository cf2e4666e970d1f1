"""Visits, notes and closed deals stay on devices as long as a role's profile says; older rows are online only (S10).

The door decides it for what it writes; `due` finds the rows whose time has come, or who come back because somebody
carries more, so that a job can take them through the door in bounded batches.
"""

from itertools import pairwise

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from sfa.core.access import AGES_BY
from sfa.core.layers import MARK
from sfa.core.profiles import DAY_MS, Profiles, profiles_of
from sfa.db.tables import ROWS, bucket_heads

HISTORY_DAYS_DEFAULT = 548  # 18 months
# Rows that are on devices for as long as another one is, and by which column they name it.
AGES_WITH: dict[str, tuple[str, str]] = {
    "deal_lines": ("deals", "deal_key"),
    "deal_contacts": ("deals", "deal_key"),
    "deal_charges": ("deals", "deal_key"),
    "proposals": ("deals", "deal_key"),
    "proposal_lines": ("proposals", "proposal_key"),
    "proposal_recipients": ("proposals", "proposal_key"),
    "proposal_questions": ("proposals", "proposal_key"),
    "visit_amendments": ("visits", "visit_key"),
}


def read_profiles(connection: Connection) -> Profiles:
    table, own = ROWS["organisations"], ROWS["device_profiles"]
    query = select(table.c.history_days).where(~table.c.gone).order_by(table.c.key).limit(1)
    days = int(connection.execute(query).scalar() or HISTORY_DAYS_DEFAULT)
    rows = connection.execute(select(own).where(~own.c.gone).order_by(own.c.key)).mappings()
    return profiles_of([dict(row) for row in rows], days)


def read_occupied(connection: Connection) -> set[str]:
    """The layers in which rows lie now, of whatever bucket."""
    heads = select(bucket_heads.c.bucket).where(bucket_heads.c.live > 0, bucket_heads.c.bucket.contains(MARK))
    return {bucket.partition(MARK)[2] for bucket in connection.execute(heads).scalars()}


def due(connection: Connection, entity: str, now_ms: int, limit: int) -> list[str]:
    """Keys of rows that lie on devices and should not, or the other way round, or on those of other roles."""
    table = ROWS[entity]
    columns = [table.c[name] for name in AGES_BY[entity]]
    since = func.coalesce(*columns) if len(columns) > 1 else columns[0]
    profiles = read_profiles(connection)
    bounds = [now_ms - days * DAY_MS for days in profiles.lengths(entity)]  # the youngest first
    young = or_(since.is_(None), since > bounds[0])
    wrong: list[ColumnElement[bool]] = [and_(young, or_(table.c.aged, table.c.layers.is_not(None)))]
    for newest, oldest in pairwise(bounds):
        layers = ",".join(profiles.layers(entity, newest, now_ms) or ())
        elsewhere = or_(table.c.aged, table.c.layers.is_distinct_from(layers))
        wrong.append(and_(since <= newest, since > oldest, elsewhere))
    wrong.append(and_(since <= bounds[-1], ~table.c.aged))
    query = select(table.c.key).where(~table.c.gone, or_(*wrong)).order_by(table.c.key).limit(limit)
    return list(connection.execute(query).scalars())
