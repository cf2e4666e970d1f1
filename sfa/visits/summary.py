"""Signals added up for managers, and who is to be visited again: each one question in the caller's scope, in sets.

A summary covers at most `SUMMARY_DAYS_MAX` local days of the organisation (R32) and costs what was said in them. A page
of cadence walks customers by key from where the one before ended, looks at `SCANNED_MAX` at most and keeps those of the
tiers asked about in scope; a status becomes a span of instants of the last visit (`sfa.visits.cadence`). So a page may
be short, or empty, while `next` says that there is more.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, Subquery, Text, and_, cast, func, or_, select

from sfa.core.days import day_bounds_ms, day_start_ms, plus_days, to_date
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.visits import cadence, signals
from sfa.visits.signals import Group

SUMMARY_DAYS_MAX = 800
GROUPS_DEFAULT, GROUPS_MAX = 100, 1_000
PAGE_DEFAULT, PAGE_MAX = 50, 200
SCANNED_MAX = 5_000
WALKED = ("key", "name", "tier", "status", "buckets")
_SIGNALS, _ACCOUNTS, _VISITS, _AMENDED = (
    ROWS[entity] for entity in ("signals", "accounts", "visits", "visit_amendments")
)


class Summary(Struct, frozen=True):
    """Groups of signals from `from_on` until before `until_on`, the largest first; `left_out` more were not shown.
    `total` is all of them together."""

    by: str
    from_on: str
    until_on: str
    zone: str
    groups: list[Group]
    left_out: int
    total: Group


class Standing(Struct, frozen=True):
    """How one customer stands; `days_over` counts from the due day, negative before it."""

    account_key: str
    name: str
    tier: str
    status: str
    due_on: str | None
    last_on: str | None
    last_at: int | None
    days_over: int | None


class Standings(Struct, frozen=True):
    """`next` says where the next page begins, null where there is none."""

    as_of: str
    zone: str
    items: list[Standing]
    next: str | None


class Period(Struct, frozen=True):
    """Local days of the organisation, the last one excluded; None is the last 30 days, today included."""

    from_on: str | None = None
    until_on: str | None = None


# -- signals ----------------------------------------------------------------------------------------------------------


def summary(connection: Connection, user_key: str, today: str, by: str, period: Period, limit: int) -> Summary:
    """`today` is the organisation's."""
    if by not in signals.BY or not 1 <= limit <= GROUPS_MAX:
        raise Refused("request_invalid", f"`by` is one of {', '.join(signals.BY)}, `limit` 1 to {GROUPS_MAX}")
    until_on = period.until_on or plus_days(today, 1)
    from_on = period.from_on or plus_days(until_on, -30)
    if not 0 < (to_date(until_on) - to_date(from_on)).days <= SUMMARY_DAYS_MAX:
        raise Refused("request_invalid", f"`to` lies 1 to {SUMMARY_DAYS_MAX} days after `from`")
    who, zone = person(connection, user_key), scope.zone(connection)
    table = _SIGNALS.c
    value = _ACCOUNTS.c.territory_key if by == "territory" else table[signals.FIELDS[by]]
    start, end = day_start_ms(from_on, zone), day_start_ms(until_on, zone)
    query = (
        select(value.label("value"), table.currency, func.count(), func.sum(table.amount_minor))
        .where(table.said_at >= start, table.said_at < end, ~table.gone, lies_in(table.buckets, "held"))
        .group_by(value, table.currency)
    )
    if by == "territory":
        query = query.join_from(_SIGNALS, _ACCOUNTS, _ACCOUNTS.c.key == table.account_key)
    held = {"held": listed(connection, who.held or ())}
    parts = [
        signals.Row(value, currency, int(count), None if amount is None else int(amount))
        for value, currency, count, amount in connection.execute(query, held)
    ]
    groups = signals.gathered(parts)
    shown = groups[:limit]
    return Summary(by, from_on, until_on, zone, shown, len(groups) - len(shown), signals.total(groups))


# -- cadence ----------------------------------------------------------------------------------------------------------


