"""Statements of commission: what one person earned in one period by each plan, why, and what it pays (R41).

Everything is read from the ledger, and draws off history as plans and assignments stood when a period ended; the same
ledger gives the same statement. Who reads it is the person, the managers above, finance and administrators (who holds
the `book:` of the person); to anybody else there is no such person. What a plan reckons from the margin, roles that do
not see cost are told what the period pays and no line or sum beneath it, and that it is partial: what one deal pays,
divided by the rate, is its margin (R45). `missing` names the credits that earn nothing yet, and why.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, and_, func, or_, select, union

from sfa.core.access import SEES_COST
from sfa.core.credits import day_of
from sfa.core.days import plus_days
from sfa.core.errors import Refused
from sfa.core.fields import INSTANT_MAX
from sfa.core.ids import is_key
from sfa.core.money import format_minor
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db.draws import FIRST_DAY, FOR_EVER, Draws, read_draws
from sfa.db.earnings import Lack, Plan, Span, Unit, World, earned, read_assigned, read_plans, read_world
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, commission_entries
from sfa.profit.pay.payouts import Draw, Payout, payouts

PAGE_DEFAULT, PAGE_MAX = 100, 1_000
_E, _ASSIGNED = commission_entries.c, ROWS["commission_assignments"].c
WORDS = {
    "accrual": "accrued",
    "adjustment": "corrected",
    "reversal": "taken back",
    "tier": "counted anew",
    "cap": "withheld above the cap",
}


class Line(Struct, frozen=True):
    """A row of the ledger. `text` says it in words; `of_period` and `of_number` name what a reversal takes back.
    `period_key` and `number` are its place there: of another period where that had ended when it was written."""

    period_key: str
    number: int
    kind: str
    at: int
    written_at: int
    deal_key: str | None
    n: int | None
    basis_minor: int | None
    rate_bp: int | None
    amount_minor: int
    reason: str
    of_period: str | None
    of_number: int | None
    text: str


class OfPlan(Struct, frozen=True):
    """What one plan pays in the period. `sums` add up the lines by kind to `payout.earned_minor`.
    Where `partial`, there are neither."""

    plan_key: str
    name: str
    measure: str
    mode: str
    overlay: bool
    currency: str
    sums: dict[str, int]
    payout: Payout
    lines: list[Line]
    missing: list[Lack]
    partial: bool


class Statement(Struct, frozen=True):
    user_key: str
    period_key: str
    period_name: str
    start_on: str
    end_on: str
    zone: str
    plans: list[OfPlan]
    partial: bool


class Listed(Struct, frozen=True):
    """A person and the periods in which a plan pays him, the last one first."""

    user_key: str
    periods: list[Span]


class Statements(Struct, frozen=True):
    """A page of people by key; `next` is the `after` of the page behind it."""

    items: list[Listed]
    next: str | None


# -- who and when -----------------------------------------------------------------------------------------------------


def statements(
    connection: Connection, user_key: str, now_ms: int, period: str | None, after: str | None, limit: int
) -> Statements:
    """The people whose statements the caller may read, with their periods up to today's; only one period if it is
    named."""
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {PAGE_MAX}")
    for name, key in (("after", after), ("period", period)):
        if key is not None and not is_key(key):
            raise Refused("request_invalid", f"`{name}` is a key")
    who = person(connection, user_key)
    mine = sorted(bucket.removeprefix("book:") for bucket in who.held or () if bucket.startswith("book:"))
    paid = union(select(_ASSIGNED.user_key), select(_E.user_key)).subquery().c.user_key  # had plans that paid draws
    query = select(paid).where(among(paid, "keys"), paid > (after or "")).order_by(paid).limit(limit + 1)
    keys = list(connection.execute(query, {"keys": listed(connection, mine)}).scalars())
    page = keys[:limit]
    world, draws = _world(connection, page)
    sums = _sums(connection, world, page)
    today = day_of(min(now_ms, INSTANT_MAX), world.periods.zone)
    items = []
    for key in page:
        plans = _plans(world, sums, draws, key)
        spans = {span for plan in plans for span in _chain(world, sums, draws, key, plan, today)}
        shown = [span for span in spans if period in (None, span.key)]
        items.append(Listed(key, sorted(shown, key=lambda span: (span.start_on, span.key), reverse=True)))
    return Statements([item for item in items if item.periods], page[-1] if len(keys) > limit else None)


def statement(connection: Connection, user_key: str, of: str, period_key: str) -> Statement:
    """One person's statement of one period; `not_found` where there is none and where the caller may not see it."""
    who = person(connection, user_key)
    if not (is_key(of) and is_key(period_key)) or f"book:{of}" not in (who.held or ()):
        raise Refused("not_found")
    world, draws = _world(connection, [of])
    sums = _sums(connection, world, [of])
    spans = world.periods.named(period_key)
    if not spans:
        raise Refused("not_found")
    kinds = {span.kind: span for span in spans}
    found = []
    for plan in _plans(world, sums, draws, of):
        span = kinds.get(plan.period)
        chain = _chain(world, sums, draws, of, plan, plus_days(span.end_on, -1)) if span is not None else []
        if span in chain:
            found.append(_of_plan(connection, world, draws, who, plan, chain[: chain.index(span) + 1], of, sums))
    span = spans[0]
    dated = (span.start_on, span.end_on, world.periods.zone)
    return Statement(of, span.key, span.name, *dated, found, any(plan.partial for plan in found))


