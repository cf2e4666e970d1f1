"""What commission follows from, read in sets: plans and who has them, periods, credits in a plan's currency, quotas.

`read_world` is small (plans, periods, the assignments of some people); `earned` reads what those people are credited
with in some periods and says of each credit that cannot be reckoned what is missing (R34). It writes and decides
nothing: who keeps the ledger is `sfa.db.commissions`, what credits earn `sfa.core.commission`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, field
from sqlalchemy import ColumnElement, Connection, and_, select

from sfa.core.calendars import calendars_of
from sfa.core.commission import Earned, Terms, of_quota
from sfa.core.credits import day_of
from sfa.core.days import plus_days, start_of_ms
from sfa.core.entities import Rate
from sfa.core.errors import Refused
from sfa.core.exchange import Exchange
from sfa.core.exchange import Missing as NoRate
from sfa.core.fields import MONEY_MAX
from sfa.core.periods import FiscalCalendars, PeriodKind
from sfa.core.rules import QUOTA_FILTERS
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited

SPANS_MAX = 4  # of more periods than these everything between the first and the last is read at once
_KINDS = {
    "month": PeriodKind.MONTH,
    "period": PeriodKind.MONTH,
    "quarter": PeriodKind.QUARTER,
    "year": PeriodKind.YEAR,
}
_PLANS, _ASSIGNED = ROWS["commission_plans"], ROWS["commission_assignments"]
_QUOTAS, _VERSIONS, _PERIODS = ROWS["quotas"], ROWS["quota_versions"], ROWS["fiscal_periods"]


class Plan(Struct, frozen=True):
    key: str
    name: str
    measure: str
    mode: str
    tiers: list[dict[str, int]]
    of_quota: bool
    period: str
    currency: str
    cap_minor: int | None
    draw_minor: int | None
    draw_recoverable: bool
    overlay: bool
    retier: bool
    valid_from: str
    valid_to: str | None

    def tiers_from(self, unit: str) -> tuple[tuple[int, int], ...]:
        return tuple((tier[unit], tier["rate_bp"]) for tier in self.tiers)


class Span(Struct, frozen=True):
    """The local days [start_on, end_on) of a period."""

    key: str
    name: str
    kind: str
    start_on: str
    end_on: str


class Assigned(Struct, frozen=True):
    key: str
    plan_key: str
    user_key: str
    valid_from: str
    valid_to: str | None


class Unit(NamedTuple):
    """What is reckoned as a whole: the credits of one person in one period under one plan."""

    user_key: str
    plan_key: str
    period_key: str


class Lack(Struct, frozen=True, order=True):
    """Why a credit, or (without a deal) a whole period, earns nothing yet: rate_missing, cost_missing, quota_missing,
    amount_missing, amount_too_large. `detail` names the currencies and the day of a rate."""

    code: str
    deal_key: str | None = None
    n: int | None = None
    detail: str | None = None


class Reckoned(Struct, frozen=True):
    terms: Terms | None
    earned: list[Earned]
    lacks: list[Lack]


def holds(row: Any, day: str) -> bool:
    """Whether a dated row counts on a day."""
    return bool(row.valid_from <= day and (row.valid_to is None or day < row.valid_to))


class Periods:
    """The company's periods: its rows, and where there is none on a day what its calendars make."""

    def __init__(self, rows: Iterable[Span], calendars: FiscalCalendars, zone: str) -> None:
        self._rows: dict[str, list[Span]] = {}
        for row in rows:
            self._rows.setdefault(row.kind, []).append(row)
        self._calendars, self.zone = calendars, zone
        self._known: dict[tuple[str, str], Span | None] = {}
        self._days: dict[int, str] = {}

    def at(self, instant: int, kind: str) -> Span | None:
        return self.on(self.day(instant), kind)

    def day(self, instant: int) -> str:
        """The local day of an instant, reckoned once."""
        found = self._days.get(instant)
        if found is None:
            found = self._days[instant] = day_of(instant, self.zone)
        return found

    def on(self, day: str, kind: str) -> Span | None:
        """The period of a kind in which a day lies: of several rows the one that began last."""
        if (day, kind) not in self._known:
            here = [span for span in self._rows.get(kind, ()) if span.start_on <= day < span.end_on]
            chosen = max(here, key=lambda span: (span.start_on, span.key), default=None)
            self._known[day, kind] = chosen or self._made(day, kind)
        return self._known[day, kind]

    def _made(self, day: str, kind: str) -> Span | None:
        try:
            made = self._calendars.period_of(day, _KINDS[kind])
        except Refused:
            return None
        return Span(made.name, made.name, kind, made.start_on, made.end_on)

    def named(self, key: str) -> list[Span]:
        """The periods of a key: one row, or what the calendars call so."""
        rows = [span for of in self._rows.values() for span in of if span.key == key]
        if rows:
            return rows
        try:
            made = self._calendars.named(key)
        except Refused:
            return []
        kinds = [kind for kind, of in _KINDS.items() if of is made.kind]
        found = [self.on(made.start_on, kind) for kind in kinds]
        return [span for span in found if span is not None and span.key == key]

    def bounds(self, span: Span) -> tuple[int, int]:
        return start_of_ms(span.start_on, self.zone), start_of_ms(span.end_on, self.zone)


