"""The checks of the reconciliation report (R55): each walks one kind of money and tells every difference.

A check reads in sets and keeps no more than one quarter's business or a few hundred deals in memory. It yields a number
for each batch that it looked at, and a `Difference` for each thing that is not as it should be. All of them run in one
snapshot.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, and_, case, func, or_, select

from sfa.core.credits import day_of
from sfa.core.days import plus_days, start_of_ms
from sfa.core.periods import FiscalCalendars, PeriodKind
from sfa.db import commissions, credit_checks
from sfa.db.tables import ROWS, closed_contributions, closed_figures, commission_entries, credited
from sfa.profit.company import by
from sfa.profit.company.by import Span
from sfa.profit.company.surroundings import World, read_world
from sfa.profit.company.tallied import Tally
from sfa.quotas.conversion import Missing

PART = 5_000
_DEALS, _STAGES = ROWS["deals"], ROWS["stages"]
_C, _E = credited.c, commission_entries.c


class Difference(Struct, frozen=True):
    """`expected` and `found` are amounts in minor units, or words; null where one side has nothing or no figure."""

    rule: str
    entity: str
    row_key: str
    expected: str | None
    found: str | None
    detail: dict[str, Any]


Found = Iterator[Difference | int]


class Look(Struct):
    """What checks share: the instant of the report, and what the last one noted: its own instant and number, `digests`
    of closings, and the deal up to which it had come by turns. `every`: look at all deals, and not at some."""

    now_ms: int
    digests: dict[str, str]
    made_at: int = 0
    seq: int = 0
    deals_after: str = ""
    every: bool = False
    world: World | None = None

    def around(self, connection: Connection) -> World:
        self.world = self.world or read_world(connection)
        return self.world


# -- credits ----------------------------------------------------------------------------------------------------------


def credits_rebuilt(connection: Connection, _: Look) -> Found:
    """Stored credits are those that a rebuild makes of the deals (R9)."""
    yield int(connection.execute(select(func.count()).select_from(credited)).scalar() or 0)
    for deal in credit_checks.differing(connection):
        yield Difference(
            "credits_rebuilt",
            "deals",
            deal.deal_key,
            str(_sum(deal.due)) if deal.due else None,
            str(_sum(deal.stored)) if deal.stored else None,
            {"due": deal.due[:5], "stored": deal.stored[:5]},
        )


def _sum(rows: list[dict[str, Any]]) -> int:
    name = "amount_minor" if "amount_minor" in rows[0] else "quantity_micro"
    return sum((-row[name] if row["reversal"] else row[name]) or 0 for row in rows if row[name] is not None)


def credits_of_deals(connection: Connection, _: Look) -> Found:
    """What a won deal says of its amount is what was credited for it, by its shares together (R16)."""
    back = credited.alias("back")
    taken = select(back.c.deal_key).where(back.c.deal_key == _C.deal_key, back.c.n == _C.n, back.c.reversal).exists()
    is_won = and_(~_DEALS.c.gone, _DEALS.c.closed_at.is_not(None), _STAGES.c.kind == "won")
    said = (_C.deal_key, _DEALS.c.amount_minor, _DEALS.c.currency)
    stands = case((is_won, 1), else_=0)
    query = (
        select(*said, func.sum(_C.amount_minor), func.max(_C.currency), func.max(stands))
        .select_from(credited)
        .outerjoin(_DEALS, _DEALS.c.key == _C.deal_key)
        .outerjoin(_STAGES, _STAGES.c.key == _DEALS.c.stage_key)
        .where(~_C.overlay, ~_C.reversal, ~taken)
        .group_by(*said)
        .order_by(_C.deal_key)
    )
    for part in connection.execute(query).partitions(PART):
        yield len(part)
        for key, amount, currency, found, of, won in part:
            expected = amount if won else None
            if (expected, currency) != (_whole(found), of) or not won:
                detail = {"currency": currency, "credited_in": of}
                yield Difference("credits_of_deals", "deals", key, _text(expected), _text(found), detail)


def reversals_of_credits(connection: Connection, _: Look) -> Found:
    """What a reopening took back is what had been credited, to everybody and to the minor unit (R21)."""
    signed = case((_C.reversal, -_C.amount_minor), else_=_C.amount_minor)
    kept = func.sum(case((_C.reversal, 0), else_=1)) - func.sum(case((_C.reversal, 1), else_=0))
    of = (_C.deal_key, _C.n, _C.user_key)
    query = select(*of, func.sum(case((_C.reversal, 0), else_=_C.amount_minor)), func.sum(signed), kept)
    query = query.group_by(*of, _C.overlay).having(func.sum(case((_C.reversal, 1), else_=0)) > 0).order_by(*of)
    for part in connection.execute(query).partitions(PART):
        yield len(part)
        for deal, n, user, credited_minor, left, rows in part:
            if _whole(left) not in (0, None) or rows != 0:
                taken = None if left is None else str(_whole(credited_minor) - _whole(left))  # type: ignore[operator]
                yield Difference(
                    "reversals_of_credits", "deals", deal, _text(credited_minor), taken, {"n": n, "user_key": user}
                )


# -- commission -------------------------------------------------------------------------------------------------------


def commission_due(connection: Connection, _: Look) -> Found:
    """The ledger is what plans say of the credits (R41)."""
    after = ""
    while people := commissions.people(connection, after):
        yield len(people)
        for lacking in commissions.verify(connection, people):
            detail = msgspec.to_builtins(lacking)
            yield Difference("commission_due", "users", lacking.user_key, str(lacking.amount_minor), "0", detail)
        after = people[-1]


def commission_reversed(connection: Connection, _: Look) -> Found:
    """Of an end that was reversed nobody keeps commission, and each reversal names a row that there is (R41)."""
    of = (_E.user_key, _E.plan_key, _E.deal_key, _E.n)
    back = credited.alias("back")
    reopened = select(back.c.deal_key).where(
        back.c.deal_key == _E.deal_key, back.c.n == _E.n, back.c.user_key == _E.user_key, back.c.reversal
    )
    query = select(*of, func.sum(_E.amount_minor)).where(_E.deal_key.is_not(None), reopened.exists())
    for part in connection.execute(query.group_by(*of).order_by(*of)).partitions(PART):
        yield len(part)
        for user, plan, deal, n, left in part:
            if _whole(left) != 0:
                detail = {"plan_key": plan, "n": n, "user_key": user}
                yield Difference("commission_reversed", "deals", deal, "0", _text(left), detail)
    yield from _reversing_nothing(connection)


def _reversing_nothing(connection: Connection) -> Found:
    paid = commission_entries.alias("paid")
    period = func.coalesce(_E.reverses_period, _E.period_key)
    same = and_(paid.c.user_key == _E.user_key, paid.c.plan_key == _E.plan_key, paid.c.number == _E.reverses)
    there = select(paid.c.number).where(same, paid.c.period_key == period, paid.c.deal_key == _E.deal_key)
    query = select(_E.user_key, _E.plan_key, _E.period_key, _E.number, _E.reverses, _E.deal_key)
    query = query.where(_E.reverses.is_not(None), or_(_E.kind != "reversal", ~there.exists()))
    for user, plan, period_key, number, reverses, deal in connection.execute(query.order_by(_E.user_key, _E.number)):
        detail = {"plan_key": plan, "period_key": period_key, "number": number, "deal_key": deal}
        yield Difference("commission_reversed", "users", user, str(reverses), None, detail)


# -- profit -----------------------------------------------------------------------------------------------------------


def profit_of_deals(connection: Connection, look: Look) -> Found:
    """Revenue, goods and commission of every deal's P&L are its credits and its ledger, quarter by quarter (R38)."""
    world = look.around(connection)
    for span in _quarters(connection, look):
        told = by.profits(connection, "deal", span, world=world).by_key
        money = _money_of(connection, world, span)
        yield len(told)
        for key in sorted({*told, *money}, key=str):
            wanted, tally = money.get(key, {}), told.get(key) or Tally()
            for kind in ("invoice", "goods", "commission"):
                expected, found = wanted.get(kind, 0), of_kind(tally, kind)
                if expected != found:
                    detail = {"kind": kind, "currency": world.currency, "from_on": span.from_on, "to_on": span.to_on}
                    yield Difference("profit_of_deals", "deals", str(key), _text(expected), _text(found), detail)


