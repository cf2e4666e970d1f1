"""Open deals that need a look: `GET /api/deals/review`, those that slipped (R22) or are stalled, as far as one sees.

A page walks the open deals by the day on which they should close, from where the one before ended, and looks at
`SCANNED_MAX` of them at most: its cost does not grow with what exists, and it may be short, or empty, while `next` says
that there is more. Which deal is stalled the database says, by the stage's `stalled_days`.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, and_, func, select, tuple_
from sqlalchemy.sql.selectable import Subquery

from sfa.core.days import check_day, to_date
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.profiles import DAY_MS
from sfa.core.shapes import SHAPES
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.collation import as_key, as_name
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.db.tables.rows import OPEN_UNTIL
from sfa.deals.activity import last_activity
from sfa.deals.standing import FLAGS, standing

PAGE_DEFAULT, PAGE_MAX = 50, 200
SCANNED_MAX = 20_000
_DEALS, _STAGES = (ROWS[e] for e in ("deals", "stages"))
_PERIODS = ROWS["fiscal_periods"]


class Item(Struct, frozen=True):
    """One deal. `since` is when it entered its stage; days are whole ones."""

    key: str
    name: str
    owner_key: str
    account_key: str | None
    stage_key: str
    amount_minor: int | None
    currency: str | None
    close_on: str | None
    since: int | None
    flags: list[str]
    slipped_days: int | None
    stalled_days: int | None


class Review(Struct, frozen=True):
    """`period_key` is the shortest fiscal period that holds today: slipped deals stay in its slipped bucket."""

    flag: str
    as_of: int
    today: str
    period_key: str | None
    items: list[Item]
    next: str | None


class Wanted(Struct, frozen=True):
    flag: str = "slipped"
    owner: str | None = None
    after: str | None = None
    limit: int = PAGE_DEFAULT


def page(connection: Connection, now_ms: int, user_key: str, wanted: Wanted) -> Review:
    if wanted.flag not in FLAGS or not 1 <= wanted.limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`flag` is {' or '.join(FLAGS)}, `limit` 1 to {PAGE_MAX}")
    if wanted.owner is not None and not is_key(wanted.owner):
        raise Refused("request_invalid", "`owner` is the key of a person")
    who = person(connection, user_key)
    today = scope.today(connection, now_ms)
    walk = _walk(wanted, today)
    seen = walk.limit(SCANNED_MAX).subquery("seen")
    kept = _kept(seen, wanted, now_ms).limit(wanted.limit + 1)
    rows = connection.execute(kept, {"held": listed(connection, who.held or ())}).mappings().all()
    shown = rows[: wanted.limit]
    if len(rows) > wanted.limit:
        last: Any = shown[-1]
    else:
        ends = walk.with_only_columns(OPEN_UNTIL.label("until"), _DEALS.c.key)
        last = connection.execute(ends.offset(SCANNED_MAX - 1).limit(1)).mappings().first()
    items = [_item(dict(row), today, now_ms) for row in shown]
    following = None if last is None else f"{last['until']}~{last['key']}"
    return Review(wanted.flag, now_ms, today, _period(connection, today), items, following)


def _walk(wanted: Wanted, today: str) -> Any:
    """Open deals along the index, each with its stage's `stalled_days`."""
    query = select(_DEALS, OPEN_UNTIL.label("until")).where(_DEALS.c.closed_at.is_(None), ~_DEALS.c.gone)
    if wanted.flag == "slipped":
        query = query.where(OPEN_UNTIL < today)  # noqa: SIM300 - it is no constant
    if wanted.after is not None:
        until, _, key = wanted.after.partition("~")
        if not is_key(key):
            raise Refused("request_invalid", "`after` is the `next` of another page")
        query = query.where(tuple_(OPEN_UNTIL, _DEALS.c.key) > tuple_(check_day(until), key))
    return query.order_by(OPEN_UNTIL, _DEALS.c.key)


def _kept(seen: Subquery, wanted: Wanted, now_ms: int) -> Any:
    """Of those looked at, what the caller sees and asked for, with the last visit or call that he sees."""
    stage = _STAGES.alias("stage")
    last = last_activity(seen.c.account_key, as_name(seen.c.key))
    query = (
        select(seen, stage.c.stalled_days.label("allowed"), last.label("last_at"))
        .join(stage, and_(stage.c.key == as_key(seen.c.stage_key), ~stage.c.gone), isouter=True)
        .where(lies_in(seen.c.buckets, "held"))
        .order_by(seen.c.until, seen.c.key)
    )
    if wanted.owner is not None:
        query = query.where(seen.c.owner_key == wanted.owner)
    if wanted.flag == "stalled":
        since = func.coalesce(seen.c.stage_since, seen.c.created_at)
        before = now_ms - stage.c.stalled_days * DAY_MS
        query = query.where(and_(stage.c.stalled_days.is_not(None), since < before, func.coalesce(last, 0) < before))
    return query


def _item(found: Mapping[str, Any], today: str, now_ms: int) -> Item:
    row = {field: found[field] for field in SHAPES["deals"].types}
    stands = standing(row, {"stalled_days": found["allowed"]}, today, now_ms, found["last_at"] or None)
    about = {field: row[field] for field in Item.__struct_fields__ if field in row}
    return Item(
        key=found["key"],
        since=stands.since,
        flags=stands.flags,
        slipped_days=stands.slipped_days,
        stalled_days=stands.stalled_days,
        **about,
    )


def _period(connection: Connection, today: str) -> str | None:
    """The shortest fiscal period of the day; of several the first by key."""
    table = _PERIODS.c
    query = select(table.key, table.start_on, table.end_on).where(~table.gone)
    holding = connection.execute(query.where(table.start_on <= today, today < table.end_on))
    spans = [((to_date(row.end_on) - to_date(row.start_on)).days, str(row.key)) for row in holding]
    return min(spans)[1] if spans else None
