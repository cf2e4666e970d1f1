"""Reads what the funnel counts: the versions that were sent in a window of local days, in one statement, as far as the
caller sees them; whether there are others is said (R30).

Deals that were deleted are left out with what was sent of them. The rep is the deal's owner as it is now, the segment
the customer's tier as it is now; template, language and amounts are those of the version.
"""

from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, Select, and_, func, select

from proposals.funnel import BY, Counted, Line, Money, Sent, counted
from sfa.core.days import check_day, local_day, start_of_ms, to_date
from sfa.core.errors import Refused
from sfa.crm.online import person
from sfa.db.collation import as_key
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.proposal_timeline import OPENED
from sfa.db.tables import ROWS, proposal_answers, proposal_events, proposal_versions
from sfa.profit.company.surroundings import read_exchange

WINDOW_DAYS_MAX = 1_830  # five years
NAMED = {"template": "proposal_templates", "rep": "users"}
_PROPOSALS, _DEALS, _ACCOUNTS = ROWS["proposals"], ROWS["deals"], ROWS["accounts"]
_V, _A, _E = proposal_versions.c, proposal_answers.c, proposal_events.c


class Funnel(Struct, frozen=True, kw_only=True):
    """Of versions that were sent on the local days [from_on, to_on). `partial`: there are others, of deals that the
    caller does not see."""

    by: str
    from_on: str
    to_on: str
    as_of: int
    zone: str
    currency: str
    partial: bool
    total: Line
    items: list[Line]


def told(connection: Connection, user: str, now_ms: int, from_on: str, to_on: str, by: str) -> Funnel:
    """Refuses `request_invalid`."""
    if by not in BY:
        raise Refused("request_invalid", f"`by` is one of {', '.join(BY)}")
    if not 1 <= (to_date(check_day(to_on)) - to_date(check_day(from_on))).days <= WINDOW_DAYS_MAX:
        raise Refused("request_invalid", f"a window has 1 to {WINDOW_DAYS_MAX} days: `to` is the day after its last")
    who = person(connection, user)
    zone, currency = _company(connection)
    window = (start_of_ms(from_on, zone), start_of_ms(to_on, zone))
    sent = read(connection, window, who.held)
    found = counted(sent, by, zone, Money(currency, read_exchange(connection, zone)))
    return Funnel(
        by=by,
        from_on=from_on,
        to_on=to_on,
        as_of=now_ms,
        zone=zone,
        currency=currency,
        partial=who.held is not None and _count(connection, window) > len(sent),
        total=found.total,
        items=_named(connection, by, found),
    )


def read(connection: Connection, window: tuple[int, int], held: frozenset[str] | None) -> list[Sent]:
    """What was sent from the first instant until before the second; `held` are the caller's buckets."""
    then = select(_V.proposal_key).where(_V.sent_at >= window[0], _V.sent_at < window[1])
    opened = (
        select(_E.proposal_key, _E.version, func.min(_E.at).label("at"))
        .where(_E.kind == OPENED, _E.proposal_key.in_(then))
        .group_by(_E.proposal_key, _E.version)
        .subquery()
    )
    answer = and_(_A.proposal_key == _V.proposal_key, _A.version == _V.version)
    here = {"owner_key": _DEALS.c.owner_key, "tier": _ACCOUNTS.c.tier, "opened_at": opened.c.at}
    here["accepted_minor"] = _A.total_minor
    query = (
        _sent(*(here[name] if name in here else _V[name] for name in Sent.__struct_fields__), window=window)
        .join(_ACCOUNTS, _ACCOUNTS.c.key == as_key(_DEALS.c.account_key), isouter=True)
        .join(opened, and_(opened.c.proposal_key == _V.proposal_key, opened.c.version == _V.version), isouter=True)
        .join(proposal_answers, answer, isouter=True)
    )
    bound: dict[str, Any] = {}
    if held is not None:
        query, bound = query.where(lies_in(_PROPOSALS.c.buckets, "held")), {"held": listed(connection, sorted(held))}
    return [Sent(*row) for row in connection.execute(query, bound).all()]


def _sent(*columns: Any, window: tuple[int, int]) -> Select[Any]:
    return (
        select(*columns)
        .select_from(proposal_versions)
        .join(_PROPOSALS, _PROPOSALS.c.key == _V.proposal_key)
        .join(_DEALS, _DEALS.c.key == _V.deal_key)
        .where(_V.sent_at >= window[0], _V.sent_at < window[1], ~_DEALS.c.gone)
    )


def _count(connection: Connection, window: tuple[int, int]) -> int:
    return int(connection.execute(_sent(func.count(), window=window)).scalar() or 0)


def _company(connection: Connection) -> tuple[str, str]:
    table = ROWS["organisations"].c
    query = select(table.zone, table.currency).where(~table.gone).order_by(table.key).limit(1)
    found = connection.execute(query).first()
    return (found.zone, found.currency) if found is not None else ("UTC", "USD")


def _named(connection: Connection, by: str, found: Counted) -> list[Line]:
    if by not in NAMED:
        return found.items
    table = ROWS[NAMED[by]].c
    wanted = [one.key for one in found.items if one.key is not None]
    names = {
        row.key: row.name for row in connection.execute(select(table.key, table.name).where(table.key.in_(wanted)))
    }
    return [structs.replace(one, name=names.get(one.key or "")) for one in found.items]


def day_of(told: Funnel) -> str:
    return local_day(told.as_of, told.zone)