def _money_of(connection: Connection, world: World, span: Span) -> dict[str | None, dict[str, int | None]]:
    """deal -> what credits and ledger say of it in the company's currency, row by row; None: not computable."""
    start, end = start_of_ms(span.from_on, world.zone), start_of_ms(span.to_on, world.zone)
    found: dict[str | None, dict[str, int | None]] = {}

    def add(deal: str | None, kind: str, amount: int | None, currency: str | None, at: int) -> None:
        of = found.setdefault(deal, {})
        value = (
            None if amount is None or currency is None else world.exchange.value(amount, currency, world.currency, at)
        )
        if value is None or isinstance(value, Missing):
            of[kind] = None
        elif of.get(kind, 0) is not None:
            of[kind] = (of.get(kind) or 0) + value[0]

    query = select(_C.deal_key, _C.reversal, _C.rated_at, _C.amount_minor, _C.currency, _C.cost_minor, _C.cost_currency)
    until = end if span.until is None else min(end, span.until)
    for row in connection.execute(query.where(~_C.overlay, _C.at >= start, _C.at < until)):
        sign = -1 if row.reversal else 1
        amount, cost = row.amount_minor, row.cost_minor
        add(row.deal_key, "invoice", None if amount is None else sign * amount, row.currency, row.rated_at)
        add(row.deal_key, "goods", None if cost is None else -sign * cost, row.cost_currency, row.rated_at)
    taken = commission_entries.alias("taken").c
    accrued_at = select(taken.at).where(taken.user_key == _E.user_key, taken.plan_key == _E.plan_key)
    accrued_at = accrued_at.where(taken.period_key == _E.reverses_period, taken.number == _E.reverses)
    rated_at = func.coalesce(accrued_at.scalar_subquery(), _E.at)
    paid = select(_E.deal_key, _E.amount_minor, _E.currency, rated_at).where(_E.at >= start, _E.at < until)
    for deal, amount, currency, at in connection.execute(paid):
        add(deal, "commission", -amount, currency, at)
    return found


