"""When a deal was last worked on: one rule, for one deal and for a page of them (R22)."""

from typing import Any

from sqlalchemy import ColumnElement, func, select

from sfa.db.later import later_of
from sfa.db.places import lies_in
from sfa.db.tables import ROWS

_VISITS, _CALLS = ROWS["visits"], ROWS["calls"]


def last_activity(account_key: ColumnElement[Any], deal_key: ColumnElement[Any]) -> ColumnElement[Any]:
    """The later of the last completed visit at the deal's customer and the last call there or about the deal, among
    those in the buckets `held`; 0 where there is none. A call counts for the deal that it names, or for all of the
    customer's where it names none."""
    visited = (
        select(func.max(_VISITS.c.checked_in_at))
        .where(_VISITS.c.account_key == account_key, _VISITS.c.status == "completed", ~_VISITS.c.gone)
        .where(lies_in(_VISITS.c.buckets, "held"))
        .scalar_subquery()
    )
    about = _CALLS.c.deal_key.is_(None) | (_CALLS.c.deal_key == deal_key)
    called = (
        select(func.max(_CALLS.c.called_at))
        .where(_CALLS.c.account_key == account_key, about, ~_CALLS.c.gone, lies_in(_CALLS.c.buckets, "held"))
        .scalar_subquery()
    )
    return later_of(func.coalesce(visited, 0), func.coalesce(called, 0))
