"""What a person needs at once on a device that holds nothing yet: today and tomorrow (S13).

`needed` names the rows: the person's visits of these two days in the organisation's time zone and whatever is under
way, their customers with contacts, open visits, last notes and open deals, the tasks that are due, and the few rows
without which these cannot be shown. `documents` are their entries in the feed. Every question is asked once for all of
them, and each is bounded, so the cost depends on the person's two days and not on the company. What is left out by a
bound comes with the rest a little later: the order of a first sync is a courtesy, never a condition of its correctness.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from sfa.core.days import day_bounds_ms, local_day, plus_days
from sfa.db import prepared
from sfa.db.tables import ROWS

DAY_MS = 24 * 3600 * 1000
UNDER_WAY_DAYS = 7  # a visit that was begun and not ended in this time is still today's work
VISITS_MAX = 60
TASKS_MAX = 50
REFERENCES_MAX = 200  # of each kind: stages, people, products, currencies
CONTACTS_EACH = 20
VISITS_EACH = 5
NOTES_EACH = 3
DEALS_EACH = 10
LINES_MAX = 300
NOTE_CHARACTERS_MAX = 4_000  # a longer one comes with the rest
READ = frozenset(
    ("key", "buckets", "zone", "account_key", "owner_key", "contact_key", "author_key", "product_key", "currency")
)
OPEN_VISITS = ("planned", "checked_in")

Found = list[dict[str, Any]]


class Needed(NamedTuple):
    """A row, and where it lies. `rank` orders what is needed: the day first, then what hangs on it."""

    rank: int
    entity: str
    key: str
    buckets: tuple[str, ...]


def needed(connection: Connection, user: str, now_ms: int) -> list[Needed]:
    """Sorted by (rank, entity, key), each row once, in whatever bucket; the caller knows which ones the user holds."""
    found: dict[tuple[str, str], Needed] = {}

    def keep(rank: int, entity: str, rows: Found) -> Found:
        for row in rows:
            found.setdefault((entity, row["key"]), Needed(rank, entity, row["key"], tuple(row["buckets"])))
        return rows

    def named(rank: int, entity: str, keys: Iterable[str | None]) -> Found:
        wanted = sorted({key for key in keys if key is not None})[:REFERENCES_MAX]
        return keep(rank, entity, _rows(connection, entity, ROWS[entity].c.key.in_(wanted)) if wanted else [])

    companies = keep(0, "organisations", _rows(connection, "organisations", limit=1))
    keep(0, "stages", _rows(connection, "stages", limit=REFERENCES_MAX))
    named(0, "users", [user])
    start, end, last_day = _two_days(companies[0]["zone"] if companies else "UTC", now_ms)
    visits = keep(1, "visits", _visits_of(connection, user, start, end))
    tasks = keep(1, "tasks", _tasks_of(connection, user, last_day))
    named(1, "accounts", [row["account_key"] for row in (*visits, *tasks)])
    accounts = sorted({row["account_key"] for row in visits})
    contacts = ROWS["contacts"].c
    keep(2, "contacts", _of_each(connection, "contacts", accounts, CONTACTS_EACH, [contacts.key], contacts.active))
    named(2, "contacts", [row["contact_key"] for row in visits])
    deals_c, notes_c, visits_c = ROWS["deals"].c, ROWS["notes"].c, ROWS["visits"].c
    by_close = [deals_c.close_on.is_(None), deals_c.close_on, deals_c.key]
    deals = keep(3, "deals", _of_each(connection, "deals", accounts, DEALS_EACH, by_close, deals_c.closed_at.is_(None)))
    newest = [func.coalesce(notes_c.written_at, notes_c.created_at, 0).desc(), notes_c.key]
    short = func.length(notes_c.body) <= NOTE_CHARACTERS_MAX
    notes = keep(4, "notes", _of_each(connection, "notes", accounts, NOTES_EACH, newest, short))
    is_open = and_(visits_c.status.in_(OPEN_VISITS), visits_c.planned_at >= start - UNDER_WAY_DAYS * DAY_MS)
    soonest = [visits_c.planned_at, visits_c.key]
    others = keep(4, "visits", _of_each(connection, "visits", accounts, VISITS_EACH, soonest, is_open))
    keys = [row["key"] for row in deals]
    lines_c = ROWS["deal_lines"].c
    lines = keep(5, "deal_lines", _rows(connection, "deal_lines", lines_c.deal_key.in_(keys), limit=LINES_MAX))
    named(5, "products", [row["product_key"] for row in lines])
    named(5, "users", [*_values("owner_key", *visits, *others, *deals), *_values("author_key", *notes)])
    money = {row["currency"] for row in (*companies, *deals)}
    keep(5, "currencies", _rows(connection, "currencies", ROWS["currencies"].c.code.in_(money - {None})))
    return sorted(found.values())


def documents(connection: Connection, places: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], bytes]:
    """(bucket, entity, key) -> the document of each of these entries that is live."""
    if not places:
        return {}
    sql = _DOCUMENTS[connection.dialect.name]
    values: list[Any] = [list(column) for column in zip(*places, strict=True)]
    if connection.dialect.name == "sqlite":
        values = [_json(places).decode()]
    return {(bucket, entity, key): doc for bucket, entity, key, doc in prepared.rows(connection, sql, values)}


_json = msgspec.json.Encoder().encode
# The list outside, the feed inside by its key.
_DOCUMENTS = {
    "sqlite": "SELECT f.bucket, f.entity, f.key, f.doc FROM json_each(?) w CROSS JOIN feed f "
    "WHERE f.bucket = json_extract(w.value, '$[0]') AND f.entity = json_extract(w.value, '$[1]') "
    "AND f.key = json_extract(w.value, '$[2]') AND NOT f.gone",
    "postgresql": "SELECT f.bucket, f.entity, f.key, f.doc "
    "FROM unnest($1::text[], $2::text[], $3::text[]) AS w (bucket, entity, key) "
    'JOIN feed f ON f.bucket = w.bucket COLLATE "C" AND f.entity = w.entity COLLATE "C" '
    'AND f.key = w.key COLLATE "C" WHERE NOT f.gone',
}


def _two_days(zone: str, now_ms: int) -> tuple[int, int, str]:
    """-> the instants at which today begins and tomorrow ends over there, and tomorrow."""
    today = local_day(now_ms, zone)
    tomorrow = plus_days(today, 1)
    return day_bounds_ms(today, zone)[0], day_bounds_ms(tomorrow, zone)[1], tomorrow


def _visits_of(connection: Connection, user: str, start: int, end: int) -> Found:
    table = ROWS["visits"].c
    in_time = and_(table.planned_at >= start, table.planned_at < end, table.status != "cancelled")
    since = or_(table.planned_at.is_(None), table.planned_at.between(start - UNDER_WAY_DAYS * DAY_MS, start))
    under_way = and_(table.status == "checked_in", since)
    mine = and_(table.owner_key == user, or_(in_time, under_way))
    return _rows(connection, "visits", mine, order=[table.planned_at, table.key], limit=VISITS_MAX)


def _tasks_of(connection: Connection, user: str, last_day: str) -> Found:
    table = ROWS["tasks"].c
    due = and_(table.owner_key == user, ~table.done, table.due_on <= last_day)
    return _rows(connection, "tasks", due, order=[table.due_on.desc(), table.key], limit=TASKS_MAX)


def _rows(
    connection: Connection,
    entity: str,
    where: ColumnElement[bool] | None = None,
    order: Sequence[Any] = (),
    limit: int | None = None,
) -> Found:
    """Rows that lie on devices, by key unless `order` says otherwise: where they lie, and what they name."""
    table = ROWS[entity]
    columns = [column for column in table.c if column.name in READ]
    query = select(*columns).where(~table.c.gone, ~table.c.aged).order_by(*(order or [table.c.key])).limit(limit)
    query = query if where is None else query.where(where)
    return [dict(row) for row in connection.execute(query).mappings()]


def _of_each(
    connection: Connection,
    entity: str,
    accounts: Sequence[str],
    count: int,
    order: Sequence[Any],
    where: ColumnElement[bool],
) -> Found:
    """The first `count` rows of each of these customers."""
    if not accounts:
        return []
    table = ROWS[entity]
    place = func.row_number().over(partition_by=table.c.account_key, order_by=order).label("place")
    mine = table.c.account_key.in_(accounts)
    numbered = select(table.c.key, place).where(mine, where, ~table.c.gone, ~table.c.aged).subquery()
    return _rows(connection, entity, table.c.key.in_(select(numbered.c.key).where(numbered.c.place <= count)))


def _values(field: str, *rows: dict[str, Any]) -> list[str | None]:
    return [row[field] for row in rows]
