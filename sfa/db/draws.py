"""Which draws periods pay, by plans and assignments as they stood when the period ended (R41).

What an ended period paid stays paid. What is written down after its end, for however far back, adds no draw to it,
takes none away and changes no amount; a period that has not ended goes by what is said today. It is read off history,
by the server's clock, as rows of the ledger are dated; what is older than history was always as it is.
Does not do: what a period pays altogether (`sfa.profit.pay.payouts`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, select

from sfa.core.periods import YEAR_MIN
from sfa.core.replay import Step, rebuilt
from sfa.db.earnings import Periods, Span, read_periods
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, history

PLANS, ASSIGNMENTS = "commission_plans", "commission_assignments"
FIRST_DAY = f"{YEAR_MIN + 1}-01-01"  # no calendar names a period before
FOR_EVER = "9999-12-31"
_H, _ASSIGNED = history.c, ROWS[ASSIGNMENTS].c
Row = Mapping[str, Any]


class Due(Struct, frozen=True):
    """The draw of one period. `from_on` is the first day of it on which the person had the plan."""

    amount_minor: int
    recoverable: bool
    from_on: str


class Told:
    """A row, deleted or not, with its history."""

    def __init__(self, row: Row, steps: list[Step]) -> None:
        self.row, self._steps = row, steps

    def at(self, instant: int) -> Row | None:
        """As it stood; None where it was not there."""
        if not self._steps:
            return None if self.row["gone"] else self.row
        was = rebuilt(self.row, self._steps, instant)
        return was.row if was is not None and not was.gone else None

    def ever(self, field: str) -> set[Any]:
        """What a field says or said, nulls apart."""
        said = {value for step in self._steps for value in step.changes.get(field, ())}
        return {self.row[field], *said} - {None}

    def begins(self, periods: Periods) -> str:
        """No period before that of this day knew of the row and its days."""
        written = periods.day(self._steps[0].stored_at) if self._steps else FIRST_DAY
        return str(max(written, min(self.ever("valid_from"))))

    def ends(self, periods: Periods) -> str:
        """The day of its last change."""
        return periods.day(self._steps[-1].stored_at) if self._steps else FIRST_DAY


class Draws:
    """The draws of some people. `held` has for each (person, plan) the assignments, deleted ones too."""

    def __init__(self, periods: Periods, plans: Mapping[str, Told], held: Mapping[tuple[str, str], list[Told]]) -> None:
        self._periods, self._plans, self._held = periods, plans, held
        self._drawing = {key for key, told in plans.items() if told.ever("draw_minor")}

    def users(self) -> list[str]:
        return sorted({user for user, _ in self._held})

    def plans_of(self, user_key: str) -> set[str]:
        """The plans that somebody has or had; deleted ones only where they paid him a draw before."""
        found = {plan for user, plan in self._held if user == user_key and plan in self._plans}
        return {plan for plan in found if not self._plans[plan].row["gone"] or self._paid(user_key, plan)}

    def _paid(self, user_key: str, plan_key: str) -> bool:
        until = self._plans[plan_key].ends(self._periods)
        return any(True for _ in self.spans(user_key, plan_key, until))

    def of(self, user_key: str, plan_key: str, span: Span) -> Due | None:
        """The draw of a period: whole where the person has the plan on any day of it."""
        if plan_key not in self._drawing:
            return None
        last = self._periods.bounds(span)[1] - 1
        plan = self._plans[plan_key].at(last)
        if plan is None or plan["draw_minor"] is None or plan["period"] != span.kind:
            return None
        met = []
        for row in (assigned.at(last) for assigned in self._held.get((user_key, plan_key), ())):
            if row is not None:
                start = max(plan["valid_from"], row["valid_from"], span.start_on)
                if start < min(plan["valid_to"] or FOR_EVER, row["valid_to"] or FOR_EVER, span.end_on):
                    met.append(start)
        return Due(plan["draw_minor"], plan["draw_recoverable"], min(met)) if met else None

    def spans(self, user_key: str, plan_key: str, until: str, from_on: str = FIRST_DAY) -> Iterator[tuple[Span, Due]]:
        """The periods with a draw, in order, from that of one day to that of another."""
        held = self._held.get((user_key, plan_key))
        if not held or plan_key not in self._drawing:
            return
        plan = self._plans[plan_key]
        first = min(assigned.begins(self._periods) for assigned in held)
        day = max(first, plan.begins(self._periods), from_on, FIRST_DAY)
        while day <= until and (span := self._periods.on(day, plan.row["period"])) is not None:
            due = self.of(user_key, plan_key, span)
            if due is not None:
                yield span, due
            day = span.end_on


def read_draws(connection: Connection, periods: Periods, users: Iterable[str]) -> Draws:
    """Of every plan that these people have or had."""
    keys = {"keys": listed(connection, sorted(users))}
    return _read(connection, periods, among(_ASSIGNED.user_key, "keys"), keys)


def has_drawn(connection: Connection, plan_key: str, from_on: str | None, now_ms: int) -> bool:
    """Whether an ended period paid somebody a draw of a plan; with a day, one that it would not have paid if the plan
    had ended on that day."""
    periods = read_periods(connection)
    draws = _read(connection, periods, _ASSIGNED.plan_key == plan_key, {})
    today, begin = periods.day(now_ms), FIRST_DAY if from_on is None else from_on
    found = (pair for user in draws.users() for pair in draws.spans(user, plan_key, today, begin))
    return any(
        periods.bounds(span)[1] <= now_ms and due.amount_minor > 0 and (from_on is None or due.from_on >= from_on)
        for span, due in found
    )


def _read(connection: Connection, periods: Periods, where: ColumnElement[bool], bound: dict[str, Any]) -> Draws:
    rows = connection.execute(select(ROWS[ASSIGNMENTS]).where(where), bound).mappings().all()
    assigned = _told(connection, ASSIGNMENTS, rows)
    keys = {"keys": listed(connection, sorted({row["plan_key"] for row in rows}))}
    named = connection.execute(select(ROWS[PLANS]).where(among(ROWS[PLANS].c.key, "keys")), keys).mappings().all()
    held: dict[tuple[str, str], list[Told]] = {}
    for one in assigned.values():
        held.setdefault((one.row["user_key"], one.row["plan_key"]), []).append(one)
    return Draws(periods, _told(connection, PLANS, named), held)


def _told(connection: Connection, entity: str, rows: Iterable[Any]) -> dict[str, Told]:
    found = {row["key"]: row for row in rows}
    query = select(_H.key, *(_H[name] for name in Step.__struct_fields__))
    query = query.where(_H.entity == entity, among(_H.key, "keys")).order_by(_H.key, _H.rev)
    steps: dict[str, list[Step]] = {}
    for key, *said in connection.execute(query, {"keys": listed(connection, sorted(found))}) if found else ():
        steps.setdefault(key, []).append(Step(*said))
    return {key: Told(row, steps.get(key, [])) for key, row in found.items()}
