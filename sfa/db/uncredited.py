"""Deals that should be credited and are not: won before an upgrade to a version that keeps credits, and not made since.

What relies on credits for good (a closing) asks first. It finds deals that nobody is credited with at all; whether the
rest is right `sfa.db.credits.rebuild` knows.
"""

from sqlalchemy import Connection, Text, and_, cast, or_, select

from sfa.core.credits import credits_of
from sfa.db.credits import READ_DEALS, read_settings
from sfa.db.tables import ROWS, credited

_DEALS = ROWS["deals"].c


def uncredited(connection: Connection, start_at: int, end_at: int) -> list[str]:
    """The keys, in their order, of deals that should have a credit or a reversal in [start_at, end_at) and have none
    at all. Looks along the deals that ended then or were ever reopened; once for a closing."""
    dated = [and_(of >= start_at, of < end_at) for of in (_DEALS.closed_at, _DEALS.signed_at, _DEALS.invoiced_at)]
    query = READ_DEALS.where(
        ~_DEALS.gone,
        or_(*dated, cast(_DEALS.closings, Text) != "[]"),
        ~select(credited.c.deal_key).where(credited.c.deal_key == _DEALS.key).exists(),
    )
    found = [dict(row) for row in connection.execute(query.order_by(_DEALS.key)).mappings()]
    if not found:
        return []
    settings = read_settings(connection)
    return [
        deal["key"]
        for deal in found
        if any(start_at <= c.at < end_at for c in credits_of(deal, settings.won, settings.rules, settings.zone))
    ]