class World(Struct, frozen=True):
    periods: Periods
    plans: dict[str, Plan]
    assigned: dict[str, list[Assigned]] = field(default_factory=dict)

    def units(self, user_key: str, instant: int) -> Iterable[Unit]:
        """The units that a credit of that instant belongs to."""
        day = self.periods.day(instant)
        for plan in self.plans_on(user_key, day):
            span = self.periods.on(day, plan.period)
            if span is not None:
                yield Unit(user_key, plan.key, span.key)

    def counts(self, unit: Unit, instant: int) -> bool:
        """Whether a credit of that instant belongs to a unit of this plan."""
        plan, day = self.plans[unit.plan_key], self.periods.day(instant)
        if not holds(plan, day):
            return False
        span = self.periods.on(day, plan.period)
        given = (a for a in self.assigned.get(unit.user_key, ()) if a.plan_key == plan.key)
        return span is not None and span.key == unit.period_key and any(holds(a, day) for a in given)

    def plans_on(self, user_key: str, day: str) -> Iterable[Plan]:
        keys = {a.plan_key for a in self.assigned.get(user_key, ()) if holds(a, day)}
        return (plan for key in sorted(keys) if (plan := self.plans.get(key)) is not None and holds(plan, day))


def read_assigned(connection: Connection, users: Iterable[str]) -> dict[str, list[Assigned]]:
    """user -> his assignments; deleted ones count for nothing."""
    found: dict[str, list[Assigned]] = {}
    columns = (_ASSIGNED.c[name] for name in Assigned.__struct_fields__)
    query = select(*columns).where(~_ASSIGNED.c.gone, among(_ASSIGNED.c.user_key, "keys"))
    for row in connection.execute(query, {"keys": listed(connection, sorted(users))}):
        found.setdefault(row.user_key, []).append(Assigned(*row))
    return found


def read_world(connection: Connection, assigned: dict[str, list[Assigned]]) -> World:
    """Periods, and the plans that these assignments name."""
    plans = read_plans(connection, {a.plan_key for of in assigned.values() for a in of})
    return World(read_periods(connection), plans, assigned)


def read_plans(connection: Connection, keys: Iterable[str], *, gone: bool = False) -> dict[str, Plan]:
    """The plans of these keys, deleted ones only if asked for."""
    columns = (_PLANS.c[name] for name in Plan.__struct_fields__)
    query = select(*columns).where(among(_PLANS.c.key, "keys"))
    rows = connection.execute(
        query if gone else query.where(~_PLANS.c.gone), {"keys": listed(connection, sorted(keys))}
    )
    return {row.key: Plan(*row) for row in rows}


def read_periods(connection: Connection) -> Periods:
    calendars = ROWS["fiscal_calendars"]
    columns = (_PERIODS.c[name] for name in Span.__struct_fields__)
    rows = [Span(*row) for row in connection.execute(select(*columns).where(~_PERIODS.c.gone))]
    ruled = connection.execute(select(calendars).where(~calendars.c.gone)).mappings().all()
    try:
        made = calendars_of([dict(row) for row in ruled])
    except Refused:  # rows that do not fit together, written by other means
        made = FiscalCalendars()
    return Periods(rows, made, read_zone(connection))