def _last_visit(account: ColumnElement[Any], until: int) -> ColumnElement[Any]:
    """When the customer was last visited, by the corrected check-in of completed visits (R14)."""
    corrected = (
        select(cast(cast(_AMENDED.c.new, Text), BigInteger))
        .where(_AMENDED.c.visit_key == _VISITS.c.key, _AMENDED.c.field == "checked_in_at", ~_AMENDED.c.gone)
        .order_by(_AMENDED.c.ordinal.desc())
        .limit(1)
        .scalar_subquery()
    )
    at = func.coalesce(corrected, _VISITS.c.checked_in_at)
    return (
        select(func.max(at))
        .where(_VISITS.c.account_key == account, _VISITS.c.status == "completed", ~_VISITS.c.gone, at < until)
        .scalar_subquery()
    )


def standings(
    connection: Connection, user_key: str, as_of: str, status: str | None, after: str | None, limit: int
) -> Standings:
    """Customers whose tier has a rule on `as_of`, as they stand at the end of that local day, by key. `next` may be the
    key of a customer that the caller does not see: whoever answers seals it."""
    if status not in (None, *cadence.STATUSES) or not 1 <= limit <= PAGE_MAX or not (after is None or is_key(after)):
        words = ", ".join(cadence.STATUSES)
        raise Refused("request_invalid", f"`status` is one of {words}, `limit` 1 to {PAGE_MAX}, `after` a `next`")
    who, zone = person(connection, user_key), scope.zone(connection)
    end = day_bounds_ms(as_of, zone)[1]
    rules = _rules(connection, as_of)
    if not rules:
        return Standings(as_of, zone, [], None)
    walked = select(*(_ACCOUNTS.c[name] for name in WALKED)).where(~_ACCOUNTS.c.gone).order_by(_ACCOUNTS.c.key)
    if after is not None:
        walked = walked.where(_ACCOUNTS.c.key > after)
    window = walked.limit(SCANNED_MAX).subquery("seen")  # both databases keep its order while they only filter it
    query = _customers(window, rules, status, as_of, zone, end).limit(limit + 1)
    found = connection.execute(query, {"held": listed(connection, who.held or ())}).all()
    items = [_standing(row, rules[row.tier], as_of, zone) for row in found[:limit]]
    if len(found) > limit:
        return Standings(as_of, zone, items, items[-1].account_key)
    return Standings(as_of, zone, items, connection.execute(_end_of(walked)).scalar())


def _end_of(walked: Select[Any]) -> Select[Any]:
    """The last key of a full window."""
    return walked.with_only_columns(_ACCOUNTS.c.key).offset(SCANNED_MAX - 1).limit(1)


def _rules(connection: Connection, as_of: str) -> dict[str, Mapping[str, Any]]:
    """tier -> its rule on the day."""
    table = ROWS["cadence_rules"]
    rows = {row["key"]: dict(row) for row in connection.execute(select(table).where(~table.c.gone)).mappings()}
    found = {tier: cadence.rule_of(rows, tier, as_of) for tier in "ABCD"}
    return {tier: rule for tier, rule in found.items() if rule is not None}


def _customers(
    seen: Subquery, rules: Mapping[str, Mapping[str, Any]], status: str | None, as_of: str, zone: str, end: int
) -> Select[Any]:
    table, last = seen.c, _last_visit(seen.c.key, end)
    query = select(table.key, table.name, table.tier, last.label("last_at")).where(
        table.status != "former", table.tier.in_(sorted(rules)), lies_in(table.buckets, "held")
    )
    if status == "never_visited":
        query = query.where(last.is_(None))
    elif status is not None:
        spans = []
        for tier, rule in sorted(rules.items()):
            low, high = cadence.instants_of(status, rule, as_of, zone)
            bounds = [last >= low] if low is not None else []
            bounds += [last < high] if high is not None else []
            spans.append(and_(table.tier == tier, last.is_not(None), *bounds))
        query = query.where(or_(*spans))
    return query


def _standing(row: Any, rule: Mapping[str, Any], as_of: str, zone: str) -> Standing:
    found = cadence.due(row.last_at, rule, as_of, zone)
    about = (row.key, row.name, row.tier, found.status, found.due_on, found.last_on, row.last_at, found.days_over)
    return Standing(*about)
