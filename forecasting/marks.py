"""What a picture of a forecast marks beside the money: quotas, calls, and what a node is called.

A quota or call is marked where the caller sees its row (S13) and it is in the currency of the answer: it is the figure
that somebody set, and conversion would make it another. Quotas are approved ones, with the target in force on the
answer's day, as coverage counts them; of a day that is over, calls are those that counted when it ended. A company has
neither.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting import kept
from forecasting.answers import Rollup
from sfa.core.days import plus_days, start_of_ms
from sfa.core.forecast_cycles import COUNTS, REPLACED
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.quotas.targets import as_approved, read_quotas

NAMED = {"team": "teams", "user": "users", "territory": "territories", "product": "products"}
FROZEN = {"team": kept.teams, "user": kept.people, "territory": kept.territories, "product": kept.products}
COMPANY_NAME = "Company"


class Marks(Struct, frozen=True):
    """Minor units of the answer's currency, by node."""

    quotas: dict[str, int]
    calls: dict[str, int]


def marks(connection: Connection, user_key: str, told: Rollup) -> Marks:
    """Quotas of revenue, whose money is the money that is closed (R55), and of each node the call that counts for the
    latest lock."""
    held = listed(connection, sorted(person(connection, user_key).held or ()))
    return Marks(_quotas(connection, held, told), _calls(connection, held, told))


def _quotas(connection: Connection, held: Any, told: Rollup) -> dict[str, int]:
    q = ROWS["quotas"].c
    seen = select(q.key).where(~q.gone, q.period_key == told.period.key, lies_in(q.buckets, "held"))
    keys = set(connection.execute(seen, {"held": held}).scalars())
    whole = (q.measure == "revenue", q.overlay.is_(False), q.product_key.is_(None), q.territory_key.is_(None))
    rows = read_quotas(connection, q.period_key == told.period.key, *whole)
    rows = [row for row in rows if row.approvals and row.key in keys]
    found = as_approved(connection, rows, start_of_ms(told.as_of, told.zone), told.zone)
    return {
        _node(row.user_key, row.team_key): row.target for row in reversed(found) if row.currency == told.currency
    }  # of several of one node the one with the smallest key


def _calls(connection: Connection, held: Any, told: Rollup) -> dict[str, int]:
    """One that was replaced since counted on a day that is over, unless what replaced it was called on that day too."""
    c = ROWS["forecast_calls"].c
    counted = COUNTS if told.as_of_snapshot is None else (*COUNTS, REPLACED)
    query = (
        select(c.user_key, c.team_key, c.currency, c.commit_minor)
        .where(~c.gone, c.period_key == told.period.key, c.status.in_(counted))
        .where(c.called_at < start_of_ms(plus_days(told.as_of, 1), told.zone))
        .where(c.due_on.is_not(None), lies_in(c.buckets, "held"))
        .order_by(c.due_on, c.called_at, c.key)
    )
    rows = connection.execute(query, {"held": held})
    latest = {_node(user, team): (currency, amount) for user, team, currency, amount in rows}
    return {node: amount for node, (currency, amount) in latest.items() if currency == told.currency}


def _node(user: str | None, team: str | None) -> str:
    return f"user:{user}" if user is not None else f"team:{team}"


def name_then(connection: Connection, node: str, number: int) -> str:
    """What people called a node when a snapshot was taken; what they call it today where it was not there yet."""
    kind, _, key = node.partition(":")
    named = FROZEN[kind](connection, number).get(key) if kind in FROZEN else None
    return named.name if named is not None else name_of(connection, node)


def name_of(connection: Connection, node: str) -> str:
    """What people call a node that they may see."""
    kind, _, key = node.partition(":")
    if kind not in NAMED:
        return COMPANY_NAME
    table = ROWS[NAMED[kind]]
    name = connection.execute(select(table.c.name).where(table.c.key == key)).scalar()
    return str(name) if name else key
