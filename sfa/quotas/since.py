"""What happened to records after a closing: what history says, asked in sets.

The order is that of the feed's numbers, under which changes committed, and not that of anybody's clock.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from sqlalchemy import ColumnElement, Connection, bindparam, select

from sfa.db.changed import changed
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited, history
from sfa.quotas.restating import Since

RECORDS_AT_ONCE = 400
MERGES = frozenset({"merge", "unmerge"})
# By which column a record names its customer.
CUSTOMER = {"deals": "account_key", "visits": "account_key", "accounts": "key"}
RULES = frozenset({"counts_unverified", "counts_out_of_range", "counts_no_show", "counts_cancelled", "overlay"})
FILTERS = frozenset({"measure", "currency", "unit", "product_key", "account_tier", "visit_type", "period_key"})
HOLDERS = frozenset({"user_key", "team_key", "territory_key"})
BELONGING = {"user": (), "team": ("team_members", "team_edges"), "territory": ("territory_edges",)}
_DEALS, _AMENDED, _LINES = ROWS["deals"].c, ROWS["visit_amendments"].c, ROWS["deal_lines"].c


def seq_of(connection: Connection, closing_key: str) -> int:
    """The number under which the closing committed."""
    mine = (history.c.entity == "period_closings", history.c.key == closing_key, history.c.rev == 1)
    return int(connection.execute(select(history.c.seq).where(*mine)).scalar() or 0)


def rules_changed(connection: Connection, quota_key: str, seq: int) -> bool:
    """Whether the quota itself counts otherwise than it did."""
    mine = (history.c.entity == "quotas", history.c.key == quota_key, history.c.seq > seq)
    found = connection.execute(select(history.c.changes).where(*mine)).scalars()
    return any(not (RULES | FILTERS | HOLDERS).isdisjoint(changes) for changes in found)


def members_changed(connection: Connection, kind: str, seq: int) -> bool:
    """Whether anything changed in who belongs to which team, or what lies in which territory."""
    query = select(history.c.seq).where(history.c.entity.in_(BELONGING[kind]), history.c.seq > seq).limit(1)
    return bool(BELONGING[kind]) and connection.execute(query).first() is not None


def company_rules_changed(connection: Connection, family: str, seq: int) -> bool:
    """Whether the company counts otherwise: its zone; of deals when they are credited, what wins, in what units."""
    h = history.c
    asked: list[ColumnElement[bool]] = [(h.entity == "organisations") & (h.rev > 1) & changed(h.changes, "zone")]
    if family != "visits":
        asked.append(h.entity == "credit_rules")
        asked.append((h.entity == "stages") & ((h.kind == "delete") | ((h.rev > 1) & changed(h.changes, "kind"))))
    if family == "quantities":
        asked.append((h.entity == "products") & (h.rev > 1) & changed(h.changes, "unit"))
    return any(connection.execute(select(h.seq).where(one, h.seq > seq).limit(1)).first() for one in asked)


def costs_changed(connection: Connection, seq: int) -> bool:
    """Whether any unit cost is another one."""
    query = select(history.c.seq).where(history.c.entity == "unit_costs", history.c.seq > seq)
    return connection.execute(query.limit(1)).first() is not None


def moved(connection: Connection, firsts: Iterable[tuple[str, str, int]], seq: int) -> set[tuple[str, str]]:
    """Of (customer, whose, when) of first credits the customers whose deal of that moment became another customer's."""
    waiting = iter(firsts)
    found: set[tuple[str, str]] = set()
    while part := list(islice(waiting, RECORDS_AT_ONCE)):
        was: dict[tuple[str, int], set[str]] = {}
        for account, user, at in part:
            was.setdefault((user, at), set()).add(account)
        users, moments = {user for _, user, _ in part}, {at for *_, at in part}
        of = select(credited.c.deal_key, credited.c.user_key, credited.c.at).where(
            credited.c.user_key.in_(users), credited.c.at.in_(moments)
        )
        deals: dict[str, set[str]] = {}
        for deal, user, at in connection.execute(of):
            deals.setdefault(deal, set()).update(was.get((user, at), ()))
        bound = {"of": "deals", "seq": seq, "keys": listed(connection, sorted(deals))}
        for deal, _, _, changes in connection.execute(_LATER, bound) if deals else ():
            found |= {("accounts", old) for old in changes.get("account_key", ())[:1] if old in deals[deal]}
    return found


