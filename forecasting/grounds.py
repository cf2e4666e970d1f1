"""What a call is based on: the node of the roll-up of which it is, from the deals of its people alone (R22, R29).

The roll-up of the company is made anew after every write, and a call is one: on the morning of a lock each would wait
for all deals of everybody. A node is made of the deals that its people have a part of and of what they closed, so only
those are read and told by the roll-up's own functions; it says what the roll-up would say at that moment.
Does not do: overrides (a call is based on what is not adjusted), nodes that nobody calls for.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Text, and_, case, cast, null, or_, select

from forecasting.answers import PeriodTold
from forecasting.facts import basis_of
from forecasting.ledger import ledger
from forecasting.overriding import sight_of
from forecasting.reading import Raw, World, find_period, read_world
from forecasting.rollup import Asked, rolled
from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.crm.calling import managed_on
from sfa.crm.online import person
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, credited


def views_of(
    connection: Connection, now_ms: int, user_key: str, node: str, period_key: str, currency: str
) -> Mapping[str, int]:
    """view -> the amount of the caller himself or of a team that he manages, rolled up, in minor units of a currency.
    Refuses `not_found` (also for what the caller does not call for), `period_unknown` and `currency_unknown`."""
    kind, _, key = node.partition(":")
    who, world = person(connection, user_key), read_world(connection, now_ms=now_ms)
    if node != f"user:{user_key}" and (kind != "team" or key not in managed_on(connection, user_key, world.today)):
        raise Refused("not_found")
    period = find_period(connection, period_key, world.today, world.period_kind)
    people = [user_key] if kind == "user" else _people_of(world, period, node)
    basis = basis_of(_raw(connection, world, period, people), world, period, currency=currency)
    told = rolled(basis, ledger(basis.facts), Asked(node, depth=0), sight_of(who, shown=world.shown))
    return {view: amounts.rolled_up for view, amounts in told.nodes[0].views.items()}


def _people_of(world: World, period: PeriodTold, node: str) -> list[str]:
    """Whose money may lie in a team: who stands below it today, or on a day of the period (R18)."""
    tree = world.tree
    days = {world.today, period.start_on, *(day for day in tree.changes if period.start_on < day < period.end_on)}
    return sorted(user for user in tree.people if any(node in tree.place(user, day).path for day in days))


def _raw(connection: Connection, world: World, period: PeriodTold, people: list[str]) -> Raw:
    """As `reading.read_raw` has the rows of everybody; deals that others share as well, where it is of many."""
    d, c, s = ROWS["deals"].c, credited.c, ROWS["stages"].c
    bound: dict[str, Any] = {"people": listed(connection, people)}
    splits, overlays = cast(d.splits, Text), cast(d.overlays, Text)
    columns = (d.key, d.owner_key, d.stage_key, d.amount_minor, d.currency, d.category, d.close_on, splits, overlays)
    shared = splits != "[]"
    if len(people) == 1:
        shared = and_(shared, splits.contains(f'"{people[0]}"', autoescape=True))
    expected = d.close_on < period.end_on
    if period.start_on > world.today:
        expected = and_(expected, d.close_on >= period.start_on)
    is_open = (d.closed_at.is_(None), ~d.gone, expected, or_(among(d.owner_key, "people"), shared))
    start, end = start_of_ms(period.start_on, world.zone), start_of_ms(period.end_on, world.zone)
    amount = case((c.reversal, -c.amount_minor), else_=c.amount_minor)
    closed = select(c.deal_key, c.user_key, c.overlay, c.at, c.rated_at, c.territory_key, amount, c.currency)
    closed = closed.where(among(c.user_key, "people"), c.at >= start, c.at < end)
    opened = select(*columns, null()).where(*is_open)
    return Raw(
        open=connection.execute(opened, bound).all() if period.end_on > world.today else (),
        closed=connection.execute(closed, bound).all(),
        stages=connection.execute(select(s.key, s.probability_bp, s.category)).all(),
    )
