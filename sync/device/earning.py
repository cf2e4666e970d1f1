"""What the plans on a device pay for the credits on it, without signal: the ledger's own reckoning (R41, R44).

One's own plans, and those of one's people. Periods are the company's rows, and on days without one those of its
calendars. Margins need costs, which are on the devices of who sees them, as are plans on margins; of an end that was
reversed since, the lines are those of today. What is not computable earns nothing yet, as in the ledger.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from sfa.core.access import holds_on
from sfa.core.calendars import calendars_of
from sfa.core.commission import Earned
from sfa.core.credits import Cost, Credit, Line, cost_of, day_of, ends_of, overlaid, shared_out
from sfa.core.errors import Refused
from sfa.core.fields import MONEY_MAX
from sfa.core.periods import FiscalCalendars, PeriodKind
from sfa.core.rules import QUOTA_FILTERS
from sfa.profit.dated import costs_of
from sfa.profit.price.commissions_ahead import Owed, terms_of
from sfa.quotas import held
from sfa.quotas.conversion import Exchange, Missing
from sync.device.client import Device

Row = Mapping[str, Any]
Credited = tuple[str, Row, Credit]  # the deal's key and row, and one of its credits
CALENDAR_KINDS = {
    "month": PeriodKind.MONTH,
    "period": PeriodKind.MONTH,
    "quarter": PeriodKind.QUARTER,
    "year": PeriodKind.YEAR,
}


class Span(Struct, frozen=True):
    """The local days [start_on, end_on) of a period."""

    key: str
    start_on: str
    end_on: str


class Earning:
    """What a device knows of pay; read once for a question."""

    def __init__(self, device: Device, zone: str, exchange: Exchange, credits_: Iterable[Credited]) -> None:
        self._device, self._zone, self._exchange = device, zone, exchange
        self._credits = sorted(credits_, key=lambda found: found[2].reversal)
        self._periods = device.list("fiscal_periods")
        self._calendars = _calendars(device)
        self._costs: dict[str, list[Cost]] | None = None
        self._lines: dict[str, list[Line]] = {}
        self._spans: dict[tuple[str, str], Span | None] = {}

    def owed(self, users: Sequence[str], day: str) -> Iterator[Owed]:
        """By the plans that these people have on a day, with what the period of that day paid so far."""
        plans, assigned = self._device.list("commission_plans"), self._assigned(users)
        for (user, key), spans in sorted(assigned.items()):
            plan = plans.get(key)
            if plan is None or not _holds(plan, day) or not any(_holds(span, day) for span in spans):
                continue
            span = self._period(day, plan["period"])
            if span is not None:
                yield self._owed(user, key, plan, spans, span)

    def _assigned(self, users: Sequence[str]) -> dict[tuple[str, str], list[Row]]:
        """(person, plan) -> on which days he has it."""
        wanted, found = set(users), dict[tuple[str, str], list[Row]]()
        for row in self._device.list("commission_assignments").values():
            if row["user_key"] in wanted:
                found.setdefault((row["user_key"], row["plan_key"]), []).append(row)
        return found

    def _period(self, day: str, kind: str) -> Span | None:
        if (day, kind) not in self._spans:
            self._spans[day, kind] = self._found(day, kind)
        return self._spans[day, kind]

    def _found(self, day: str, kind: str) -> Span | None:
        """Of several rows of a kind the one that began last."""
        rows = ((row["start_on"], key, row["end_on"]) for key, row in self._periods.items() if row["kind"] == kind)
        here = max((row for row in rows if row[0] <= day < row[2]), default=None)
        if here is not None:
            return Span(here[1], here[0], here[2])
        try:
            made = self._calendars.period_of(day, CALENDAR_KINDS[kind])
        except Refused:
            return None
        return Span(made.name, made.start_on, made.end_on)

    def _owed(self, user: str, plan_key: str, plan: Row, assigned: Sequence[Row], span: Span) -> Owed:
        terms = terms_of(plan, self._target(user, span.key, plan) if plan["of_quota"] else None)
        return Owed(
            user_key=user,
            plan_key=plan_key,
            period_key=span.key,
            measure=plan["measure"],
            currency=plan["currency"],
            overlay=plan["overlay"],
            terms=terms,
            earned=self._earned(user, plan, assigned, span) if terms is not None else (),
            code="quota_missing" if terms is None else None,
        )

    def _target(self, user: str, period_key: str, plan: Row) -> int | None:
        """Of the person's own quota of everything, of the plan's measure and currency, that was approved once: what it
        says on the last day of its period."""
        rows = self._device.list("quotas", {"user_key": user, "period_key": period_key})
        whole = [name for name in QUOTA_FILTERS if name != "overlay"]
        same = {key: row for key, row in rows.items() if all(row[name] is None for name in whole)}
        same = {key: row for key, row in same.items() if row["approvals"] > 0}
        of = held.quotas_of(same, self._periods, self._device.list("quota_versions"), None, self._zone)
        found = [q for q in of if (q.measure, q.overlay) == (plan["measure"], plan["overlay"])]
        chosen = max(found, key=lambda quota: quota.key, default=None)
        if chosen is None or not chosen.version or chosen.currency != plan["currency"]:
            return None
        return chosen.target

    # -- credits ------------------------------------------------------------------------------------------------------

    def _earned(self, user: str, plan: Row, assigned: Sequence[Row], span: Span) -> tuple[Earned, ...]:
        ends: dict[tuple[str, int], Earned] = {}
        for key, deal, c in self._credits:
            place = key, c.n
            if c.user_key != user or c.overlay != plan["overlay"]:
                continue
            if c.reversal:
                if place in ends:
                    ends[place] = structs.replace(ends[place], reversed_at=c.at)
                continue
            day = day_of(c.at, self._zone)
            dated = _holds(plan, day) and any(_holds(row, day) for row in assigned)
            if dated and self._period(day, plan["period"]) == span:
                amount = self._amount(key, deal, c, plan)
                if amount is not None:
                    ends[place] = Earned(key, c.n, c.at, c.event, amount)
        return tuple(ends.values())

    def _amount(self, key: str, deal: Row, c: Credit, plan: Row) -> int | None:
        """A credit as the plan counts it, in its currency; None where that is not computable."""
        if c.amount_minor is None or c.currency is None:
            return None
        parts = [(c.amount_minor, c.currency)]
        if plan["measure"] == "margin":
            cost = self._cost(key, deal, c)
            if cost is None:
                return None
            parts.append((-cost[0], cost[1]))
        total = 0
        for part, currency in parts:
            value = self._exchange.value(part, currency, plan["currency"], c.rated_at)
            if isinstance(value, Missing):
                return None
            total += value[0]
        return total if abs(total) <= MONEY_MAX else None

    def _cost(self, key: str, deal: Row, c: Credit) -> tuple[int, str] | None:
        """His part of what the goods of an end cost on the day of its credit."""
        if self._costs is None:
            self._costs = costs_of(self._device.list("unit_costs").items())
            for _, row in sorted(self._device.list("deal_lines").items()):
                self._lines.setdefault(row["deal_key"], []).append(Line(row["product_key"], row["quantity"]))
        whole = cost_of(self._lines.get(key, ()), self._costs, day_of(c.at, self._zone))
        if whole is None:
            return None
        end = next(end for end in ends_of(deal) if end.n == c.n)
        shares = overlaid(whole[0], end) if c.overlay else shared_out(whole[0], end)
        part = next(part for user, _, part in shares if user == c.user_key)
        return (part, whole[1]) if part is not None else None


def _holds(row: Row, day: str) -> bool:
    return holds_on(row["valid_from"], row["valid_to"], day)


def _calendars(device: Device) -> FiscalCalendars:
    try:
        return calendars_of(device.list("fiscal_calendars").values())
    except Refused:  # rows that do not fit together, written by other means
        return FiscalCalendars()
