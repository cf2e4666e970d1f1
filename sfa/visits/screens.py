"""What is done with a visit at a screen: the commands of a phone, one transaction each (R53).

A transition asked for twice is answered twice and done once, whatever revision the second one names. A second open
visit is refused here and named (R13): whoever is online can close the first one first.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.shapes import SHAPES
from sfa.crm import edits, open_visits
from sfa.crm.decisions import viewed
from sfa.crm.online import Order, RowView, begin, check_rev, person, seen, shown
from sfa.crm.steps import stands, step
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.visits.amendments import effective
from sfa.visits.tracks import distances, visit_minutes

ACTIONS = ("check-in", "check-out", "cancel", "no-show", "submit")
_VISITS, _AMENDMENTS, _LEGS = ROWS["visits"], ROWS["visit_amendments"], ROWS["travel_legs"]


class VisitTold(Struct, frozen=True):
    """A visit as it was submitted (`row`), as it counts after its corrections (`effective`), those corrections, and
    what it cost in `minutes` and metres by source of proof (R14, R40); null proves nothing."""

    key: str
    rev: int
    row: dict[str, Any]
    effective: dict[str, Any]
    amendments: list[RowView]
    minutes: int | None
    distance_m: dict[str, int | None]


def act(connection: Connection, now_ms: int, asked: Order) -> RowView:
    """One transition of a visit: -> the row after it."""
    screen = begin(connection, now_ms, asked.user_key)
    cell = seen(screen, "visits", asked.key)
    if cell.gone:
        raise Refused("not_found")
    was_there = stands(screen.door, cell, asked.command, asked.arguments, screen.origin)
    if not was_there:
        check_rev(cell, asked.rev)
        if asked.command == "visit.check_in" and cell.row["status"] == "planned":
            edits.check_owned(screen.door, screen.who, cell)
            open_visits.refuse_second(screen.door, screen.who.held, cell)
    step(screen.door, screen.who, cell, asked.command, asked.arguments, screen.origin)
    if not was_there:
        open_visits.settle(screen.door, cell, asked.command, screen.origin)
    screen.door.flush()
    return shown(cell)


def told(connection: Connection, user_key: str, key: str) -> VisitTold:
    """One visit with its corrections, for whoever sees it."""
    if not is_key(key):
        raise Refused("not_found")
    who = person(connection, user_key)
    held = {"held": listed(connection, who.held or ())}
    query = select(_VISITS).where(_VISITS.c.key == key, ~_VISITS.c.gone, lies_in(_VISITS.c.buckets, "held"))
    row = connection.execute(query, held).mappings().first()
    if row is None:
        raise Refused("not_found")
    made = select(_AMENDMENTS).where(_AMENDMENTS.c.visit_key == key, ~_AMENDMENTS.c.gone)
    order = (_AMENDMENTS.c.amended_at, _AMENDMENTS.c.field, _AMENDMENTS.c.ordinal)
    amendments = connection.execute(made.order_by(*order)).mappings().all()
    mine = select(_LEGS).where(_LEGS.c.visit_key == key, ~_LEGS.c.gone, lies_in(_LEGS.c.buckets, "held"))
    legs = connection.execute(mine, held).mappings().all()
    own = {field: row[field] for field in SHAPES["visits"].types}
    counts = effective(own, [dict(a) for a in amendments])
    return VisitTold(
        key=key,
        rev=row["rev"],
        row=own,
        effective=counts,
        amendments=[viewed("visit_amendments", a) for a in amendments],
        minutes=visit_minutes(counts),
        distance_m=distances([dict(leg) for leg in legs]),
    )
