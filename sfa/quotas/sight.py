"""Who sees what of figures: rows of his scope (S13), and margins only where his role sees cost (R45)."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select

from sfa.core.access import SEES_COST
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.edits import Who
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS

KEYS_AT_ONCE = 500


def seen(connection: Connection, who: Who, entity: str, key: str) -> Row[Any]:
    """The living row; `not_found` alike where there is none and where the caller may not see it."""
    table, held = ROWS[entity], listed(connection, who.held or ())
    query = select(table).where(table.c.key == key, ~table.c.gone, lies_in(table.c.buckets, "held"))
    found = connection.execute(query, {"held": held}).first() if is_key(key) else None
    if found is None:
        raise Refused("not_found")
    return found


def sees_figure(who: Who, measure: str) -> bool:
    return measure != "margin" or who.role in SEES_COST


def check_figure(who: Who, measure: str) -> None:
    """Refuses `not_permitted`."""
    if not sees_figure(who, measure):
        raise Refused("not_permitted", f"the role {who.role} does not see cost")


def seen_figure(connection: Connection, who: Who, quota_key: str) -> Row[Any]:
    """A quota whose figure the caller may know."""
    quota = seen(connection, who, "quotas", quota_key)
    check_figure(who, quota.measure)
    return quota


def visible(connection: Connection, who: Who, records: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of these (entity, key) that the caller may see; deleted ones as when they lived."""
    held = listed(connection, who.held or ())
    by_entity: dict[str, set[str]] = {}
    for entity, key in records:
        by_entity.setdefault(entity, set()).add(key)
    found: set[tuple[str, str]] = set()
    for entity, keys in by_entity.items():
        table, wanted = ROWS[entity], sorted(keys)
        query = select(table.c.key).where(among(table.c.key, "keys"), lies_in(table.c.buckets, "held"))
        for start in range(0, len(wanted), KEYS_AT_ONCE):
            bound = {"keys": listed(connection, wanted[start : start + KEYS_AT_ONCE]), "held": held}
            found |= {(entity, key) for key in connection.execute(query, bound).scalars()}
    return found
