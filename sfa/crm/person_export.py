"""Everything that is held about a person, for the person: rows, history, what was decided, and where else the name is.

For managers, directors and administrators. An administrator is told all of it; others what they see, and `partial` says
that this may not be all. Rows that only name the person (visits, calls, deals) and notes in which the name is written
are told as places: their words are the customer's.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, func, or_, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.shapes import SHAPES
from sfa.crm.histories import Version
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, erasures, history, redirects

MAY_EXPORT = frozenset({"manager", "director", "admin"})
ROWS_MAX = 5_000  # of each kind
NAMED_IN = ("visits", "calls", "customer_needs", "deals", "proposals")
ABOUT = ("conflicts", "refusals", "suggestions")


OF_PERSON = ("consents", "deal_contacts", "campaign_touches", "proposal_recipients")


class Held(Struct, frozen=True):
    """A row that is about the person."""

    entity: str
    key: str
    rev: int
    gone: bool
    row: dict[str, Any]


class Place(Struct, frozen=True):
    """A row that names the person; `at` is when it was made."""

    entity: str
    key: str
    at: int | None


class Change(Struct, frozen=True):
    entity: str
    key: str
    version: Version


class Export(Struct, frozen=True):
    """`keys` are all that lead to the person. `partial`: the caller does not see everything that there may be, or there
    is more than an answer holds."""

    key: str
    keys: list[str]
    rows: list[Held]
    history: list[Change]
    places: list[Place]
    erased_at: int | None
    partial: bool


def export(connection: Connection, caller: str, key: str) -> Export:
    who = person(connection, caller)
    if not is_key(key):
        raise Refused("not_found")
    contacts, sees_all = ROWS["contacts"], who.role == "admin"
    held = listed(connection, who.held or ())
    leads = select(redirects.c.survivor_key).where(redirects.c.entity == "contacts", redirects.c.loser_key == key)
    survivor = connection.execute(leads).scalar() or key
    seen = select(contacts.c.key).where(contacts.c.key == survivor)
    if connection.execute(_scoped(seen, contacts, sees_all), _bound(sees_all, held)).scalar() is None:
        raise Refused("not_found")
    if who.role not in MAY_EXPORT:
        raise Refused("not_permitted", "managers, directors and administrators export what is held about a person")
    losers = select(redirects.c.loser_key).where(redirects.c.entity == "contacts", redirects.c.survivor_key == survivor)
    keys = [survivor, *sorted(connection.execute(losers).scalars())]

    def read(query: Select[Any], table: Any) -> Sequence[Any]:
        scoped = _scoped(query, table, sees_all).order_by(table.c.key).limit(ROWS_MAX + 1)
        return connection.execute(scoped, _bound(sees_all, held)).mappings().all()

    found: list[Held] = []
    full = False
    named = (("contacts", "key"), *((e, "contact_key") for e in OF_PERSON))
    for entity, column in (*named, *((e, "row_key") for e in ABOUT)):
        table = ROWS[entity]
        query = select(table).where(table.c[column].in_(keys))
        rows = read(query.where(table.c.entity == "contacts") if entity in ABOUT else query, table)
        full = full or len(rows) > ROWS_MAX
        fields = SHAPES[entity].types
        found += [Held(entity, r["key"], r["rev"], r["gone"], {f: r[f] for f in fields}) for r in rows[:ROWS_MAX]]
    places, more = _places(read, keys, found)
    changes = _changes(connection, [(one.entity, one.key) for one in found])
    erased = select(erasures.c.erased_at).where(erasures.c.entity == "contacts", erasures.c.key == survivor)
    erased_at = connection.execute(erased).scalar()
    partial = not sees_all or full or more or len(changes) > ROWS_MAX
    return Export(survivor, keys, found, changes[:ROWS_MAX], places, erased_at, partial)


def _scoped(query: Select[Any], table: Any, sees_all: bool) -> Select[Any]:
    return query if sees_all else query.where(lies_in(table.c.buckets, "held"))


def _bound(sees_all: bool, held: Any) -> dict[str, Any]:
    return {} if sees_all else {"held": held}


def _places(read: Any, keys: list[str], found: list[Held]) -> tuple[list[Place], bool]:
    places: list[Place] = []
    full = False
    queries = [
        (e, select(ROWS[e].c.key, ROWS[e].c.created_at).where(ROWS[e].c.contact_key.in_(keys))) for e in NAMED_IN
    ]
    notes = ROWS["notes"]
    people = [one.row for one in found if one.entity == "contacts"]
    names = sorted({row["name"].lower() for row in people})
    accounts = sorted({row["account_key"] for row in people})
    said = or_(*(func.lower(notes.c.body).contains(name, autoescape=True) for name in names))
    queries.append(("notes", select(notes.c.key, notes.c.created_at).where(notes.c.account_key.in_(accounts), said)))
    for entity, query in queries:
        rows = read(query, ROWS[entity])
        full = full or len(rows) > ROWS_MAX
        places += [Place(entity, row["key"], row["created_at"]) for row in rows[:ROWS_MAX]]
    return places, full


def _changes(connection: Connection, rows: list[tuple[str, str]]) -> list[Change]:
    changes: list[Change] = []
    for entity in sorted({entity for entity, _ in rows}):
        keys = [key for of, key in rows if of == entity]
        query = select(history).where(history.c.entity == entity, history.c.key.in_(keys))
        for row in connection.execute(query.order_by(history.c.key, history.c.rev).limit(ROWS_MAX + 1)).mappings():
            version = Version(**{name: row[name] for name in Version.__struct_fields__})
            changes.append(Change(entity, row["key"], version))
    return changes