def happened(connection: Connection, records: Iterable[tuple[str, str]], seq: int) -> dict[tuple[str, str], Since]:
    """(entity, key) -> what was stored of it after `seq`; what was not touched is left out."""
    waiting = iter(sorted(set(records)))
    found: dict[tuple[str, str], Since] = {}
    while part := list(islice(waiting, RECORDS_AT_ONCE)):
        customers = _customers(connection, part)
        places = {*part, *(("accounts", key) for key in customers.values())}
        touched = dict(_touched(connection, places, seq))
        gone = _gone(connection, part)
        for place, also in (
            *_of_deals(connection, part, seq),
            *_amended(connection, part, seq),
            *_lines(connection, part, seq),
        ):
            touched[place] = both(touched.get(place, _NOTHING), also)
            gone |= {place} if also.gone else set()
        for place in part:
            own = touched.get(place, _NOTHING)
            customer = touched.get(("accounts", customers.get(place, "")), _NOTHING)
            if own is _NOTHING and customer is _NOTHING and place not in gone:
                continue
            found[place] = Since(
                made=own.made,
                gone=place in gone,
                merged=own.merged or customer.merged,
                lines=own.lines,
                fields=own.fields,
                account_fields=customer.fields if place[0] != "accounts" else frozenset(),
            )
    return found


_NOTHING = Since()


def _customers(connection: Connection, records: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for entity, named in CUSTOMER.items():
        table, keys = ROWS[entity], [key for of, key in records if of == entity]
        query = select(table.c.key, table.c[named]).where(table.c.key.in_(keys), table.c[named].is_not(None))
        if keys:
            found.update({(entity, key): customer for key, customer in connection.execute(query)})
    return found


def _gone(connection: Connection, records: list[tuple[str, str]]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for entity in CUSTOMER:
        table, keys = ROWS[entity], [key for of, key in records if of == entity]
        if keys:
            query = select(table.c.key).where(table.c.key.in_(keys), table.c.gone)
            found |= {(entity, key) for key in connection.execute(query).scalars()}
    return found


def _touched(connection: Connection, places: Iterable[tuple[str, str]], seq: int) -> Mapping[tuple[str, str], Since]:
    by_entity: dict[str, list[str]] = {}
    for entity, key in sorted(places):
        by_entity.setdefault(entity, []).append(key)
    found: dict[tuple[str, str], Since] = {}
    for entity, keys in by_entity.items():
        bound = {"of": entity, "seq": seq, "keys": listed(connection, keys)}
        for key, rev, kind, changes in connection.execute(_LATER, bound):
            known = found.get((entity, key), _NOTHING)
            found[entity, key] = Since(
                made=known.made or rev == 1,
                merged=known.merged or kind in MERGES,
                fields=known.fields | frozenset(changes),
            )
    return found


def both(one: Since, other: Since) -> Since:
    """What happened as either says."""
    return Since(
        made=one.made or other.made,
        gone=one.gone or other.gone,
        merged=one.merged or other.merged,
        lines=one.lines or other.lines,
        fields=one.fields | other.fields,
        account_fields=one.account_fields | other.account_fields,
    )


Found = list[tuple[tuple[str, str], Since]]


def _of_deals(connection: Connection, records: list[tuple[str, str]], seq: int) -> Found:
    """What happened to the deals of customers."""
    keys = [key for entity, key in records if entity == "accounts"]
    query = select(_DEALS.account_key, history.c.rev, history.c.kind, history.c.changes).where(
        history.c.entity == "deals", history.c.key == _DEALS.key, history.c.seq > seq, _DEALS.account_key.in_(keys)
    )
    return [
        (
            ("accounts", account),
            Since(
                made=rev == 1,
                gone=kind == "delete",
                merged=kind in MERGES,
                fields=frozenset(changes) - ({"account_key"} if rev == 1 else set()),  # a new deal came from nobody
            ),
        )
        for account, rev, kind, changes in (connection.execute(query) if keys else ())
    ]


def _amended(connection: Connection, records: list[tuple[str, str]], seq: int) -> Found:
    """What amendments corrected of visits: as if the visit's own field had changed (R14)."""
    keys = [key for entity, key in records if entity == "visits"]
    query = select(_AMENDED.visit_key, _AMENDED.field).where(
        history.c.entity == "visit_amendments",
        history.c.key == _AMENDED.key,
        history.c.seq > seq,
        _AMENDED.visit_key.in_(keys),
    )
    found = connection.execute(query) if keys else ()
    return [(("visits", visit), Since(fields=frozenset({field}))) for visit, field in found]


def _lines(connection: Connection, records: list[tuple[str, str]], seq: int) -> Found:
    """Deals of which a line was added, changed or deleted."""
    keys = [key for entity, key in records if entity == "deals"]
    query = select(_LINES.deal_key).where(
        history.c.entity == "deal_lines", history.c.key == _LINES.key, history.c.seq > seq, _LINES.deal_key.in_(keys)
    )
    found = connection.execute(query.distinct()).scalars() if keys else ()
    return [(("deals", deal), Since(lines=True)) for deal in found]


_LATER = select(history.c.key, history.c.rev, history.c.kind, history.c.changes).where(
    history.c.entity == bindparam("of"), among(history.c.key, "keys"), history.c.seq > bindparam("seq")
)
