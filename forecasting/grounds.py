"""What a call of somebody's own is based on: his node of the roll-up, from his deals alone (R22, R29).

The roll-up of the company is made anew after every write, and a call is one: on the morning of a lock each would wait
for all deals of everybody. A person's node is made of the deals that he has a part of and of what he closed, so only
those are read and told by the roll-up's own functions; it says what the roll-up would say at that moment.
Does not do: nodes of teams, and overrides: a call is based on what is not adjusted.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, Text, and_, case, cast, null, or_, select

from forecasting.answers import PeriodTold
from forecasting.facts import basis_of
from forecasting.ledger import ledger
from forecasting.overriding import sight_of
from forecasting.reading import Raw, World, find_period, read_world
from forecasting.rollup import Asked, rolled
from sfa.core.days import start_of_ms
from sfa.crm.online import person
from sfa.db.tables import ROWS, credited


def own_views(connection: Connection, now_ms: int, user_key: str, period_key: str, currency: str) -> Mapping[str, int]:
    """view -> the caller's own amount, rolled up, in minor units of a currency. Refuses `not_found`, `period_unknown`
    and `currency_unknown`."""
    who, world = person(connection, user_key), read_world(connection, now_ms=now_ms)
    period = find_period(connection, period_key, world.today, world.period_kind)
    basis = basis_of(_raw(connection, world, period, user_key), world, period, currency=currency)
    told = rolled(basis, ledger(basis.facts), Asked(f"user:{user_key}", depth=0), sight_of(who, shown=world.shown))
    return {view: amounts.rolled_up for view, amounts in told.nodes[0].views.items()}


def _raw(connection: Connection, world: World, period: PeriodTold, user_key: str) -> Raw:
    """As `reading.read_raw` has the rows of everybody."""
    d, c, s = ROWS["deals"].c, credited.c, ROWS["stages"].c
    splits, overlays, named = cast(d.splits, Text), cast(d.overlays, Text), f'"{user_key}"'
    columns = (d.key, d.owner_key, d.stage_key, d.amount_minor, d.currency, d.category, d.close_on, splits, overlays)
    shared = or_(
        and_(splits != "[]", splits.contains(named, autoescape=True)),
        and_(overlays != "[]", overlays.contains(named, autoescape=True)),
    )
    expected = d.close_on < period.end_on
    if period.start_on > world.today:
        expected = and_(expected, d.close_on >= period.start_on)
    is_open = (d.closed_at.is_(None), ~d.gone, expected, or_(d.owner_key == user_key, shared))
    start, end = start_of_ms(period.start_on, world.zone), start_of_ms(period.end_on, world.zone)
    amount = case((c.reversal, -c.amount_minor), else_=c.amount_minor)
    closed = select(c.deal_key, c.user_key, c.overlay, c.at, c.rated_at, c.territory_key, amount, c.currency)
    return Raw(
        open=connection.execute(select(*columns, null()).where(*is_open)).all() if period.end_on > world.today else (),
        closed=connection.execute(closed.where(c.user_key == user_key, c.at >= start, c.at < end)).all(),
        stages=connection.execute(select(s.key, s.probability_bp, s.category)).all(),
    )
