"""What serving customers takes (R40): visits by their minutes and ways by their kilometres, in sums or one by one.

A visit counts when it is completed, at its corrected check-in, for its owner, at the owner's rate of that local day.
Visits with corrections (R14) are never summed in SQL: they come one by one, as they count now. A way counts where its
distance is proven. Both belong to the customer's territory of today.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, literal_column, null, or_, select

from sfa.core.credits import day_of
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.profit.company.fact_sums import DIRECT_MAX, Asked, Fact, Source, Value, both, narrowed, settled
from sfa.profit.company.rate_spans import bound_spans, rate_spans
from sfa.profit.company.surroundings import World
from sfa.profit.items import HOUR_MS, KILOMETRE_M, travel_cost, visit_cost
from sfa.quotas.spans import past_indexes

_ACCOUNTS, _VISITS, _LEGS, _AMENDED = ROWS["accounts"], ROWS["visits"], ROWS["travel_legs"], ROWS["visit_amendments"]
_V, _L = _VISITS.c, _LEGS.c
CORRECTS = ("checked_in_at", "checked_out_at")
_CORRECTED = select(_AMENDED.c.visit_key).where(_AMENDED.c.field.in_(CORRECTS), ~_AMENDED.c.gone)
_DONE = (~_V.gone, past_indexes(_V.status) == "completed")


def visits_source(connection: Connection, world: World, asked: Asked) -> Source:
    """Every visit without corrections."""
    spans = rate_spans(connection, "visit_hour")
    same = and_(
        spans.c.user_key == _V.owner_key, spans.c.start_at <= _V.checked_in_at, _V.checked_in_at < spans.c.end_at
    )
    from_: Any = _VISITS.outerjoin(spans, same)
    territory: Any = null()
    if "territory" in asked.by:
        from_ = from_.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _V.account_key)
        territory = _ACCOUNTS.c.territory_key
    lasted = _V.checked_out_at - _V.checked_in_at
    where: list[ColumnElement[bool]] = [*_DONE, _V.checked_out_at > _V.checked_in_at]
    if connection.execute(_CORRECTED.limit(1)).first() is not None:
        where.append(_V.key.not_in(_CORRECTED))
    return Source(
        from_=from_,
        where=where,
        columns=_columns(_V.account_key, _V.owner_key, territory, _V.deal_key),
        at=past_indexes(_V.checked_in_at),
        values={"visits": _costed(lasted, spans, world, HOUR_MS)},
        raw=[
            _V.key,
            _V.owner_key,
            _V.account_key,
            territory.label("territory"),
            _V.deal_key,
            _V.checked_in_at,
            _V.checked_out_at,
        ],
        valued=visit_facts,
        bound={"visit_hour": bound_spans(connection, world.costs, "visit_hour")},
    )


def travel_source(connection: Connection, world: World, asked: Asked) -> Source:
    """Every way of proven distance, unless its visit was deleted; of the customer and deal of its visit."""
    spans = rate_spans(connection, "kilometre")
    same = and_(spans.c.user_key == _L.owner_key, spans.c.start_at <= _L.started_at, _L.started_at < spans.c.end_at)
    from_: Any = _LEGS.outerjoin(_VISITS, _V.key == _L.visit_key).outerjoin(spans, same)
    territory: Any = null()
    if "territory" in asked.by:
        from_ = from_.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _V.account_key)
        territory = _ACCOUNTS.c.territory_key
    return Source(
        from_=from_,
        where=[~_L.gone, _L.distance_m > 0, or_(_V.key.is_(None), ~_V.gone)],
        columns=_columns(_V.account_key, _L.owner_key, territory, _V.deal_key),
        at=past_indexes(_L.started_at),
        values={"travel": _costed(_L.distance_m, spans, world, KILOMETRE_M)},
        raw=[
            _L.key,
            _L.owner_key,
            _V.account_key,
            territory.label("territory"),
            _V.deal_key,
            _L.started_at,
            _L.distance_m,
        ],
        valued=travel_facts,
        bound={"kilometre": bound_spans(connection, world.costs, "kilometre")},
    )


def _columns(account: Any, user: Any, territory: Any, deal: Any) -> dict[str, Any]:
    return {"account": account, "user": user, "territory": territory, "product": null(), "deal": deal}


def _costed(measure: Any, spans: Any, world: World, unit: int) -> Value:
    """`half_up(measure * rate, unit)` in SQL, negative."""
    twice = 2 * measure * spans.c.value + literal_column(str(unit))
    plain = both(spans.c.currency == world.currency, spans.c.value <= DIRECT_MAX, measure <= DIRECT_MAX)
    guarded = case((plain, twice.op("/", precedence=8)(literal_column(str(2 * unit)))), else_=literal_column("0"))
    return Value(-guarded, plain)


def visit_facts(world: World, row: Any) -> Iterator[Fact]:
    key, owner, account, territory, deal, since, until = row
    yield _effort(world, "visits", "visit_hour", until - since, (owner, account, territory, deal), since, "visits", key)


def travel_facts(world: World, row: Any) -> Iterator[Fact]:
    key, owner, account, territory, deal, at, metres = row
    yield _effort(world, "travel", "kilometre", metres, (owner, account, territory, deal), at, "travel_legs", key)


def _effort(
    world: World,
    kind: str,
    of: str,
    measure: int,
    whose: tuple[str, str | None, str | None, str | None],
    at: int,
    entity: str,
    key: str,
) -> Fact:
    user, account, territory, deal = whose
    place = (at, at, account, user, territory, None, deal, entity, key)
    rate = world.costs.rate_at(of, user, at)
    if rate is None or rate.currency is None:
        return Fact(kind, None, "", *place, "cost_missing", {"of": of, "user_key": user, "on": day_of(at, world.zone)})
    cost = visit_cost(measure, rate.value) if kind == "visits" else travel_cost(measure, rate.value)
    basis = {"ms" if kind == "visits" else "metres": measure, "rate_minor": rate.value, "rate_key": rate.key}
    return Fact(kind, -cost, rate.currency, *place, None, basis)


def corrected_visits(connection: Connection, world: World, asked: Asked) -> Iterator[Fact]:
    """The visits with corrections of their times, as they count after them."""
    columns = (_V.key, _V.owner_key, _V.account_key, _ACCOUNTS.c.territory_key, _V.deal_key, _V.checked_in_at)
    query = select(*columns, _V.checked_out_at).join_from(_VISITS, _ACCOUNTS, _ACCOUNTS.c.key == _V.account_key)
    query, bound = narrowed(connection, query, past_indexes(_V.account_key), past_indexes(_V.deal_key), asked)
    rows = connection.execute(query.where(*_DONE, _V.key.in_(_CORRECTED)).order_by(_V.key), bound).all()
    corrections = _corrections(connection, [row[0] for row in rows]) if rows else {}
    for row in rows:
        said = corrections.get(row[0], {})
        since, until = (said.get(field, row[5 + n]) for n, field in enumerate(CORRECTS))
        if since is not None and until is not None and until > since:
            for fact in visit_facts(world, (*row[:5], since, until)):
                if asked.takes(fact):
                    yield settled(world, fact)


def _corrections(connection: Connection, visits: list[str]) -> dict[str, dict[str, Any]]:
    """visit -> the last correction of its times."""
    a = _AMENDED.c
    query = select(a.visit_key, a.field, a.new).where(among(a.visit_key, "keys"), a.field.in_(CORRECTS), ~a.gone)
    found: dict[str, dict[str, Any]] = {}
    ordered = query.order_by(a.visit_key, a.field, a.ordinal)
    for visit, field, new in connection.execute(ordered, {"keys": listed(connection, visits)}):
        found.setdefault(visit, {})[field] = new
    return found
