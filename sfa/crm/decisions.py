"""What waits for a decision, listed: conflicts, refusals and suggestions as far as the caller's scope shows them.

One question for a page, by an index of (status, created_at, key), the newest first; of refusals, which are
only their author's, by (author_key, status, created_at, key). Its cost grows with the rows of that status that are
passed until the page is full, not with users or buckets; refusals of others are never passed.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, tuple_

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.rules import check_values
from sfa.core.shapes import SHAPES
from sfa.crm.online import RowView, person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS

PAGE_DEFAULT = 50
PAGE_MAX = 200
ENTITIES = ("conflicts", "refusals", "suggestions")
KIND_OF = {
    "conflicts": "strategy",
    "refusals": "kind",
    "suggestions": "kind",
    "handovers": "kind",
}  # what the filter `kind` looks at


class Wanted(Struct, frozen=True):
    """What to list; `after` is the `next` of the page before."""

    status: str = "open"
    entity: str | None = None
    row: str | None = None
    kind: str | None = None
    after: str | None = None
    limit: int = PAGE_DEFAULT


class RowList(Struct, frozen=True):
    """A page. `next` is None on the last one."""

    items: list[RowView]
    next: str | None


def page(connection: Connection, user_key: str, what: str, wanted: Wanted) -> RowList:
    """The caller's rows of one status."""
    check_values(what, {"status": wanted.status})
    if not 1 <= wanted.limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} rows")
    _check(what, wanted)
    table = ROWS[what]
    query = select(table).where(table.c.status == wanted.status, ~table.c.gone, lies_in(table.c.buckets, "held"))
    if what == "refusals":  # nobody else's are ever passed on the way
        query = query.where(table.c.author_key == user_key)
    for column, value in (("entity", wanted.entity), ("row_key", wanted.row), (KIND_OF[what], wanted.kind)):
        if value is not None:
            query = query.where(table.c[column] == value)
    if wanted.after is not None:
        at, key = _place(wanted.after)
        query = query.where(
            tuple_(table.c.created_at, table.c.key) < tuple_(bindparam("at", at), bindparam("past", key))
        )
    query = query.order_by(table.c.created_at.desc(), table.c.key.desc()).limit(wanted.limit + 1)
    who = person(connection, user_key)
    found = connection.execute(query, {"held": listed(connection, who.held or ())}).mappings().all()
    items = [viewed(what, row) for row in found[: wanted.limit]]
    last = found[wanted.limit - 1] if len(found) > wanted.limit else None
    return RowList(items, None if last is None else f"{last['created_at']}.{last['key']}")


def _check(what: str, wanted: Wanted) -> None:
    """What no row can say is a mistake of whoever asks, not an empty list. (A refusal may be about an entity that there
    is not, of a kind that there is not: there the form is all.)"""
    if wanted.entity is not None and not (is_key(wanted.entity) if what == "refusals" else wanted.entity in SHAPES):
        raise Refused("request_invalid", "`entity` is the name of an entity, as `contacts`")
    if wanted.row is not None and not is_key(wanted.row):
        raise Refused("request_invalid", "`row` is a key: 1 to 64 letters, digits, `_`, `.` and `-`")
    if wanted.kind is not None and not is_key(wanted.kind):
        raise Refused("request_invalid", "`kind` is a word, as the rows of this list say it")


def viewed(entity: str, row: Any) -> RowView:
    return RowView(row["key"], row["rev"], {field: row[field] for field in SHAPES[entity].types})


def _place(after: str) -> tuple[int, str]:
    at, _, key = after.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= 15 and is_key(key)):
        raise Refused("request_invalid", "`after` is the `next` of another page")
    return int(at), key
