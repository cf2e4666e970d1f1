"""What happened with a customer, at the time at which it happened: one line of visits, notes, calls, tasks, stage
moves, changes of the customer itself, merges and conflicts, the newest first.

Each kind is one question, limited to a page, behind a keyset of (at, kind, key, rev): a page costs what the customer
has, not what exists, and a page that follows is neither shifted nor doubled by what came meanwhile at other times. Only
rows that the caller sees are told. A merged customer's past is the survivor's.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, func, literal, or_, select, tuple_

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.families import seen_account
from sfa.db.changed import changed
from sfa.db.collation import as_key, as_name
from sfa.db.places import lies_in
from sfa.db.tables import ROWS, history, redirects

PAGE_DEFAULT = 50
PAGE_MAX = 200
OWN_CHANGES = ("name", "status", "tier", "territory_key", "parent_key")


class Event(Struct, frozen=True):
    """`what` is what there is to say of that kind. `author_key` is who wrote it or whose it is."""

    at: int
    kind: str
    entity: str
    key: str
    rev: int
    author_key: str | None
    what: dict[str, Any]


class Timeline(Struct, frozen=True):
    """The newest first; `next` is the `after` of the following page, null on the last one."""

    key: str
    items: list[Event]
    next: str | None


class Source(Struct, frozen=True):
    """`query` selects `at`, `key`, `rev`, `author` and what is told; its rows lie where `lies` says."""

    entity: str
    query: Callable[[list[str]], tuple[Select[Any], ColumnElement[Any]]]
    told: tuple[str, ...]


def page(connection: Connection, caller: str, key: str, after: str | None, limit: int, kinds: str | None) -> Timeline:
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} events")
    wanted = _kinds(kinds)
    past = _place(after) if after is not None else None
    account, held = seen_account(connection, caller, key)
    merged = select(redirects.c.loser_key).where(redirects.c.entity == "accounts", redirects.c.survivor_key == account)
    keys = [account, *connection.execute(merged).scalars()]
    found: list[Event] = []
    for kind in wanted:
        query = _behind(kind, keys, past).limit(limit + 1)
        found += [_event(kind, row) for row in connection.execute(query, {"held": held}).mappings()]
    found.sort(key=_order, reverse=True)
    last = found[limit - 1] if len(found) > limit else None
    return Timeline(account, found[:limit], None if last is None else f"{last.at}.{last.kind}.{last.rev}.{last.key}")


def _order(event: Event) -> tuple[int, str, str, int]:
    return event.at, event.kind, event.key, event.rev


def _kinds(text: str | None) -> list[str]:
    wanted = sorted(SOURCES) if text is None else text.split(",")
    if not set(wanted) <= SOURCES.keys():
        raise Refused("request_invalid", f"`kinds` are some of {', '.join(sorted(SOURCES))}, with commas")
    return sorted(set(wanted))


def _place(after: str) -> tuple[int, str, str, int]:
    at, kind, rev, key = (*after.split(".", 3), "", "", "")[:4]
    numbers = all(n.isascii() and n.isdecimal() and len(n) <= 15 for n in (at, rev))
    if not (numbers and kind in SOURCES and is_key(key)):
        raise Refused("request_invalid", "`after` is the `next` of another page")
    return int(at), kind, key, int(rev)


def _behind(kind: str, keys: list[str], past: tuple[int, str, str, int] | None) -> Select[Any]:
    """The events of a kind behind that place, the newest first."""
    query, lies = SOURCES[kind].query(keys)
    rows = query.where(lies).subquery()
    key = as_key(rows.c.key)
    found = select(rows)
    if past is not None:
        at, of, behind_key, rev = past
        if kind == of:
            found = found.where(
                tuple_(rows.c.at, key, rows.c.rev) < tuple_(literal(at), literal(behind_key), literal(rev))
            )
        else:
            found = found.where(rows.c.at <= at if kind < of else rows.c.at < at)
    return found.order_by(rows.c.at.desc(), key.desc(), rows.c.rev.desc())


def _event(kind: str, row: Any) -> Event:
    source = SOURCES[kind]
    what = {name: row[name] for name in source.told}
    return Event(row["at"], kind, source.entity, row["key"], row["rev"], row["author"], what)


# -- the kinds ---------------------------------------------------------------------------------------------------------


def _rows(entity: str, at: Sequence[str], author: str, told: tuple[str, ...]) -> Source:
    """Living rows that name the customer, at the first of these instants that is known."""
    table = ROWS[entity]

    def query(keys: list[str]) -> tuple[Select[Any], ColumnElement[Any]]:
        moment = func.coalesce(*(table.c[name] for name in at), 0).label("at")
        columns = [table.c[name] for name in told]
        head = (moment, table.c.key, literal(0).label("rev"), table.c[author].label("author"))
        return select(*head, *columns).where(table.c.account_key.in_(keys), ~table.c.gone), lies_in(
            table.c.buckets, "held"
        )

    return Source(entity, query, told)


def _stages(keys: list[str]) -> tuple[Select[Any], ColumnElement[Any]]:
    """Every move of a deal of the customer through its stages, as it was written then (R20)."""
    deals = ROWS["deals"]
    others = deals.alias("theirs")
    theirs = select(as_name(others.c.key)).where(others.c.account_key.in_(keys))  # first, then the history of each
    query = (
        select(history.c.at, history.c.key, history.c.rev, history.c.author_key.label("author"))
        .add_columns(deals.c.name, history.c.kind.label("by"), history.c.changes)
        .join(deals, deals.c.key == as_key(history.c.key))
        .where(~deals.c.gone, history.c.entity == "deals", history.c.key.in_(theirs))
        .where(changed(history.c.changes, "stage_key"))
    )
    return query, lies_in(deals.c.buckets, "held")


def _changes(keys: list[str]) -> tuple[Select[Any], ColumnElement[Any]]:
    """What the customer itself was: name, tier, status, territory and parent, of merged ones too."""
    accounts = ROWS["accounts"]
    query = (
        select(history.c.at, history.c.key, history.c.rev, history.c.author_key.label("author"))
        .add_columns(history.c.kind.label("by"), history.c.changes)
        .join(accounts, accounts.c.key == as_key(history.c.key))
        .where(history.c.entity == "accounts", history.c.key.in_(keys))
        .where(or_(*(changed(history.c.changes, field) for field in OWN_CHANGES)))
    )
    return query, lies_in(accounts.c.buckets, "held")


def _merges(keys: list[str]) -> tuple[Select[Any], ColumnElement[Any]]:
    lay = ROWS["accounts"]
    query = (
        select(redirects.c.merged_at.label("at"), redirects.c.loser_key.label("key"), literal(0).label("rev"))
        .add_columns(redirects.c.merged_by.label("author"), lay.c.name, redirects.c.survivor_key)
        .join(lay, lay.c.key == as_key(redirects.c.loser_key))
        .where(redirects.c.entity == "accounts", redirects.c.loser_key.in_(keys))
    )
    return query, lies_in(lay.c.buckets, "held")


def _conflicts(keys: list[str]) -> tuple[Select[Any], ColumnElement[Any]]:
    """Two edits of the customer itself that met, and how that stands."""
    table = ROWS["conflicts"]
    head = (func.coalesce(table.c.created_at, 0).label("at"), table.c.key, literal(0).label("rev"))
    query = select(*head, table.c.author_key.label("author"), table.c.field_group, table.c.strategy, table.c.status)
    return query.where(table.c.entity == "accounts", table.c.row_key.in_(keys), ~table.c.gone), lies_in(
        table.c.buckets, "held"
    )


_VISIT_AT = ("checked_in_at", "planned_at", "created_at")
SOURCES: dict[str, Source] = {
    "visit": _rows("visits", _VISIT_AT, "owner_key", ("status", "purpose", "outcome", "planned_at", "checked_out_at")),
    "note": _rows("notes", ("written_at", "created_at"), "author_key", ("body", "visit_key")),
    "call": _rows(
        "calls", ("called_at", "created_at"), "owner_key", ("direction", "minutes", "outcome", "contact_key")
    ),
    "task": _rows("tasks", ("created_at",), "owner_key", ("title", "due_on", "done")),
    "stage": Source("deals", _stages, ("name", "by", "changes")),
    "change": Source("accounts", _changes, ("by", "changes")),
    "merge": Source("accounts", _merges, ("name", "survivor_key")),
    "conflict": Source("conflicts", _conflicts, ("field_group", "strategy", "status")),
}
