"""Which wins need only be added at the end of their period's ledger (R41): most of them.

A person's period is told by sums over his ledger, read in one statement for all; what was won is read by its deals.
Whatever is not surely the next credit (something was taken back, corrected, booked elsewhere or in another currency,
is of a deal that was paid before, or comes before another one) is left to be played as a whole by
`sfa.db.commissions`, which alone decides what a ledger should say: these rows are those that it would append.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from sfa.core.commission import Booked, Earned, due
from sfa.core.commission_next import Standing, appended
from sfa.db.earnings import Plan, Unit, World, earned
from sfa.db.prepared import among, listed
from sfa.db.tables import commission_entries

_E = commission_entries.c


def rows_ahead(
    connection: Connection, world: World, units: Iterable[Unit], deals: Sequence[str]
) -> dict[Unit, list[Booked]]:
    """unit -> the rows that it lacks by these deals, for units of which that is sure. The ledger is in line but for
    them."""
    asked = sorted(unit for unit in set(units) if unit.plan_key in world.plans)
    if not asked:
        return {}
    stands = _standing(connection, world.plans, asked, deals)
    reckoned = earned(connection, world, sorted(stands), deals=deals)
    found: dict[Unit, list[Booked]] = {}
    for unit, (standing, number) in stands.items():
        terms, more = reckoned[unit].terms, reckoned[unit].earned
        if (
            terms is None
            or (terms.cap_minor is None and standing.withheld_minor)
            or not _booked_here(world, unit, more)
        ):
            continue
        entries = appended(terms, standing, more)
        if entries is not None:
            wanted = [(unit.period_key, entry) for entry in entries]
            found[unit] = due(unit.period_key, wanted, (), {unit.period_key: number})
    return found


def _booked_here(world: World, unit: Unit, more: Iterable[Earned]) -> bool:
    spans = (world.periods.at(one.at, world.plans[unit.plan_key].period) for one in more)
    return all(span is not None and span.key == unit.period_key for span in spans)


def _standing(
    connection: Connection, plans: Mapping[str, Plan], units: Sequence[Unit], deals: Sequence[str]
) -> dict[Unit, tuple[Standing, int]]:
    """unit -> its sums and its highest number; left out where the sums do not tell all."""
    plain = (_E.kind.in_(("accrual", "tier", "cap"))) & _E.reverses_period.is_(None)
    odd = or_(~plain, (_E.kind == "accrual") & (_E.basis_minor < 0), among(_E.deal_key, "deals"))
    of_cap = _E.kind == "cap"
    sums = (
        func.sum(_E.basis_minor),
        func.sum(case((of_cap, 0), else_=_E.amount_minor)),
        func.sum(case((of_cap, _E.amount_minor), else_=0)),
        func.max(case((_E.kind == "accrual", _E.at))),
        func.max(_E.number),
        func.sum(case((odd, 1), else_=0)),
        func.min(_E.currency),
        func.max(_E.currency),
    )
    whose = (among(_E.user_key, "users"), among(_E.plan_key, "plans"))
    bound: dict[str, Any] = {
        name: listed(connection, sorted({unit[place] for unit in units}))
        for place, name in enumerate(("users", "plans", "periods"))
    }
    bound["deals"] = listed(connection, deals)
    said: dict[Unit, Any] = {}
    query = select(_E.user_key, _E.plan_key, _E.period_key, *sums).where(*whose, among(_E.period_key, "periods"))
    for user, plan, period, *row in connection.execute(query.group_by(_E.user_key, _E.plan_key, _E.period_key), bound):
        said[Unit(user, plan, period)] = row
    elsewhere = select(_E.user_key, _E.plan_key, _E.reverses_period).where(*whose, among(_E.reverses_period, "periods"))
    taken_back = {Unit(*row) for row in connection.execute(elsewhere.distinct(), bound)}
    found: dict[Unit, tuple[Standing, int]] = {}
    for unit in units:
        basis, amount, cap, last_at, number, strange, low, high = said.get(unit, (0, 0, 0, None, 0, 0, None, None))
        currencies = {code for code in (low, high) if code is not None}
        if not strange and unit not in taken_back and currencies <= {plans[unit.plan_key].currency}:
            found[unit] = Standing(int(basis or 0), int(amount), -int(cap), last_at), int(number)
    return found
