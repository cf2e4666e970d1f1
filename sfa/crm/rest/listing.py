"""Rows of one entity by pages, filtered and in a stated order, as far as the caller's scope shows them.

A page goes along an index from where the one before ended, looks at `SCANNED_MAX` rows at most and keeps those in
scope. So its cost does not grow with what exists; a page may be short, or empty, while `next` says that there is more.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Boolean, Connection, select, tuple_

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.rules import check_values
from sfa.core.shapes import SHAPES
from sfa.crm.decisions import PAGE_DEFAULT, PAGE_MAX, RowList, viewed
from sfa.crm.of_oneself import not_of
from sfa.crm.online import RowView, person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.redirects import Redirects
from sfa.db.tables import ROWS
from sfa.db.tables.rows import INDEXED

SCANNED_MAX = 20_000
AFTER_CHARACTERS_MAX = 1_000
KEY_ORDER = "key"


class Page(Struct, frozen=True):
    """`filters` are field -> the text in the query; `order` is a field, with `-` before it the other way round."""

    filters: Mapping[str, str] = {}
    order: str = KEY_ORDER
    after: str | None = None
    limit: int = PAGE_DEFAULT


@cache
def orders(entity: str) -> tuple[str, ...]:
    """By what a list can be ordered: the key, and every required field that has an index with the key."""
    required = SHAPES[entity].required
    found = (names[0] for names in INDEXED.get(entity, ()) if names[1:] == ("key",) and names[0] in required)
    return (KEY_ORDER, *found)


@cache
def indexed(entity: str) -> frozenset[str]:
    """The fields with which an index begins."""
    return frozenset(names[0] for names in INDEXED.get(entity, ()))


@cache
def filters(entity: str) -> tuple[str, ...]:
    """By what a list can be filtered: references, what an index begins with, words of a fixed list, and truth."""
    shape = SHAPES[entity]
    found = set(shape.references) | indexed(entity)
    for field, kind in shape.types.items():
        if isinstance(ROWS[entity].c[field].type, Boolean) or words(kind):
            found.add(field)
    return tuple(field for field in shape.types if field in found)


def words(kind: Any) -> tuple[str, ...]:
    """The words that a field may say, where they are a fixed list: read off its pattern `^(a|b)\\Z`."""
    found = msgspec.inspect.type_info(kind)
    if isinstance(found, msgspec.inspect.UnionType):
        found = next((member for member in found.types if isinstance(member, msgspec.inspect.StrType)), found)
    pattern = getattr(found, "pattern", None) or ""
    if pattern.startswith("^(") and pattern.endswith(r")\Z"):
        said = tuple(pattern[2:-3].split("|"))
        return said if all(word.replace("_", "").isalpha() for word in said) else ()
    return ()


def page(connection: Connection, user_key: str, entity: str, wanted: Page) -> RowList:
    """The rows after the page before; `next` is None when there are no more."""
    if not 1 <= wanted.limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} rows")
    field, down = wanted.order.removeprefix("-"), wanted.order.startswith("-")
    if field not in orders(entity):
        raise Refused("request_invalid", f"`order` is one of {', '.join(orders(entity))}, with `-` the other way round")
    table = ROWS[entity]
    order = [table.c.key] if field == KEY_ORDER else [table.c[field], table.c.key]
    query = select(table).where(~table.c.gone)
    late = []
    for name, value in _values(entity, wanted.filters).items():
        equal = table.c[name].is_(None) if value is None else table.c[name] == value
        if name in indexed(entity):
            query = query.where(equal)
        else:
            late.append((name, value))
    if wanted.after is not None:
        place = _place(field, wanted.after)
        here = tuple_(*order) if len(order) > 1 else order[0]
        there = tuple_(*place) if len(place) > 1 else place[0]
        query = query.where(here < there if down else here > there)
    query = query.order_by(*(column.desc() if down else column for column in order))
    return _kept(connection, user_key, entity, query, [column.name for column in order], late, wanted.limit)


def _kept(
    connection: Connection,
    user_key: str,
    entity: str,
    query: Any,
    order: Sequence[str],
    late: Sequence[tuple[str, Any]],
    limit: int,
) -> RowList:
    """What the window of this page shows; the rest of the filters and the scope are asked inside it."""
    who = person(connection, user_key)
    window = query.limit(SCANNED_MAX).subquery("seen")  # both databases keep its order while they only filter it
    kept = select(window).where(lies_in(window.c.buckets, "held"), not_of(connection, entity, window.c, user_key))
    for name, value in late:
        kept = kept.where(window.c[name].is_(None) if value is None else window.c[name] == value)
    found = connection.execute(kept.limit(limit + 1), {"held": listed(connection, who.held or ())}).mappings().all()
    items = [viewed(entity, row) for row in found[:limit]]
    if len(found) > limit:
        return RowList(items, _next(found[limit - 1], order))
    columns = [query.selected_columns[name] for name in order]
    last = connection.execute(query.with_only_columns(*columns).offset(SCANNED_MAX - 1).limit(1)).mappings().first()
    return RowList(items, None if last is None else _next(last, order))


def one(connection: Connection, user_key: str, entity: str, key: str) -> RowView:
    """The row, or the one that it was merged into (S22); `not_found` alike where there is none and where the caller may
    not see it."""
    who = person(connection, user_key)
    table = ROWS[entity]
    for wanted in dict.fromkeys((key, survivor(connection, entity, key))) if is_key(key) else ():
        query = select(table).where(table.c.key == wanted, ~table.c.gone, lies_in(table.c.buckets, "held"))
        query = query.where(not_of(connection, entity, table.c, user_key))
        found = connection.execute(query, {"held": listed(connection, who.held or ())}).mappings().first()
        if found is not None:
            return viewed(entity, found)
    raise Refused("not_found")


def survivor(connection: Connection, entity: str, key: str) -> str:
    """Where a merged key leads; the key itself where it was not merged."""
    return Redirects(connection).survivor(entity, key)


def _values(entity: str, said: Mapping[str, str]) -> dict[str, Any]:
    """Filters as values of their fields. `null` asks for rows without a value."""
    found: dict[str, Any] = {}
    for field, text in said.items():
        if field not in filters(entity):
            known = ", ".join((*filters(entity), "order", "after", "limit"))
            raise Refused("request_invalid", f"a list of {entity} knows {known}", field=field[:100])
        if text == "null" and field not in SHAPES[entity].required:
            found[field] = None
            continue
        try:
            value = msgspec.convert(text, SHAPES[entity].types[field], strict=False)
        except msgspec.ValidationError as error:
            raise Refused("field_invalid", f"{entity}.{field}: {error}", field=field) from None
        check_values(entity, {field: value})
        found[field] = value
    return found


def _next(row: Any, order: Sequence[str]) -> str:
    """Where the next page begins: the key, and before it what the list is ordered by."""
    return str(row["key"]) if len(order) == 1 else f"{row['key']}~{row[order[0]]}"


def _place(field: str, after: str) -> list[Any]:
    key, mark, value = after.partition("~")
    if not is_key(key) or bool(mark) != (field != KEY_ORDER) or len(after) > AFTER_CHARACTERS_MAX or "\x00" in after:
        raise Refused("request_invalid", "`after` is the `next` of another page in the same order")
    return [key] if field == KEY_ORDER else [value, key]