def read_zone(connection: Connection) -> str:
    """The zone of the company."""
    table = ROWS["organisations"].c
    query = select(table.zone).where(~table.gone).order_by(table.key).limit(1)
    return str(connection.execute(query).scalar() or "UTC")


# -- what was earned ---------------------------------------------------------------------------------------------------


def earned(
    connection: Connection, world: World, units: Iterable[Unit], *, deals: Iterable[str] | None = None
) -> dict[Unit, Reckoned]:
    """What each unit is reckoned from; of one whose plan, person or period is no more, nothing. `deals`: of these
    alone."""
    wanted = sorted(set(units))
    spans = {unit: _span(world, unit) for unit in wanted}
    bounds = sorted({world.periods.bounds(span) for span in spans.values() if span is not None})
    rows = _read(connection, {unit.user_key for unit in wanted}, bounds, deals) if bounds else {}
    exchange = _exchange(connection, world, wanted, rows)
    targets = _targets(connection, world, spans)
    found: dict[Unit, Reckoned] = {}
    for unit in wanted:
        span, plan = spans[unit], world.plans.get(unit.plan_key)
        if span is None or plan is None:
            found[unit] = Reckoned(None, [], [])
            continue
        mine = rows.get(unit.user_key, [])
        start, end = (bisect_left(mine, at, key=lambda row: row.at) for at in world.periods.bounds(span))
        here = [row for row in mine[start:end] if row.overlay == plan.overlay and world.counts(unit, row.at)]
        terms = _terms(plan, targets.get(unit))
        if terms is None:
            found[unit] = Reckoned(None, [], [Lack("quota_missing")] if here else [])
            continue
        judged = [_judged(plan, row, exchange) for row in here]
        right, lacks = [e for e in judged if isinstance(e, Earned)], [e for e in judged if isinstance(e, Lack)]
        found[unit] = Reckoned(terms, right, sorted(lacks))
    return found


def _span(world: World, unit: Unit) -> Span | None:
    plan = world.plans.get(unit.plan_key)
    named = world.periods.named(unit.period_key) if plan is not None else []
    return next((span for span in named if plan is not None and span.kind == plan.period), None)


def _read(
    connection: Connection, users: set[str], bounds: Sequence[tuple[int, int]], deals: Iterable[str] | None
) -> dict[str, list[Any]]:
    """user -> his credits in these spans of instants, in order, each with the instant at which it was reversed."""
    spans = list(bounds) if len(bounds) <= SPANS_MAX else [(bounds[0][0], max(end for _, end in bounds))]
    c, back = credited.c, credited.alias("back")
    same = [c[name] == back.c[name] for name in ("deal_key", "n", "user_key", "overlay")]
    query = (
        select(
            *(c[name] for name in ("deal_key", "n", "user_key", "overlay", "at", "rated_at", "event")),
            *(c[name] for name in ("amount_minor", "currency", "cost_minor", "cost_currency")),
            back.c.at.label("reversed_at"),
        )
        .select_from(credited.outerjoin(back, and_(*same, back.c.reversal)))
        .where(among(c.user_key, "users"), ~c.reversal)
        .order_by(c.user_key, c.at, c.deal_key, c.n, c.overlay)
    )
    found: dict[tuple[Any, ...], Any] = {}
    bound = {"users": listed(connection, sorted(users))}
    if deals is not None:
        query, bound["deals"] = query.where(among(c.deal_key, "deals")), listed(connection, sorted(deals))
    for start, end in spans:
        for row in connection.execute(query.where(c.at >= start, c.at < end), bound):
            found[row.user_key, row.at, row.deal_key, row.n, row.overlay] = row
    by_user: dict[str, list[Any]] = {}
    for place in sorted(found):
        by_user.setdefault(place[0], []).append(found[place])
    return by_user


def _exchange(
    connection: Connection, world: World, units: Sequence[Unit], rows: Mapping[str, Sequence[Any]]
) -> Exchange:
    """The rates between the currencies of these credits and those of the plans; none where they are the same."""
    plans = {world.plans[u.plan_key].currency for u in units if u.plan_key in world.plans}
    credits_ = {code for of in rows.values() for row in of for code in (row.currency, row.cost_currency) if code}
    known: list[tuple[str, Rate]] = []
    if credits_ - plans or len(plans) > 1:
        table = ROWS["rates"].c
        bound = {"codes": listed(connection, sorted(credits_ | plans))}
        columns = (table.key, table.base_currency, table.quote_currency, table.rate, table.valid_from)
        query = select(*columns).where(
            ~table.gone, among(table.base_currency, "codes"), among(table.quote_currency, "codes")
        )
        for key, base, quote, rate, day in connection.execute(query, bound):
            known.append((key, Rate(base_currency=base, quote_currency=quote, rate=rate, valid_from=day)))
    return Exchange(known, world.periods.zone)


