"""A what-if at a screen: read in sets what the caller sees of a deal, and answer before and after (R44).

Who sees the deal may ask. Everything runs in one snapshot that cannot write.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, select

from sfa.core.access import SEES_COST
from sfa.core.credits import day_of
from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.earnings import earned, read_assigned, read_world
from sfa.db.places import lies_in
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited
from sfa.profit.company.surroundings import read_exchange
from sfa.profit.deal.reading import read_spent
from sfa.profit.effort import Spent
from sfa.profit.price.commissions_ahead import Owed
from sfa.profit.price.given import due_on, given_of, is_credited
from sfa.profit.price.guides import Guides
from sfa.profit.price.guiding import guides_for
from sfa.profit.price.pays import shares_of
from sfa.profit.price.quota_effect import QuotaEffect, effects
from sfa.profit.price.whatif import Changes, Compared, Difference, Given, Outcome, compare
from sfa.quotas import engine
from sfa.quotas.conversion import Exchange
from sfa.quotas.targets import read_quotas
from sfa.visits.amendments import effective

MEASURES = ("revenue", "margin")
_DEALS, _QUOTAS, _PERIODS, _VISITS = (ROWS[e] for e in ("deals", "quotas", "fiscal_periods", "visits"))
Row = Mapping[str, Any]


class WhatIf(Struct, frozen=True):
    """`on` is the day whose prices, costs and limits count: today's, or that of the deal's end. `partial` with `code`
    not_permitted: costs, and all that follows from them, are left out."""

    deal_key: str
    rev: int
    as_of: int
    on: str
    currency: str
    before: Outcome
    after: Outcome
    steps: list[Difference]
    totals: list[Difference]
    quotas: list[QuotaEffect]
    partial: bool
    code: str | None


class Asked(Struct, frozen=True):
    """See `given.Asking`; rows are those that lie where the caller may look."""

    connection: Connection
    held: Any
    key: str
    row: Row
    user_key: str
    role: str
    at: int
    on: str
    zone: str
    now: int

    def _rows(self, entity: str, *where: ColumnElement[bool], **bound: Any) -> list[tuple[str, Row]]:
        table = ROWS[entity]
        query = select(table).where(~table.c.gone, lies_in(table.c.buckets, "held"), *where).order_by(table.c.key)
        rows = self.connection.execute(query, {"held": self.held, **bound}).mappings()
        return [(row["key"], dict(row)) for row in rows]

    def of(self, entity: str, column: str, keys: Sequence[str]) -> list[tuple[str, Row]]:
        if not keys:
            return []
        return self._rows(entity, among(ROWS[entity].c[column], "keys"), keys=listed(self.connection, keys))

    def every(self, entity: str) -> list[tuple[str, Row]]:
        return self._rows(entity)

    def visits(self, account: str, since: int, until: int) -> Iterator[Row]:
        v = _VISITS.c
        completed = (v.account_key == account, v.status == "completed", v.checked_in_at >= since)
        visits = self._rows("visits", *completed, v.checked_in_at < until)
        corrections: dict[str, list[Row]] = {}
        for _, row in self.of("visit_amendments", "visit_key", [key for key, _ in visits]):
            corrections.setdefault(row["visit_key"], []).append(row)
        return (effective(visit, corrections.get(key, ())) for key, visit in visits)

    def guides(self, families: Iterable[str | None]) -> Guides:
        return guides_for(self.connection, set(families))

    def credited(self, account: str, start: int, end: int) -> Iterable[Any]:
        c = credited.c
        query = select(c.deal_key, c.amount_minor, c.currency, c.rated_at, c.reversal)
        return self.connection.execute(
            query.where(c.account_key == account, ~c.overlay, c.rated_at >= start, c.rated_at < end)
        ).all()

    def ends(self) -> list[tuple[int, bool, int]]:
        c = credited.c
        query = select(c.n, c.reversal, c.rated_at).where(c.deal_key == self.key, ~c.overlay, c.at < self.now)
        return [(n, bool(reversal), rated_at) for n, reversal, rated_at in self.connection.execute(query)]

    def spent(self, *, served: bool) -> Spent:
        return read_spent(self.connection, self.key, self.row, self.zone, served=served)

    def owed(self, users: Sequence[str]) -> Iterator[Owed]:
        assigned = read_assigned(self.connection, users)
        world = read_world(self.connection, assigned)
        units = [unit for user in users for unit in world.units(user, self._due_at())]
        for unit, reckoned in sorted(earned(self.connection, world, units).items()):
            plan = world.plans[unit.plan_key]
            yield Owed(
                user_key=unit.user_key,
                plan_key=unit.plan_key,
                period_key=unit.period_key,
                measure=plan.measure,
                currency=plan.currency,
                overlay=plan.overlay,
                terms=reckoned.terms,
                earned=tuple(reckoned.earned),
                code="quota_missing" if reckoned.terms is None else None,
            )

    def _due_at(self) -> int:
        day = due_on(self.row, self.on)
        return self.at if day == self.on else start_of_ms(day, self.zone)


def what_if(connection: Connection, now_ms: int, user_key: str, key: str, changes: Changes) -> WhatIf:
    """Refuses `not_found`, `row_unknown` (a line of another deal), `currency_unknown` for a deal without currency."""
    asked = _asked(connection, now_ms, user_key, key)
    exchange = read_exchange(connection, asked.zone)
    given = given_of(asked, exchange)
    found = compare(given, changes)
    return WhatIf(
        key,
        asked.row["rev"],
        now_ms,
        asked.on,
        given.currency,
        found.before,
        found.after,
        found.steps,
        found.totals,
        _quotas(asked, given, found, exchange, now_ms),
        not given.costed,
        None if given.costed else "not_permitted",
    )


def _asked(connection: Connection, now_ms: int, user_key: str, key: str) -> Asked:
    who, zone = person(connection, user_key), scope.zone(connection)
    held = listed(connection, who.held or ())
    query = select(_DEALS).where(_DEALS.c.key == key, ~_DEALS.c.gone, lies_in(_DEALS.c.buckets, "held"))
    row = connection.execute(query, {"held": held}).mappings().first() if is_key(key) else None
    if row is None:
        raise Refused("not_found")
    at = now_ms if row["closed_at"] is None else row["closed_at"]
    return Asked(connection, held, key, dict(row), user_key, who.role, at, day_of(at, zone), zone, now_ms)


def _quotas(asked: Asked, given: Given, found: Compared, exchange: Exchange, now_ms: int) -> list[QuotaEffect]:
    """Of everybody who shares the deal, whose quotas the caller sees: those of the periods in which it was, or is
    expected to be, won."""
    day = due_on(asked.row, asked.on)
    people = {shared.user_key: shared for shared in shares_of(asked.row)}
    measures = MEASURES if asked.role in SEES_COST else MEASURES[:1]
    seen = [
        key
        for key, quota in asked.of("quotas", "user_key", sorted(people))
        if quota["measure"] in measures and not quota["overlay"]
    ]
    quotas = read_quotas(asked.connection, _QUOTAS.c.key.in_(seen), _PERIODS.c.start_on <= day, _PERIODS.c.end_on > day)
    figures = engine.figures(asked.connection, quotas, now_ms)
    return effects(quotas, figures, people, found, (given.currency, given.at), exchange, is_won=is_credited(asked))