_Sums = dict[tuple[str, str], dict[str, dict[str, int]]]  # (person, plan) -> period -> kind -> sum


def _sums(connection: Connection, world: World, users: Sequence[str]) -> _Sums:
    """By the period that pays a row. One by one only where a row was written after the end of its period."""
    group = (_E.user_key, _E.plan_key, _E.period_key, _E.kind)
    query = select(*group, func.max(_E.written_at), func.sum(_E.amount_minor)).where(among(_E.user_key, "keys"))
    keys = {"keys": listed(connection, users)}
    found: _Sums = {}
    late: set[tuple[str, str]] = set()

    def add(user: str, plan: str, period: str, kind: str, amount: int) -> None:
        sums = found.setdefault((user, plan), {}).setdefault(period, {})
        sums[kind] = sums.get(kind, 0) + int(amount)

    for user, plan, period, kind, written_at, amount in connection.execute(query.group_by(*group), keys):
        if _payer(world, plan, period, written_at) == period:
            add(user, plan, period, kind, amount)
        else:
            late.add((plan, period))
    if late:
        ones = select(*group, _E.written_at, func.sum(_E.amount_minor)).group_by(*group, _E.written_at)
        ones = ones.where(among(_E.user_key, "keys"), among(_E.plan_key, "plans"), among(_E.period_key, "periods"))
        keys["plans"], keys["periods"] = (listed(connection, sorted({place[n] for place in late})) for n in (0, 1))
        summed = {(*who, period, kind) for who, of in found.items() for period, by in of.items() for kind in by}
        for user, plan, period, kind, written_at, amount in connection.execute(ones, keys):
            if (user, plan, period, kind) not in summed:
                add(user, plan, _payer(world, plan, period, written_at), kind, amount)
    return found


def _payer(world: World, plan_key: str, period_key: str, written_at: int) -> str:
    """The period in which a row is paid: its own, or where that had ended and was paid, the one it was written in."""
    plan = world.plans.get(plan_key)
    span = next((s for s in world.periods.named(period_key) if plan is not None and s.kind == plan.period), None)
    if span is None or written_at < world.periods.bounds(span)[1]:
        return period_key
    later = world.periods.at(written_at, span.kind)
    return later.key if later is not None else period_key


def _world(connection: Connection, users: Sequence[str]) -> tuple[World, Draws]:
    """With every plan that these people have, had or were paid by."""
    world = read_world(connection, read_assigned(connection, users))
    draws = read_draws(connection, world.periods, users)
    paid = select(_E.plan_key).where(among(_E.user_key, "keys")).distinct()
    keys = set(connection.execute(paid, {"keys": listed(connection, users)}).scalars())
    keys = keys.union(*(draws.plans_of(user) for user in users)) - world.plans.keys()
    return World(world.periods, {**world.plans, **read_plans(connection, keys, gone=True)}, world.assigned), draws


def _plans(world: World, sums: _Sums, draws: Draws, user: str) -> list[Plan]:
    keys = draws.plans_of(user) | {plan for of, plan in sums if of == user}
    return [world.plans[key] for key in sorted(keys) if key in world.plans]