def _judged(plan: Plan, row: Any, exchange: Exchange) -> Earned | Lack:
    """One credit as the plan counts it, in its currency."""
    end = (row.deal_key, row.n)
    if row.amount_minor is None or row.currency is None:
        return Lack("amount_missing", *end)
    parts = [(row.amount_minor, row.currency)]
    if plan.measure == "margin":
        if row.cost_minor is None or row.cost_currency is None:
            return Lack("cost_missing", *end)
        parts.append((-row.cost_minor, row.cost_currency))
    amount = 0
    for part, currency in parts:
        value = exchange.value(part, currency, plan.currency, row.rated_at)
        if isinstance(value, NoRate):
            return Lack("rate_missing", *end, f"{value.from_currency} to {value.to_currency} on {value.on}")
        amount += value[0]
    if abs(amount) > MONEY_MAX:
        return Lack("amount_too_large", *end, plan.currency)
    return Earned(*end, row.at, row.event, amount, row.reversed_at)


def _terms(plan: Plan, target: int | None) -> Terms | None:
    if not plan.of_quota:
        return Terms(plan.mode, plan.tiers_from("from_minor"), plan.cap_minor, plan.retier)
    if target is None:
        return None
    return Terms(plan.mode, of_quota(plan.tiers_from("from_bp"), target), plan.cap_minor, plan.retier)


# -- quotas ------------------------------------------------------------------------------------------------------------


def _targets(connection: Connection, world: World, spans: Mapping[Unit, Span | None]) -> dict[Unit, int]:
    """unit -> the person's own approved target of its period: of the plan's measure and currency, for everything."""
    asked = {u: span for u, span in spans.items() if span is not None and world.plans[u.plan_key].of_quota}
    if not asked:
        return {}
    bound: dict[str, Any] = {"users": listed(connection, sorted({unit.user_key for unit in asked}))}
    bound["periods"] = listed(connection, sorted({unit.period_key for unit in asked}))
    q = _QUOTAS.c
    whole: list[ColumnElement[bool]] = [q[name].is_(None) for name in QUOTA_FILTERS if name != "overlay"]
    query = select(q.key, q.user_key, q.period_key, q.measure, q.overlay, q.currency).where(
        among(q.user_key, "users"), among(q.period_key, "periods"), ~q.gone, q.approvals > 0, *whole
    )
    quotas = {tuple(row[1:5]): row for row in connection.execute(query.order_by(q.key), bound)}
    versions = _versions(connection, [row.key for row in quotas.values()])
    found: dict[Unit, int] = {}
    for unit, span in asked.items():
        plan = world.plans[unit.plan_key]
        row = quotas.get((unit.user_key, unit.period_key, plan.measure, plan.overlay))
        chosen = _in_force(versions.get(row.key, ()), plus_days(span.end_on, -1)) if row is not None else None
        if row is None or chosen is None or chosen.target <= 0:
            continue
        if (chosen.currency or row.currency) == plan.currency:
            found[unit] = chosen.target
    return found


def _versions(connection: Connection, keys: Sequence[str]) -> dict[str, list[Any]]:
    v = _VERSIONS.c
    query = select(v.quota_key, v.number, v.target, v.currency, v.valid_from).where(~v.gone, among(v.quota_key, "keys"))
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query, {"keys": listed(connection, keys)}) if keys else ():
        found.setdefault(row.quota_key, []).append(row)
    return found


def _in_force(versions: Iterable[Any], day: str) -> Any:
    """The version that counts on a day: of those that begin by then the latest approved, as figures have it (R5); the
    one that will count first if none does yet."""
    found = list(versions)
    valid = [version for version in found if version.valid_from <= day]
    if valid:
        return max(valid, key=lambda version: version.number)
    return min(found, key=lambda version: (version.valid_from, -version.number), default=None)
