"""How many customers come back from one year to the next, and which years that is reckoned of."""

from sqlalchemy import Connection, distinct, func, select

from sfa.core.days import plus_days, start_of_ms
from sfa.db.tables import credited
from sfa.profit.company.by import Span
from sfa.profit.company.lifetime import Retention
from sfa.profit.company.surroundings import World

YEAR_DAYS = 365


def years_before(day: str) -> Span:
    """Two years of 365 days that end with that day."""
    return Span(plus_days(day, 1 - 2 * YEAR_DAYS), plus_days(day, 1))


def retention(connection: Connection, world: World, day: str, until: int | None = None) -> Retention:
    """Customers credited in the year before last, and those of them who were in the last year, that ends with `day`, or
    with the instant `until` on it."""
    span, c = years_before(day), credited.c
    start, end = start_of_ms(span.from_on, world.zone), start_of_ms(span.to_on, world.zone)
    end = end if until is None else min(end, until)
    middle = start_of_ms(plus_days(span.from_on, YEAR_DAYS), world.zone)
    bought = [~c.overlay, ~c.reversal, c.account_key.is_not(None)]
    again = select(c.account_key).where(*bought, c.at >= middle, c.at < end)
    before = (*bought, c.at >= start, c.at < middle)
    at_risk = connection.execute(select(func.count(distinct(c.account_key))).where(*before)).scalar() or 0
    kept = select(func.count(distinct(c.account_key))).where(*before, c.account_key.in_(again))
    return Retention(at_risk, connection.execute(kept).scalar() or 0)