def _chain(world: World, sums: _Sums, draws: Draws, user: str, plan: Plan, until: str) -> list[Span]:
    """The periods from the first in which the plan pays the person to that of a day, in order, and later ones in which
    something is booked already."""
    assigned = [a for a in world.assigned.get(user, ()) if a.plan_key == plan.key]
    starts = [max(plan.valid_from, a.valid_from) for a in assigned]
    booked = [span for key in sums.get((user, plan.key), ()) for span in world.periods.named(key)]
    booked = [span for span in booked if span.kind == plan.period]
    starts += [span.start_on for span in booked]
    starts += [span.start_on for span, _ in islice(draws.spans(user, plan.key, until), 1)]
    found = {span.key: span for span in booked}
    day = max(min(starts, default=FOR_EVER), FIRST_DAY)
    while day <= until and (span := world.periods.on(day, plan.period)) is not None:
        found[span.key] = span
        day = span.end_on
    return sorted(found.values(), key=lambda span: (span.start_on, span.key))


# -- one plan ---------------------------------------------------------------------------------------------------------


def _of_plan(
    connection: Connection,
    world: World,
    draws: Draws,
    who: Who,
    plan: Plan,
    chain: Sequence[Span],
    user: str,
    sums: _Sums,
) -> OfPlan:
    span, booked = chain[-1], sums.get((user, plan.key), {})
    paid = payouts((s.key, sum(booked.get(s.key, {}).values()), _draw(draws, user, plan, s)) for s in chain)
    hidden = plan.measure == "margin" and who.role not in SEES_COST
    unit = Unit(user, plan.key, span.key)
    return OfPlan(
        plan_key=plan.key,
        name=plan.name,
        measure=plan.measure,
        mode=plan.mode,
        overlay=plan.overlay,
        currency=plan.currency,
        sums={} if hidden else dict(sorted(booked.get(span.key, {}).items())),
        payout=paid[-1],
        lines=[] if hidden else _lines(connection, world, unit, span, plan.currency),
        missing=earned(connection, world, [unit])[unit].lacks,
        partial=hidden,
    )


def _draw(draws: Draws, user: str, plan: Plan, span: Span) -> Draw | None:
    due = draws.of(user, plan.key, span)
    return Draw(due.amount_minor, due.recoverable) if due is not None else None


def _lines(connection: Connection, world: World, unit: Unit, span: Span, currency: str) -> list[Line]:
    """What the period pays: its own rows, and then those of periods that had ended when they were written."""
    start, end = world.periods.bounds(span)
    mine = and_(_E.user_key == unit.user_key, _E.plan_key == unit.plan_key)
    written = and_(_E.written_at >= start, _E.written_at < end)
    query = select(commission_entries).where(mine, or_(_E.period_key == unit.period_key, written))
    rows = connection.execute(query.order_by(_E.period_key != unit.period_key, _E.period_key, _E.number)).mappings()
    told = [r for r in rows if _payer(world, unit.plan_key, r["period_key"], r["written_at"]) == unit.period_key]
    return [_line(row, currency, unit.period_key) for row in told]


def _line(row: Any, currency: str, paid_in: str) -> Line:
    return Line(
        period_key=row["period_key"],
        number=row["number"],
        kind=row["kind"],
        at=row["at"],
        written_at=row["written_at"],
        deal_key=row["deal_key"],
        n=row["n"],
        basis_minor=row["basis_minor"],
        rate_bp=row["rate_bp"],
        amount_minor=row["amount_minor"],
        reason=row["reason"],
        of_period=row["reverses_period"],
        of_number=row["reverses"],
        text=_text(row, currency, paid_in),
    )


def _text(row: Any, currency: str, paid_in: str) -> str:
    """Why a row is there, in one line."""
    said = [WORDS[row["kind"]]]
    if row["deal_key"] is not None:
        basis = -row["basis_minor"] if row["kind"] == "reversal" else row["basis_minor"]
        said.append(f"{_percent(row['rate_bp'])} % of {format_minor(basis, currency)} {currency}")
        said.append(f"of deal {row['deal_key']}")
    if row["reverses"] is not None:
        said.append(f"as paid by number {row['reverses']} of {row['reverses_period']}")
    elif row["reverses_period"] is not None:
        said.append(f"of {row['reverses_period']}")
    elif row["period_key"] != paid_in:
        said.append(f"of {row['period_key']}")
    return f"{' '.join(said)} ({row['reason']})"


def _percent(rate_bp: int) -> str:
    whole, rest = divmod(rate_bp, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".")