def profit_by(connection: Connection, look: Look) -> Found:
    """Customers, products and reps each sum to the company's profit, kind by kind (R37)."""
    world = look.around(connection)
    for span in _quarters(connection, look):
        whole = by.profits(connection, "total", span, world=world).total
        for dimension in ("customer", "product", "rep"):
            found = by.profits(connection, dimension, span, world=world)
            yield len(found.by_key)
            total = found.total
            for kind in sorted({*whole.kinds, *total.kinds, *whole.spoiled, *total.spoiled}):
                expected, amount = of_kind(whole, kind), of_kind(total, kind)
                if expected != amount:
                    detail = {"dimension": dimension, "kind": kind, "from_on": span.from_on, "to_on": span.to_on}
                    yield Difference("profit_by", "organisations", dimension, _text(expected), _text(amount), detail)


def of_kind(tally: Tally, kind: str) -> int | None:
    """Null: not computable."""
    return None if kind in tally.spoiled else tally.kinds.get(kind, 0)


def _first_booked(connection: Connection, zone: str) -> str | None:
    """The first day of effort, expenses or charges."""
    days = [
        connection.execute(select(func.min(ROWS[entity].c[name])).where(~ROWS[entity].c.gone)).scalar()
        for entity, name in (("deal_charges", "booked_on"), ("expenses", "spent_on"), ("work_entries", "done_on"))
    ]
    starts = (("visits", "checked_in_at"), ("travel_legs", "started_at"))
    for entity, name in starts:
        at = connection.execute(select(func.min(ROWS[entity].c[name])).where(~ROWS[entity].c.gone)).scalar()
        days.append(day_of(at, zone) if at is not None else None)
    return min((day for day in days if day is not None), default=None)


def _quarters(connection: Connection, look: Look) -> Iterator[Span]:
    """Quarters of the calendar from the first credit, or commission, until the day of the report; before them, in one
    span, whatever else was booked earlier."""
    zone = look.around(connection).zone
    firsts = [connection.execute(select(func.min(at))).scalar() for at in (_C.at, _E.at)]
    first = min((at for at in firsts if at is not None), default=None)
    calendar, last = FiscalCalendars(), day_of(look.now_ms, zone)
    day = day_of(first, zone) if first is not None else plus_days(last, 1)
    if (earlier := _first_booked(connection, zone)) is not None and earlier < min(day, plus_days(last, 1)):
        begun = calendar.period_of(day, PeriodKind.QUARTER).start_on if first is not None else plus_days(last, 1)
        if earlier < begun:
            yield Span(earlier, begun, look.now_ms)
    while day <= last:
        quarter = calendar.period_of(day, PeriodKind.QUARTER)
        yield Span(quarter.start_on, quarter.end_on, look.now_ms)
        day = quarter.end_on


# -- closed figures ---------------------------------------------------------------------------------------------------


def closed_sums(connection: Connection, _: Look) -> Found:
    """A closed figure is the exact sum of what was kept of it (R10)."""
    f, p = closed_figures.c, closed_contributions.c
    total = select(func.coalesce(func.sum(p.value), 0)).where(
        p.closing_key == f.closing_key, p.quota_key == f.quota_key
    )
    query = select(f.closing_key, f.quota_key, f.value, total.scalar_subquery()).where(f.value.is_not(None))
    for part in connection.execute(query.order_by(f.closing_key, f.quota_key)).partitions(PART):
        yield len(part)
        for closing, quota, value, found in part:
            if value != _whole(found):
                yield Difference("closed_sums", "quotas", quota, str(value), _text(found), {"closing_key": closing})


def closed_unchanged(connection: Connection, look: Look) -> Found:
    """What a closing kept is what it kept when the last report looked (R2)."""
    now = _digests(connection)
    yield len(now)
    for key, digest in sorted(look.digests.items()):
        if now.get(key) != digest:
            yield Difference("closed_unchanged", "period_closings", key, digest, now.get(key), {})
    look.digests = now


def _digests(connection: Connection) -> dict[str, str]:
    """closing -> a digest of its figures and of what they are the sum of."""
    sums: dict[str, Any] = {}
    for table in (closed_figures, closed_contributions):
        ordered = select(table).order_by(*table.primary_key.columns)
        for part in connection.execute(ordered).partitions(PART):
            for row in part:
                sums.setdefault(row.closing_key, sha256()).update(msgspec.json.encode(list(row)))
    return {key: found.hexdigest() for key, found in sums.items()}


def _whole(value: Any) -> int | None:
    """Sums come as numbers of the driver's own kind."""
    return None if value is None else int(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(int(value))
