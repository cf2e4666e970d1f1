"""What a picture of a forecast marks beside the money: quotas, calls, and what a node is called.

A quota or call is marked where the caller sees its row (S13) and it is in the currency of the answer: it is the figure
that somebody set, and conversion would make it another. A company has neither.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting.answers import Rollup
from sfa.core.forecast_cycles import COUNTS
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.quotas.targets import as_approved, read_quotas

NAMED = {"team": "teams", "user": "users", "territory": "territories", "product": "products"}
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
    found = as_approved(connection, [row for row in rows if row.key in keys], None, told.zone)
    return {
        _node(row.user_key, row.team_key): row.target for row in reversed(found) if row.currency == told.currency
    }  # of several of one node the one with the smallest key


def _calls(connection: Connection, held: Any, told: Rollup) -> dict[str, int]:
    c = ROWS["forecast_calls"].c
    query = (
        select(c.user_key, c.team_key, c.commit_minor)
        .where(~c.gone, c.period_key == told.period.key, c.currency == told.currency, c.status.in_(COUNTS))
        .where(c.due_on.is_not(None), lies_in(c.buckets, "held"))
        .order_by(c.due_on, c.called_at, c.key)
    )
    rows = connection.execute(query, {"held": held})
    return {_node(user, team): amount for user, team, amount in rows}


def _node(user: str | None, team: str | None) -> str:
    return f"user:{user}" if user is not None else f"team:{team}"


def name_of(connection: Connection, node: str) -> str:
    """What people call a node that they may see."""
    kind, _, key = node.partition(":")
    if kind not in NAMED:
        return COMPANY_NAME
    table = ROWS[NAMED[kind]]
    name = connection.execute(select(table.c.name).where(table.c.key == key)).scalar()
    return str(name) if name else key
