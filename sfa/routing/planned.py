"""A person's planned visits of a day, read for a route: one question by the index of (owner, planned_at), one for their
customers. Who asks sees his own day, or that of whose book he holds; only visits in his scope are there, and of
their customers no more than he sees: a visit that he went along to at a stranger's has no place."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from sfa.core.days import day_bounds_ms
from sfa.core.errors import Refused
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.routing.stops import STOPS_MAX, Hours, Stop
from sfa.routing.visits import Asked, hours_of, stops_of

_VISITS, _ACCOUNTS, _ORGANISATIONS = ROWS["visits"], ROWS["accounts"], ROWS["organisations"]


def day_of(connection: Connection, caller: str, user: str | None, asked: Asked) -> tuple[list[Stop], Hours]:
    who = person(connection, caller)
    held = who.held or frozenset()
    owner = user or caller
    if f"book:{owner}" not in held:
        raise Refused("not_found")
    zone = connection.execute(
        select(_ORGANISATIONS.c.zone).where(~_ORGANISATIONS.c.gone).order_by(_ORGANISATIONS.c.key).limit(1)
    ).scalar()
    zone = zone or "UTC"
    hours, (start, end) = hours_of(asked, zone), day_bounds_ms(asked.on, zone)
    query = (
        select(_VISITS)
        .where(_VISITS.c.owner_key == owner, _VISITS.c.planned_at >= start, _VISITS.c.planned_at < end)
        .where(_VISITS.c.status == "planned", ~_VISITS.c.gone, lies_in(_VISITS.c.buckets, "held"))
        .order_by(_VISITS.c.planned_at, _VISITS.c.key)
        .limit(STOPS_MAX + 1)
    )
    rows = connection.execute(query, {"held": listed(connection, held)}).mappings().all()
    if len(rows) > STOPS_MAX:
        raise Refused("route_too_large", f"more than {STOPS_MAX} visits are planned", limit=STOPS_MAX)
    return stops_of(((row["key"], dict(row)) for row in rows), _accounts(connection, rows, held), asked, zone), hours


def _accounts(connection: Connection, visits: Any, held: frozenset[str]) -> Mapping[str, Mapping[str, Any]]:
    keys = sorted({row["account_key"] for row in visits})
    query = select(_ACCOUNTS.c.key, _ACCOUNTS.c.latitude, _ACCOUNTS.c.longitude, _ACCOUNTS.c.tier)
    query = query.where(_ACCOUNTS.c.key.in_(keys), lies_in(_ACCOUNTS.c.buckets, "held"))
    found = connection.execute(query, {"held": listed(connection, held)}).mappings()
    return {row["key"]: dict(row) for row in found}
