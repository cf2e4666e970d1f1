"""Visits as facts, read in sets: sums of what counts alike, or row by row in the order of explanations (R1, R3, R4).

A visit counts for its owner at its corrected check-in; one that did not happen (no-show, cancelled) at the time that
was planned, or else when it was made. What was corrected by amendments (R14) is never summed in SQL: those visits come
row by row, as they count now, in both ways of reading. Contacts that were merged are one person.
"""

from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, literal_column, null, select

from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, VISIT_AT, redirects
from sfa.quotas.measures import NOT_HELD, VisitFact, person_met
from sfa.quotas.spans import Span, bound_of, each
from sfa.quotas.summing import Sums, summed

_ACCOUNTS, _VISITS, _AMENDED = ROWS["accounts"], ROWS["visits"], ROWS["visit_amendments"]
_V = _VISITS.c
CORRECTS = ("checked_in_at", "visit_type", "contact_key")
_PERSON: ColumnElement[Any] = func.coalesce(literal("contact:") + _V.contact_key, literal("account:") + _V.account_key)
_CORRECTED = select(_AMENDED.c.visit_key).where(_AMENDED.c.field.in_(CORRECTS), ~_AMENDED.c.gone)


def sums_of_visits(
    connection: Connection, span: Span, *, people: bool, types: bool, verdicts: bool
) -> Iterator[VisitFact]:
    """Visits counted by holder, segment and state; by whom they met, type and verdict only where that is asked."""
    only = _uncorrected(connection)
    wanted = ((_V.verdict, verdicts), (_V.visit_type, types), (_PERSON, people), (_ACCOUNTS.c.tier, span.with_tier))
    sums = Sums(
        along=(_ACCOUNTS.c.territory_key if span.by_territory else _V.owner_key, _V.status),
        at=VISIT_AT,
        by=tuple(column if asked else null() for column, asked in wanted),
        of=(func.count(),),
        narrowed=lambda query, of: _joined(_of_visits(query, of).where(*only), of),
        covered=not (types or people or span.with_tier),
    )
    for who, place, status, verdict, kind, person, tier, count in summed(connection, span, sums):
        yield VisitFact(
            user_key="" if span.by_territory else who,
            territory_key=who if span.by_territory else None,
            at=span.start_of(place),
            tier=tier,
            status=status,
            verdict=verdict,
            visit_type=kind,
            person=person or "",
            count=count,
        )


def moments_of_visits(span: Span) -> Select[Any]:
    """When each of the visits counts if nothing was corrected, in order."""
    inside = (span.start <= VISIT_AT, span.end > VISIT_AT)
    query = _of_visits(select(VISIT_AT), span).where(*inside)
    return (_joined(query, span) if span.territories is not None else query).order_by(VISIT_AT)


def rows_of_visits(connection: Connection, span: Span) -> Iterator[VisitFact]:
    """Each visit as it counts, in order."""
    query = _rows(span).where(span.start <= VISIT_AT, span.end > VISIT_AT, *_uncorrected(connection))
    found = each(connection, query.order_by(VISIT_AT, _V.key), bound_of(connection, span))
    return merge((_fact(row) for row in found), corrected_visits(connection, span), key=lambda v: (v.at, v.row_key))


def _uncorrected(connection: Connection) -> list[ColumnElement[bool]]:
    """Without those that are read row by row; nothing to ask of each visit where there are none. SQLite is asked by
    its own number of the row, which every index holds, so that no row need be looked up for its key."""
    if connection.execute(_CORRECTED.limit(1)).first() is None:
        return []
    if connection.dialect.name != "sqlite":
        return [_V.key.not_in(_CORRECTED)]
    other = _VISITS.alias("corrected")
    rows: Select[Any] = select(literal_column("corrected.rowid")).select_from(other).where(other.c.key.in_(_CORRECTED))
    return [literal_column("visits.rowid").not_in(rows)]


def corrected_visits(connection: Connection, span: Span) -> list[VisitFact]:
    """The visits with corrections that matter, as they count after them, in order."""
    bound = bound_of(connection, span)
    rows = connection.execute(_rows(span).where(_V.key.in_(_CORRECTED)), bound).all()
    if not rows:
        return []
    corrections = _corrections(connection, [row.key for row in rows])
    merged = _merged(connection, [c["contact_key"] for c in corrections.values() if c.get("contact_key")])
    found = (_fact(row, corrections.get(row.key, {}), merged) for row in rows)
    inside = [fact for fact in found if span.start <= fact.at < span.end]
    return sorted(inside, key=lambda v: (v.at, v.row_key))


def _corrections(connection: Connection, visits: list[str]) -> dict[str, dict[str, Any]]:
    """visit -> the last correction of each field that matters."""
    a = _AMENDED.c
    query = select(a.visit_key, a.field, a.new).where(among(a.visit_key, "keys"), a.field.in_(CORRECTS), ~a.gone)
    found: dict[str, dict[str, Any]] = {}
    ordered = query.order_by(a.visit_key, a.field, a.ordinal)
    for visit, field, new in connection.execute(ordered, {"keys": listed(connection, visits)}):
        found.setdefault(visit, {})[field] = new
    return found


def _merged(connection: Connection, contacts: list[str]) -> dict[str, str]:
    """Where merged contacts lead (R3)."""
    query = select(redirects.c.loser_key, redirects.c.survivor_key).where(
        redirects.c.entity == "contacts", among(redirects.c.loser_key, "keys")
    )
    return dict(connection.execute(query, {"keys": listed(connection, contacts)}).all()) if contacts else {}


def _rows(span: Span) -> Select[Any]:
    territory = _ACCOUNTS.c.territory_key if _joins(span) else null()
    tier = _ACCOUNTS.c.tier if span.with_tier else null()
    columns = (_V.key, _V.owner_key, _V.status, _V.verdict, _V.visit_type, _V.contact_key, _V.account_key)
    dated = (_V.planned_at, _V.created_at, _V.checked_in_at)
    return _joined(_of_visits(select(*columns, *dated, territory.label("territory"), tier.label("tier")), span), span)


def _fact(row: Any, corrected: Mapping[str, Any] | None = None, merged: Mapping[str, str] | None = None) -> VisitFact:
    said = corrected or {}
    contact = said.get("contact_key", row.contact_key)
    contact = (merged or {}).get(contact, contact)
    planned = row.planned_at if row.planned_at is not None else row.created_at
    at = planned if row.status in NOT_HELD else said.get("checked_in_at", row.checked_in_at)
    return VisitFact(
        row_key=row.key,
        user_key=row.owner_key,
        at=at if at is not None else -1,  # of no period
        territory_key=row.territory,
        tier=row.tier,
        status=row.status,
        verdict=row.verdict,
        visit_type=said.get("visit_type", row.visit_type),
        person=person_met(contact, row.account_key),
    )


def _of_visits(query: Select[Any], span: Span) -> Select[Any]:
    query = query.where(~_V.gone)
    if span.users is not None:
        query = query.where(among(_V.owner_key, "users"))
    if span.territories is not None:
        query = query.where(among(_ACCOUNTS.c.territory_key, "territories"))
    return query


def _joins(span: Span) -> bool:
    return span.by_territory or span.with_tier or span.territories is not None


def _joined(query: Select[Any], span: Span) -> Select[Any]:
    return query.join_from(_VISITS, _ACCOUNTS, _ACCOUNTS.c.key == _V.account_key) if _joins(span) else query
